import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { DEVICE, type IssuerWorld, issuerWorld, PASSWORD } from '../../../test/harness/issuer-world.ts'

const b64 = (value: object | string) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

describe('whoever attacks the issuer', () => {
  const database = testDatabase()
  let world: IssuerWorld
  let robot: Record<string, string> = {}
  let secret = ''
  const user = async (token: string) =>
    (await world.send('GET', '/userinfo', { headers: world.bearer(token) })).status
  const byPassword = async (more: Record<string, string> = {}) =>
    (
      await world.token({
        ...{ grant_type: 'password', client_id: 'kumi-cli', username: 'mika', password: PASSWORD },
        ...more,
      })
    ).json
  /** The claims of a good token under another header and signature. */
  const forge = (token: string, header: object, signer: (data: string) => Buffer, change: object = {}) => {
    const data = `${b64(header)}.${b64({ ...world.claims(token), ...change })}`
    return `${data}.${signer(data).toString('base64url')}`
  }
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const mine = (data: string) =>
    sign('sha256', Buffer.from(data), { key: own.privateKey, dsaEncoding: 'ieee-p1363' })
  const jwk = { ...own.publicKey.export({ format: 'jwk' }), kid: 'mine', alg: 'ES256' }

  beforeAll(async () => {
    world = await issuerWorld(database)
    secret = await world.client({
      ...{
        id: 'robot',
        accountId: world.accounts.robot.id,
        grants: ['client_credentials', DEVICE, 'refresh_token'],
      },
      scopes: ['storage.read:/', 'storage.modify:/data', 'openid', 'offline_access'],
    })
    robot = world.basic('robot', secret)
  })
  afterAll(() => world?.close())

  test('forges no token: no algorithm, no shared secret, no key of their own, no key by address', async () => {
    const good = String((await byPassword()).access_token)
    expect(await user(good)).toBe(200)
    const real = JSON.parse(Buffer.from(good.split('.')[0]!, 'base64url').toString())
    const { keys } = (await world.send('GET', '/jwks')).json
    const hmac = (key: string) => (data: string) => createHmac('sha256', key).update(data).digest()
    const nothing = () => Buffer.alloc(0)
    const forged = [
      forge(good, { ...real, alg: 'none' }, nothing),
      forge(good, { ...real, alg: 'None' }, nothing),
      forge(good, { alg: 'none' }, nothing),
      forge(good, { ...real, alg: 'HS256' }, hmac(JSON.stringify(keys[0]))),
      forge(good, { ...real, alg: 'HS256' }, hmac(keys[0].x)),
      forge(good, real, mine),
      forge(good, { ...real, kid: 'mine' }, mine),
      forge(good, { ...real, jwk }, mine),
      forge(good, { ...real, kid: 'mine', jwk }, mine),
      forge(good, { ...real, kid: 'mine', jku: 'https://thief.example/jwks' }, mine),
      forge(good, { ...real, x5u: 'https://thief.example/cert.pem', x5c: ['MII'] }, mine),
      forge(good, { ...real, kid: '../../etc/passwd' }, mine),
      forge(good, { ...real, kid: "' or 1=1 --" }, mine),
      forge(good, { ...real, kid: undefined }, mine),
      forge(good, { ...real, crit: ['b64'], b64: false }, mine),
      forge(good, { ...real, alg: 'RS256' }, mine),
      forge(good, real, nothing),
      `${good.split('.').slice(0, 2).join('.')}.`,
      // Four bits of the last letter belong to the signature.
      `${good.slice(0, -1)}${good.endsWith('A') ? 'Q' : 'A'}`,
      `${good}.x`,
      `x.${good}`,
    ]
    for (const [i, token] of forged.entries()) expect([i, await user(token)]).toEqual([i, 401])
    const [h, p, s] = good.split('.')
    const wider = b64({ ...world.claims(good), scope: 'grid storage.modify:/', kumi_account: 'admin' })
    expect(await user(`${h}.${wider}.${s}`)).toBe(401)
    expect(await user(`${h}.${p}.${s}`)).toBe(200)
  })

  test('gets nowhere with a token of another issuer, VO or purpose', async () => {
    const { access_token: good, id_token } = await byPassword({ scope: 'openid' })
    for (const iss of [
      'https://thief.example/iam/demo',
      `${world.issuer}/`,
      world.issuer.toUpperCase(),
      '',
    ]) {
      expect(await user(forge(good, { alg: 'ES256', kid: 'mine' }, mine, { iss }))).toBe(401)
    }
    expect((await world.send('GET', '//iam/other/userinfo', { headers: world.bearer(good) })).status).toBe(
      401,
    )
    // Proof of a login for one client, no key to anything.
    expect(await user(id_token)).toBe(401)
    const { json } = await world.token(
      { grant_type: 'client_credentials', audience: 'https://se.example' },
      robot,
    )
    expect(await user(json.access_token)).toBe(401)
    for (const audience of [
      `${world.issuerBase}.evil.example`,
      world.issuerBase.toUpperCase(),
      `${world.issuerBase}/`,
    ]) {
      const other = await world.token({ grant_type: 'client_credentials', audience }, robot)
      expect(await user(other.json.access_token)).toBe(401)
    }
    const session = (await world.login()).cookie!.split('=')[1]!
    expect(await user(session)).toBe(401)
    for (const scheme of ['Basic', 'DPoP', 'Token']) {
      const answer = await world.send('GET', '/userinfo', { headers: { authorization: `${scheme} ${good}` } })
      expect(answer.status).toBe(401)
    }
  })

  test('gets no path signed that is not what it seems', async () => {
    const ask = async (scope: string) => {
      const { json } = await world.token({ grant_type: 'client_credentials', scope }, robot)
      return json.error ?? json.scope
    }
    for (const path of [
      ...[
        '/data/../x',
        '/data/%2e%2e/x',
        '/data/%2E%2E%2Fx',
        '/data/..%2fx',
        '/./data',
        '//data',
        '/data//x',
      ],
      ...['/data/%252e%252e/x', '/data%00', '/data%5c..', '/data/%', '/data/%zz', 'data', '', '/data%0aX'],
    ]) {
      expect(await ask(`storage.modify:${path}`), path).toBe('invalid_scope')
    }
    expect(await ask('storage.modify:/data/%41 storage.read:/a%20b')).toBe(
      'storage.modify:/data/A storage.read:/a%20b',
    )
    expect(await ask('storage.modify:/data/x%3Fy')).toBe('storage.modify:/data/x%3Fy')
    expect(await ask('storage.modify:/database')).toBe('invalid_scope')
    expect(await ask('storage.modify:/Data')).toBe('invalid_scope')
    expect(await ask('storage.modify')).toBe('invalid_scope')
    expect(await ask('storage.modify:/data storage.read')).toBe('invalid_scope')
    expect(await ask('storage.write:/data')).toBe('invalid_scope')
    expect(await ask('openid\tgrid')).toBe('invalid_scope')
    expect(await ask('wlcg.groups:/demo/../admin')).toBe('invalid_scope')
    expect(await ask('grid.catalog.read:/a/../b')).toBe('invalid_scope')
    expect(await ask('wlcg:2.0')).toBe('invalid_scope')
  })

  test('gets no way into a login that is not theirs', async () => {
    const json = { username: 'mika', password: PASSWORD }
    const plain = await world.send('POST', '/session', { json })
    expect(plain.status).toBe(401)
    const form = await world.send('POST', '/session', { form: json })
    expect([form.status, form.headers['set-cookie']]).toEqual([400, undefined])
    const begun = await world.send('POST', '/session', { json, headers: { 'x-kumi-console': '1' } })
    expect(begun.headers['set-cookie']).toMatch(/; HttpOnly; SameSite=Strict; Secure$/)
    const stolen = { cookie: 'kumi_session=kse_guess', 'x-kumi-console': '1' }
    expect((await world.send('GET', '/session', { headers: stolen })).status).toBe(401)
  })

  test('finds no difference between a client that is wrong and one that is not there', async () => {
    const wrong = await world.token(
      { grant_type: 'client_credentials' },
      world.basic('robot', 'x'.repeat(43)),
    )
    const nobody = await world.token(
      { grant_type: 'client_credentials' },
      world.basic('nobody', 'x'.repeat(43)),
    )
    expect([wrong.status, wrong.json]).toEqual([nobody.status, nobody.json])
  })

  test('finds neither token nor code nor secret in the log or in the database', async () => {
    const secrets: string[] = [secret, PASSWORD]
    const { device_code, user_code } = await world.device({ scope: 'openid offline_access' }, robot)
    const { json: one } = await world.token({ grant_type: DEVICE, device_code }, robot)
    const { json: two } = await world.token(
      { grant_type: 'refresh_token', refresh_token: one.refresh_token },
      robot,
    )
    const callback = 'https://portal.example/callback'
    const portal = await world.client({
      id: 'portal',
      redirectUris: [callback],
      grants: ['authorization_code', 'refresh_token'],
    })
    const { code, verifier } = await world.code({
      client_id: 'portal',
      redirect_uri: callback,
      scope: 'openid',
    })
    const redeem = { grant_type: 'authorization_code', code, redirect_uri: callback }
    await world.token({ ...redeem, code_verifier: verifier }, world.basic('portal', portal))
    await world.token({ ...redeem, code_verifier: verifier }, world.basic('portal', portal))
    const cookie = (await world.login()).cookie!.split('=')[1]!
    await world.send('GET', `/userinfo?access_token=${one.access_token}`)
    await world.send('GET', `/device?user_code=${user_code}`)
    await world.send('POST', `/token?client_secret=${secret}`, {
      form: { grant_type: 'nonsense', password: PASSWORD },
    })
    await world.send('GET', `/nowhere/${two.access_token}`)
    secrets.push(device_code, user_code, one.access_token, one.refresh_token, one.id_token, two.refresh_token)
    secrets.push(code, verifier, portal, cookie)
    await world.identity.close()
    const log = world.lines.join('')
    expect(log.length).toBeGreaterThan(1000)
    const signatures = secrets.map((text) => text.split('.').at(-1)!)
    for (const text of signatures) expect(log.includes(text), text.slice(0, 6)).toBe(false)
    expect(log).not.toMatch(/eyJ[\w-]{20,}|BEGIN .*PRIVATE/)
    const { rows: tables } = await database.pool.query(
      `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
    )
    for (const { name } of tables) {
      const { rows } = await database.pool.query(
        `select coalesce(jsonb_agg(t)::text, '') as text from "${name}" t`,
      )
      for (const text of signatures)
        expect(rows[0].text.includes(text), `${name} ${text.slice(0, 6)}`).toBe(false)
    }
  })

  test('who holds the audit log knows who got what, and it is whole', async () => {
    await world.token({ grant_type: 'client_credentials', scope: 'storage.read:/audited' }, robot)
    await world.identity.close()
    const [entry] = await world.identity.auditLog('demo', { action: 'token.issued', actor: 'robot' })
    expect(entry?.detail).toMatchObject({
      tokens: expect.arrayContaining([
        expect.objectContaining({ sub: 'robot', scope: 'storage.read:/audited' }),
      ]),
    })
    expect((await world.identity.verifyAuditChain()).brokenAt).toBeNull()
  })
})
