import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { jobDoorDeps } from '../../../test/harness/job-door.ts'
import { addRse, setRseAttribute } from '../../catalog/index.ts'
import { createHttp, type Http } from '../../http/index.ts'
import type { Identity } from '../../identity/index.ts'
import { silentLogger, systemClock } from '../../kernel/index.ts'
import { createSite } from '../../sites/index.ts'
import { leaseJobs, putResource } from '../../workload/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { registerDiracxDoor } from './index.ts'

const URL_BASE = 'https://localhost:7443'
const CLIENT = 'myDIRACClientID'
const room = { cores: 1, memoryMb: 8192, diskMb: 102_400, seconds: 1_080_000, platform: 'x86_64', tags: [] }

describe('the DiracX door', () => {
  const database = testDatabase()
  let http: Http
  let identity: Identity
  let deps: JobDoorDeps
  const bearers: Record<string, string> = {}

  beforeAll(async () => {
    const { db } = database
    identity = await testIdentity(database, systemClock)
    const names = ['mika', 'noa', 'boss', 'wrapper'].map((name) => ({ vo: 'demo', name }))
    const accounts = await identity.createAccounts(names)
    await identity.createGroups('demo', [{ path: '/demo/shift' }])
    await identity.addMembers('demo', '/demo/shift', [accounts[0]!.id])
    await identity.setAttributes(accounts[2]!.id, { admin: 'true' })
    await identity.setAttributes(accounts[3]!.id, { pilots: 'true' })
    for (const { name, id } of accounts) bearers[name] = (await identity.mintForAccount(id)).token
    const now = new Date()
    const place = { country: 'JP', latitude: 0, longitude: 0 }
    await createSite(db, now, { vo: 'demo', name: 'kek', title: 'KEK', ...place })
    await addRse(db, { vo: 'demo', now, name: 'KEK-DISK', uuid: crypto.randomUUID() })
    await addRse(db, { vo: 'demo', now, name: 'ALONE-DISK', uuid: crypto.randomUUID() })
    await setRseAttribute(db, { vo: 'demo', now, rse: 'KEK-DISK', key: 'site', value: 'kek' })
    const farm = { vo: 'demo', site: 'kek', name: 'kek-farm', gateway: 'kek', kind: 'local', ...room }
    await putResource(db, { ...farm, cluster: null, maxPilots: 4, maxWaiting: 2 })
    http = createHttp({ identity, audience: [URL_BASE], log: silentLogger, clock: systemClock, port: 0 })
    deps = jobDoorDeps(db, identity)
    await registerDiracxDoor(http.app, { ...deps, log: silentLogger })
    await http.app.ready()
  })
  afterAll(() => http?.close())

  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    as: string | null = 'mika',
    headers: Record<string, string> = {},
  ) => {
    const answer = await http.app.inject({
      ...{ method: method as 'GET', url: `/diracx${path}` },
      headers: {
        ...(as && { authorization: `Bearer ${bearers[as]}` }),
        ...{ 'content-type': 'application/json', ...headers },
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    const text = answer.body
    const json = /^[[{"n]/.test(text) ? JSON.parse(text) : text
    return { status: answer.statusCode, headers: answer.headers, json }
  }
  const token = async (fields: Record<string, string>) => {
    const answer = await http.app.inject({
      ...{ method: 'POST', url: '/diracx/api/auth/token' },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ client_id: CLIENT, ...fields }).toString(),
    })
    return { status: answer.statusCode, json: JSON.parse(answer.body) }
  }
  const visitor = async (name: string) => ({
    accountId: (await identity.account('demo', name)).id,
    authenticatedAt: new Date(),
  })
  const submit = async (jdl: string) => (await ask('POST', '/api/jobs/jdl', [jdl])).json[0].JobID as number
  const record = async (id: number, parameters: string[]) => {
    const search = [{ parameter: 'JobID', operator: 'eq', value: String(id) }]
    return (await ask('POST', '/api/jobs/search', { parameters, search })).json[0]
  }
  const register = (stamp: string, more: object = {}, as = 'boss') =>
    ask('POST', '/api/pilots/', { pilot_stamp: stamp, vo: 'demo', ...more }, as)
  const lease = (stamp: string) =>
    leaseJobs(deps, { vo: 'demo', stamp, now: new Date(), most: 1, holding: [], free: room })

  test('logs in by authorization code with proof of its key', async () => {
    const verifier = randomBytes(32).toString('base64url')
    const code_challenge = createHash('sha256').update(verifier).digest('base64url')
    const redirect_uri = 'http://localhost:8123/'
    const query = {
      ...{ response_type: 'code', code_challenge, code_challenge_method: 'S256', client_id: CLIENT },
      ...{ redirect_uri, scope: 'vo:demo group:demo/shift', state: 'kept' },
    }
    const begin = (more: object) =>
      ask('GET', `/api/auth/authorize?${new URLSearchParams({ ...query, ...more })}`, undefined, null)
    expect((await begin({ scope: 'openid' })).status).toBe(400)
    expect((await begin({ client_id: 'other' })).status).toBe(400)
    const asked = new URL(String((await begin({})).headers.location))
    expect([asked.pathname, asked.searchParams.get('scope')]).toEqual([
      '/iam/demo/authorize',
      'grid offline_access wlcg.groups:/demo/shift',
    ])
    const person = await visitor('mika')
    const get = (name: string) => asked.searchParams.get(name) ?? undefined
    const list = (name: string) => (get(name) ?? '').split(' ').filter(Boolean)
    const next = await identity.beginAuthorization({ vo: 'demo', get, list, person })
    const { interaction } = next as { interaction: string }
    const { redirect } = await identity.answerConsent('demo', interaction, person, { approve: true })
    const back = new URL(redirect)
    expect([back.origin, back.searchParams.get('state')]).toEqual(['http://localhost:8123', 'kept'])
    const code = back.searchParams.get('code')!
    const grant = { grant_type: 'authorization_code', redirect_uri }
    expect((await token({ ...grant, code: 'kac_no', code_verifier: verifier })).status).toBe(401)
    const { status, json } = await token({ ...grant, code, code_verifier: verifier })
    expect(status).toBe(200)
    bearers.browser = json.access_token
    const info = (await ask('GET', '/api/auth/userinfo', undefined, 'browser')).json
    expect([info.preferred_username, info.dirac_group]).toEqual(['mika', 'demo/shift'])
    // A code that comes a second time costs what the first one gave.
    expect((await token({ ...grant, code, code_verifier: verifier })).status).toBe(401)
    const again = { grant_type: 'refresh_token', refresh_token: json.refresh_token }
    expect((await token(again)).status).toBe(401)
  })

  const device = async (scope: string, as: string) => {
    const codes = (
      await ask(
        'POST',
        `/api/auth/device?${new URLSearchParams({ client_id: CLIENT, scope })}`,
        undefined,
        null,
      )
    ).json
    const page = await ask(
      'GET',
      codes.verification_uri_complete.replace(`${URL_BASE}/diracx`, ''),
      undefined,
      null,
    )
    expect([page.status, page.headers.location]).toEqual([
      307,
      `${URL_BASE}/iam/demo/device?user_code=${codes.user_code}`,
    ])
    await identity.answerDevice('demo', codes.user_code, await visitor(as), { approve: true }, '127.0.0.1')
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    return token({ grant_type, device_code: codes.device_code })
  }

  test('gives properties only to those who have them', async () => {
    const refused = await device('vo:demo property:JobAdministrator', 'noa')
    expect([refused.status, refused.json.detail]).toEqual([403, expect.stringMatching(/JobAdministrator/)])
    expect((await device('vo:demo property:NormalUser', 'noa')).status).toBe(200)
    expect((await device('vo:demo property:JobAdministrator', 'boss')).status).toBe(200)
  })

  test('lists the refresh tokens of a person, and revokes one', async () => {
    const { json } = await device('vo:demo', 'noa')
    const { jti } = JSON.parse(Buffer.from(json.refresh_token.split('.')[1], 'base64url').toString())
    const listed = (await ask('GET', '/api/auth/refresh-tokens', undefined, 'noa')).json
    expect(listed.map((one: { JTI: string }) => one.JTI)).toContain(jti)
    expect((await ask('DELETE', `/api/auth/refresh-tokens/${jti}`, undefined, 'mika')).status).toBe(404)
    const path = `/api/auth/refresh-tokens/${jti}`
    expect((await ask('DELETE', path, undefined, 'noa')).json).toBe('Refresh token revoked')
    expect((await ask('DELETE', path, undefined, 'noa')).status).toBe(404)
    const again = { grant_type: 'refresh_token', refresh_token: json.refresh_token }
    expect((await token(again)).status).toBe(401)
  })

  test('takes several updates of one job in the order of their times', async () => {
    const id = await submit('Executable = "/bin/true";')
    const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
    const soon = at(0.002)
    const { json } = await ask('PATCH', '/api/jobs/status', {
      [id]: {
        [soon]: { ApplicationStatus: 'second', Source: 'Two' },
        [at(-3600)]: { ApplicationStatus: 'late news', Source: 'Late' },
        [at(0)]: { Status: 'Running', MinorStatus: 'first', Source: 'One' },
      },
    })
    expect(json.success[id]).toMatchObject({ Status: 'Waiting', ApplicationStatus: 'second' })
    const { LoggingInfo: log } = await record(id, ['LoggingInfo'])
    const told = log.map((one: Record<string, string>) => `${one.Source}: ${one.ApplicationStatus}`)
    // What is older than the last change is history; what the state machine forbids is marked.
    expect(told).toEqual(expect.arrayContaining(['Late: late news', 'One (SM): Unknown', 'Two: second']))
    const end = { Status: 'Killed', MinorStatus: 'Marked for termination' }
    const killed = await ask('PATCH', '/api/jobs/status', {
      [id]: { [at(0)]: end, [at(0.001)]: { Status: 'Deleted' } },
    })
    expect(killed.json.success[id].Status).toBe('Deleted')
  })

  test('hears of running jobs, and hands a kill out once, to the start that it was meant for', async () => {
    const id = await submit('Executable = "/bin/sleep"; JobGroup = "beat";')
    await register('beats', { grid_site: 'kek', destination_site: 'kek-farm' })
    expect((await lease('beats')).jobs).toHaveLength(1)
    const beat = (as = 'mika') =>
      ask('PATCH', '/api/jobs/heartbeat', { [id]: { LoadAverage: 1.5, StandardOutput: 'so far' } }, as)
    expect((await beat('noa')).status).toBe(403)
    expect((await beat()).json).toEqual([])
    expect(await record(id, ['Status', 'HeartBeatTime'])).toEqual({
      Status: 'Running',
      HeartBeatTime: expect.any(String),
    })
    await ask('PATCH', '/api/jobs/status', { [id]: { [new Date().toISOString()]: { Status: 'Killed' } } })
    expect((await beat()).json).toEqual([{ job_id: id, command: 'Kill', arguments: null }])
    expect((await beat()).json).toEqual([])
    expect((await ask('PATCH', '/api/jobs/heartbeat', { [id]: { Strange: 1 } })).status).toBe(422)
  })

  test('keeps what a job wants remembered, and lets owners change little else', async () => {
    const id = await submit('Executable = "/bin/true";')
    const facts = { JobName: 'renamed', UserPriority: 7, HostName: 'wn17' }
    expect((await ask('PATCH', '/api/jobs/metadata', { [id]: facts })).status).toBe(204)
    expect(await record(id, ['JobName', 'UserPriority'])).toEqual({ JobName: 'renamed', UserPriority: 7 })
    const wrong = await ask('PATCH', '/api/jobs/metadata', { [id]: { Status: 'Done' } })
    expect([wrong.status, wrong.json.detail]).toEqual([400, 'Status cannot be changed by hand'])
    expect((await ask('PATCH', '/api/jobs/metadata', { [id]: facts }, 'noa')).status).toBe(403)
    expect((await ask('PATCH', '/api/jobs/metadata', { 999999: facts })).status).toBe(404)
  })

  test('registers pilots of others, hears of them and finds them', async () => {
    expect((await register('p1', { grid_site: 'kek', grid_type: 'Slurm' })).status).toBe(201)
    expect((await register('p1')).status).toBe(409)
    expect((await register('p2', {}, 'mika')).status).toBe(403)
    expect((await register('p2', { vo: 'nobody' })).status).toBe(400)
    expect((await register('x'.repeat(33))).status).toBe(422)
    await register('p2')
    const tell = (body: object, as: string) => ask('PATCH', '/api/pilots/metadata', body, as)
    expect((await tell({ p1: { Queue: 'long' } }, 'mika')).status).toBe(403)
    expect((await tell({ p1: { Queue: 'long', BenchMark: 12.5 } }, 'boss')).status).toBe(204)
    expect((await tell({ p1: { Status: 'Done', StatusReason: 'Over' } }, 'boss')).status).toBe(204)
    expect((await tell({ p1: { CurrentJobID: 1234567 } }, 'boss')).status).toBe(400)
    expect((await tell({ unknown: { Queue: 'x' } }, 'boss')).status).toBe(404)
    // A pilot with a token of its own tells of itself and of nobody else.
    const { token: own } = await identity.mint({
      ...{ vo: 'demo', accountId: (await identity.account('demo', 'wrapper')).id, audience: [URL_BASE] },
      ...{ scopes: ['grid.workload.pilot:/p2'], lifetimeSeconds: 600 },
    })
    bearers.p2 = own
    expect((await tell({ p2: { GridType: 'HPC' } }, 'p2')).status).toBe(204)
    expect((await tell({ p1: { Queue: 'x' } }, 'p2')).status).toBe(403)
    expect((await tell({ p1: { Queue: 'x' }, p2: { Queue: 'x' } }, 'p2')).status).toBe(403)
    const stamps = async (...search: object[]) =>
      (await ask('POST', '/api/pilots/search', { parameters: ['PilotStamp'], search })).json
        .map((pilot: { PilotStamp: string }) => pilot.PilotStamp)
        .join(' ')
    const mine = { parameter: 'PilotStamp', operator: 'in', values: ['p1', 'p2'] }
    expect(await stamps(mine, { parameter: 'GridType', operator: 'regex', value: '^Sl' })).toBe('p1')
    expect(await stamps(mine, { parameter: 'Status', operator: 'neq', value: 'Done' })).toBe('p2')
    expect(await stamps(mine, { parameter: 'BenchMark', operator: 'gt', value: '12' })).toBe('p1')
    const year = String(new Date().getUTCFullYear())
    expect(await stamps(mine, { parameter: 'SubmissionTime', operator: 'lt', value: year })).toBe('')
    const [whole] = (await ask('POST', '/api/pilots/search', { search: [{ ...mine, values: ['p1'] }] })).json
    expect(whole).toMatchObject({
      StatusReason: 'Over',
      Queue: 'long',
      GridSite: 'kek',
      PilotJobReference: 'p1',
    })
    const part = await ask('POST', '/api/pilots/search?per_page=1', { search: [mine] })
    expect([part.status, part.headers['content-range']]).toEqual([206, 'pilots 0-0/2'])
    const summary = await ask('POST', '/api/pilots/summary', { grouping: ['Status'], search: [mine] })
    expect(summary.json).toEqual([
      { Status: 'Done', count: 1 },
      { Status: 'Submitted', count: 1 },
    ])
    const group = [{ parameter: 'JobGroup', operator: 'eq', value: 'beat' }]
    const [job] = (await ask('POST', '/api/jobs/search', { parameters: ['JobID'], search: group })).json
    expect(await stamps({ parameter: 'JobID', operator: 'eq', value: job.JobID })).toBe('beats')
  })

  test('shows the configuration, and again only when it changed', async () => {
    const { status, headers, json } = await ask('GET', '/api/config/')
    expect([status, json.Registry.demo.DefaultGroup]).toEqual([200, 'demo'])
    const { Users, Groups } = json.Registry.demo
    const [shifter] = Groups['demo/shift'].Users
    expect(Users[shifter]).toEqual({ PreferedUsername: 'mika' })
    expect(json.Resources.Sites.kek.CEs['kek-farm'].NumberOfProcessors).toBe(1)
    const cached = (more: Record<string, string>) => ask('GET', '/api/config/', undefined, 'mika', more)
    expect((await cached({ 'if-none-match': String(headers.etag) })).status).toBe(304)
    expect((await cached({ 'if-modified-since': String(headers['last-modified']) })).status).toBe(304)
    await identity.addMembers('demo', '/demo/shift', [(await identity.account('demo', 'noa')).id])
    expect((await cached({ 'if-none-match': String(headers.etag) })).status).toBe(200)
    expect((await ask('GET', '/api/config/', undefined, null)).status).toBe(401)
  })

  test('says of storages, places and sites whether they may be used, and why not', async () => {
    const rss = async (what: string) => (await ask('GET', `/api/rss/${what}`)).json
    // Nobody has heard of its gateway.
    const down = { allowed: false, reason: 'The site has no gateway.' }
    expect(await rss('site')).toEqual({ kek: { all: down } })
    expect(await rss('compute')).toEqual({ 'kek-farm': { all: down } })
    const storages = await rss('storage')
    expect(storages['KEK-DISK'].write).toEqual(down)
    expect(storages['ALONE-DISK'].read).toEqual({ allowed: true, warnings: null })
    const fts = await ask('GET', '/api/rss/fts')
    expect([fts.json, fts.headers.vary]).toEqual([{}, 'Authorization'])
    expect(String(fts.headers.etag)).toMatch(/-demo"$/)
    const match = { 'if-none-match': String(fts.headers.etag) }
    expect((await ask('GET', '/api/rss/fts', undefined, 'mika', match)).status).toBe(304)
  })

  test('names somebody to tell of weaknesses', async () => {
    const { json } = await ask('GET', '/.well-known/security.txt', undefined, null)
    expect(json).toMatch(/^Contact: https:.*\nExpires: 2\d{3}-/)
  })
})
