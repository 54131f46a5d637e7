import { createHash } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { CALLBACK, type IssuerWorld, interactionOf, issuerWorld } from '../../../test/harness/issuer-world.ts'

const CHALLENGE = createHash('sha256').update('v'.repeat(43)).digest('base64url')

describe('the authorization code', () => {
  const database = testDatabase()
  let world: IssuerWorld
  let secret = ''
  const portal = { client_id: 'portal', redirect_uri: CALLBACK }
  const redeem = (code: string, verifier: string, more: Record<string, string> = {}, id = 'portal') =>
    world.token(
      { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK, ...more },
      world.basic(id, secret),
    )
  const ask = (more: Record<string, string>) =>
    world.send(
      'GET',
      `/authorize?${new URLSearchParams({ response_type: 'code', code_challenge: CHALLENGE, code_challenge_method: 'S256', ...portal, ...more })}`,
    )
  const refusal = async (more: Record<string, string>) => {
    const { status, headers } = await ask(more)
    const url = new URL(String(headers.location))
    return [status, `${url.origin}${url.pathname}`, url.searchParams.get('error')]
  }

  beforeAll(async () => {
    world = await issuerWorld(database)
    secret = await world.client({
      ...{ id: 'portal', name: 'The portal', redirectUris: [CALLBACK, `${CALLBACK}?site=a`] },
      grants: ['authorization_code', 'refresh_token'],
      scopes: ['openid', 'profile', 'email', 'offline_access', 'storage.read:/', 'wlcg.groups'],
    })
    await world.client({
      id: 'thief',
      redirectUris: ['https://thief.example/'],
      grants: ['authorization_code'],
      secret,
    })
    await world.client({
      ...{ id: 'desktop', auth: 'none', redirectUris: ['http://127.0.0.1/cb'], scopes: ['openid'] },
      grants: ['authorization_code'],
    })
    await world.identity.createGroups('demo', [{ path: '/demo/shift', optional: true }])
    await world.identity.addMembers('demo', '/demo/shift', [world.accounts.mika.id])
  })
  afterAll(() => world?.close())

  test('leads through login and consent back to the client, with tokens that say who it was', async () => {
    const began = Math.floor(world.clock.now().getTime() / 1000)
    const { back, code, verifier } = await world.code({
      ...{ ...portal, scope: 'openid profile storage.read:/a wlcg.groups:/demo/shift' },
      ...{ state: 'a b&c', nonce: 'n-0', audience: 'https://se.example' },
    })
    expect(back.origin + back.pathname).toBe(CALLBACK)
    expect([back.searchParams.get('state'), back.searchParams.get('iss')]).toEqual(['a b&c', world.issuer])
    const { status, json, headers } = await redeem(code, verifier)
    expect([status, headers['cache-control'], json.token_type]).toEqual([200, 'no-store', 'Bearer'])
    expect(json.scope).toBe('openid profile storage.read:/a wlcg.groups:/demo/shift')
    expect(json.refresh_token).toBeUndefined()
    const keys = createLocalJWKSet((await world.send('GET', '/jwk')).json)
    const access = await jwtVerify(json.access_token, keys, {
      issuer: world.issuer,
      audience: 'https://se.example',
    })
    expect(access.payload).toMatchObject({
      ...{ sub: world.accounts.mika.uuid, client_id: 'portal', 'wlcg.ver': '1.0' },
      'wlcg.groups': ['/demo/shift', '/demo'],
    })
    const { payload } = await jwtVerify(json.id_token, keys, { issuer: world.issuer, audience: 'portal' })
    const half = createHash('sha256').update(json.access_token).digest().subarray(0, 16).toString('base64url')
    expect(payload).toMatchObject({ sub: world.accounts.mika.uuid, nonce: 'n-0', at_hash: half })
    expect(Number(payload.auth_time)).toBeGreaterThanOrEqual(began)
  })

  test('is shown to the person before anything is given, and what they leave out is not given', async () => {
    const interaction = interactionOf(await ask({ scope: 'openid email storage.read:/a', prompt: 'consent' }))
    const path = `/interaction/${interaction}`
    expect((await world.send('GET', path)).json).toMatchObject({
      ...{ client: { id: 'portal', name: 'The portal' }, whereto: 'portal.example', account: null },
      ...{ login_needed: true, scopes: ['openid', 'email', 'storage.read:/a'] },
    })
    const mika = await world.login()
    expect((await world.send('GET', path, { headers: mika })).json).toMatchObject({
      ...{ account: 'mika', login_needed: false, consent_needed: true },
    })
    const json = { decision: 'approve', scopes: ['openid', 'storage.read:/a/b'] }
    const { json: answer } = await world.send('POST', path, { json, headers: mika })
    const code = new URL(answer.redirect_to).searchParams.get('code')!
    expect((await redeem(code, 'v'.repeat(43))).json.scope).toBe('openid storage.read:/a/b')
  })

  test('is refused in the words of the client’s redirect when the person says no', async () => {
    const interaction = interactionOf(await ask({ scope: 'openid', state: 's' }))
    const headers = await world.login()
    const { json } = await world.send('POST', `/interaction/${interaction}`, {
      json: { decision: 'deny' },
      headers,
    })
    expect(json.redirect_to).toBe(
      `${CALLBACK}?error=access_denied&state=s&iss=${encodeURIComponent(world.issuer)}`,
    )
    const again = await world.send('POST', `/interaction/${interaction}`, {
      json: { decision: 'approve' },
      headers,
    })
    expect([again.status, again.json.code]).toEqual([404, 'interaction_over'])
  })

  test('cannot be decided by a page elsewhere, by a token, or by nobody', async () => {
    const path = `/interaction/${interactionOf(await ask({ scope: 'openid' }))}`
    const json = { decision: 'approve' }
    const { cookie } = await world.login()
    expect((await world.send('POST', path, { json })).status).toBe(401)
    expect((await world.send('POST', path, { json, headers: { cookie: cookie! } })).status).toBe(401)
    const { token } = await world.identity.mintForAccount(world.accounts.mika.id)
    expect((await world.send('POST', path, { json, headers: world.bearer(token) })).status).toBe(403)
  })

  test('serves once: a second use costs what the first one gave', async () => {
    const { code, verifier } = await world.code({ ...portal, scope: 'openid offline_access' })
    const { json } = await redeem(code, verifier)
    const user = () => world.send('GET', '/userinfo', { headers: world.bearer(json.access_token) })
    expect((await user()).status).toBe(200)
    const again = await redeem(code, verifier)
    expect([again.status, again.json.error]).toEqual([400, 'invalid_grant'])
    expect((await user()).status).toBe(401)
    const refresh = { grant_type: 'refresh_token', refresh_token: json.refresh_token }
    expect((await world.token(refresh, world.basic('portal', secret))).json.error).toBe('invalid_grant')
  })

  test('serves one of many who use it at the same moment, and then nobody keeps anything', async () => {
    const { code, verifier } = await world.code({ ...portal, scope: 'openid offline_access' })
    const tries = await Promise.all(Array.from({ length: 8 }, () => redeem(code, verifier)))
    const good = tries.filter(({ status }) => status === 200)
    expect(good.length).toBeLessThanOrEqual(1)
    for (const { json } of good) {
      const refresh = { grant_type: 'refresh_token', refresh_token: json.refresh_token }
      expect((await world.token(refresh, world.basic('portal', secret))).status).toBe(400)
    }
  })

  test('is good for its client, its redirect, its verifier and a minute only', async () => {
    const fresh = () => world.code({ ...portal, scope: 'openid' })
    const wrongs: ((flow: { code: string; verifier: string }) => ReturnType<typeof redeem>)[] = [
      ({ code }) => redeem(code, 'w'.repeat(43)),
      ({ code }) => redeem(code, ''),
      ({ code }) => redeem(code, CHALLENGE),
      ({ code, verifier }) => redeem(code, verifier, { redirect_uri: `${CALLBACK}?site=a` }),
      ({ code, verifier }) => redeem(code, verifier, {}, 'thief'),
      ({ code, verifier }) => redeem(`${code}x`, verifier),
      ({ code, verifier }) => {
        world.pass(61_000)
        return redeem(code, verifier)
      },
    ]
    for (const wrong of wrongs) {
      const { status, json } = await wrong(await fresh())
      expect([status, /invalid_grant|invalid_request/.test(json.error)]).toEqual([400, true])
    }
  })

  test('needs a proof key by SHA-256, whoever the client is', async () => {
    expect(await refusal({ code_challenge_method: 'plain' })).toEqual([303, CALLBACK, 'invalid_request'])
    expect(await refusal({ code_challenge_method: '' })).toEqual([303, CALLBACK, 'invalid_request'])
    expect(await refusal({ code_challenge: '' })).toEqual([303, CALLBACK, 'invalid_request'])
    expect(await refusal({ code_challenge: 'short' })).toEqual([303, CALLBACK, 'invalid_request'])
  })

  test('refuses by redirect what is wrong with the request', async () => {
    const cases: [Record<string, string>, string][] = [
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ response_type: 'code id_token' }, 'unsupported_response_type'],
      [{ response_mode: 'fragment' }, 'invalid_request'],
      [{ request: 'eyJ' }, 'request_not_supported'],
      [{ request_uri: 'https://x.example/' }, 'request_uri_not_supported'],
      [{ scope: 'openid nonsense' }, 'invalid_scope'],
      [{ scope: 'storage.read' }, 'invalid_scope'],
      [{ scope: 'storage.read:/a/../b' }, 'invalid_scope'],
      [{ scope: 'storage.modify:/' }, 'invalid_scope'],
      [{ resource: 'relative' }, 'invalid_target'],
      [{ resource: 'https://se.example/#part' }, 'invalid_target'],
      [{ prompt: 'none', scope: 'openid' }, 'login_required'],
    ]
    for (const [more, word] of cases) expect(await refusal(more), word).toEqual([303, CALLBACK, word])
    const iss = new URL(String((await ask({ scope: 'nonsense' })).headers.location)).searchParams.get('iss')
    expect(iss).toBe(world.issuer)
  })

  test('sends nothing anywhere when the client or the redirect is not known', async () => {
    for (const more of [
      { redirect_uri: 'https://thief.example/' },
      { redirect_uri: `${CALLBACK}/../evil` },
      { redirect_uri: `${CALLBACK}?site=b` },
      { redirect_uri: '' },
      { client_id: 'nobody' },
      { client_id: 'robot' },
    ]) {
      const answer = await ask(more)
      expect([answer.status, answer.headers.location]).toEqual([400, undefined])
      expect(answer.headers['content-type']).toMatch(/^text\/plain/)
    }
    const twice = await world.send(
      'GET',
      `/authorize?client_id=portal&redirect_uri=${CALLBACK}&redirect_uri=https://thief.example/`,
    )
    expect([twice.status, twice.headers.location]).toEqual([400, undefined])
    const elsewhere = await world.send('GET', `//iam/other/authorize?${new URLSearchParams(portal)}`)
    expect(elsewhere.status).toBe(400)
  })

  test('comes back to a native program on whatever port it listens', async () => {
    const { back } = await world.code({
      ...{ client_id: 'desktop', redirect_uri: 'http://127.0.0.1:51234/cb', scope: 'openid', state: 'x' },
    })
    expect(back.host).toBe('127.0.0.1:51234')
    const other = await ask({ client_id: 'desktop', redirect_uri: 'http://127.0.0.1:51234/other' })
    expect(other.status).toBe(400)
  })

  test('remembers a consent for the same or less, and only for clients that prove themselves', async () => {
    const aya = await world.login('aya')
    const answer = async (more: Record<string, string>, remember = false) => {
      const path = `/interaction/${interactionOf(await ask(more))}`
      const question = (await world.send('GET', path, { headers: aya })).json
      await world.send('POST', path, { json: { decision: 'approve', remember }, headers: aya })
      return question.consent_needed
    }
    const asked = { scope: 'openid storage.read:/a' }
    expect(await answer(asked)).toBe(true)
    expect(await answer(asked, true)).toBe(true)
    expect(await answer(asked)).toBe(false)
    expect(await answer({ scope: 'openid storage.read:/a/b' })).toBe(false)
    expect(await answer({ scope: 'openid storage.read:/ab' })).toBe(true)
    expect(await answer({ ...asked, prompt: 'consent' })).toBe(true)
    const desktop = { client_id: 'desktop', redirect_uri: 'http://127.0.0.1:1/cb', scope: 'openid' }
    await answer(desktop, true)
    expect(await answer(desktop)).toBe(true)
  })

  test('asks for a fresh login when the client wants one', async () => {
    const mika = await world.login()
    world.pass(120_000)
    for (const more of [{ prompt: 'login' }, { max_age: '60' }]) {
      const path = `/interaction/${interactionOf(await ask({ scope: 'openid', ...more }))}`
      expect((await world.send('GET', path, { headers: mika })).json.login_needed).toBe(true)
      const stale = await world.send('POST', path, { json: { decision: 'approve' }, headers: mika })
      expect(stale.status).toBe(401)
      const fresh = await world.login()
      const answer = await world.send('POST', path, { json: { decision: 'approve' }, headers: fresh })
      expect(answer.json.redirect_to).toContain('code=')
    }
  })

  test('gives no group of which the person is no member', async () => {
    const path = `/interaction/${interactionOf(await ask({ scope: 'openid wlcg.groups:/demo/shift' }))}`
    const headers = await world.login('aya')
    const { json } = await world.send('POST', path, { json: { decision: 'approve' }, headers })
    expect(new URL(json.redirect_to).searchParams.get('error')).toBe('access_denied')
  })
})
