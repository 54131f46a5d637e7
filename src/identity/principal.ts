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
  /** When they logged in, where that is known. */
  readonly authenticatedAt?: Date
  /** How they showed who they are. */
  readonly method: 'token' | 'session' | 'x509'
  /** Came with a limited proxy: may handle data, may not submit jobs or delegate. */
  readonly limited: boolean
  /** The OAuth client the token was issued to. */
  readonly clientId: string | null
  /** Who acts for the subject (`act` of RFC 8693), the present actor first. */
  readonly actors: readonly string[]
  /** Known to a foreign issuer only: no member here, and nothing that is for every member is for them. */
  readonly guest?: true
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
  method: 'token',
  limited: false,
  clientId: null,
  actors: [],
}

/** How the audit log names whoever makes a request. */
export const actorOf = ({ account, subject }: Principal): string => account ?? subject
