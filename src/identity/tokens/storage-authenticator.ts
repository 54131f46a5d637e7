import { denied } from '../errors.ts'
import type { Action, Resource, StorageOperation } from '../policy/actions.ts'
import type { Principal } from '../principal.ts'
import { pathAllowed } from './scope.ts'
import type { TokenVerifier } from './token-verifier.ts'

/** Verification and storage authorisation by scopes alone: what a gateway hands to `createHttp`. */
export function storageAuthenticator(verifier: TokenVerifier) {
  return {
    verify: (token: string, accept: { audience: readonly string[] }): Promise<Principal> =>
      verifier.verify(token, accept),
    authorize(principal: Principal, action: Action, resource: Resource): void {
      const operation = action.startsWith('storage.')
        ? (action.slice('storage.'.length) as StorageOperation)
        : undefined
      const allowed =
        operation !== undefined &&
        resource.path !== undefined &&
        principal.vo === resource.vo &&
        pathAllowed(principal.scopes, operation, resource.path)
      if (!allowed)
        throw denied(`The token does not permit ${action} on ${resource.path ?? 'this'}.`, { action })
    },
  }
}
