// A production of 2,000 cells whose starts go wrong in every way that is known from campaigns, each at random with a
// probability of one in ten:
//   node test/faults/campaign.mjs [--cells 2000] [--seed 1] [--minutes 40] [--home DIR] [--port N]
// Server, PostgreSQL, gateways and their storages are real, over TLS; the pilots are played in this process and speak the
// wire of ours: 2,000 programs and as many Node.js processes would measure the machine. Nobody does anything meanwhile.
// At the end every event must be there exactly once, in the catalogue and in the bytes of the merged files; no task may have
// two outputs, fewer than one task in a hundred may have failed. Prints a table; exits with 1 when anything is not so.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { Agent, request } from 'undici'
import { homeAt, prepareHome, supervise } from '../../dist/src/embedded/index.js'
import { adler32, adler32Hex } from '../../dist/src/kernel/adler32.js'
import { seededRng } from '../../dist/src/kernel/ports.js'

const { values } = parseArgs({
  options: {
    cells: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '40' },
    home: { type: 'string' },
    port: { type: 'string' },
  },
})
const CELLS = Number(values.cells)
const EVENTS = 10
const MERGED = 40
const FAULT = 0.1
const PILOTS = 8
const SLOTS = 4
const TAG = 'campaign'
const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)
const home = homeAt(values.home ?? mkdtempSync(join(tmpdir(), 'kumi-campaign-')))
const facts = await prepareHome(home, { ...(values.port && { port: Number(values.port) }) }, new Date())
const grid = await supervise({ home, facts, program: join(root, 'dist/src') })
const cli = join(root, 'dist/src/cli/main.js')
const kumi = async (...args) =>
  (
    await run(process.execPath, [cli, ...args], {
      env: { ...process.env, KUMI_HOME: home.path },
      maxBuffer: 1 << 30,
    })
  ).stdout
const server = `https://localhost:${facts.port}`
const agent = new Agent({ connections: 64, connect: { ca: readFileSync(join(home.ca, 'ca.pem')) } })
const rng = seededRng(Number(values.seed))
const until = Date.now() + Number(values.minutes) * 60_000
const faults = new Map()
const happened = (what) => faults.set(what, (faults.get(what) ?? 0) + 1)
const unlucky = (what) => {
  if (rng.next() >= FAULT) return false
  happened(what)
  return true
}
const ended = new AbortController()
let starts = 0
let lateRefused = 0
let lateTaken = 0
let worst = 0
try {
  process.exitCode = (await campaign()) ? 0 : 1
} finally {
  ended.abort()
  await grid.stop()
  await agent.destroy()
  if (!values.home) rmSync(home.path, { recursive: true, force: true })
}

async function campaign() {
  await kumi('login', 'admin', '--password-file', join(home.client, 'password'))
  const token = readFileSync(join(home.client, 'token'), 'utf8').trim()
  const file = join(home.path, 'campaign.yaml')
  writeFileSync(file, definition())
  await kumi('prod', 'define', file)
  await kumi('prod', 'validate', 'Campaign')
  await kumi('prod', 'start', 'Campaign')
  const began = Date.now()
  const sites = facts.sites.map(({ name }) => name)
  const places = Array.from({ length: PILOTS }, (_, i) => place(token, sites[i % sites.length]))
  let shown
  for (;;) {
    shown = JSON.parse(await kumi('prod', 'show', 'Campaign', '--json'))
    process.stderr.write(
      `\r${Math.round((Date.now() - began) / 1000)} s, ${shown.verified} of ${shown.tasks} tasks, ${shown.failed} failed, ${starts} starts   `,
    )
    if (shown.life !== 'active' || shown.operation !== 'normal' || Date.now() > until) break
    await delay(3000)
  }
  process.stderr.write('\n')
  ended.abort()
  await Promise.all(places)
  return report(shown, (Date.now() - began) / 1000)
}

