import type { Action, Principal, Resource, VerifiedChain } from '../identity/verifier.ts'

/** What the host asks about callers: `Identity` on the server, `storageAuthenticator(verifier)` on a gateway. */
export interface Authenticator {
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  /** Who a certificate that was verified stands for; absent where certificates open nothing. */
  verifyCertificate?(chain: VerifiedChain, hint: { readonly vo?: string }): Promise<Principal>
  /** Who a console session belongs to; a gateway has none, and ignores the cookie. */
  verifySession?(secret: string): Promise<Principal>
  authorize(principal: Principal, action: Action, resource: Resource): void
}
