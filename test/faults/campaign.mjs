// A production of 2,000 cells whose starts go wrong in every way that is known from campaigns, each at random with a
// probability of one in ten:
//   node test/faults/campaign.mjs [--cells 2000] [--seed 1] [--minutes 40] [--home DIR] [--port N]
// Server, PostgreSQL, gateways and their storages are real, over TLS; the pilots are played in this process and speak the
// wire of ours: 2,000 programs and as many Node.js processes would measure the machine. Nobody does anything meanwhile.
// At the end every event must be there exactly once, in the catalogue and in the bytes of the merged files; no task may have
// two outputs, fewer than one task in a hundred may have failed. Prints a table; exits with 1 when anything is not so.

import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { Agent } from 'undici'
import { homeAt, prepareHome, supervise } from '../../dist/src/embedded/index.js'
import { seededRng } from '../../dist/src/kernel/ports.js'
import { playPilots } from './played-pilots.mjs'

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
const PILOTS = 8
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
const until = Date.now() + Number(values.minutes) * 60_000
try {
  process.exitCode = (await campaign()) ? 0 : 1
} finally {
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
  const pilots = playPilots({
    ...{ server, agent, token, sites, until, vo: facts.vo, count: PILOTS, tag: TAG },
    rng: seededRng(Number(values.seed)),
  })
  let shown
  for (;;) {
    shown = JSON.parse(await kumi('prod', 'show', 'Campaign', '--json'))
    process.stderr.write(
      `\r${Math.round((Date.now() - began) / 1000)} s, ${shown.verified} of ${shown.tasks} tasks, ${shown.failed} failed, ${pilots.seen.starts} starts   `,
    )
    if (shown.life !== 'active' || shown.operation !== 'normal' || Date.now() > until) break
    await Promise.race([delay(3000), pilots.troubled])
  }
  process.stderr.write('\n')
  await pilots.stop()
  return report(shown, pilots, (Date.now() - began) / 1000)
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

async function report(shown, { faults, seen }, seconds) {
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
      if (entry.isFile() && wanted.has(entry.name) && !entry.parentPath.includes('/.kumi/'))
        contents.set(entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8'))
  }
  const lines = [...contents.values()].flatMap((text) => text.split('\n').filter(Boolean))
  const left = JSON.parse(await kumi('data', 'ls', 'user.admin:Campaign.simulate', '--json'))
  const intermediates = []
  for (const { name } of left)
    intermediates.push(
      ...JSON.parse(await kumi('data', 'ls', `user.admin:${name}`, '--json').catch(() => '[]')),
    )
  const log = readFileSync(join(home.path, 'postgres', 'postgres.log'), 'utf8')
  const deadlocks = log.split('deadlock detected').length - 1
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
    [
      'reports of the dead refused',
      seen.lateTaken === 0,
      `${seen.lateRefused} refused, ${seen.lateTaken} taken`,
    ],
    ['hardly any waited for each other', deadlocks < seen.starts / 500, `${deadlocks} deadlocks`],
    ['no intermediate is left', intermediates.length === 0, `${intermediates.length} left`],
  ]
  const row = (a, b) => console.log(`${String(a).padEnd(38)} ${b}`)
  row('cells, events', `${CELLS}, ${total}`)
  row('seconds', Math.round(seconds))
  row('jobs, of which failed', `${simulate.jobs + merge.jobs}, ${simulate.jobsFailed + merge.jobsFailed}`)
  row('starts', seen.starts)
  for (const [what, n] of [...faults].sort()) row(`  ${what}`, n)
  row('longest answer of the server, ms', Math.round(seen.slowestMs))
  for (const [what, good, found] of checks) row(`${good ? 'ok  ' : 'FAIL'} ${what}`, found)
  return checks.every(([, good]) => good)
}
