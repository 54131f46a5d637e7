import type { Clock } from '../../kernel/ports.ts'
import { invalidToken, keysUnavailable } from '../errors.ts'
import type { Principal } from '../principal.ts'
import type { Refusable } from './refused.ts'
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
  /** Why a token is refused although it is a good one; undefined when it is not. */
  readonly refusal?: (bearer: Refusable) => Promise<string | undefined>
  readonly onProblem?: (message: string, facts: Record<string, unknown>) => void
}

export interface TokenVerifier {
  /** The principal of a good token; throws `invalid_token` or, without any keys, `issuer_keys_unavailable`. */
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
}

const REFRESH_MS = 6 * 3600_000
/** Also how long a failed refresh of keys that still serve is left alone. */
const UNKNOWN_KEY_MS = 60_000
/** Without any key nobody is let in, so the issuer is asked again soon after it may have come back. */
const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 5000

interface KeyCache {
  keys: ReadonlyMap<string, PublicKey>
  /** Milliseconds of the clock. */
  fetchedAt: number
  triedAt: number
  unknownAt: number
  failures: number
  pending: Promise<void> | undefined
}

/** Verifies tokens of the trusted issuers with cached keys; a new key costs one refresh, never a storm of them. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const trusted = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]))
  const caches = new Map<string, KeyCache>()
  const now = () => options.clock.now().getTime()

  const fetched = async (issuer: TrustedIssuer): Promise<Map<string, PublicKey>> => {
    const answer = await options.fetch(issuer.jwksUrl)
    if (!answer.ok) throw new Error('the issuer refused its key set')
    const document = (await answer.json()) as JwksDocument
    const keys = keysOf(document)
    // An issuer without keys has a fault; forgetting its good ones would spread it.
    if (keys.size === 0) throw new Error('the key set holds no usable key')
    await options.store?.save(issuer.issuer, document).catch((error: unknown) => {
      options.onProblem?.('issuer keys not kept', { issuer: issuer.issuer, err: error })
    })
    return keys
  }
  const refresh = async (issuer: TrustedIssuer, cache: KeyCache): Promise<void> => {
    cache.triedAt = now()
    try {
      const keys = await fetched(issuer)
      if ([...cache.keys.keys()].some((kid) => !keys.has(kid))) checker.forget()
      cache.keys = keys
      cache.fetchedAt = now()
      cache.failures = 0
    } catch (error) {
      cache.failures++
      options.onProblem?.('issuer keys not refreshed', { issuer: issuer.issuer, err: error })
      if (cache.keys.size > 0) return
      const kept = await options.store?.load(issuer.issuer).catch(() => undefined)
      cache.keys = keysOf(kept)
    }
  }
  const keyOf = async (name: string, kid: string): Promise<PublicKey | undefined> => {
    const cache = caches.get(name) ?? {
      keys: new Map(),
      fetchedAt: -Infinity,
      triedAt: -Infinity,
      unknownAt: -Infinity,
      failures: 0,
      pending: undefined,
    }
    caches.set(name, cache)
    if (!cache.pending && isDue(cache, kid, now())) {
      if (cache.keys.size > 0 && !cache.keys.has(kid)) cache.unknownAt = now()
      cache.pending = refresh(trusted.get(name)!, cache).finally(() => {
        cache.pending = undefined
      })
    }
    if (!cache.keys.has(kid)) await cache.pending
    if (cache.keys.size === 0) {
      throw keysUnavailable('The keys of the token issuer cannot be fetched at the moment; try again.')
    }
    return cache.keys.get(kid)
  }
  const checker = tokenChecker({ trusts: (iss) => trusted.has(iss), keyOf, now: () => options.clock.now() })
  return {
    async verify(token, { audience }) {
      const claims = await checker.check(token, audience)
      const { account, clientId, jti: tokenId, grantId } = claims
      const why = await options.refusal?.({ account, clientId, tokenId, grantId })
      if (why !== undefined) throw invalidToken(why)
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
        method: 'token',
        limited: false,
        clientId: claims.clientId,
        actors: claims.actors,
      }
    },
  }
}

function isDue(cache: KeyCache, kid: string, now: number): boolean {
  if (cache.keys.size === 0) {
    // One failure may be a moment's; from the second on there is a pause.
    const wait = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (cache.failures - 2))
    return cache.failures < 2 || now - cache.triedAt >= wait
  }
  // A key nobody has seen may be brand new, so the first one is looked up at once.
  if (!cache.keys.has(kid)) return now - cache.unknownAt >= UNKNOWN_KEY_MS
  return now - cache.fetchedAt >= REFRESH_MS && now - cache.triedAt >= UNKNOWN_KEY_MS
}

function keysOf(document: JwksDocument | undefined): Map<string, PublicKey> {
  const list = Array.isArray(document?.keys) ? document.keys : []
  const keys = list.flatMap((jwk) => importKey(jwk) ?? [])
  return new Map(keys.map((key) => [key.kid, key]))
}
