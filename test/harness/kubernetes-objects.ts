import { randomUUID } from 'node:crypto'

/** Fields of objects, as far as this stand-in knows nothing of them. */
export type Fields = Readonly<Record<string, unknown>>

export interface Meta {
  name: string
  namespace: string
  uid: string
  resourceVersion: string
  creationTimestamp: string
  labels?: Record<string, string>
  ownerReferences?: { name: string; uid: string }[]
  finalizers?: string[]
  deletionTimestamp?: string
}

export interface Held {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Meta
  [field: string]: unknown
}

/** What the API server answers when it refuses. */
export class Refusal extends Error {
  readonly code: number
  readonly reason: string
  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

export const KINDS = {
  jobs: { apiVersion: 'batch/v1', kind: 'Job', group: 'batch' },
  pods: { apiVersion: 'v1', kind: 'Pod', group: '' },
  secrets: { apiVersion: 'v1', kind: 'Secret', group: '' },
  configmaps: { apiVersion: 'v1', kind: 'ConfigMap', group: '' },
  events: { apiVersion: 'v1', kind: 'Event', group: '' },
} as const
export type Kind = keyof typeof KINDS

const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
const LABEL = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/
const OBJECT_MOST = 1 << 20

/** The objects of one namespace: versions, names, labels, owners and orderly ends as the API server has them. */
export function objectStore(namespace: string, changed: () => void) {
  const held = new Map<Kind, Map<string, Held>>(
    (Object.keys(KINDS) as Kind[]).map((kind) => [kind, new Map<string, Held>()]),
  )
  const of = (kind: Kind) => held.get(kind)!
  let version = 100
  const touch = (object: Held): void => {
    object.metadata.resourceVersion = String(++version)
    changed()
  }
  const notFound = (kind: Kind, name: string) => {
    const { group } = KINDS[kind]
    return new Refusal(404, 'NotFound', `${kind}${group && `.${group}`} "${name}" not found`)
  }
  const all = () => [...held.values()].flatMap((kind) => [...kind.values()])
  const dependents = (uid: string) =>
    all().filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid))
  const kindOf = (object: Held): Kind =>
    (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind].kind === object.kind)!

  function create(kind: Kind, given: Fields, dryRun = false): Held {
    const { name, labels = {}, ...rest } = (given.metadata ?? {}) as Partial<Meta>
    const about = KINDS[kind]
    if (given.apiVersion !== about.apiVersion || given.kind !== about.kind)
      throw new Refusal(400, 'BadRequest', `the object provided is no ${about.kind} of ${about.apiVersion}`)
    if (!name || !NAME.test(name))
      throw new Refusal(422, 'Invalid', `${about.kind} "${name}" is invalid: metadata.name: Invalid value`)
    const wrong = Object.entries(labels).find(([, value]) => !LABEL.test(value))
    if (wrong)
      throw new Refusal(
        422,
        'Invalid',
        `${about.kind} "${name}" is invalid: metadata.labels: Invalid value: ${wrong[1]}`,
      )
    if (of(kind).has(name))
      throw new Refusal(
        409,
        'AlreadyExists',
        `${kind}${about.group && `.${about.group}`} "${name}" already exists`,
      )
    const data = Object.values((given.binaryData ?? given.data ?? {}) as Record<string, string>)
    if (data.reduce((sum, text) => sum + Buffer.from(text, 'base64').length, 0) > OBJECT_MOST)
      throw new Refusal(
        422,
        'Invalid',
        `${about.kind} "${name}" is invalid: []: Too long: must have at most 1048576 bytes`,
      )
    const metadata: Meta = {
      ...{ ...rest, name, namespace, labels, uid: randomUUID() },
      ...{ creationTimestamp: new Date().toISOString(), resourceVersion: '' },
    }
    const object: Held = { ...given, apiVersion: about.apiVersion, kind: about.kind, metadata }
    if (dryRun) return object
    of(kind).set(name, object)
    touch(object)
    return object
  }

  function get(kind: Kind, name: string): Held {
    const found = of(kind).get(name)
    if (!found) throw notFound(kind, name)
    return found
  }

  function patch(kind: Kind, name: string, change: Fields): Held {
    const found = get(kind, name)
    const wanted = (change.metadata as Partial<Meta> | undefined)?.resourceVersion
    if (wanted && wanted !== found.metadata.resourceVersion)
      throw new Refusal(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${kind} "${name}": the object has been modified`,
      )
    if (found.immutable)
      throw new Refusal(
        422,
        'Invalid',
        `${found.kind} "${name}" is invalid: data: Forbidden: field is immutable when \`immutable\` is set`,
      )
    merge(found as Record<string, unknown>, change)
    touch(found)
    return found
  }

  /** Takes an object away for good, and what belongs to it. */
  function drop(object: Held): void {
    of(kindOf(object)).delete(object.metadata.name)
    changed()
    for (const one of dependents(object.metadata.uid)) remove(one, 'Background')
  }

  function remove(object: Held, policy: string): void {
    const kind = kindOf(object)
    if (kind === 'pods') {
      // The node ends its processes first.
      if (!object.metadata.deletionTimestamp) object.metadata.deletionTimestamp = new Date().toISOString()
      return void touch(object)
    }
    if (policy !== 'Foreground') return void drop(object)
    object.metadata.deletionTimestamp ??= new Date().toISOString()
    object.metadata.finalizers = ['foregroundDeletion']
    touch(object)
    for (const one of dependents(object.metadata.uid)) remove(one, 'Background')
    finish(object)
  }

  /** Ends what waited for those that belong to it. */
  function finish(object: Held): void {
    if (
      object.metadata.finalizers?.includes('foregroundDeletion') &&
      dependents(object.metadata.uid).length === 0
    )
      drop(object)
  }

  return {
    ...{ create, get, patch, remove, touch, finish, drop },
    values: (kind: Kind) => [...of(kind).values()],
    select: (kind: Kind, labels: string, fields: string) =>
      [...of(kind).values()]
        .filter((object) => matches(object, labels, fields))
        .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
    version: () => String(version),
  }
}

export type ObjectStore = ReturnType<typeof objectStore>

/** Label selectors by equality and set, field selectors by equality. */
function matches(object: Held, labels: string, fields: string): boolean {
  const has = object.metadata.labels ?? {}
  const field = (path: string) =>
    path.split('.').reduce<unknown>((value, key) => (value as Fields | undefined)?.[key], object)
  const terms = labels.match(/[^,(]+\([^)]*\)|[^,]+/g) ?? []
  const byLabel = terms.every((term) => {
    const set = /^([^ ]+) in \(([^)]*)\)$/.exec(term)
    if (set) return set[2]!.split(',').includes(has[set[1]!] ?? '')
    const [key = '', value] = term.split(/!=|==?/)
    if (value === undefined) return key in has
    return term.includes('!=') ? has[key] !== value : has[key] === value
  })
  const byField = fields.split(',').filter(Boolean)
  return byLabel && byField.every((term) => field(term.split('=')[0]!) === term.split('=')[1])
}

/** RFC 7386. */
function merge(into: Record<string, unknown>, change: Fields): void {
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete into[key]
    else if (typeof value === 'object' && !Array.isArray(value)) {
      into[key] = { ...(into[key] as object | undefined) }
      merge(into[key] as Record<string, unknown>, value as Fields)
    } else into[key] = value
  }
}
