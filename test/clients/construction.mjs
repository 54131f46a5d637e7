// Plays a pilot, its broken twin, a careless owner and a stranger, over the real doors and gateways: every attempt to put an
// output elsewhere, to make it twice or to write over it must be refused with the right error, and change nothing.
import { execFileSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { adler32, adler32Hex } from '../../dist/src/kernel/adler32.js'

const { KUMI_SERVER: server, KUMI_CA, BEARER_TOKEN_FILE } = process.env
const root = new URL('../..', import.meta.url).pathname
const work = mkdtempSync(join(tmpdir(), 'kumi-construction-'))
const kumi = (...args) =>
  execFileSync(process.execPath, [join(root, 'dist/src/cli/main.js'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
const agent = new Agent({ connections: 8, connect: { ca: readFileSync(KUMI_CA) } })
const tag = `w${Date.now() % 1e7}`
const production = `Wrong-${tag}`
let [passed, failed] = [0, 0]

const admin = readFileSync(BEARER_TOKEN_FILE, 'utf8').trim()
const ask = async (method, url, { as = admin, body, headers = {} } = {}) => {
  const answer = await request(url.startsWith('https') ? url : server + url, {
    ...{ dispatcher: agent, method },
    headers: {
      authorization: `Bearer ${as}`,
      // The data management door of the field has a header of its own.
      ...(url.startsWith('/rucio') && { 'x-rucio-auth-token': as }),
      ...(body !== undefined && !Buffer.isBuffer(body) && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
  })
  const text = await answer.body.text()
  let json
  try {
    json = JSON.parse(text) ?? {}
  } catch {
    json = {}
  }
  const code = json.code ?? answer.headers.exceptionclass ?? ''
  return { status: answer.statusCode, code, text, json, headers: answer.headers }
}
const line = (good, name, why) => {
  if (good) passed++
  else failed++
  console.log(`${good ? 'ok' : 'FAIL'} - ${name}`)
  if (!good) console.log(`    ${why}`)
}
const answered = async (name, wanted, attempt) => {
  const { status, code, text, json } = await attempt()
  line(
    `${status} ${code}`.trim() === wanted.trim(),
    name,
    `wanted ${wanted}, got ${status} ${code}: ${text.slice(0, 300)}`,
  )
  return json
}
/** Refused with this status, and error where the door has names for them, and all is as it was before. */
const refused = async (name, status, code, attempt) => {
  const before = await picture()
  const answer = await attempt()
  const after = await picture()
  const right =
    [status].flat().includes(answer.status) && new RegExp(code).test(`${answer.code} ${answer.text}`)
  line(
    right && before === after,
    name,
    before === after
      ? `wanted ${status} ${code}, got ${answer.status} ${answer.code}: ${answer.text.slice(0, 300)}`
      : `something changed: ${before} is now ${after}`,
  )
}

let promised
/** What the grid has: counts of the production, its files, and what lies where the output belongs. */
async function picture() {
  const { json } = await ask('GET', `/kumi/v1/productions/${production}`)
  const { json: blocks } = await lines(`/rucio/dids/user.admin/${production}.simulate/dids`)
  const files = []
  for (const { name } of blocks) files.push(...(await lines(`/rucio/dids/user.admin/${name}/dids`)).json)
  // Only where it was uploaded: copies elsewhere come and go by rules.
  const { status, headers } = promised
    ? await ask('HEAD', promised.places[0].url, { headers: { 'want-digest': 'adler32' } })
    : { status: 0, headers: {} }
  const stored = `${status} ${headers['content-length']} ${headers.digest}`
  const [step] = json.steps
  return JSON.stringify([
    ...[json.life, step.tasks, step.verified, step.failed, step.eventsVerified, step.jobs, stored],
    files.map(({ name, bytes, adler32: sum }) => `${name} ${bytes} ${sum}`).sort(),
  ])
}
async function lines(path) {
  const { status, text } = await ask('GET', path)
  return {
    json:
      status === 200
        ? text
            .split('\n')
            .filter(Boolean)
            .map((each) => JSON.parse(each))
        : [],
  }
}

const pilot = async (site) => {
  const stamp = `${tag}-${site}-${randomUUID().slice(0, 8)}`
  const facts = { pilot_stamp: stamp, vo: 'demo', grid_site: site, destination_site: site }
  await ask('POST', '/diracx/api/pilots/', { body: facts })
  const { token } = (await ask('POST', `/kumi/v1/pilots/${stamp}/token`, { body: {} })).json
  return {
    stamp,
    token,
    says: (what, body, as = token) => ask('POST', `/kumi/v1/pilots/${stamp}/${what}`, { as, body }),
  }
}
const lease = async (one) => {
  const free = { cores: 1, memoryMb: 4096, diskMb: 50_000, seconds: 86_400, platform: 'x86_64', tags: [tag] }
  for (let tries = 0; tries < 60; tries++) {
    const { json } = await one.says('lease', { free, most: 1, holding: [] })
    if (json.jobs?.[0]) return json.jobs[0]
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  throw new Error('there was no job')
}
const heldOf = ({ jobId, attempt }) => ({ jobId, attempt })
const document = (job, files, events = 10) => ({
  ...{ ...heldOf(job), outcome: 'done', minor: 'Execution Complete', application: '', exitCode: 0 },
  ...{ files, metadata: { events }, logs: [] },
})
const facts = (content) => ({
  bytes: content.length,
  adler32: adler32Hex(adler32(content, 1)),
  md5: createHash('md5').update(content).digest('hex'),
})

try {
  writeFileSync(join(work, 'password'), 'a long enough word\n')
  kumi('people', 'settings', '--open')
  kumi(
    'people',
    'register',
    tag,
    '--given',
    'W',
    '--family',
    'W',
    '--email',
    `${tag}@example.org`,
    '--password-file',
    join(work, 'password'),
  )
  kumi('people', 'approve', tag)
  try {
    kumi('policy', 'sign', '--for', tag)
  } catch {
    // There may be no policy to sign.
  }
  kumi('login', tag, '--password-file', join(work, 'password'), '--token-file', join(work, 'token'))
  const stranger = readFileSync(join(work, 'token'), 'utf8').trim()
  const definition = `production: ${production}
scope: user.admin
release: r
conditions: c
campaign: ${tag}
energy: 4S
scouts: 0
destinations: [{storages: CHICAGO-DISK}]
steps:
  - name: simulate
    kind: generate
    program: /bin/true
    eventsPerJob: 10
    output: out.txt
    tags: [${tag}]
    time: 300
    disk: 1024
cells: [[26, 1-4, 10]]
`
  const define = (as) => ask('POST', '/kumi/v1/productions', { as, body: { definition } })
  await answered('a production is defined', '200', () => define(admin))
  await ask('POST', `/kumi/v1/productions/${production}/validation`, { body: { accept: true } })
  await answered('and started', '200', () =>
    ask('POST', `/kumi/v1/productions/${production}/orders`, { body: { order: 'start' } }),
  )
  const [one, twin] = [await pilot('kek'), await pilot('osaka')]
  const [job, other] = [await lease(one), await lease(twin)]
  const wish = (each) => ({ ...heldOf(each), files: [{ output: 0, file: 'out.txt' }] })
  promised = (await one.says('outputs', wish(job))).json.files[0]
  const theirs = (await twin.says('outputs', wish(other))).json.files[0]
  const [content, changed] = [Buffer.from('ten events\n'), Buffer.from('other bytes')]
  const [{ url, token: capability, rse }, second] = promised.places
  const neighbour = url.replace(/[^/]*$/, 'mine.txt')

  // The gateway, with the capability of one file.
  const at =
    (method, where, more = {}) =>
    () =>
      ask(method, where, { as: capability, ...more })
  await refused('gateway: another name beside it', 403, '', at('PUT', neighbour, { body: content }))
  await refused(
    'gateway: the output of another job',
    [401, 403],
    '',
    at('PUT', theirs.places[0].url, { body: content }),
  )
  await refused(
    'gateway: the same path at another site',
    [401, 403],
    '',
    at('PUT', second.url, { body: content }),
  )
  await refused('gateway: a directory of its name', 403, '', at('MKCOL', `${url}.d`))
  await refused('gateway: without its capability', [401, 403], '', () =>
    ask('PUT', url, { as: 'nothing', body: content }),
  )
  await answered('gateway: the file itself', '201', at('PUT', url, { body: content }))
  await refused('gateway: over it', [403, 409, 412], '', at('PUT', url, { body: changed }))
  await refused(
    'gateway: over it, expressly',
    [403, 409, 412],
    '',
    at('PUT', url, { body: changed, headers: { 'if-match': '*' } }),
  )
  await refused('gateway: removing it', 403, '', at('DELETE', url))
  await refused(
    'gateway: moving it elsewhere',
    403,
    '',
    at('MOVE', url, { headers: { destination: neighbour, overwrite: 'T' } }),
  )
  await refused(
    'gateway: a copy from elsewhere over it',
    [403, 409, 412],
    '',
    at('COPY', url, { headers: { source: second.url, overwrite: 'T' } }),
  )
  await refused('gateway: as a stranger', 403, '', () => ask('PUT', url, { as: stranger, body: changed }))

  // The routes of pilots.
  const file = { output: 0, scope: promised.scope, name: promised.name, rse, ...facts(content) }
  const complete = (by, files, as) => () => by.says('complete', document(job, files), as)
  await refused(
    'pilot: the output of another job',
    409,
    'output_not_promised',
    complete(one, [{ ...file, name: theirs.name }]),
  )
  await refused(
    'pilot: a name of its own',
    409,
    'output_not_promised',
    complete(one, [{ ...file, name: 'mine.txt' }]),
  )
  await refused(
    'pilot: another scope',
    409,
    'output_not_promised',
    complete(one, [{ ...file, scope: `user.${tag}` }]),
  )
  await refused(
    'pilot: a storage where it is not',
    409,
    'files_not_arrived',
    complete(one, [{ ...file, rse: second.rse }]),
  )
  await refused(
    'pilot: other content than is there',
    409,
    'files_not_arrived',
    complete(one, [{ ...file, ...facts(changed) }]),
  )
  await refused('pilot: the job of another', 409, 'attempt_over', complete(twin, [file]))
  await refused('pilot: in the name of another', 403, '', complete(one, [file], twin.token))
  await refused('pilot: an attempt that is none', 409, 'attempt_over', () =>
    one.says('complete', { ...document(job, [file]), attempt: 2 }),
  )
  await refused('pilot: two files for one', 400, 'invalid_job', () =>
    one.says('outputs', { ...heldOf(job), files: [0, 0].map((output) => ({ output, file: 'out.txt' })) }),
  )
  await answered('pilot: what was asked for', '204', complete(one, [file]))
  await until(async () => JSON.parse(await picture())[2] === 1)
  await refused('pilot: told twice, done once', 204, '', complete(one, [file]))
  await refused(
    'pilot: told again with another file',
    204,
    '',
    complete(one, [{ ...file, ...facts(changed) }]),
  )
  await refused('pilot: that it failed after all', 409, 'attempt_over', () =>
    one.says('complete', { ...document(job, []), outcome: 'failed' }),
  )
  await refused('pilot: another place after the end', 409, 'attempt_over', () =>
    one.says('outputs', wish(job)),
  )

  // The door of the grid itself.
  await refused('kumi: the same production again', 409, 'production_exists', () => define(admin))
  await refused('kumi: fewer events than were cut', 400, 'invalid_definition', () =>
    ask('POST', `/kumi/v1/productions/${production}/extension`, { body: { cells: 'cells: [[26, 1, 5]]' } }),
  )
  await refused('kumi: the same extension', 200, '"changed":0', () =>
    ask('POST', `/kumi/v1/productions/${production}/extension`, {
      body: { cells: 'cells: [[26, 1-4, 10]]' },
    }),
  )
  await refused('kumi: starting it twice', 200, '', () =>
    ask('POST', `/kumi/v1/productions/${production}/orders`, { body: { order: 'start' } }),
  )
  await refused('kumi: a stranger defines one in this scope', 403, '', () => define(stranger))
  await refused('kumi: a stranger cancels it', 403, '', () =>
    ask('POST', `/kumi/v1/productions/${production}/orders`, { as: stranger, body: { order: 'cancel' } }),
  )
  const into = (dataset) => ({
    executable: '/bin/true',
    outputs: [{ pattern: '*', dataset }],
    demand: { tags: [tag] },
  })
  await refused('kumi: a stranger’s job writes into the datablock', 403, '', () =>
    ask('POST', '/kumi/v1/jobs', { as: stranger, body: into(`user.admin:${production}.simulate.sub00`) }),
  )
  const key = { 'idempotency-key': randomUUID() }
  const [first, again] = [1, 2].map(() =>
    ask('POST', '/kumi/v1/jobs', { headers: key, body: into(`user.admin:${tag}`) }),
  )
  line(
    (await first).text === (await again).text,
    'kumi: a submission sent twice is one',
    `${(await again).text}`,
  )

  // DiracX.
  await refused('diracx: a stranger’s job writes into the datablock', 403, '', () =>
    ask('POST', '/diracx/api/jobs/jdl', {
      as: stranger,
      body: [`Executable="x"; OutputData={"*"}; OutputPath="user.admin:${production}.simulate.sub00";`],
    }),
  )
  await refused('diracx: a job that is done runs again', 400, '', () =>
    ask('POST', '/diracx/api/jobs/reschedule', { body: { job_ids: [job.jobId] } }),
  )
  await refused('diracx: saying that a job is done', 200, '', () =>
    ask('PATCH', '/diracx/api/jobs/status', {
      body: {
        [other.jobId]: {
          [new Date().toISOString()]: { Status: 'Done', MinorStatus: 'x', Source: 'JobWrapper' },
        },
      },
    }),
  )
  await refused('diracx: a stranger kills it', 403, '', () =>
    ask('PATCH', '/diracx/api/jobs/status', {
      as: stranger,
      body: { [other.jobId]: { [new Date().toISOString()]: { Status: 'Killed', MinorStatus: 'x' } } },
    }),
  )

  // The catalogue of the field.
  const { scope, name } = promised
  const replicas = (content_) => ({ rse: 'KEK-DISK', files: [{ scope, name, ...facts(content_) }] })
  const dids = { dids: [{ scope, name }] }
  const block = `/rucio/dids/user.admin/${production}.simulate.sub00/dids`
  await refused('rucio: the name with other content', 412, 'FileConsistencyMismatch', () =>
    ask('POST', '/rucio/replicas', { body: replicas(changed) }),
  )
  await refused('rucio: the same file into its datablock again', 409, '', () =>
    ask('POST', block, { body: dids }),
  )
  await refused('rucio: a stranger puts files into the datablock', [401, 403], 'AccessDenied', () =>
    ask('POST', block, { as: stranger, body: dids }),
  )
  await refused('rucio: a stranger takes them out', [401, 403], 'AccessDenied', () =>
    ask('DELETE', block, { as: stranger, body: dids }),
  )
  await refused('rucio: a stranger registers a copy of it', [401, 403], 'AccessDenied', () =>
    ask('POST', '/rucio/replicas', { as: stranger, body: replicas(content) }),
  )
  await refused('rucio: another checksum as metadata', [400, 409], '', () =>
    ask('POST', `/rucio/dids/${scope}/${name}/meta/adler32`, { body: { value: '00000001' } }),
  )
} catch (error) {
  line(false, 'the attempts came to their end', error.stderr || error.stack)
} finally {
  await ask('POST', `/kumi/v1/productions/${production}/orders`, { body: { order: 'cancel' } }).catch(
    () => undefined,
  )
  await agent.destroy()
  rmSync(work, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 30 ? 0 : 1)

async function until(holds) {
  for (let tries = 0; tries < 60; tries++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
