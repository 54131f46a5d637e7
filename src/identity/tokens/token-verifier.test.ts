import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { virtualClock } from '../../kernel/ports.ts'
import { storageAuthenticator } from './storage-authenticator.ts'
import { ANY_AUDIENCE } from './token.ts'
import { createTokenVerifier, type JwksDocument, type TokenVerifier } from './token-verifier.ts'

const ISSUER = 'https://localhost:7443/iam/demo'
const GATEWAY = 'https://localhost:7451'

interface Pair {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: Record<string, unknown>
}

function pair(kid: string): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } }
}

const first = pair('first')
const second = pair('second')
let clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
let published: { keys: unknown[] } = { keys: [] }
let away = false
let fetches = 0
let kept: JwksDocument | undefined
let verifier: TokenVerifier

const seconds = () => Math.floor(clock.now().getTime() / 1000)
const claims = () => ({
  iss: ISSUER,
  sub: 'someone',
  aud: ANY_AUDIENCE,
  exp: seconds() + 600,
  nbf: seconds(),
  iat: seconds(),
  jti: 'one',
  scope: 'storage.read:/a',
  'wlcg.ver': '1.0',
})
const sign = (change: Record<string, unknown> = {}, key: Pair = first, header: object = {}) =>
  new SignJWT({ ...claims(), ...change } as never)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header })
    .sign(key.privateKey)
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const verify = async (token: string | Promise<string>, audience = [GATEWAY, ANY_AUDIENCE]) =>
  verifier.verify(await token, { audience })
const refused = async (token: string | Promise<string>, message: RegExp, code = 'invalid_token') => {
  const error = await verify(token).then(
    () => 'accepted',
    (thrown) => thrown,
  )
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
}

beforeEach(() => {
  clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  published = { keys: [first.jwk] }
  away = false
  fetches = 0
  kept = undefined
  verifier = createTokenVerifier({
    issuers: [{ issuer: ISSUER, vo: 'demo', jwksUrl: `${ISSUER}/jwks` }],
    clock,
    fetch: async () => {
      fetches++
      if (away) throw new Error('connection refused')
      return { ok: true, json: async () => structuredClone(published) }
    },
    store: {
      load: async () => kept,
      save: async (_issuer, jwks) => {
        kept = jwks
      },
    },
  })
})

