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
export type { LoginOptions, LoginRequest, LoginResult, PasswordRequest } from './accounts/login.ts'
export type { Vo } from './accounts/vos.ts'
export type { IdentityOptions } from './context.ts'
export { createIdentity, type Identity } from './identity.ts'
export { checkResource } from './tokens/audience.ts'
export type { Answer, AuthorizationRequest, Person, Question } from './tokens/authorization.ts'
export { type Client, GRANTS, type NewClient } from './tokens/client.ts'
export type { ClientProof } from './tokens/client-authentication.ts'
export type { ClientChange } from './tokens/clients.ts'
export type { ExchangePolicy } from './tokens/exchange-policy.ts'
export type { Grant, Issued } from './tokens/grants.ts'
export type { MintedToken, MintRequest } from './tokens/mint.ts'
export type { WrittenScopePolicy } from './tokens/scope-policies.ts'
export { LOGIN_SCOPES, type Session } from './tokens/sessions.ts'
export { SCOPES_OFFERED } from './tokens/vocabulary.ts'
export * from './verifier.ts'
