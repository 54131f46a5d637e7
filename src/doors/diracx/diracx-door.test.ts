import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { jobDoorDeps } from '../../../test/harness/job-door.ts'
import { createHttp, type Http } from '../../http/index.ts'
import { createIdentity, type Identity } from '../../identity/index.ts'
import { rows, silentLogger, sql, systemClock, systemPorts } from '../../kernel/index.ts'
import { registerDiracxDoor } from './index.ts'
import { periodOf } from './time.ts'
import { unwrapRefresh, wrapRefresh } from './tokens.ts'

const URL_BASE = 'https://localhost:7443'

describe('the DiracX door', () => {
  const database = testDatabase()
  let http: Http
  let identity: Identity
  const bearers: Record<string, string> = {}

  beforeAll(async () => {
    const { db, pool } = database
    identity = createIdentity({
      ...{ db, pool, clock: systemClock, ids: systemPorts.ids, log: silentLogger },
      ...{ issuerBase: URL_BASE, sealKey: randomBytes(32) },
    })
    await identity.createVo({ id: 'demo', title: 'Demo' })
    const accounts = await identity.createAccounts([
      { vo: 'demo', name: 'mika' },
      { vo: 'demo', name: 'noa' },
    ])
    for (const { name, id } of accounts) bearers[name] = `Bearer ${(await identity.mintForAccount(id)).token}`
    http = createHttp({ identity, audience: [URL_BASE], log: silentLogger, clock: systemClock, port: 0 })
    const pin = async (_vo: string, release: string) => ({
      ...{ repository: 'koto.example.org', release, revision: 3, root: 'cafe', masterPublicPem: 'pem' },
    })
    await registerDiracxDoor(http.app, {
      ...{ ...jobDoorDeps(db, identity), log: silentLogger, software: { pin } },
    })
    await http.app.ready()
  })
  afterAll(() => http?.close())

  const ask = async (method: string, path: string, body?: unknown, as: string | null = 'mika') => {
    const answer = await http.app.inject({
      method: method as 'GET',
      url: `/diracx${path}`,
      headers: { ...(as && { authorization: bearers[as]! }), 'content-type': 'application/json' },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    return { status: answer.statusCode, headers: answer.headers, json: JSON.parse(answer.body || 'null') }
  }
  const submit = async (...jdl: string[]) =>
    (await ask('POST', '/api/jobs/jdl', jdl)).json.map((job: { JobID: number }) => job.JobID) as number[]
  const search = async (body: unknown, page = '') => ask('POST', `/api/jobs/search${page}`, body)

  test('tells where to log in, and who may, to anybody', async () => {
    const { json } = await ask('GET', '/.well-known/openid-configuration', undefined, null)
    expect(json.token_endpoint).toBe(`${URL_BASE}/diracx/api/auth/token`)
    expect(json.scopes_supported).toContain('vo:demo')
    const metadata = (await ask('GET', '/.well-known/dirac-metadata', undefined, null)).json
    expect(metadata.virtual_organizations.demo.default_group).toBe('demo')
    expect((await ask('GET', '/.well-known/jwks.json', undefined, null)).json.keys.length).toBeGreaterThan(0)
  })

  test('logs in by device flow and renews, in the shapes its client reads', async () => {
    const begin = (query: Record<string, string>) =>
      ask('POST', `/api/auth/device?${new URLSearchParams(query)}`, undefined, null)
    const client_id = 'myDIRACClientID'
    expect((await begin({ client_id, scope: 'vo:demo openid' })).json).toEqual({
      detail: 'Unrecognised scopes: openid',
    })
    expect((await begin({ client_id, scope: 'group:x' })).json.detail).toMatch(/'vo:demo'/)
    expect((await begin({ client_id: 'other', scope: 'vo:demo' })).status).toBe(400)
    const codes = (await begin({ client_id, scope: 'vo:demo' })).json
    expect(codes).not.toHaveProperty('interval')
    const token = async (fields: Record<string, string>) => {
      const answer = await http.app.inject({
        ...{ method: 'POST', url: '/diracx/api/auth/token' },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ client_id, ...fields }).toString(),
      })
      return { status: answer.statusCode, json: JSON.parse(answer.body) }
    }
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    const redeem = () => token({ grant_type, device_code: codes.device_code })
    expect(await redeem()).toEqual({ status: 400, json: { error: 'authorization_pending' } })
    // At once again, as its client may: still pending, never "slow down".
    expect(await redeem()).toEqual({ status: 400, json: { error: 'authorization_pending' } })
    const mika = await identity.account('demo', 'mika')
    const visitor = { accountId: mika.id, authenticatedAt: new Date() }
    await identity.answerDevice('demo', codes.user_code, visitor, { approve: true }, '127.0.0.1')
    let tokens = { expires_in: 0, refresh_token: '' }
    const tried = async () => {
      const { status, json } = await redeem()
      if (status === 200) tokens = json
      return status
    }
    await expect.poll(tried, { timeout: 30_000, interval: 2000 }).toBe(200)
    expect(tokens.expires_in).toBeGreaterThan(315)
    const claims = JSON.parse(Buffer.from(tokens.refresh_token.split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ vo: 'demo', legacy_exchange: false, exp: expect.any(Number) })
    const renewed = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
    expect([renewed.status, renewed.json.refresh_token === tokens.refresh_token]).toEqual([200, false])
    bearers.client = `Bearer ${renewed.json.access_token}`
    expect((await ask('GET', '/api/auth/userinfo', undefined, 'client')).json).toMatchObject({
      ...{ vo: 'demo', preferred_username: 'mika', dirac_group: 'demo', properties: ['NormalUser'] },
    })
    expect(await token({ grant_type: 'refresh_token', refresh_token: 'nonsense' })).toEqual({
      ...{ status: 401, json: { detail: 'Invalid JWT' } },
    })
  })

  test('takes job descriptions, and says what is wrong with a bad one', async () => {
    const { status, json } = await ask('POST', '/api/jobs/jdl', [
      'Executable = "/bin/echo"; JobName = "one";',
    ])
    expect([status, json[0].Status, json[0].MinorStatus]).toEqual([201, 'Received', 'Job accepted'])
    expect(await submit('Executable = "/bin/echo"; Parameters = 4; Arguments = "%s";')).toHaveLength(4)
    await submit('Executable = "reco"; Software = "koto.example.org@release-08";')
    const bodies = await rows(
      database.db,
      sql<{
        release: string | null
      }>`select spec->'software'->>'release' as release from job_body order by id`,
    )
    expect(bodies.map(({ release }) => release)).toEqual([null, null, 'koto.example.org@release-08'])
    const bad = await ask('POST', '/api/jobs/jdl', ['Executable = ;'])
    expect([bad.status, bad.json.detail]).toEqual([400, expect.stringMatching(/Line 1/)])
    const two = ['Executable = "a"; Parameters = 2;', 'Executable = "b";']
    expect((await ask('POST', '/api/jobs/jdl', two)).json.detail).toMatch(/parametric/)
    expect((await ask('POST', '/api/jobs/jdl', [], null)).status).toBe(401)
    expect((await ask('POST', '/api/jobs/jdl', [])).status).toBe(422)
  })

  test('searches with every operator of its grammar', async () => {
    const [a, b, c] = await submit(
      ...['alpha', 'beta', 'gamma'].map((name) => `Executable = "x"; JobName = "${name}"; JobGroup = "ops";`),
    )
    const names = async (...specs: object[]) => {
      const { json } = await search({
        parameters: ['JobName'],
        search: [{ parameter: 'JobGroup', operator: 'eq', value: 'ops' }, ...specs],
        sort: [{ parameter: 'JobID', direction: 'asc' }],
      })
      return json.map((job: { JobName: string }) => job.JobName).join(' ')
    }
    const name = (operator: string, value: string) => names({ parameter: 'JobName', operator, value })
    const list = (operator: string, ...values: unknown[]) => names({ parameter: 'JobID', operator, values })
    expect(await name('eq', 'beta')).toBe('beta')
    expect(await name('neq', 'beta')).toBe('alpha gamma')
    expect(await name('gt', 'beta')).toBe('gamma')
    expect(await name('lt', 'beta')).toBe('alpha')
    expect(await name('like', '%a%a')).toBe('alpha gamma')
    expect(await name('not like', 'b%')).toBe('alpha gamma')
    expect(await name('regex', '^(al|ga)')).toBe('alpha gamma')
    expect(await list('in', a, c)).toBe('alpha gamma')
    expect(await list('not in', String(b))).toBe('alpha gamma')
    const year = String(new Date().getUTCFullYear())
    expect(await names({ parameter: 'SubmissionTime', operator: 'eq', value: year })).toBe('alpha beta gamma')
    expect(await names({ parameter: 'SubmissionTime', operator: 'gt', value: year })).toBe('')
    expect(await names({ parameter: 'Status', operator: 'in', values: ['Waiting'] })).toBe('alpha beta gamma')
    expect(await names({ parameter: 'Status', operator: 'neq', value: 'Waiting' })).toBe('')
    expect(await names({ parameter: 'VerifiedFlag', operator: 'eq', value: 'False' })).toBe('')
    for (const spec of [
      { parameter: 'Nothing', operator: 'eq', value: 'x' },
      { parameter: 'JobName', operator: 'about', value: 'x' },
      { parameter: 'JobID', operator: 'eq', value: 'many' },
      { parameter: 'JobName', operator: 'regex', value: '(' },
      { parameter: 'SubmissionTime', operator: 'in', values: ['2024', '2024-01'] },
    ])
      expect((await search({ search: [spec] })).status, JSON.stringify(spec)).toBe(400)
  })

  test('pages: the whole is 200, a part 206 with its range, and past the end 416', async () => {
    const mine = { search: [{ parameter: 'JobGroup', operator: 'eq', value: 'pages' }] }
    await submit(...Array.from({ length: 5 }, () => 'Executable = "x"; JobGroup = "pages";'))
    const page = async (text: string) => {
      const { status, headers, json } = await search(mine, text)
      return [status, headers['content-range'], json.length]
    }
    expect(await page('')).toEqual([200, undefined, 5])
    expect(await page('?page=2&per_page=2')).toEqual([206, 'jobs 2-3/5', 2])
    expect(await page('?page=9&per_page=2')).toEqual([416, 'jobs */5', 0])
    expect((await search(mine, '?per_page=0')).status).toBe(422)
    const [job] = (await search({ ...mine, parameters: ['JobID', 'LoggingInfo'] })).json
    expect(Object.keys(job)).toEqual(['JobID', 'LoggingInfo'])
    expect(job.LoggingInfo.map((entry: { Status: string }) => entry.Status)).toEqual(['Received', 'Waiting'])
  })

  test('counts, by what is kept and by what must be looked at', async () => {
    await submit('Executable = "x"; JobGroup = "sum"; JobType = "Merge";')
    const { json } = await ask('POST', '/api/jobs/summary', { grouping: ['JobType', 'Status'] })
    expect(json).toContainEqual({ JobType: 'Merge', Status: 'Waiting', count: 1 })
    const total = json.reduce((sum: number, line: { count: number }) => sum + line.count, 0)
    const [all] = await rows(database.db, sql<{ n: bigint }>`select count(*) as n from job`)
    expect(BigInt(total)).toBe(all!.n)
    const groups = await ask('POST', '/api/jobs/summary', {
      grouping: ['JobGroup'],
      search: [{ parameter: 'JobType', operator: 'eq', value: 'Merge' }],
    })
    expect(groups.json).toEqual([{ JobGroup: 'sum', count: 1 }])
  })

  test('kills, deletes and reschedules by its own rules, for the owner only', async () => {
    const [id, other] = await submit('Executable = "x";', 'Executable = "y";')
    const now = new Date().toISOString()
    const status = (body: unknown, as?: string) => ask('PATCH', '/api/jobs/status', body, as)
    const killed = { Status: 'Killed', MinorStatus: 'Marked for termination' }
    expect((await status({ [id!]: { [now]: killed } }, 'noa')).status).toBe(403)
    expect((await status({ [id!]: { '2024-01-01T00:00:00': killed } })).json.detail).toMatch(/timezone/)
    expect((await status({ [id!]: { [now]: killed } })).json.success[id!]).toMatchObject(killed)
    // A change that the state machine forbids keeps the state, and is no error.
    const done = await status({ [other!]: { [now]: { Status: 'Done' } } })
    expect(done.json.success[other!].Status).toBe('Waiting')
    const missing = await status({ 987654: { [now]: killed } })
    expect([missing.status, missing.json.detail.failed['987654'].detail]).toEqual([
      404,
      'Job 987654 not found',
    ])
    const again = await ask('POST', '/api/jobs/reschedule', { job_ids: [id] })
    expect(again.json.success[id!].Status).toBe('Waiting')
    expect((await ask('POST', '/api/jobs/reschedule', { job_ids: [987654] })).status).toBe(400)
  })
})

describe('words of the wire', () => {
  test('a time is the period that it names', () => {
    const span = (text: string) => periodOf(text).map((at) => at.toISOString())
    expect(span('2024')).toEqual(['2024-01-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z'])
    expect(span('2024-02')).toEqual(['2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'])
    expect(span('2024-05-01 13')[1]).toBe('2024-05-01T14:00:00.000Z')
    expect(span('2024-05-01T13:14:15.123456Z')[0]).toBe('2024-05-01T13:14:15.123Z')
    expect(() => periodOf('2024-02-31')).toThrow(/calendar/)
  })

  test('a refresh token comes back as it was wrapped', () => {
    const wrapped = wrapRefresh('krt_a_b', { vo: 'demo', exp: 5, jti: 'x' })
    expect(unwrapRefresh(wrapped)).toEqual({ vo: 'demo', token: 'krt_a_b' })
    expect(unwrapRefresh('krt_a_b')).toBeUndefined()
  })
})
