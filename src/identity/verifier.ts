/** The database-free public face of identity: what a gateway needs to check tokens and paths. */
export type { Action, Resource, RouteAction, StorageOperation } from './actions.ts'
export { denied, invalidScope, invalidToken, notAuthenticated } from './errors.ts'
export { anonymous, type Principal } from './principal.ts'
export {
  anyCovers,
  covers,
  formatScope,
  formatScopes,
  intersect,
  isSafeSegment,
  normalise,
  type PathFacts,
  type PlainScope,
  parseScope,
  parseScopes,
  pathAllowed,
  type Scope,
  type StorageScope,
  type StorageScopeOp,
  segmentsOf,
} from './scope.ts'
export { storageAuthenticator } from './storage-authenticator.ts'
export { ANY_AUDIENCE } from './token.ts'
export {
  createTokenVerifier,
  type JwksDocument,
  type JwksStore,
  type TokenVerifier,
  type TokenVerifierOptions,
  type TrustedIssuer,
} from './token-verifier.ts'
