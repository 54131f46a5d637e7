import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { createHttp, type Http } from '../../http/index.ts'
import { ANY_AUDIENCE, createIdentity, type Identity } from '../../identity/index.ts'
import { silentLogger, systemClock, systemPorts } from '../../kernel/index.ts'
import { oidcDoor } from './index.ts'

const ISSUER = 'https://localhost:7443/iam/demo'
const PASSWORD = 'a long enough word'

describe('the issuer', () => {
  const database = testDatabase()
  let identity: Identity
  let http: Http
  let base = ''
  const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${base}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers })
  const json = async (answer: Response) => (await answer.json()) as Record<string, unknown>
  const byPassword = (fields: Record<string, string> = {}) =>
    form('/token', {
      grant_type: 'password',
      client_id: 'kumi-cli',
      username: 'mika',
      password: PASSWORD,
      ...fields,
    })
  const tokenOf = async (answer: Response) => String((await json(answer)).access_token)
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  })
  const SECRET = 'x'.repeat(32)

  beforeAll(async () => {
    identity = createIdentity({
      db: database.db,
      clock: systemClock,
      ids: systemPorts.ids,
      log: silentLogger,
      issuerBase: 'https://localhost:7443',
      sealKey: randomBytes(32),
    })
    await identity.createVo({ id: 'demo', title: 'Demo' })
    await identity.createVo({ id: 'other', title: 'Other' })
    const [mika, robot] = await identity.createAccounts([
      { vo: 'demo', name: 'mika', email: 'mika@example.org' },
      { vo: 'demo', name: 'robot', kind: 'SERVICE' },
    ])
    await identity.setAttributes(mika!.id, { admin: 'true' })
    await identity.setPassword(mika!.id, 'mika', PASSWORD)
    await identity.putClient({
      id: 'robot',
      vo: 'demo',
      accountId: robot!.id,
      scopes: ['grid.catalog.read', 'storage.read:/raw'],
      secret: SECRET,
    })
    http = createHttp({
      identity,
      audience: ['https://localhost:7443'],
      log: silentLogger,
      clock: systemClock,
      port: 0,
    })
    await http.app.register(oidcDoor({ identity, clock: systemClock, clientRegistration: false }))
    const { port } = await http.listen()
    base = `http://127.0.0.1:${port}/iam/demo`
  })
  afterAll(() => http?.close())

  test('describes itself, and its keys may be cached', async () => {
    const answer = await fetch(`${base}/.well-known/openid-configuration`)
    expect(await json(answer)).toMatchObject({
      issuer: ISSUER,
      jwks_uri: `${ISSUER}/jwks`,
      token_endpoint: `${ISSUER}/token`,
      grant_types_supported: expect.arrayContaining(['authorization_code', 'client_credentials']),
      id_token_signing_alg_values_supported: ['ES256'],
    })
    const keys = await fetch(`${base}/jwks`)
    expect(keys.headers.get('cache-control')).toBe('public, max-age=300')
    expect(await json(keys)).toMatchObject({ keys: [{ kty: 'EC', alg: 'ES256', use: 'sig' }] })
    expect(JSON.stringify(await json(await fetch(`${base}/jwks`)))).not.toContain('"d"')
    expect((await fetch(`${base.replace('demo', 'nowhere')}/jwks`)).status).toBe(404)
  })

  test('gives a token for a password that verifies with its published keys and lets the account act', async () => {
    const answer = await byPassword()
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { access_token, token_type, expires_in, scope } = await json(answer)
    expect([token_type, scope]).toEqual([
      'Bearer',
      'grid storage.modify:/ storage.read:/ storage.stage:/ wlcg.groups',
    ])
    expect(expires_in).toBeGreaterThan(3500)
    const keys = createLocalJWKSet((await json(await fetch(`${base}/jwks`))) as never)
    const { payload } = await jwtVerify(String(access_token), keys, {
      issuer: ISSUER,
      audience: ANY_AUDIENCE,
    })
    expect(payload['wlcg.ver']).toBe('1.0')
    const principal = await identity.verify(String(access_token), { audience: [ANY_AUDIENCE] })
    expect(principal).toMatchObject({ account: 'mika', vo: 'demo', kind: 'user' })
    identity.authorize(principal, 'catalog.rse.admin', { vo: 'demo' })
    expect(() => identity.authorize(principal, 'catalog.read', { vo: 'other' })).toThrow(/of VO demo/)
    const user = await fetch(`${base}/userinfo`, { headers: bearer(String(access_token)) })
    expect(await json(user)).toMatchObject({ preferred_username: 'mika', email: 'mika@example.org' })
  })

  test('narrows a token to the scopes asked for and never widens one', async () => {
    const answer = await byPassword({ scope: 'storage.read:/a storage.create:/b' })
    expect((await json(answer)).scope).toBe('storage.create:/b storage.read:/a')
    const wide = await byPassword({ scope: 'compute.create' })
    expect([wide.status, (await json(wide)).error]).toEqual([400, 'invalid_scope'])
    const pathless = await byPassword({ scope: 'grid storage.read' })
    expect([pathless.status, (await json(pathless)).error]).toEqual([400, 'invalid_scope'])
  })

  test('refuses in the words of RFC 6749', async () => {
    const cases: [Promise<Response>, number, string][] = [
      [byPassword({ password: 'wrong' }), 400, 'invalid_grant'],
      [byPassword({ client_id: 'robot' }), 401, 'invalid_client'],
      [byPassword({ client_id: 'robot', client_secret: SECRET }), 400, 'unauthorized_client'],
      [byPassword({ grant_type: 'implicit' }), 400, 'unsupported_grant_type'],
      [byPassword({ grant_type: 'toString' }), 400, 'unsupported_grant_type'],
      [byPassword({ username: '' }), 400, 'invalid_request'],
      [form('/token', {}), 400, 'invalid_request'],
      [fetch(`${base}/token`, { method: 'POST', body: '{}' }), 400, 'invalid_request'],
      [form('/token', { grant_type: 'client_credentials' }), 401, 'invalid_client'],
      [form('/token', { grant_type: 'client_credentials' }, basic('robot', 'no')), 401, 'invalid_client'],
      [form('/introspect', { token: 'x' }), 401, 'invalid_client'],
      [form('/introspect', { token: 'x', client_id: 'kumi-cli' }), 401, 'invalid_client'],
    ]
    for (const [asked, status, error] of cases) {
      const answer = await asked
      expect([answer.status, (await json(answer)).error]).toEqual([status, error])
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.has('www-authenticate')).toBe(status === 401)
    }
    const twice = await fetch(`${base}/token`, {
      method: 'POST',
      body: new URLSearchParams('grant_type=password&username=a&username=b'),
    })
    expect((await json(twice)).error).toBe('invalid_request')
  })

  test('gives a client a token of its own scopes, by header or by form', async () => {
    const grant = { grant_type: 'client_credentials' }
    const one = await json(await form('/token', grant, basic('robot', SECRET)))
    expect(one.scope).toBe('grid.catalog.read storage.read:/raw')
    const two = await json(
      await form('/token', {
        ...grant,
        client_id: 'robot',
        client_secret: SECRET,
        scope: 'storage.read:/raw/2026 storage.modify:/',
        audience: 'https://a.example https://b.example',
      }),
    )
    expect(two.scope).toBe('storage.read:/raw/2026')
    const meaning = await form('/introspect', { token: String(two.access_token) }, basic('robot', SECRET))
    expect(await json(meaning)).toMatchObject({
      active: true,
      sub: 'robot',
      username: 'robot',
      aud: ['https://a.example', 'https://b.example'],
    })
  })

  test('a revoked token is of no use at once, and only its own client gives it back', async () => {
    const user = await tokenOf(await byPassword())
    expect((await form('/revoke', { token: user }, basic('robot', SECRET))).status).toBe(400)
    expect((await fetch(`${base}/userinfo`, { headers: bearer(user) })).status).toBe(200)
    expect((await form('/revoke', { token: user, client_id: 'kumi-cli' })).status).toBe(200)
    expect((await fetch(`${base}/userinfo`, { headers: bearer(user) })).status).toBe(401)
    const meaning = await form('/introspect', { token: user }, basic('robot', SECRET))
    expect(await json(meaning)).toEqual({ active: false })
    expect((await form('/revoke', { token: 'nonsense', client_id: 'kumi-cli' })).status).toBe(200)
  })

  test('a one-time code logs in exactly once, even when tried ten times at the same moment', async () => {
    const token = await tokenOf(await byPassword())
    const asked = await fetch(`${base}/one-time-code`, { method: 'POST', headers: bearer(token) })
    const { code } = await json(asked)
    const fields = {
      grant_type: 'urn:kumihimo:grant:one-time-code',
      client_id: 'kumi-console',
      code: String(code),
    }
    const elsewhere = await fetch(`${base.replace('demo', 'other')}/token`, {
      method: 'POST',
      body: new URLSearchParams(fields),
    })
    expect(elsewhere.status).toBe(400)
    const tries = await Promise.all(Array.from({ length: 10 }, () => form('/token', fields)))
    expect(tries.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(400)])
  })

  test('a narrowed or foreign token gives no login code', async () => {
    const ask = (path: string, token?: string) =>
      fetch(path, { method: 'POST', headers: token ? bearer(token) : {} })
    const narrow = await tokenOf(await byPassword({ scope: 'grid' }))
    expect((await ask(`${base}/one-time-code`, narrow)).status).toBe(403)
    const full = await tokenOf(await byPassword())
    expect((await ask(`${base.replace('demo', 'other')}/one-time-code`, full)).status).toBe(403)
    expect((await ask(`${base}/one-time-code`)).status).toBe(401)
  })

  test('a console session lives in a cookie that scripts cannot read, and ends for good', async () => {
    const begin = (headers: Record<string, string>) =>
      fetch(`${base}/session`, {
        method: 'POST',
        body: JSON.stringify({ username: 'mika', password: PASSWORD, vo: 'other', scopes: ['grid'] }),
        headers: { 'content-type': 'application/json', ...headers },
      })
    expect((await begin({})).status).toBe(401)
    const answer = await begin({ 'x-kumi-console': '1' })
    const set = answer.headers.get('set-cookie')!
    expect(set).toMatch(/^kumi_session=[^;]+; Path=\/; Max-Age=43\d\d\d; HttpOnly; SameSite=Strict$/)
    const cookie = { cookie: set.split(';')[0]! }
    const present = () => fetch(`${base}/session`, { headers: cookie })
    expect(await json(await present())).toMatchObject({ account: 'mika', vo: 'demo' })
    const asForm = await fetch(`${base}/one-time-code`, { method: 'POST', headers: cookie })
    expect(asForm.status).toBe(401)
    const end = await fetch(`${base}/session`, {
      method: 'DELETE',
      headers: { ...cookie, 'x-kumi-console': '1' },
    })
    expect([end.status, end.headers.get('set-cookie')]).toEqual([
      204,
      expect.stringContaining('kumi_session=; Path=/; Max-Age=0'),
    ])
    expect((await present()).status).toBe(401)
  })
})
