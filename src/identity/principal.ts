import type { Scope } from './tokens/scope.ts'

/** Who makes a request, after the token was verified. */
export interface Principal {
  readonly kind: 'user' | 'service' | 'anonymous'
  /** Null for anonymous callers, foreign subjects, and at gateways (which know no accounts). */
  readonly accountId: number | null
  readonly account: string | null
  readonly vo: string
  readonly issuer: string
  readonly subject: string
  readonly groups: readonly string[]
  readonly attributes: Readonly<Record<string, string>>
  readonly scopes: readonly Scope[]
  readonly audience: readonly string[]
  readonly tokenId: string
  readonly expiresAt: Date
}

/** Nobody: may use public routes only. */
export const anonymous: Principal = {
  kind: 'anonymous',
  accountId: null,
  account: null,
  vo: '',
  issuer: '',
  subject: '',
  groups: [],
  attributes: {},
  scopes: [],
  audience: [],
  tokenId: '',
  expiresAt: new Date(8.64e15),
}
