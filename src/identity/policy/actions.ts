/** What a route or a rule may ask leave for, each with its meaning. Rules may use a name, `catalog.*` or `*`. */
export const ACTIONS = {
  'identity.read': 'see people, groups and their rights',
  'identity.write': 'change people, groups and clients',
  'identity.people.read': 'see profiles, addresses, labels and standing',
  'identity.profile.write': 'change a profile',
  'identity.policy.sign': 'sign the usage policy',
  'identity.group.request': 'ask for membership in a group, or leave it',
  'identity.group.manage': 'change the members of a group and decide requests for it',
  'identity.approve': 'see and decide registrations',
  'identity.audit.read': 'read the audit log',
  'identity.login': 'log in as an account, or let it be logged in to',
  'identity.certificate.read': 'see certificates',
  'identity.certificate.write': 'link, unlink and obtain certificates',
  'identity.delegate': 'leave credentials with the grid, list and withdraw them',
  'identity.access': 'change who may do what',
  'catalog.read': 'search and list names, copies and metadata',
  'catalog.scope.create': 'make a scope',
  'catalog.did.create': 'register files, datasets and containers',
  'catalog.did.update': 'attach, detach, close, describe',
  'catalog.did.delete': 'remove a name',
  'catalog.replica.update': 'register and change copies',
  'catalog.replica.declare_bad': 'declare a copy damaged',
  'catalog.rse.admin': 'add and change storages',
  'placement.rule.read': 'see rules and locks',
  'placement.rule.create': 'ask for copies',
  'placement.rule.update': 'change a rule',
  'placement.rule.delete': 'end a rule',
  'transfer.read': 'see transfers',
  'transfer.cancel': 'cancel a transfer',
  'workload.read': 'see jobs, their history and what they wrote',
  'workload.submit': 'submit jobs',
  'workload.control': 'hold, release, kill, run again and delete jobs',
  'workload.pilot': 'take jobs and report about them, as one pilot',
  'workload.admin': 'set shares and limits of jobs, add and change places that run them',
  'production.read': 'see productions, their steps and tasks',
  'production.write': 'define, start, hold, extend, retry, finish and cancel productions',
  'production.validate': 'say whether a production may run',
  'raw.read': 'see runs of raw data and how far their files are',
  'raw.declare': 'declare what the detector has written',
  'raw.release': 'ask what may be deleted from the detector’s disk',
  'raw.admin': 'say where raw data goes',
  'sites.read': 'see sites',
  'sites.admin': 'add and change sites',
  'gateway.report': 'report as the gateway of a site',
  'software.read': 'see software repositories and their revisions',
  'software.publish': 'publish, tag and roll back software below a path, as /koto.example.org/releases',
  'software.approve': 'approve or reject what others propose to publish below a path',
  'software.admin': 'make repositories, collect what is unused, change keys',
  'operations.read': 'see the state of the grid',
  'operations.shift':
    'look after the grid: take and close cards, announce downtimes, test and exclude sites, keep the shift log',
  'admin.limits': 'set quotas',
  'storage.stat': 'see size and checksum of a path',
  'storage.list': 'list a directory',
  'storage.read': 'read a file',
  'storage.create': 'write a new file',
  'storage.overwrite': 'replace a file',
  'storage.mkdir': 'make a directory',
  'storage.rename': 'rename',
  'storage.delete': 'delete a file',
  'storage.stage': 'bring a file online',
  'storage.poll': 'ask where a file is',
} as const

export type Action = keyof typeof ACTIONS

/** What can be done to one path of a storage area; who may is decided by the token's storage scopes. */
export type StorageOperation = Action extends infer A ? (A extends `storage.${infer O}` ? O : never) : never

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
