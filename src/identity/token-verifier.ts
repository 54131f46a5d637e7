import type { Clock } from '../kernel/ports.ts'
import { keysUnavailable } from './errors.ts'
import type { Principal } from './principal.ts'
import { importKey, type PublicKey, tokenChecker } from './token.ts'

/** One public key set, as an issuer publishes it. */
export interface JwksDocument {
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

/** Where a gateway keeps the last good key set, so that it starts while the issuer is away. */
export interface JwksStore {
  load(issuer: string): Promise<JwksDocument | undefined>
  save(issuer: string, jwks: JwksDocument): Promise<void>
}

export interface TrustedIssuer {
  /** Compared exactly, character by character. */
  readonly issuer: string
  readonly vo: string
  readonly jwksUrl: string
}

export interface TokenVerifierOptions {
  readonly issuers: readonly TrustedIssuer[]
  /** How to GET a key set; must trust the issuer's certificate authority. */
  readonly fetch: (url: string) => Promise<{ ok: boolean; json(): Promise<unknown> }>
  readonly clock: Pick<Clock, 'now'>
  readonly store?: JwksStore
  readonly onProblem?: (message: string, facts: Record<string, unknown>) => void
}

export interface TokenVerifier {
  /** The principal of a good token; throws `invalid_token` or, without any keys, `issuer_keys_unavailable`. */
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
}

const REFRESH_MS = 6 * 3600_000
const UNKNOWN_KEY_REFRESH_MS = 30_000

/** Verifies tokens of the trusted issuers with cached keys; a new key costs one refresh, never a storm of them. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const trusted = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]))
  const caches = new Map<
    string,
    { keys: Map<string, PublicKey>; asked: number; pending?: Promise<void> | undefined }
  >()

  const refresh = async (issuer: TrustedIssuer, keys: Map<string, PublicKey>): Promise<void> => {
    let document: JwksDocument | undefined
    try {
      const answer = await options.fetch(issuer.jwksUrl)
      if (!answer.ok) throw new Error('the issuer refused its key set')
      document = (await answer.json()) as JwksDocument
      await options.store?.save(issuer.issuer, document)
    } catch (error) {
      options.onProblem?.('issuer keys not refreshed', { issuer: issuer.issuer, err: error })
      if (keys.size === 0) document = await options.store?.load(issuer.issuer)
    }
    if (!Array.isArray(document?.keys)) return
    keys.clear()
    for (const jwk of document.keys) {
      const key = importKey(jwk)
      if (key) keys.set(key.kid, key)
    }
  }
  const keyOf = async (name: string, kid: string): Promise<PublicKey | undefined> => {
    const issuer = trusted.get(name)!
    const cache = caches.get(name) ?? { keys: new Map<string, PublicKey>(), asked: -Infinity }
    caches.set(name, cache)
    const age = options.clock.now().getTime() - cache.asked
    if (age > (cache.keys.has(kid) ? REFRESH_MS : UNKNOWN_KEY_REFRESH_MS) && !cache.pending) {
      cache.asked = options.clock.now().getTime()
      cache.pending = refresh(issuer, cache.keys).finally(() => {
        cache.pending = undefined
      })
    }
    if (!cache.keys.has(kid)) await cache.pending
    if (cache.keys.size === 0) {
      cache.asked = -Infinity
      throw keysUnavailable('The keys of the token issuer cannot be fetched at the moment; try again.')
    }
    return cache.keys.get(kid)
  }
  const checker = tokenChecker({ trusts: (iss) => trusted.has(iss), keyOf, now: () => options.clock.now() })
  return {
    async verify(token, { audience }) {
      const claims = await checker.check(token, audience)
      return {
        kind: claims.account ? 'user' : 'service',
        accountId: null,
        account: claims.account,
        vo: trusted.get(claims.iss)!.vo,
        issuer: claims.iss,
        subject: claims.sub,
        groups: claims.groups,
        attributes: {},
        scopes: claims.scopes,
        audience: claims.aud,
        tokenId: claims.jti,
        expiresAt: new Date(claims.exp * 1000),
      }
    },
  }
}
