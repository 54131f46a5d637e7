import type { JwksDocument } from './token-verifier.ts'

/** What is known of an issuer of others: all that is needed to judge its tokens, without a database. */
export interface IssuerTrust {
  /** Compared exactly with the claim `iss`, character by character. */
  readonly issuer: string
  readonly vo: string
  /** First part of the groups its tokens claim. */
  readonly name: string
  /** Its storage scopes are relative to this directory of the VO's area, and count nowhere else. */
  readonly path: readonly string[]
  /** Accepted besides the service's own addresses. */
  readonly audiences: readonly string[]
  /** Accounts by subject. Gateways get none: they know no accounts. */
  readonly accounts: Readonly<Record<string, number>>
  readonly jwks: JwksDocument
  /** From then on its keys count no more unless they were fetched again; ISO 8601. */
  readonly keysUntil: string
}

/** Who holds a token of another issuer. */
export interface ForeignBearer {
  /** Null: known to the other issuer only. */
  readonly accountId: number | null
  /** The token carries capabilities, so they alone count (WLCG profile, §2.5). */
  readonly capable: boolean
}