describe('a gateway', () => {
  test('accepts a good token and knows what it permits', async () => {
    const principal = await verify(sign({ 'wlcg.groups': ['/a'], kumi_account: 'mika' }))
    expect(principal).toMatchObject({ vo: 'demo', account: 'mika', accountId: null, groups: ['/a'] })
    const gate = storageAuthenticator(verifier)
    gate.authorize(principal, 'storage.read', { vo: 'demo', path: '/a/f' })
    for (const [action, resource] of [
      ['storage.read', { vo: 'demo', path: '/ab' }],
      ['storage.read', { vo: 'other', path: '/a/f' }],
      ['storage.read', { vo: 'demo' }],
      ['storage.delete', { vo: 'demo', path: '/a/f' }],
      ['catalog.read', { vo: 'demo', path: '/a' }],
    ] as const) {
      expect(() => gate.authorize(principal, action, resource)).toThrow(/does not permit/)
    }
  })

  test('refuses a token out of its time', async () => {
    const token = await sign()
    await verify(token)
    clock.advance(600_000)
    await refused(token, /expired/)
    await refused(sign({ exp: undefined }), /expired/)
    await refused(sign({ exp: String(seconds() + 600) }), /expired/)
    await refused(sign({ nbf: seconds() + 120 }), /not valid yet/)
    await refused(sign({ iat: seconds() + 120 }), /not valid yet/)
    await verify(sign({ nbf: seconds() + 30, iat: seconds() + 30 }))
  })

  test('refuses a token for another service', async () => {
    await refused(sign({ aud: 'https://localhost:7452' }), /another service/)
    await refused(sign({ aud: [] }), /another service/)
    await refused(sign({ aud: undefined }), /another service/)
    await refused(sign({ aud: { includes: true } }), /another service/)
    await verify(sign({ aud: ['https://elsewhere.example', GATEWAY] }))
  })

  test('refuses a token without a signature, or with one anybody can make', async () => {
    const body = encode(claims())
    await refused(`${encode({ alg: 'none', kid: 'first' })}.${body}.`, /not accepted/)
    await refused(`${encode({ alg: 'None', kid: 'first' })}.${body}.`, /not accepted/)
    // The public key as the secret of an HMAC.
    for (const secret of [JSON.stringify(first.jwk), String(first.jwk.x)]) {
      const signed = `${encode({ alg: 'HS256', kid: 'first' })}.${body}`
      const mac = createHmac('sha256', secret).update(signed).digest('base64url')
      await refused(`${signed}.${mac}`, /not accepted/)
    }
    const good = await sign()
    const [header, , signature] = good.split('.')
    await refused(`${header}.${encode({ ...claims(), scope: 'storage.modify:/' })}.${signature}`, /signature/)
    await refused(good.slice(0, -8), /signature/)
    await refused(sign({}, { ...first, privateKey: second.privateKey }), /signature/)
  })

  test('takes no key that the token brings along', async () => {
    await refused(sign({}, { ...second, kid: 'first' }, { jwk: second.jwk }), /signature/)
    await refused(sign({}, second, { jku: 'https://evil.example/jwks' }), /not known/)
    const critical = encode({ alg: 'ES256', kid: 'first', crit: ['exp'], exp: 1 })
    await refused(`${critical}.${encode(claims())}.AAAA`, /not accepted/)
    const nameless = new SignJWT(claims() as never)
      .setProtectedHeader({ alg: 'ES256' })
      .sign(first.privateKey)
    await refused(nameless, /does not name its key/)
  })

  test('refuses other issuers without asking them anything', async () => {
    for (const iss of [
      'https://evil.example',
      `${ISSUER}/`,
      ISSUER.toUpperCase(),
      `${ISSUER}2`,
      7,
      undefined,
    ]) {
      await refused(sign({ iss }), /unknown issuer/)
    }
    expect(fetches).toBe(0)
  })

  test('refuses what is no token of the profile', async () => {
    for (const nonsense of ['', 'a', 'a.b.c', '..', `${encode({ alg: 'ES256' })}..x`]) {
      await refused(nonsense, /not a token|does not name|not accepted/)
    }
    await refused('x'.repeat(20_000), /too long/)
    await refused(sign({ 'wlcg.ver': undefined }), /version/)
    await refused(sign({ 'wlcg.ver': '2.0' }), /version/)
    await refused(sign({ jti: undefined }), /lacks/)
    await refused(sign({ sub: undefined }), /lacks/)
  })

  test('refuses the whole token for one storage scope without a path', async () => {
    await refused(sign({ scope: 'storage.read:/a storage.modify' }), /unusable storage scope/)
    await refused(sign({ scope: 'storage.read:/a/../b' }), /unusable storage scope/)
  })

  test('looks up a new key at once, then leaves the issuer alone for a minute', async () => {
    await verify(sign())
    published = { keys: [first.jwk, second.jwk] }
    await Promise.all(Array.from({ length: 20 }, () => verify(sign({}, second))))
    expect(fetches).toBe(2)
    const third = pair('third')
    for (let i = 0; i < 20; i++) await refused(sign({}, third), /not known/)
    expect(fetches).toBe(2)
    clock.advance(60_000)
    published = { keys: [second.jwk, third.jwk] }
    await verify(sign({}, third))
    expect(fetches).toBe(3)
    await refused(sign(), /not known/)
  })

  test('without any keys asks again after a pause, not with every request, and recovers', async () => {
    away = true
    for (let i = 0; i < 20; i++) await refused(sign(), /cannot be fetched/, 'issuer_keys_unavailable')
    expect(fetches).toBe(2)
    for (let second = 0; second < 300; second++) {
      clock.advance(1000)
      for (let i = 0; i < 3; i++) await refused(sign(), /cannot be fetched/, 'issuer_keys_unavailable')
    }
    expect(fetches).toBeGreaterThan(50)
    expect(fetches).toBeLessThan(70)
    away = false
    clock.advance(5000)
    await verify(sign())
  })

  test('goes on with the keys it has while the issuer is away or publishes rubbish, even after a restart', async () => {
    await verify(sign())
    clock.advance(7 * 3600_000)
    published = {
      keys: [
        { kty: 'EC', crv: 'P-256', kid: 'first', x: 'no', y: 'no' },
        { kty: 'oct', k: 'AA' },
      ],
    }
    await verify(sign())
    clock.advance(3600_000)
    away = true
    await verify(sign())
    const restarted = createTokenVerifier({
      issuers: [{ issuer: ISSUER, vo: 'demo', jwksUrl: `${ISSUER}/jwks` }],
      clock,
      fetch: async () => {
        throw new Error('connection refused')
      },
      store: { load: async () => kept, save: async () => undefined },
    })
    expect((await restarted.verify(await sign(), { audience: [ANY_AUDIENCE] })).vo).toBe('demo')
  })
})
