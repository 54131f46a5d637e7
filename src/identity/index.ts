/** The public face of identity: people, services, tokens and the one authorisation decision. */
export type {
  Account,
  AccountFilter,
  AccountIdentity,
  AccountKind,
  AccountStatus,
  IdentityKind,
  NewAccount,
  NewAccountIdentity,
} from './account.ts'
export type { Client, NewClient } from './client.ts'
export type { IdentityOptions } from './context.ts'
export { createIdentity, type Identity } from './identity.ts'
export { LOGIN_SCOPES, type LoginOptions, type LoginRequest, type LoginResult } from './login.ts'
export type { MintedToken, MintRequest } from './tokens.ts'
export * from './verifier.ts'
export type { Vo } from './vos.ts'
