import type { Clock } from '../kernel/ports.ts'
import type { Principal } from './principal.ts'

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

export function createTokenVerifier(_options: TokenVerifierOptions): TokenVerifier {
  throw new Error('follows')
}
