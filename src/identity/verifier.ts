/** The database-free public face of identity: what a gateway needs to check tokens and paths. */

export { denied, invalidRequest, invalidScope, invalidToken, notAuthenticated } from './errors.ts'
export type { Action, Resource, RouteAction, StorageOperation } from './policy/actions.ts'
export { actorOf, anonymous, type Principal } from './principal.ts'
export { type ForeignTokens, foreignTokens } from './tokens/foreign-tokens.ts'
export { type Refusable, type Refused, refusalIn } from './tokens/refused.ts'
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
} from './tokens/scope.ts'
export { storageAuthenticator } from './tokens/storage-authenticator.ts'
export { ANY_AUDIENCE } from './tokens/token.ts'
export {
  createTokenVerifier,
  type JwksDocument,
  type JwksStore,
  type TokenVerifier,
  type TokenVerifierOptions,
  type TrustedIssuer,
} from './tokens/token-verifier.ts'
export type { IssuerTrust } from './tokens/trust.ts'
export { type ProxyAttributes, proxyAttributes } from './voms/proxy-attributes.ts'
export { attributesRefused, type VerifiedAttributes } from './voms/verify.ts'
export { openVomsDirectory, type VomsAuthorities } from './voms/voms-directory.ts'
export {
  CLIENT_CERTIFICATE_OPTIONS,
  type ClientCertificates,
  certificateRefused,
  clientCertificates,
  openTrustDirectory,
  slashOf,
  type TrustDirectory,
  type VerifiedChain,
} from './x509/index.ts'
