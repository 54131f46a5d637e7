import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { DEVICE, type IssuerWorld, issuerWorld } from '../../../test/harness/issuer-world.ts'

describe('clients', () => {
  const database = testDatabase()
  let world: IssuerWorld
  let admin: Record<string, string> = {}
  const grant = { grant_type: 'client_credentials' }
  const make = (json: object, headers = admin) => world.send('POST', '/api/clients', { json, headers })
  const status = async (id: string, secret: string) =>
    (await world.token(grant, world.basic(id, secret))).status

  beforeAll(async () => {
    world = await issuerWorld(database, { clientRegistration: true })
    await world.identity.setAttributes(world.accounts.mika.id, { admin: 'true' })
    admin = await world.login('mika')
  })
  afterAll(() => world?.close())

  test('are made, listed, changed, disabled and deleted by administrators', async () => {
    const wish = { client_id: 'robot', client_name: 'A robot', scope: 'storage.read:/raw', account: 'robot' }
    const made = await make({ ...wish, grant_types: ['client_credentials'] })
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({
      ...{ client_id: 'robot', account: 'robot', scope: 'storage.read:/raw', enabled: true },
      ...{ token_endpoint_auth_method: 'client_secret_basic', client_secret_expires_at: 0, origin: 'admin' },
    })
    const secret = made.json.client_secret
    expect(secret).toHaveLength(43)
    expect((await make(wish)).json.code).toBe('client_exists')
    const { json: token } = await world.token(grant, world.basic('robot', secret))
    expect([token.scope, token.refresh_token]).toEqual(['storage.read:/raw', undefined])
    const patch = (json: object) => world.send('PATCH', '/api/clients/robot', { json, headers: admin })
    expect(
      (await patch({ scope: 'storage.read:/raw/2026', access_token_validity_seconds: 600 })).json,
    ).toMatchObject({
      ...{ scope: 'storage.read:/raw/2026', client_name: 'A robot', access_token_validity_seconds: 600 },
    })
    const { json: narrower } = await world.token(grant, world.basic('robot', secret))
    expect([narrower.scope, narrower.expires_in <= 600]).toEqual(['storage.read:/raw/2026', true])
    await world.identity.close()
    const { json: list } = await world.send('GET', '/api/clients', { headers: admin })
    const one = list.clients.find(({ client_id }: { client_id: string }) => client_id === 'robot')
    expect(Date.parse(one.last_used)).toBeGreaterThan(0)
    expect(JSON.stringify(list)).not.toContain(secret)
    await world.send('PATCH', '/api/clients/robot/disable', { headers: admin })
    expect(await status('robot', secret)).toBe(401)
    expect((await world.send('GET', '/userinfo', { headers: world.bearer(token.access_token) })).status).toBe(
      401,
    )
    await world.send('PATCH', '/api/clients/robot/enable', { headers: admin })
    expect(await status('robot', secret)).toBe(200)
    expect((await world.send('DELETE', '/api/clients/robot', { headers: admin })).status).toBe(204)
    expect(await status('robot', secret)).toBe(401)
    const log = (await world.identity.auditLog('demo', { target: 'robot' })).map(({ action }) => action)
    expect(log).toEqual(
      expect.arrayContaining([
        'client.created',
        'client.changed',
        'client.disabled',
        'client.deleted',
        'token.issued',
      ]),
    )
    expect(
      JSON.stringify(await world.identity.auditLog('demo'), (_k, v) => (typeof v === 'bigint' ? 0 : v)),
    ).not.toContain(secret)
  })

  test('that make no sense are refused', async () => {
    const wrongs: [object, string][] = [
      [{ grant_types: ['authorization_code'] }, 'invalid_client_metadata'],
      [{ grant_types: ['client_credentials'] }, 'invalid_client_metadata'],
      [{ grant_types: ['password'] }, 'invalid_client_metadata'],
      [{ grant_types: ['implicit'] }, 'invalid_client_metadata'],
      [{ grant_types: ['authorization_code'], redirect_uris: ['http://a.example/'] }, 'invalid_redirect_uri'],
      [{ grant_types: [DEVICE], scope: 'nonsense' }, 'invalid_scope'],
      [{ grant_types: [DEVICE], scope: 'storage.read:/a/../b' }, 'invalid_scope'],
      [{ grant_types: [DEVICE], access_token_validity_seconds: 999_999 }, 'invalid_client_metadata'],
      [{ grant_types: [DEVICE], token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
      [
        { grant_types: ['client_credentials'], account: 'robot', token_endpoint_auth_method: 'none' },
        'invalid_client_metadata',
      ],
    ]
    for (const [wish, code] of wrongs) {
      const { json } = await make({ client_id: 'wrong', ...wish })
      expect([json.code, JSON.stringify(wish)]).toEqual([code, JSON.stringify(wish)])
    }
    const own = await world.send('PATCH', '/api/clients/kumi-cli', {
      json: { scope: 'openid' },
      headers: admin,
    })
    expect(own.status).toBe(400)
  })

  test('are nobody else’s business but their owners’', async () => {
    const aya = await world.login('aya')
    expect((await make({ client_id: 'x' }, aya)).status).toBe(403)
    expect((await world.send('GET', '/api/clients', { headers: aya })).status).toBe(403)
    const made = await make({ client_id: 'lab', grant_types: [DEVICE], scope: 'openid' })
    const secret = (headers: Record<string, string>, json = {}) =>
      world.send('POST', '/api/clients/lab/secret', { json, headers })
    expect((await secret(aya)).status).toBe(403)
    expect((await world.send('PUT', '/api/clients/lab/owners/aya', { headers: admin })).status).toBe(204)
    const mine = await world.send('GET', '/api/me/clients', { headers: aya })
    expect(mine.json.clients).toMatchObject([{ client_id: 'lab', owners: ['aya'] }])
    const fresh = (await secret(aya, { overlap_seconds: 60 })).json.client_secret
    const starts = async (word: string) =>
      (await world.send('POST', '/devicecode', { form: {}, headers: world.basic('lab', word) })).status
    expect([await starts(made.json.client_secret), await starts(fresh)]).toEqual([200, 200])
    world.pass(61_000)
    expect([await starts(made.json.client_secret), await starts(fresh)]).toEqual([401, 200])
    await world.send('DELETE', '/api/clients/lab/owners/aya', { headers: admin })
    expect((await secret(aya)).status).toBe(403)
  })

  test('may be registered by people for login flows, and for nothing that acts by itself', async () => {
    const aya = await world.login('aya')
    const register = (json: object, headers = aya) => world.send('POST', '/register', { json, headers })
    const wish = {
      client_name: 'My script',
      grant_types: [DEVICE, 'refresh_token'],
      scope: 'openid offline_access storage.read:/ scim:write grid',
    }
    const { status: created, json } = await register(wish)
    expect([created, json.origin, json.scope]).toEqual([
      201,
      'registered',
      'openid offline_access storage.read:/ grid.catalog.read',
    ])
    const form = { client_id: json.client_id, client_secret: json.client_secret }
    expect((await world.send('POST', '/devicecode', { form })).status).toBe(200)
    const discovered = await world.send('GET', '/.well-known/openid-configuration')
    expect(discovered.json.registration_endpoint).toBe(`${world.issuer}/register`)
    for (const more of [
      { grant_types: ['client_credentials'] },
      { grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] },
      { grant_types: ['authorization_code'], redirect_uris: ['javascript:alert(1)'] },
      { scope: 'scim:write' },
    ]) {
      const refused = await register({ ...wish, ...more })
      expect([refused.status, /invalid_(client_metadata|redirect_uri)/.test(refused.json.error)]).toEqual([
        400,
        true,
      ])
    }
    expect((await register(wish, {})).status).toBe(401)
    expect((await world.send('DELETE', `/api/clients/${json.client_id}`, { headers: aya })).status).toBe(204)
  })

  test('with a key prove themselves by a signature, once each', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }
    const wish = {
      client_id: 'signer',
      account: 'robot',
      grant_types: ['client_credentials'],
      scope: 'storage.read:/',
    }
    const made = await make({ ...wish, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } })
    expect([made.status, made.json.client_secret]).toEqual([201, undefined])
    const assert = (change: Record<string, unknown> = {}, key = privateKey, alg = 'ES256') => {
      const at = Math.floor(world.clock.now().getTime() / 1000)
      const claims = {
        iss: 'signer',
        sub: 'signer',
        aud: `${world.issuer}/token`,
        jti: randomUUID(),
        iat: at,
        exp: at + 60,
      }
      return new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg, kid: 'one' }).sign(key)
    }
    const ask = async (client_assertion: string, more = {}) => {
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
      return (await world.token({ ...grant, client_assertion_type, client_assertion, ...more })).status
    }
    const good = await assert()
    expect([await ask(good), await ask(good)]).toEqual([200, 401])
    expect(await ask(await assert({ aud: world.issuer }))).toBe(200)
    const other = await generateKeyPair('ES256')
    const wrongs = [
      await assert({}, other.privateKey),
      await assert({ aud: 'https://elsewhere.example' }),
      await assert({ iss: 'robot' }),
      await assert({ sub: 'robot' }),
      await assert({ jti: undefined }),
      await assert({ exp: undefined }),
      await assert({ exp: 1 }),
      await assert({ exp: Math.floor(Date.now() / 1000) + 86_400 }),
      'nonsense',
    ]
    for (const wrong of wrongs) expect(await ask(wrong, { client_id: 'signer' })).toBe(401)
    expect(await ask(await assert({}, new TextEncoder().encode('x'.repeat(32)) as never, 'HS256'))).toBe(401)
    expect((await world.token({ ...grant, client_id: 'signer', client_secret: 'x' })).status).toBe(401)
    const leaked = await make({
      ...wish,
      client_id: 'leak',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...jwk, d: 'AA' }] },
    })
    expect(leaked.json.code).toBe('invalid_client_metadata')
  })

  test('show themselves in one way only', async () => {
    const secret = (await make({ client_id: 'plain', account: 'robot', scope: 'openid' })).json.client_secret
    const both = await world.token({ ...grant, client_secret: secret }, world.basic('plain', secret))
    expect([both.status, both.json.error]).toEqual([400, 'invalid_request'])
    const two = await world.token({ ...grant, client_id: 'kumi-cli' }, world.basic('plain', secret))
    expect([two.status, two.json.error]).toEqual([400, 'invalid_request'])
    expect((await world.token({ ...grant, client_id: 'plain', client_secret: secret })).status).toBe(200)
    expect((await world.token({ ...grant, client_id: 'plain' })).status).toBe(401)
    expect((await world.token({ ...grant, client_id: 'kumi-cli', client_secret: 'x' })).status).toBe(401)
    const elsewhere = await world.send('POST', '//iam/other/token', {
      form: grant,
      headers: world.basic('plain', secret),
    })
    expect(elsewhere.status).toBe(401)
  })

  test('get no more than the policies of the VO let services have', async () => {
    const { json } = await make({
      client_id: 'mover',
      account: 'robot',
      scope: 'storage.read:/ storage.modify:/',
    })
    const headers = world.basic('mover', json.client_secret)
    const scope = async () => (await world.token(grant, headers)).json.scope
    expect(await scope()).toBe('storage.modify:/ storage.read:/')
    const deny = {
      subject_kind: 'client',
      subject: 'mover',
      effect: 'deny',
      matching: 'path',
      scopes: ['storage.modify:/raw'],
    }
    const made = await world.send('POST', '/api/scope-policies', { json: deny, headers: admin })
    expect(made.status).toBe(201)
    expect(await scope()).toBe('storage.read:/')
    const permit = { ...deny, effect: 'permit', scopes: ['storage.modify:/home', 'storage.read:/'] }
    await world.send('POST', '/api/scope-policies', { json: permit, headers: admin })
    expect(await scope()).toBe('storage.modify:/home storage.read:/')
    const aya = await world.login('aya')
    expect((await world.send('GET', '/api/scope-policies', { headers: aya })).status).toBe(403)
    expect((await world.send('DELETE', `/api/scope-policies/${made.json.id}`, { headers: aya })).status).toBe(
      403,
    )
    expect(
      (await world.send('DELETE', `/api/scope-policies/${made.json.id}`, { headers: admin })).status,
    ).toBe(204)
    const nameless = await world.send('POST', '/api/scope-policies', {
      json: { ...deny, subject: '' },
      headers: admin,
    })
    expect(nameless.json.code).toBe('invalid_policy')
    const exchange = { origin: '*', destination: 'mover', scopes: ['storage.read:/'] }
    const rule = await world.send('POST', '/api/exchange-policies', { json: exchange, headers: admin })
    expect((await world.send('GET', '/api/exchange-policies', { headers: admin })).json.policies).toEqual([
      rule.json,
    ])
    await world.send('DELETE', `/api/exchange-policies/${rule.json.id}`, { headers: admin })
    expect((await world.send('GET', '/api/exchange-policies', { headers: admin })).json.policies).toEqual([])
  })
})
