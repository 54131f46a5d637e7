import type pg from 'pg'
import type { Db } from '../kernel/database.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock, Ids } from '../kernel/ports.ts'
import type { Worker } from '../kernel/workers.ts'
import type { Action, Resource } from './actions.ts'
import type { Principal } from './principal.ts'
import type { JwksDocument } from './token-verifier.ts'

export interface IdentityOptions {
  readonly db: Db
  readonly pool: pg.Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** `https://localhost:7443`: the issuer of VO `demo` is `<issuerBase>/iam/demo`. */
  readonly issuerBase: string
  /** 32 bytes kept outside the database. */
  readonly sealKey: Uint8Array
}

export type AccountKind = 'USER' | 'GROUP' | 'SERVICE'
export type AccountStatus = 'ACTIVE' | 'SUSPENDED' | 'DELETED'
export type IdentityKind = 'USERPASS' | 'OIDC' | 'X509' | 'SSH'

export interface Account {
  readonly id: number
  readonly uuid: string
  readonly vo: string
  readonly name: string
  readonly kind: AccountKind
  readonly status: AccountStatus
  readonly email: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly suspendedAt: Date | null
  readonly deletedAt: Date | null
}

export interface NewAccount {
  readonly vo: string
  readonly name: string
  readonly kind?: AccountKind
  readonly email?: string | null
}

export interface AccountIdentity {
  readonly accountId: number
  readonly kind: IdentityKind
  readonly identity: string
  readonly isDefault: boolean
}

export interface NewAccountIdentity {
  readonly accountId: number
  readonly kind: IdentityKind
  readonly identity: string
  readonly password?: string
  readonly isDefault?: boolean
}

export interface MintRequest {
  readonly vo: string
  /** The account on whose behalf the token acts; null for a token of the grid itself. */
  readonly accountId: number | null
  /** Defaults to the account's uuid. */
  readonly subject?: string
  /** Canonical scope texts; storage paths are checked. */
  readonly scopes: readonly string[]
  readonly groups?: readonly string[]
  readonly audience: readonly string[]
  readonly lifetimeSeconds: number
}

export interface MintedToken {
  readonly token: string
  readonly expiresAt: Date
  readonly tokenId: string
}

export interface LoginRequest {
  readonly vo: string
  readonly username: string
  readonly password: string
  /** Needed when the user name maps to several accounts. */
  readonly account?: string
  /** Address of the caller, for the rate limit. */
  readonly peer?: string
}

export interface LoginResult extends MintedToken {
  readonly account: string
  readonly accountId: number
}

export interface Client {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly grants: readonly string[]
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly enabled: boolean
}

export interface NewClient {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  /** The most the client may ask for. */
  readonly scopes: readonly string[]
  readonly audiences?: readonly string[]
  readonly grants?: readonly string[]
  /** Kept if given (at least 24 characters), made otherwise. */
  readonly secret?: string
}

/** Everything the rest of the grid asks of identity. */
export interface Identity {
  issuer(vo: string): string
  /** The VO's public keys: all that are not retired. */
  jwks(vo: string): Promise<JwksDocument>
  rotateSigningKeys(now: Date): Promise<{ created: number }>
  readonly workers: readonly Worker[]

  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  mint(request: MintRequest): Promise<MintedToken>
  /** Logs in by password; throws login_failed, account_choice_needed, login_rate_limited. */
  login(request: LoginRequest): Promise<LoginResult>
  /** The token of a user as at login: any audience, groups, every storage right of the account. */
  mintForAccount(accountId: number, options?: { lifetimeSeconds?: number }): Promise<LoginResult>
  createLoginCode(accountId: number): Promise<{ code: string; expiresAt: Date }>
  redeemLoginCode(vo: string, code: string): Promise<LoginResult>
  /** Refuses the token everywhere on the server from now on. */
  revoke(tokenId: string, expiresAt: Date): Promise<void>
  clientToken(request: {
    vo: string
    clientId: string
    secret: string
    scopes?: readonly string[]
    audience?: readonly string[]
  }): Promise<MintedToken & { scopes: readonly string[] }>
  /** The client, if the secret is right; throws invalid_client. */
  authenticateClient(vo: string, clientId: string, secret: string): Promise<Client>

  /** Throws `denied` unless a policy allows the action and the token's scopes reach it. */
  authorize(principal: Principal, action: Action, resource: Resource): void
  /** The same decision with its reason, without throwing. */
  explain(principal: Principal, action: Action, resource: Resource): { allow: boolean; reason: string }
  /** Forgets cached policies, accounts and keys; call when topic `identity` wakes. */
  reload(): Promise<void>

  createVo(vo: { id: string; title: string; storagePrefix?: string }): Promise<{ created: boolean }>
  listVos(): Promise<{ id: string; title: string; storagePrefix: string }[]>
  createAccounts(accounts: readonly NewAccount[]): Promise<Account[]>
  accounts(vo: string, names: readonly string[]): Promise<Account[]>
  accountsById(ids: readonly number[]): Promise<Account[]>
  listAccounts(
    vo: string,
    filter?: { kind?: AccountKind; identity?: string; attributes?: Readonly<Record<string, string>> },
  ): Promise<Account[]>
  /** The account of that name; throws account_missing. */
  account(vo: string, name: string): Promise<Account>
  updateAccount(
    id: number,
    change: { status?: AccountStatus; email?: string | null; kind?: AccountKind },
  ): Promise<Account>
  attributes(accountIds: readonly number[]): Promise<Map<number, Record<string, string>>>
  setAttributes(accountId: number, attributes: Readonly<Record<string, string>>): Promise<void>
  deleteAttributes(accountId: number, keys: readonly string[]): Promise<void>
  addIdentities(identities: readonly NewAccountIdentity[]): Promise<void>
  removeIdentity(accountId: number, kind: IdentityKind, identity: string): Promise<void>
  identitiesOf(accountIds: readonly number[]): Promise<AccountIdentity[]>
  accountsOfIdentity(vo: string, kind: IdentityKind, identity: string): Promise<Account[]>
  setPassword(accountId: number, username: string, password: string): Promise<void>
  createGroups(vo: string, groups: readonly { path: string; optional?: boolean }[]): Promise<void>
  addMembers(vo: string, path: string, accountIds: readonly number[]): Promise<void>
  removeMembers(vo: string, path: string, accountIds: readonly number[]): Promise<void>
  groupsOf(accountIds: readonly number[]): Promise<Map<number, string[]>>
  /** Creates the client or, if it exists, replaces scopes, audiences and (when given) its secret. */
  putClient(client: NewClient): Promise<{ client: Client; secret: string | null }>
}

export function createIdentity(_options: IdentityOptions): Identity {
  throw new Error('follows')
}
