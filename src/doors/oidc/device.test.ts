import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { DEVICE, type IssuerWorld, issuerWorld } from '../../../test/harness/issuer-world.ts'

describe('the device flow', () => {
  const database = testDatabase()
  let world: IssuerWorld
  let box: Record<string, string> = {}
  const start = async (form: Record<string, string> = {}) =>
    (await world.send('POST', '/devicecode', { form, headers: box })).json
  const poll = (device_code: string, headers = box) =>
    world.token({ grant_type: DEVICE, device_code }, headers)
  const ask = async (user_code: string, who = 'mika') =>
    world.send('POST', '/interaction/device', { json: { user_code }, headers: await world.login(who) })
  const answer = async (user_code: string, more: object = { decision: 'approve' }, who = 'mika') =>
    world.send('POST', '/interaction/device/answer', {
      json: { user_code, ...more },
      headers: await world.login(who),
    })

  beforeAll(async () => {
    world = await issuerWorld(database)
    const secret = await world.client({
      ...{ id: 'box', name: 'A box', grants: [DEVICE, 'refresh_token'] },
      scopes: ['openid', 'offline_access', 'storage.read:/', 'wlcg.groups'],
    })
    box = world.basic('box', secret)
    const other = await world.client({ id: 'other-box', grants: [DEVICE] })
    expect(other).not.toBe(secret)
  })
  afterAll(() => world?.close())

  test('is found by discovery, and gives a code that people can read and type', async () => {
    const { json } = await world.send('GET', '/.well-known/openid-configuration')
    expect(json.device_authorization_endpoint).toBe(`${world.issuer}/devicecode`)
    const codes = await start({ scope: 'openid' })
    expect(codes).toMatchObject({ verification_uri: `${world.issuer}/device`, interval: 5 })
    expect(codes.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    expect([codes.expires_in >= 598, codes.expires_in <= 600]).toEqual([true, true])
    const page = await world.send('GET', codes.verification_uri_complete.replace(world.issuer, ''))
    expect([page.status, page.headers.location]).toEqual([303, `/#/device?vo=demo&code=${codes.user_code}`])
  })

  test('gives tokens when the person has seen who asks for what from where, and agreed', async () => {
    const codes = await start({
      scope: 'openid offline_access storage.read:/x',
      audience: 'https://se.example',
    })
    expect((await poll(codes.device_code)).json.error).toBe('authorization_pending')
    const { json: question } = await ask(codes.user_code.toLowerCase().replace('-', ' '))
    expect(question).toMatchObject({
      ...{ client: { id: 'box', name: 'A box' }, whereto: '127.0.0.1', account: 'mika' },
      ...{ scopes: ['openid', 'offline_access', 'storage.read:/x'], consent_needed: true },
    })
    expect((await answer(codes.user_code)).status).toBe(204)
    const { status, json } = await poll(codes.device_code)
    expect(status).toBe(200)
    expect(world.claims(json.access_token)).toMatchObject({
      ...{ sub: world.accounts.mika.uuid, aud: 'https://se.example', client_id: 'box' },
    })
    expect([json.refresh_token, json.id_token].every((token) => token.length > 20)).toBe(true)
    expect((await poll(codes.device_code)).json.error).toBe('invalid_grant')
  })

  test('is not approved by looking at it', async () => {
    const codes = await start()
    await world.send('GET', codes.verification_uri_complete.replace(world.issuer, ''), {
      headers: await world.login(),
    })
    await ask(codes.user_code)
    expect((await poll(codes.device_code)).json.error).toBe('authorization_pending')
    const { token } = await world.identity.mintForAccount(world.accounts.mika.id)
    const json = { user_code: codes.user_code, decision: 'approve' }
    const byToken = await world.send('POST', '/interaction/device/answer', {
      json,
      headers: world.bearer(token),
    })
    expect(byToken.status).toBe(403)
    const { cookie } = await world.login()
    const elsewhere = await world.send('POST', '/interaction/device/answer', {
      json,
      headers: { cookie: cookie! },
    })
    expect(elsewhere.status).toBe(401)
  })

  test('tells the device when the person refused, and when ten minutes are over', async () => {
    const refused = await start()
    await answer(refused.user_code, { decision: 'deny' })
    expect((await poll(refused.device_code)).json.error).toBe('access_denied')
    const late = await start()
    world.pass(600_001)
    expect((await poll(late.device_code)).json.error).toBe('expired_token')
    expect((await answer(late.user_code)).json.code).toBe('user_code_wrong')
  })

  test('slows down a device that asks too often, by five seconds each time', async () => {
    const codes = await start()
    const errors = []
    for (const wait of [0, 0, 6000, 9000, 21_000]) {
      world.pass(wait)
      errors.push((await poll(codes.device_code)).json.error)
    }
    expect(errors).toEqual([
      ...['authorization_pending', 'slow_down', 'slow_down', 'slow_down', 'authorization_pending'],
    ])
  })

  test('serves one of many polls at the same moment, its own client only, and one decision', async () => {
    const codes = await start()
    expect((await answer(codes.user_code)).status).toBe(204)
    expect((await answer(codes.user_code, { decision: 'deny' }, 'aya')).status).toBe(404)
    const secret = await world.identity.rotateClientSecret('demo', 'other-box', 0, 'admin')
    const stranger = await poll(codes.device_code, world.basic('other-box', secret.secret))
    expect(stranger.json.error).toBe('invalid_grant')
    const tries = await Promise.all(Array.from({ length: 8 }, () => poll(codes.device_code)))
    expect(tries.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('gives the device no more than the person may have and left ticked', async () => {
    const codes = await start({ scope: 'openid storage.read:/a storage.read:/b' })
    await answer(codes.user_code, {
      decision: 'approve',
      scopes: ['storage.read:/a/deep', 'storage.read:/c'],
    })
    expect((await poll(codes.device_code)).json.scope).toBe('storage.read:/a/deep')
    const none = await start({ scope: 'openid' })
    expect((await answer(none.user_code, { decision: 'approve', scopes: ['storage.read:/'] })).status).toBe(
      403,
    )
    for (const scope of ['nonsense', 'storage.read', 'storage.modify:/', 'grid']) {
      expect((await start({ scope })).error, scope).toBe('invalid_scope')
    }
  })

  test('lets nobody guess codes', async () => {
    world.pass(300_001)
    const codes = await start()
    const headers = await world.login('aya')
    const guess = (user_code: string) =>
      world.send('POST', '/interaction/device', { json: { user_code }, headers })
    const answers = []
    for (let i = 0; i < 12; i++) answers.push((await guess('BCDF-GHJK')).json.code)
    expect(answers.slice(0, 10).every((code) => code === 'user_code_wrong')).toBe(true)
    expect(answers.slice(10)).toEqual(['login_rate_limited', 'login_rate_limited'])
    expect((await guess(codes.user_code)).json.code).toBe('login_rate_limited')
    world.pass(300_001)
    const later = await world.send('POST', '/interaction/device', {
      json: { user_code: codes.user_code },
      headers: await world.login('aya'),
    })
    expect(later.status).toBe(200)
  })

  test('is closed to clients without the grant, and to an address with too many codes', async () => {
    await world.client({ id: 'service', accountId: world.accounts.robot.id, secret: 'x'.repeat(32) })
    const headers = world.basic('service', 'x'.repeat(32))
    expect((await world.send('POST', '/devicecode', { form: {}, headers })).json.error).toBe(
      'unauthorized_client',
    )
    expect((await world.send('POST', '/devicecode', { form: { client_id: 'nobody' } })).status).toBe(401)
    world.pass(600_001)
    for (let i = 0; i < 100; i += 20) await Promise.all(Array.from({ length: 20 }, () => start()))
    const refused = await world.send('POST', '/devicecode', { form: {}, headers: box })
    expect([refused.status, refused.json.error]).toEqual([429, 'temporarily_unavailable'])
  })
})
