import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { DEVICE, EXCHANGE, type IssuerWorld, issuerWorld } from '../../../test/harness/issuer-world.ts'

const ACCESS = 'urn:ietf:params:oauth:token-type:access_token'
const REFRESH = 'urn:ietf:params:oauth:token-type:refresh_token'
const FTS = 'https://fts.example:8446'

describe('the exchange of tokens', () => {
  const database = testDatabase()
  let world: IssuerWorld
  const secrets: Record<string, string> = {}
  const basic = (id: string) => world.basic(id, secrets[id]!)
  /** A token of mika's, given to the portal and meant for the transfer service. */
  const subject = async (scope = 'storage.read:/home storage.modify:/home wlcg.groups', audience = FTS) => {
    const { device_code } = await world.device({ scope, audience }, basic('portal'))
    const { json } = await world.token({ grant_type: DEVICE, device_code }, basic('portal'))
    return String(json.access_token)
  }
  const exchange = (token: string, more: Record<string, string> = {}, id = 'fts') =>
    world.token(
      { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS, ...more },
      basic(id),
    )
  const outcome = async (...args: Parameters<typeof exchange>) => {
    const { json } = await exchange(...args)
    return json.error ?? json.scope
  }

  beforeAll(async () => {
    world = await issuerWorld(database)
    const scopes = ['storage.read:/', 'storage.modify:/', 'offline_access', 'wlcg.groups', 'openid']
    secrets.portal = await world.client({ id: 'portal', grants: [DEVICE], scopes })
    for (const id of ['fts', 'thief', 'next']) {
      secrets[id] = await world.client({ id, grants: [EXCHANGE, 'refresh_token'], scopes })
    }
    secrets.robot = await world.client({ id: 'robot', accountId: world.accounts.robot.id, scopes })
    const policy = { vo: 'demo', origin: 'portal', subjectAudiences: [FTS], description: '' }
    await world.identity.putExchangePolicy(
      {
        ...{
          ...policy,
          destination: 'fts',
          scopes: ['storage.read:/', 'storage.modify:/home', 'wlcg.groups'],
        },
        ...{ audiences: [], refresh: true },
      },
      'admin',
    )
  })
  afterAll(() => world?.close())

  test('is refused without a policy for just these two clients', async () => {
    const token = await subject()
    expect(await outcome(token, {}, 'thief')).toBe('invalid_request')
    expect(await outcome(token)).toContain('storage.read:/home')
    const plain = await exchange(token, {}, 'portal')
    expect(plain.json.error).toBe('unauthorized_client')
  })

  test('keeps the person, names who acts for them, and lasts no longer', async () => {
    const token = await subject()
    world.pass(3000_000)
    const { json } = await exchange(token, {
      scope: 'storage.read:/home/mika',
      audience: 'https://se.example',
    })
    expect([json.issued_token_type, json.token_type, json.refresh_token]).toEqual([
      ACCESS,
      'Bearer',
      undefined,
    ])
    const [before, after] = [world.claims(token), world.claims(json.access_token)]
    expect(after).toMatchObject({
      ...{ sub: before.sub, client_id: 'fts', act: { sub: 'fts' }, aud: 'https://se.example' },
      scope: 'storage.read:/home/mika',
    })
    expect(after.exp).toBe(before.exp)
    expect(json.expires_in).toBeLessThanOrEqual(600)
    const principal = await world.identity.verify(json.access_token, { audience: ['https://se.example'] })
    expect(principal).toMatchObject({ account: 'mika', actors: ['fts'], clientId: 'fts' })
  })

  test('only narrows, by whole path segments', async () => {
    const token = await subject()
    const cases = {
      'storage.read:/home/alice': 'storage.read:/home/alice',
      'storage.create:/home/x': 'storage.create:/home/x',
      'storage.read:/homework': 'invalid_scope',
      'storage.read:/': 'invalid_scope',
      'storage.modify:/': 'invalid_scope',
      'storage.stage:/home': 'invalid_scope',
      'storage.read:/home/../etc': 'invalid_scope',
      grid: 'invalid_scope',
    }
    for (const [scope, wanted] of Object.entries(cases))
      expect(await outcome(token, { scope }), scope).toBe(wanted)
    // What the policy leaves out is not given, though the subject token has it.
    const wide = await subject('storage.read:/ storage.modify:/')
    expect(await outcome(wide, { scope: 'storage.modify:/other' })).toBe('invalid_scope')
    expect(await outcome(wide)).toBe('storage.modify:/home storage.read:/')
  })

  test('takes only a token that is valid and meant for who exchanges it', async () => {
    const elsewhere = await subject('storage.read:/home', 'https://se.example')
    const anywhere = await subject('storage.read:/home', 'https://wlcg.cern.ch/jwt/v1/any')
    for (const token of [elsewhere, anywhere, 'nonsense', `${await subject()}x`]) {
      expect(await outcome(token)).toBe('invalid_request')
    }
    const revoked = await subject()
    await world.identity.revoke(String(world.claims(revoked).jti), new Date(Date.now() + 1e7))
    expect(await outcome(revoked)).toBe('invalid_request')
    const late = await subject()
    world.pass(3601_000)
    expect(await outcome(late)).toBe('invalid_request')
    expect((await exchange(await subject(), { subject_token_type: REFRESH })).json.error).toBe(
      'invalid_request',
    )
    expect((await exchange(await subject(), { actor_token: 'x' })).json.error).toBe('invalid_request')
    expect((await exchange(await subject(), { requested_token_type: 'urn:x' })).json.error).toBe(
      'invalid_request',
    )
  })

  test('gives a refresh token where the policy says so, and the chain of actors goes on with it', async () => {
    const { json } = await exchange(await subject(), {
      ...{ scope: 'storage.read:/home offline_access', requested_token_type: REFRESH },
    })
    expect(json.refresh_token).toMatch(/^krt_/)
    world.pass(7200_000)
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: json.refresh_token,
      audience: 'https://se.example',
    }
    const { json: later } = await world.token(refresh, basic('fts'))
    expect(world.claims(later.access_token)).toMatchObject({
      ...{ act: { sub: 'fts' }, client_id: 'fts', sub: world.accounts.mika.uuid, aud: 'https://se.example' },
    })
    await world.identity.putExchangePolicy(
      {
        ...{ vo: 'demo', origin: 'fts', destination: 'next', subjectAudiences: [], description: '' },
        ...{ scopes: ['storage.read:/home'], audiences: ['https://se.example'], refresh: false },
      },
      'admin',
    )
    const onward = await exchange(json.access_token, { audience: 'https://se.example' }, 'next')
    expect(onward.json.error).toBe('invalid_request')
    const { json: meant } = await world.token({ ...refresh, audience: 'next' }, basic('fts'))
    const { json: chained } = await exchange(meant.access_token, { audience: 'https://se.example' }, 'next')
    expect(world.claims(chained.access_token).act).toEqual({ sub: 'next', act: { sub: 'fts' } })
    expect((await exchange(meant.access_token, { audience: 'https://x.example' }, 'next')).json.error).toBe(
      'invalid_target',
    )
    expect(await outcome(meant.access_token, { scope: 'storage.read:/home offline_access' }, 'next')).toBe(
      'invalid_scope',
    )
  })

  test('follows the most specific policy alone', async () => {
    const policy = { vo: 'demo', subjectAudiences: [FTS], audiences: [], refresh: false, description: '' }
    const any = { ...policy, origin: '*', destination: 'fts', scopes: ['storage.read:/', 'storage.modify:/'] }
    await world.identity.putExchangePolicy(any, 'admin')
    const token = await subject('storage.modify:/', FTS)
    expect(await outcome(token)).toBe('storage.modify:/home')
    const [exact] = (await world.identity.exchangePolicies('demo')).filter(
      ({ origin }) => origin === 'portal',
    )
    await world.identity.deleteExchangePolicy('demo', exact!.id, 'admin')
    expect(await outcome(token)).toBe('storage.modify:/')
    await world.identity.putExchangePolicy({ ...any, origin: 'portal', scopes: [] }, 'admin')
    expect(await outcome(token)).toBe('invalid_scope')
  })

  test('of a service keeps the service', async () => {
    const { json } = await world.token(
      { grant_type: 'client_credentials', scope: 'storage.read:/home', audience: FTS },
      basic('robot'),
    )
    const rows = { vo: 'demo', origin: 'robot', destination: 'fts', subjectAudiences: [FTS], description: '' }
    await world.identity.putExchangePolicy(
      { ...rows, scopes: ['storage.read:/'], audiences: [], refresh: true },
      'admin',
    )
    const { json: given } = await exchange(json.access_token, { scope: 'storage.read:/home offline_access' })
    const claims = world.claims(given.access_token)
    expect(claims).toMatchObject({ sub: 'robot', client_id: 'fts', act: { sub: 'fts' } })
    const principal = await world.identity.inspect(given.access_token)
    expect(principal).toMatchObject({ account: 'robot', kind: 'service', subject: 'robot' })
    const refresh = { grant_type: 'refresh_token', refresh_token: given.refresh_token }
    const { json: later } = await world.token(refresh, basic('fts'))
    expect(world.claims(later.access_token).sub).toBe('robot')
  })
})
