/** What a route or a rule may ask leave for. A dotted name; policy rows may use `catalog.*` or `*`. */
export type Action =
  | 'identity.read'
  | 'identity.write'
  | 'identity.login'
  // Personal data: profile, addresses, labels, standing.
  | 'identity.people.read'
  | 'identity.profile.write'
  | 'identity.policy.sign'
  | 'identity.group.request'
  // Members and requests of one group.
  | 'identity.group.manage'
  // Registrations.
  | 'identity.approve'
  | 'identity.audit.read'
  | 'catalog.read'
  | 'catalog.scope.create'
  | 'catalog.did.create'
  | 'catalog.did.update'
  | 'catalog.did.delete'
  | 'catalog.replica.update'
  | 'catalog.replica.declare_bad'
  | 'catalog.rse.admin'
  | 'placement.rule.read'
  | 'placement.rule.create'
  | 'placement.rule.update'
  | 'placement.rule.delete'
  | 'transfer.read'
  | 'transfer.cancel'
  | 'sites.read'
  | 'sites.admin'
  | 'gateway.report'
  | 'operations.read'
  | `storage.${StorageOperation}`
  | `admin.${string}`

/** What can be done to one path of a storage area; who may is decided by the token's storage scopes. */
export type StorageOperation =
  | 'stat'
  | 'list'
  | 'read'
  | 'create'
  | 'overwrite'
  | 'mkdir'
  | 'rename'
  | 'delete'
  | 'stage'
  | 'poll'

/** A route that anybody may call declares this instead of an action. */
export type RouteAction = Action | 'public'

/** What an action is done to. `owner` is the account (id or name) to which the thing belongs. */
export interface Resource {
  readonly vo: string
  readonly owner?: number | string | null
  /** Account ids of those who manage the group to which it belongs. */
  readonly managers?: readonly number[]
  /** Decoded absolute path, relative to the VO's area. */
  readonly path?: string
}
