import type { Action, Principal, Resource } from '../identity/verifier.ts'

/** What the host asks about callers: `Identity` on the server, `storageAuthenticator(verifier)` on a gateway. */
export interface Authenticator {
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  /** Who a console session belongs to; a gateway has none, and ignores the cookie. */
  verifySession?(secret: string): Promise<Principal>
  authorize(principal: Principal, action: Action, resource: Resource): void
}
