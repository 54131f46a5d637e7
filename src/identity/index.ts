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
} from './accounts/account.ts'
export { LOGIN_SCOPES, type LoginOptions, type LoginRequest, type LoginResult } from './accounts/login.ts'
export type { Vo } from './accounts/vos.ts'
export type { IdentityOptions } from './context.ts'
export { createIdentity, type Identity } from './identity.ts'
export { ACTIONS } from './policy/actions.ts'
export type { Decision, Rule } from './policy/decide.ts'
export type { AccessAnswer } from './policy/explain.ts'
export type { NewRule, StoredRule } from './policy/policies.ts'
export type { Client, NewClient } from './tokens/client.ts'
export type { MintedToken, MintRequest } from './tokens/tokens.ts'
export * from './verifier.ts'
