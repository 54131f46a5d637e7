/** The public face of identity: people, services, tokens and the one authorisation decision. */
export {
  type Account,
  type AccountIdentity,
  type AccountKind,
  type AccountStatus,
  type Client,
  createIdentity,
  type Identity,
  type IdentityKind,
  type IdentityOptions,
  LOGIN_SCOPES,
  type LoginOptions,
  type LoginRequest,
  type LoginResult,
  type MintedToken,
  type MintRequest,
  type NewAccount,
  type NewAccountIdentity,
  type NewClient,
} from './identity.ts'
export * from './verifier.ts'