function definition() {
  const half = Math.ceil(CELLS / 2)
  return `production: Campaign
scope: user.admin
release: release-08
conditions: mc_16
campaign: MC16
energy: 4S
scouts: 20
destinations:
  - {storages: KEK-DISK, share: 2}
  - {storages: CHICAGO-DISK, share: 1}
steps:
  - name: simulate
    kind: generate
    program: /bin/true
    eventsPerJob: ${EVENTS}
    output: mdst.txt
    tags: [${TAG}]
    time: 300
    disk: 1024
    keep: no
  - name: merge
    kind: standard
    filesPerJob: ${MERGED}
    readFromAfar: yes
    program: /bin/true
    output: merged.txt
    events: exact
    tags: [${TAG}]
    time: 300
    disk: 1024
cells:
  - [26, 1-${half}, ${EVENTS}]
${CELLS > half ? `  - [27, 1-${CELLS - half}, ${EVENTS}]\n` : ''}`
}

/** One question of a pilot; what the server says, or undefined when it refuses. */
async function ask({ stamp, token }, path, body) {
  for (let tries = 1; ; tries++) {
    const before = performance.now()
    const answer = await request(`${server}/kumi/v1/pilots/${stamp}/${path}`, {
      ...{ dispatcher: agent, method: 'POST', body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    }).catch(() => undefined)
    if (answer) {
      const text = await answer.body.text()
      worst = Math.max(worst, performance.now() - before)
      if (answer.statusCode < 300) return text ? JSON.parse(text) : {}
      if (answer.statusCode < 500) return undefined
    }
    if (tries === 30 || Date.now() > until) throw new Error(`the server does not answer ${path}`)
    await delay(300)
  }
}

/** A place where one pilot after the other works; every tenth node is a black hole. */
async function place(token, site) {
  while (!ended.signal.aborted) {
    const stamp = `c-${site}-${Math.floor(rng.next() * 1e12)}`
    const made = await admin(token, 'POST', '/diracx/api/pilots/', {
      ...{ pilot_stamp: stamp, vo: facts.vo, grid_site: site, destination_site: site },
    })
    if (made >= 300) throw new Error(`a pilot was not taken: ${made}`)
    const own = await adminJson(token, 'POST', `/kumi/v1/pilots/${stamp}/token`, {})
    const hole = unlucky('black-hole node')
    await Promise.all(
      Array.from({ length: SLOTS }, () => slot({ stamp, token: own.token, site, admin: token }, hole)),
    )
    await ask({ stamp, token: own.token }, 'end', { reason: 'over' }).catch(() => undefined)
  }
}

async function slot(pilot, hole) {
  while (!ended.signal.aborted && !pilot.dead) {
    const free = {
      ...{ cores: 1, memoryMb: 4096, diskMb: 50_000, seconds: 86_400, platform: 'x86_64', tags: [TAG] },
    }
    const given = await ask(pilot, 'lease', { free, most: 1, holding: pilot.holding ?? [] })
    if (!given || given.drain) return
    const [job] = given.jobs.filter(
      (each) => !(pilot.holding ?? []).some((held) => held.jobId === each.jobId),
    )
    if (!job) {
      await delay(300 + rng.next() * 700)
      continue
    }
    const held = { jobId: job.jobId, attempt: job.attempt }
    pilot.holding = [...(pilot.holding ?? []), held]
    starts++
    if (hole) await ask(pilot, 'complete', ending(held, 'site_fault', 'Exception During Execution'))
    else await work(pilot, job, held)
    pilot.holding = pilot.holding.filter((one) => one !== held)
  }
}

function ending(held, outcome, minor, more = {}) {
  return {
    ...{ ...held, outcome, minor, application: minor, exitCode: null, files: [], metadata: {}, logs: [] },
    ...more,
  }
}

async function work(pilot, job, held) {
  const inputs = job.item?.inputs ?? []
  const lines = []
  if (inputs.length > 0) {
    if (unlucky('input download'))
      return ask(pilot, 'complete', ending(held, 'site_fault', 'Failed Downloading Input Data'))
    const answer = await ask(pilot, 'inputs', { ...held, from: 0, count: 100 })
    if (!answer) return
    for (const input of answer.files) lines.push(...(await fetched(input)))
  } else {
    const { KUMI_EVENTS, KUMI_SEED } = job.spec.environment
    for (let i = 0; i < Number(KUMI_EVENTS); i++) lines.push(`${KUMI_SEED} ${i}`)
  }
  let events = lines.length
  if (unlucky('worker killed')) return killed(pilot, held, lines)
  if (unlucky('wrong output')) {
    const kind = Math.floor(rng.next() * 3)
    if (kind === 0)
      return ask(
        pilot,
        'complete',
        ending(held, 'failed', 'Application Finished With Errors', { exitCode: 139 }),
      )
    if (kind === 1) events -= 1
    else lines.length = 0
  }
  const promise = (
    await ask(pilot, 'outputs', { ...held, files: [{ output: 0, file: job.spec.outputs[0].pattern }] })
  )?.files[0]
  if (!promise) return
  const [first, second] = promise.places
  let at = first
  if (unlucky('upload')) {
    await put(first, lines, true)
    if (!second || rng.next() < 0.5)
      return ask(pilot, 'complete', ending(held, 'site_fault', 'Failed Uploading Output Data'))
    at = second
  }
  const file = await put(at, lines)
  const files = [{ output: 0, scope: promise.scope, name: promise.name, rse: at.rse, ...file }]
  const done = ending(held, 'done', 'Execution Complete', { exitCode: 0, files, metadata: { events } })
  // Thousands of jobs end at once: the connection breaks after the document was sent, and it is sent again.
  if (unlucky('registration load')) await broken(pilot, done)
  const taken = await ask(pilot, 'complete', done)
  if (taken && unlucky('duplicate report')) await ask(pilot, 'complete', done)
  // As a pilot does when the server refuses what it made.
  if (!taken)
    await ask(
      pilot,
      'complete',
      ending(held, 'failed', 'Output Data Not Registered', { application: 'Wrong output: refused' }),
    )
}

async function fetched({ places, bytes }) {
  for (let tries = 0; tries < 20; tries++) {
    for (const { url, token } of places) {
      const answer = await request(url, {
        dispatcher: agent,
        headers: { authorization: `Bearer ${token}` },
      }).catch(() => undefined)
      const text = await answer?.body.text()
      if (answer?.statusCode === 200 && text.length === Number(bytes)) return text.split('\n').filter(Boolean)
    }
    await delay(500)
  }
  throw new Error('an input cannot be read')
}

async function put({ url, token }, lines, half = false) {
  const content = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const sums = {
    bytes: content.length,
    adler32: adler32Hex(adler32(content, 1)),
    md5: createHash('md5').update(content).digest('hex'),
  }
  async function* part() {
    yield content.subarray(0, content.length / 2)
    throw new Error('broken off')
  }
  const answer = await request(url, {
    ...{ dispatcher: agent, method: 'PUT', body: half ? part() : content },
    headers: {
      authorization: `Bearer ${token}`,
      'content-length': String(content.length),
      'if-none-match': '*',
      digest: `adler32=${sums.adler32}`,
    },
  }).catch((error) => {
    if (half) return undefined
    throw error
  })
  await answer?.body.dump()
  return sums
}

/** The worker dies; its batch system tells. Half of the dead come back later and report all the same. */
async function killed(pilot, held, lines) {
  const promise = (await ask(pilot, 'outputs', { ...held, files: [{ output: 0, file: 'mdst.txt' }] }))
    ?.files[0]
  pilot.dead = true
  const told = await admin(pilot.admin, 'PATCH', '/diracx/api/pilots/metadata', {
    [pilot.stamp]: { Status: 'Failed', StatusReason: 'node lost' },
  })
  if (told >= 300) throw new Error(`the end of a pilot was not taken: ${told}`)
  if (!promise || rng.next() < 0.5) return
  await delay(1000)
  const [at] = promise.places
  const file = await put(at, lines)
  const files = [{ output: 0, scope: promise.scope, name: promise.name, rse: at.rse, ...file }]
  const late = await ask(
    pilot,
    'complete',
    ending(held, 'done', 'Execution Complete', { files, metadata: { events: lines.length } }),
  )
  if (late) lateTaken++
  else lateRefused++
}

async function broken({ stamp, token }, document) {
  const stop = new AbortController()
  const sent = request(`${server}/kumi/v1/pilots/${stamp}/complete`, {
    ...{ dispatcher: agent, method: 'POST', body: JSON.stringify(document), signal: stop.signal },
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  })
  setTimeout(() => stop.abort(), rng.next() * 30)
  await sent.then(({ body }) => body.dump()).catch(() => undefined)
}

function adminCall(token, method, path, body) {
  return request(server + path, {
    ...{ dispatcher: agent, method, body: JSON.stringify(body) },
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  })
}
async function admin(token, method, path, body) {
  const answer = await adminCall(token, method, path, body)
  await answer.body.dump()
  return answer.statusCode
}
async function adminJson(token, method, path, body) {
  return (await adminCall(token, method, path, body)).body.json()
}

async function report(shown, seconds) {
  const [simulate, merge] = shown.steps
  const merged = JSON.parse(await kumi('data', 'ls', 'user.admin:Campaign.merge', '--json'))
  const blocks = merged.map(({ name }) => name)
  const names = []
  for (const block of blocks)
    names.push(
      ...JSON.parse(await kumi('data', 'ls', `user.admin:${block}`, '--json')).map(({ name }) => name),
    )
  const wanted = new Set(names)
  const contents = new Map()
  for (const { name: site } of facts.sites) {
    const area = join(home.sites, site, 'storage', facts.vo)
    for (const entry of readdirSync(area, { recursive: true, withFileTypes: true }))
      if (entry.isFile() && wanted.has(entry.name))
        contents.set(entry.name, readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'utf8'))
  }
  const lines = [...contents.values()].flatMap((text) => text.split('\n').filter(Boolean))
  const left = JSON.parse(await kumi('data', 'ls', 'user.admin:Campaign.simulate', '--json'))
  const intermediates = []
  for (const { name } of left)
    intermediates.push(
      ...JSON.parse(await kumi('data', 'ls', `user.admin:${name}`, '--json').catch(() => '[]')),
    )
  const total = CELLS * EVENTS
  const failRate = shown.failed / Math.max(1, shown.tasks)
  const checks = [
    ['completed by itself', shown.life === 'completed', `${shown.life}, ${shown.operation} ${shown.reason}`],
    [
      'events verified by the first step',
      simulate.eventsVerified === total,
      `${simulate.eventsVerified} of ${total}`,
    ],
    ['events verified by the second', merge.eventsVerified === total, `${merge.eventsVerified} of ${total}`],
    [
      'merged files have their bytes',
      contents.size === names.length && names.length > 0,
      `${contents.size} of ${names.length}`,
    ],
    ['events in the bytes', lines.length === total, `${lines.length} of ${total}`],
    [
      'each of them once',
      new Set(lines).size === lines.length,
      `${lines.length - new Set(lines).size} twice`,
    ],
    [
      'one output a task',
      names.length === merge.verified,
      `${names.length} files of ${merge.verified} tasks`,
    ],
    ['failed tasks below 1 %', failRate < 0.01, `${shown.failed} of ${shown.tasks}`],
    ['reports of the dead refused', lateTaken === 0, `${lateRefused} refused, ${lateTaken} taken`],
    ['no intermediate is left', intermediates.length === 0, `${intermediates.length} left`],
  ]
  const row = (a, b) => console.log(`${String(a).padEnd(38)} ${b}`)
  row('cells, events', `${CELLS}, ${total}`)
  row('seconds', Math.round(seconds))
  row('jobs, of which failed', `${simulate.jobs + merge.jobs}, ${simulate.jobsFailed + merge.jobsFailed}`)
  row('starts', starts)
  for (const [what, n] of [...faults].sort()) row(`  ${what}`, n)
  row('longest answer of the server, ms', Math.round(worst))
  for (const [what, good, found] of checks) row(`${good ? 'ok  ' : 'FAIL'} ${what}`, found)
  return checks.every(([, good]) => good)
}
