import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { DEVICE, type IssuerWorld, issuerWorld, PASSWORD } from '../../../test/harness/issuer-world.ts'

const MINUTE = 60_000

describe('sessions of the console', () => {
  const database = testDatabase()
  let world: IssuerWorld
  const alive = async (headers: Record<string, string>) =>
    (await world.send('GET', '/session', { headers })).status === 200
  const list = async (headers: Record<string, string>) =>
    (await world.send('GET', '/api/me/sessions', { headers })).json.sessions

  beforeAll(async () => {
    world = await issuerWorld(database)
  })
  afterAll(() => world?.close())

  test('are seen and ended by their owner, also from elsewhere', async () => {
    const [here, there] = [await world.login(), await world.login()]
    const seen = await list(here)
    expect(seen).toHaveLength(2)
    expect(seen.map(({ here: mine }: { here: boolean }) => mine).sort()).toEqual([false, true])
    expect(seen[0]).toMatchObject({ address: '127.0.0.1', user_agent: 'a browser' })
    const other = seen.find(({ here: mine }: { here: boolean }) => !mine)
    const aya = await world.login('aya')
    expect((await world.send('DELETE', `/api/me/sessions/${other.id}`, { headers: aya })).status).toBe(404)
    expect((await world.send('DELETE', `/api/me/sessions/${other.id}`, { headers: here })).status).toBe(204)
    expect([await alive(here), await alive(there)]).toEqual([true, false])
    expect(JSON.stringify(await list(here))).not.toContain(here.cookie!.split('=')[1]!)
  })

  test('end after half an hour without use, and after twelve hours in any case', async () => {
    const headers = await world.login()
    for (let i = 0; i < 3; i++) {
      world.pass(25 * MINUTE)
      expect(await alive(headers)).toBe(true)
      await world.identity.close()
    }
    world.pass(31 * MINUTE)
    expect(await alive(headers)).toBe(false)
    const long = await world.login()
    for (let i = 0; i < 28; i++) {
      world.pass(25 * MINUTE)
      expect(await alive(long)).toBe(true)
      await world.identity.close()
    }
    world.pass(25 * MINUTE)
    expect(await alive(long)).toBe(false)
  })

  test('are noted as used before identity closes, also while a note is being written', async () => {
    const headers = await world.login()
    await world.identity.close()
    world.pass(MINUTE)
    const locker = await database.pool.connect()
    try {
      await locker.query('begin')
      await locker.query('select from web_session for update')
      expect(await alive(headers)).toBe(true)
      const closed: string[] = []
      const both = ['first', 'second'].map((name) => world.identity.close().then(() => closed.push(name)))
      const waiting =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
      while ((await database.pool.query(waiting)).rowCount === 0);
      expect(closed).toEqual([])
      await locker.query('commit')
      await Promise.all(both)
      expect(closed).toEqual(['first', 'second'])
    } finally {
      locker.release()
    }
  })

  test('end at once when the account is suspended', async () => {
    const headers = await world.login('aya')
    await world.identity.updateAccount(world.accounts.aya.id, { status: 'SUSPENDED' })
    expect(await alive(headers)).toBe(false)
    const again = await world.send('POST', '/session', {
      json: { username: 'aya', password: PASSWORD },
      headers: { 'x-kumi-console': '1' },
    })
    expect([again.status, again.json.code]).toEqual([403, 'account_suspended'])
    await world.identity.updateAccount(world.accounts.aya.id, { status: 'ACTIVE' })
    expect(await alive(headers)).toBe(true)
  })

  test('of somebody who has not signed the usage policy serve to sign it, and for nothing else', async () => {
    const secret = await world.client({
      id: 'box',
      grants: [DEVICE, 'refresh_token'],
      scopes: ['openid', 'offline_access'],
    })
    const box = world.basic('box', secret)
    const { device_code } = await world.device({ scope: 'openid offline_access' }, box)
    const { json: before } = await world.token({ grant_type: DEVICE, device_code }, box)
    await world.identity.publishPolicy('demo', { text: 'Be kind.' }, 'admin')
    const headers = await world.login()
    const { json: session } = await world.send('GET', '/session', { headers })
    expect(session).toMatchObject({ account: 'mika', standing: { code: 'policy_unsigned' } })
    const principal = await world.identity.verifySession(headers.cookie!.split('=')[1]!)
    const may = (action: 'identity.policy.sign' | 'catalog.read' | 'identity.login') =>
      world.identity.explain(principal, action, { vo: 'demo', owner: principal.accountId }).allow
    expect([may('identity.policy.sign'), may('catalog.read'), may('identity.login')]).toEqual([
      true,
      false,
      false,
    ])
    const refresh = { grant_type: 'refresh_token', refresh_token: before.refresh_token }
    const refused = await world.token(refresh, box)
    expect([refused.json.error, refused.json.error_description]).toEqual([
      'invalid_grant',
      expect.stringContaining('has not signed the usage policy'),
    ])
    const { json: codes } = await world.send('POST', '/devicecode', {
      form: { scope: 'openid' },
      headers: box,
    })
    const json = { user_code: codes.user_code, decision: 'approve' }
    expect((await world.send('POST', '/interaction/device/answer', { json, headers })).status).toBe(403)
    await world.identity.signPolicy(world.accounts.mika.id, { by: 'mika' })
    expect((await world.token(refresh, box)).status).toBe(200)
    expect((await world.send('POST', '/interaction/device/answer', { json, headers })).status).toBe(204)
  })
})

describe('the keys of an issuer', () => {
  const database = testDatabase()
  let world: IssuerWorld
  beforeAll(async () => {
    world = await issuerWorld(database)
  })
  afterAll(() => world?.close())

  test('of another algorithm are published days before they sign', async () => {
    const alg = async () => {
      const { token } = await world.identity.mintForAccount(world.accounts.mika.id)
      await world.identity.verify(token, { audience: ['https://wlcg.cern.ch/jwt/v1/any'] })
      return decodeProtectedHeader(token).alg
    }
    const published = async () =>
      (await world.send('GET', '/jwks')).json.keys.map((key: { alg: string }) => key.alg).sort()
    expect([await alg(), await published()]).toEqual(['ES256', ['ES256']])
    await world.identity.setAlgorithm('demo', 'RS256', 'admin')
    expect([await alg(), await published()]).toEqual(['ES256', ['ES256', 'RS256']])
    const discovered = await world.send('GET', '/.well-known/openid-configuration')
    expect(discovered.json.id_token_signing_alg_values_supported.sort()).toEqual(['ES256', 'RS256'])
    world.pass(4 * 24 * 60 * MINUTE + 1000)
    expect(await alg()).toBe('RS256')
    await world.identity.setAlgorithm('demo', 'ES256', 'admin')
    expect(await alg()).toBe('RS256')
    world.pass(4 * 24 * 60 * MINUTE + 1000)
    expect(await alg()).toBe('ES256')
  })
})
