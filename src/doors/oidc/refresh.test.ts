import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { DEVICE, type IssuerWorld, issuerWorld } from '../../../test/harness/issuer-world.ts'

const DAY = 86_400_000

describe('refresh tokens', () => {
  const database = testDatabase()
  let world: IssuerWorld
  const secrets: Record<string, string> = {}
  const basic = (id: string) => world.basic(id, secrets[id]!)
  const scope = 'openid offline_access storage.read:/ storage.modify:/home/mika wlcg.groups'
  /** The first refresh token of a fresh login through a client. */
  const login = async (id = 'agent', more: Record<string, string> = {}) => {
    const { device_code } = await world.device({ scope, ...more }, basic(id))
    const { json } = await world.token({ grant_type: DEVICE, device_code }, basic(id))
    return json as { refresh_token: string; access_token: string; scope: string }
  }
  const refresh = (token: string, more: Record<string, string> = {}, id = 'agent') =>
    world.token({ grant_type: 'refresh_token', refresh_token: token, ...more }, basic(id))

  beforeAll(async () => {
    world = await issuerWorld(database)
    const facts = {
      grants: [DEVICE, 'refresh_token'] as const,
      scopes: ['openid', 'offline_access', 'storage.read:/', 'storage.modify:/', 'wlcg.groups'],
    }
    secrets.agent = await world.client({ id: 'agent', ...facts })
    secrets.fts = await world.client({ id: 'fts', ...facts, refreshUse: 'reuse' })
    secrets.short = await world.client({ id: 'short', ...facts, refreshSeconds: 3600, accessSeconds: 600 })
    secrets.tight = await world.client({ id: 'tight', ...facts, audiences: ['https://a.example'] })
    secrets.plain = await world.client({ id: 'plain', ...facts, grants: [DEVICE] })
    await world.identity.createGroups('demo', [{ path: '/demo/shift', optional: true }])
    await world.identity.addMembers('demo', '/demo/shift', [world.accounts.mika.id])
  })
  afterAll(() => world?.close())

  test('come only to those who ask for them and can use them', async () => {
    expect((await login()).refresh_token).toMatch(/^krt_/)
    expect((await login('agent', { scope: 'openid' })).refresh_token).toBeUndefined()
    const plain = await login('plain')
    expect([plain.refresh_token, plain.scope.includes('offline_access')]).toEqual([undefined, false])
  })

  test('are kept as digests only', async () => {
    const { refresh_token } = await login()
    const secret = refresh_token.split('_').at(-1)!
    const { rows } = await database.pool.query('select t::text as text, token_hash from token_grant t')
    expect(rows.some(({ text }) => text.includes(secret))).toBe(false)
    expect(rows.every(({ token_hash }) => token_hash.length === 32)).toBe(true)
  })

  test('are replaced with each use; the one before serves a while, and gives the same successor', async () => {
    const { refresh_token: first } = await login()
    const { json: one } = await refresh(first)
    expect(one.refresh_token).not.toBe(first)
    const { json: again } = await refresh(first)
    expect(again.refresh_token).toBe(one.refresh_token)
    world.pass(299_000)
    expect((await refresh(first)).status).toBe(200)
    expect((await refresh(one.refresh_token)).status).toBe(200)
  })

  test('used by many at the same moment give all the same successor', async () => {
    const { refresh_token } = await login()
    const all = await Promise.all(Array.from({ length: 12 }, () => refresh(refresh_token)))
    expect(all.every(({ status }) => status === 200)).toBe(true)
    expect(new Set(all.map(({ json }) => json.refresh_token)).size).toBe(1)
  })

  test('used again after the grace cost the whole family, and it is noticed', async () => {
    const { refresh_token: stolen, access_token } = await login()
    const { json: owner } = await refresh(stolen)
    world.pass(301_000)
    const again = await refresh(stolen)
    expect([again.status, again.json.error]).toEqual([400, 'invalid_grant'])
    expect((await refresh(owner.refresh_token)).json.error).toBe('invalid_grant')
    for (const token of [access_token, owner.access_token]) {
      expect((await world.send('GET', '/userinfo', { headers: world.bearer(token) })).status).toBe(401)
    }
    expect(world.lines.some((line) => line.includes('refresh token used twice'))).toBe(true)
    expect(await world.identity.grantsOf('demo', world.accounts.mika.id)).not.toContainEqual(
      expect.objectContaining({ clientId: 'nobody' }),
    )
  })

  test('of which only the name of the family is right cost nobody anything', async () => {
    const { refresh_token } = await login()
    const [head, family, secret] = refresh_token.split('_')
    const forged = [head, family, `${secret!.slice(0, -2)}${secret!.endsWith('A') ? 'B' : 'A'}A`].join('_')
    expect((await refresh(forged)).json.error).toBe('invalid_grant')
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  test('stay the same for a client that cannot keep a new one', async () => {
    const { refresh_token } = await login('fts')
    for (let i = 0; i < 3; i++) {
      world.pass(3600_000)
      expect((await refresh(refresh_token, {}, 'fts')).json.refresh_token).toBe(refresh_token)
    }
  })

  test('belong to their client', async () => {
    const { refresh_token } = await login()
    expect((await refresh(refresh_token, {}, 'fts')).json.error).toBe('invalid_grant')
    expect((await refresh(`${refresh_token}x`)).json.error).toBe('invalid_grant')
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  test('give narrower tokens by whole path segments, never wider ones', async () => {
    const { refresh_token } = await login()
    const narrow = async (wish: string) => {
      const { json } = await refresh(refresh_token, { scope: wish })
      return json.scope ?? json.error
    }
    expect(await narrow('storage.read:/x')).toBe('storage.read:/x')
    expect(await narrow('storage.create:/home/mika/new')).toBe('storage.create:/home/mika/new')
    expect(await narrow('storage.modify:/home/mikado')).toBe('invalid_scope')
    expect(await narrow('storage.modify:/home')).toBe('invalid_scope')
    expect(await narrow('storage.stage:/')).toBe('invalid_scope')
    expect(await narrow('storage.read:/x compute.create')).toBe('invalid_scope')
    expect(await narrow('storage.read:/a/%2e%2e/b')).toBe('invalid_scope')
    expect(await narrow('grid')).toBe('invalid_scope')
    expect(await narrow('wlcg.groups:/demo')).toBe('wlcg.groups:/demo')
    expect(await narrow('wlcg.groups:/demo/shift')).toBe('invalid_scope')
    expect(await narrow('')).toContain('storage.read:/')
    const { json } = await refresh(refresh_token, { scope: 'storage.read:/x' })
    expect([json.id_token, world.claims(json.access_token)['wlcg.groups']]).toEqual([undefined, undefined])
  })

  test('give tokens for the audience asked for, within what was granted', async () => {
    const { refresh_token } = await login()
    const aud = async (form: Record<string, string>, token = refresh_token) => {
      const { json } = await refresh(token, form)
      return json.error ?? world.claims(json.access_token).aud
    }
    expect(await aud({})).toBe('https://wlcg.cern.ch/jwt/v1/any')
    expect(await aud({ audience: 'https://se.example' })).toBe('https://se.example')
    expect(await aud({ resource: 'https://se.example:1094' })).toBe('https://se.example:1094')
    expect(await aud({ audience: 'https://a.example https://b.example' })).toEqual([
      'https://a.example',
      'https://b.example',
    ])
    const bound = (await login('agent', { audience: 'https://a.example https://b.example' })).refresh_token
    expect(await aud({ audience: 'https://b.example' }, bound)).toBe('https://b.example')
    expect(await aud({ audience: 'https://c.example' }, bound)).toBe('invalid_target')
    expect(await aud({ audience: 'https://wlcg.cern.ch/jwt/v1/any' }, bound)).toBe('invalid_target')
    const tight = (await login('tight')).refresh_token
    expect((await refresh(tight, { audience: 'https://b.example' }, 'tight')).json.error).toBe(
      'invalid_target',
    )
    expect(world.claims((await refresh(tight, {}, 'tight')).json.access_token).aud).toBe('https://a.example')
  })

  test('end after their lifetime, however often they were used', async () => {
    const { refresh_token } = await login('short')
    const { json } = await refresh(refresh_token, {}, 'short')
    expect(json.expires_in).toBeLessThanOrEqual(600)
    world.pass(3_500_000)
    const late = await refresh(json.refresh_token, {}, 'short')
    expect(late.status).toBe(200)
    world.pass(200_000)
    expect((await refresh(late.json.refresh_token, {}, 'short')).json.error).toBe('invalid_grant')
  })

  test('follow what is taken away: membership, policy, client, account', async () => {
    const { refresh_token } = await login('fts', { scope: `${scope} wlcg.groups:/demo/shift` })
    const again = async () => (await refresh(refresh_token, {}, 'fts')).json
    expect(world.claims((await again()).access_token)['wlcg.groups']).toEqual(['/demo', '/demo/shift'])
    await world.identity.removeMembers('demo', '/demo/shift', [world.accounts.mika.id])
    expect(world.claims((await again()).access_token)['wlcg.groups']).toEqual(['/demo'])
    const deny = { subjectKind: 'account', subject: 'mika', effect: 'deny', matching: 'path' } as const
    const facts = { ...deny, vo: 'demo', scopes: ['storage.modify:/'], description: '' }
    const policy = await world.identity.putScopePolicy(facts, 'admin')
    expect((await again()).scope).not.toContain('storage.modify')
    await world.identity.deleteScopePolicy('demo', policy.id, 'admin')
    expect((await again()).scope).toContain('storage.modify')
    await world.identity.enableClient('demo', 'fts', false)
    expect((await again()).error).toBe('invalid_client')
    await world.identity.enableClient('demo', 'fts', true)
    await world.identity.updateAccount(world.accounts.mika.id, { status: 'SUSPENDED' })
    expect((await again()).error).toBe('invalid_grant')
    await world.identity.updateAccount(world.accounts.mika.id, { status: 'ACTIVE' })
    expect((await again()).error).toBeUndefined()
  })

  test('are given back by their client, with all that came of them', async () => {
    const { refresh_token, access_token } = await login()
    const { json } = await refresh(refresh_token)
    const revoke = (token: string, id: string) =>
      world.send('POST', '/revoke', { form: { token }, headers: basic(id) })
    expect((await revoke(json.refresh_token, 'fts')).status).toBe(200)
    expect((await refresh(json.refresh_token)).status).toBe(200)
    expect((await revoke(json.refresh_token, 'agent')).status).toBe(200)
    expect((await refresh(json.refresh_token)).status).toBe(400)
    expect((await world.send('GET', '/userinfo', { headers: world.bearer(access_token) })).status).toBe(401)
  })

  test('are described to their own client alone', async () => {
    const { refresh_token } = await login()
    const look = async (id: string) =>
      (await world.send('POST', '/introspect', { form: { token: refresh_token }, headers: basic(id) })).json
    expect(await look('agent')).toMatchObject({
      ...{ active: true, token_type: 'refresh_token', client_id: 'agent', sub: world.accounts.mika.uuid },
    })
    expect(await look('fts')).toEqual({ active: false })
  })

  test('are listed for their owner, who takes them back', async () => {
    const { refresh_token, access_token } = await login('agent')
    const headers = await world.login()
    const list = async (of = headers) =>
      (await world.send('GET', '/api/me/tokens', { headers: of })).json.tokens
    await world.identity.close()
    const [mine] = (await list()).filter((one: { client_id: string }) => one.client_id === 'agent')
    expect(mine).toMatchObject({ client_name: 'agent', scopes: expect.arrayContaining(['storage.read:/']) })
    const aya = await world.login('aya')
    expect(await list(aya)).toEqual([])
    const drop = (of: Record<string, string>) =>
      world.send('DELETE', `/api/me/tokens/${mine.id}`, { headers: of })
    expect((await drop(aya)).status).toBe(404)
    expect((await drop(headers)).status).toBe(204)
    expect((await refresh(refresh_token)).status).toBe(400)
    expect((await world.send('GET', '/userinfo', { headers: world.bearer(access_token) })).status).toBe(401)
    const peek = await world.send('GET', '/api/me/tokens?account=mika', { headers: aya })
    expect(peek.status).toBe(403)
    const all = await world.send('DELETE', '/api/me/tokens', { headers })
    expect(all.json.revoked).toBeGreaterThan(3)
    expect(await list()).toEqual([])
  })

  test('leave no trace long after they are over', async () => {
    await login()
    world.pass(40 * DAY)
    for (const worker of world.identity.workers)
      await worker.tick(world.clock.now(), new AbortController().signal)
    const { rows } = await database.pool.query('select count(*) as n from token_grant')
    expect(rows[0].n).toBe(0n)
  })
})
