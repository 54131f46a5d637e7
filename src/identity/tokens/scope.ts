import { invalidScope } from '../errors.ts'
import type { StorageOperation } from '../policy/actions.ts'

/**
 * The scope algebra of the WLCG token profile: one module for minting, narrowing and verifying.
 * A storage scope carries a path, a `grid.` scope may; everything else is a plain word compared as a whole.
 */
export type Scope = StorageScope | PlainScope

export interface StorageScope {
  readonly family: 'storage'
  readonly op: StorageScopeOp
  /** Decoded path segments; `[]` is the whole area. */
  readonly segments: readonly string[]
  /** Written with a trailing slash: the path itself is a directory, never a file. */
  readonly dirOnly: boolean
  /** So many segments at the beginning are the area of a foreign issuer: its scopes say nothing above that. */
  readonly from?: number
}

export interface PlainScope {
  readonly family: 'plain'
  readonly word: string
  /** `grid.catalog.read:/a`: only below this path. Absent: everywhere. */
  readonly segments?: readonly string[]
}

export type StorageScopeOp = 'read' | 'create' | 'modify' | 'stage' | 'poll'

const STORAGE_OPS: ReadonlySet<string> = new Set(['read', 'create', 'modify', 'stage', 'poll'])
// RFC 6749 §3.3: printable ASCII without space, quote and backslash.
const SCOPE_WORD = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** One scope; throws `invalid_scope` for a storage scope without a usable path. */
export function parseScope(text: string): Scope {
  if (!SCOPE_WORD.test(text)) throw invalidScope(`Not a scope: ${JSON.stringify(text)}.`)
  if (/^grid\.[^:]*:/.test(text)) {
    const colon = text.indexOf(':')
    return { family: 'plain', word: text.slice(0, colon), segments: segmentsOf(text.slice(colon + 1)) }
  }
  if (!text.startsWith('storage.')) return { family: 'plain', word: text }
  const colon = text.indexOf(':')
  const op = text.slice('storage.'.length, colon < 0 ? undefined : colon)
  if (!STORAGE_OPS.has(op)) throw invalidScope(`Unknown storage scope "${text}".`)
  if (colon < 0) throw invalidScope(`The scope "${text}" needs a path, for example ${text}:/data.`)
  const path = text.slice(colon + 1)
  const segments = segmentsOf(path)
  return {
    family: 'storage',
    op: op as StorageScopeOp,
    segments,
    dirOnly: segments.length > 0 && path.endsWith('/'),
  }
}

/** A space-separated list; empty text is the empty list. One bad scope spoils the whole list. */
export function parseScopes(text: string): Scope[] {
  return text.split(' ').filter(Boolean).map(parseScope)
}

/** Path segments of a percent-encoded absolute path; each segment is decoded exactly once, nothing is resolved. */
export function segmentsOf(path: string): string[] {
  if (!path.startsWith('/')) throw invalidScope(`The path "${path}" must begin with "/".`)
  const parts = path.slice(1).split('/')
  if (parts.at(-1) === '') parts.pop()
  return parts.map((part) => {
    let decoded: string
    try {
      decoded = decodeURIComponent(part)
    } catch {
      throw invalidScope(`The path "${path}" has a broken percent escape.`)
    }
    if (!isSafeSegment(decoded)) throw invalidScope(`The path "${path}" has a forbidden part "${part}".`)
    return decoded
  })
}

/** True for a name that means one entry of one directory and nothing else. */
export function isSafeSegment(segment: string): boolean {
  if (segment === '' || segment === '.' || segment === '..') return false
  // A `%xx` that survives one decoding was encoded twice: somebody hopes that a later layer decodes again.
  if (/%[0-9a-fA-F]{2}/.test(segment)) return false
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i)
    if (code < 0x20 || code === 0x7f || code === 0x2f || code === 0x5c) return false
  }
  return true
}

/** The canonical text: RFC 3986 encoding, trailing slash only where it says "directory". */
export function formatScope(scope: Scope): string {
  const path = `/${(scope.segments ?? []).map(encodeSegment).join('/')}`
  if (scope.family === 'plain') return scope.segments ? `${scope.word}:${path}` : scope.word
  return `storage.${scope.op}:${path}${scope.dirOnly ? '/' : ''}`
}

function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Sorted, without duplicates and without members that another member covers. */
export function normalise(scopes: readonly Scope[]): Scope[] {
  const unique = [...new Map(scopes.map((s) => [formatScope(s), s])).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, scope]) => scope)
  return unique.filter((scope) => !unique.some((other) => other !== scope && covers(other, scope)))
}

export function formatScopes(scopes: readonly Scope[]): string {
  return scopes.map(formatScope).join(' ')
}

function opCovers(a: StorageScopeOp, b: StorageScopeOp): boolean {
  return a === b || (a === 'modify' && b === 'create') || (a === 'stage' && b === 'poll')
}

function isPrefix(a: readonly string[], b: readonly string[]): boolean {
  return a.length <= b.length && a.every((segment, i) => segment === b[i])
}

/** Whether everything `b` permits is permitted by `a`. */
export function covers(a: Scope, b: Scope): boolean {
  if (a.family === 'plain' || b.family === 'plain') {
    if (a.family !== 'plain' || b.family !== 'plain' || !wordCovers(a.word, b.word)) return false
    return a.segments === undefined || (b.segments !== undefined && isPrefix(a.segments, b.segments))
  }
  if (!opCovers(a.op, b.op) || !isPrefix(a.segments, b.segments)) return false
  return !(a.dirOnly && !b.dirOnly && a.segments.length === b.segments.length)
}

/** `grid` stands for every `grid.<action>`, and `grid.catalog.*` for all below it. */
function wordCovers(a: string, b: string): boolean {
  if (a === b) return true
  if (a === 'grid') return b.startsWith('grid.')
  return a.startsWith('grid.') && a.endsWith('.*') && b.startsWith(a.slice(0, -1))
}

export function anyCovers(scopes: readonly Scope[], wanted: Scope): boolean {
  return scopes.some((scope) => covers(scope, wanted))
}

/** The most that both lists permit, in normal form. */
export function intersect(a: readonly Scope[], b: readonly Scope[]): Scope[] {
  const both: Scope[] = []
  for (const x of a) {
    for (const y of b) {
      const meet = meetOf(x, y)
      if (meet) both.push(meet)
    }
  }
  return normalise(both)
}

function meetOf(x: Scope, y: Scope): Scope | undefined {
  if (covers(x, y)) return y
  if (covers(y, x)) return x
  if (x.family === 'plain' && y.family === 'plain') return wordsMeet(x, y)
  if (x.family === 'plain' || y.family === 'plain') return undefined
  // modify:/a meets create:/a/b in create:/a/b: the weaker operation on the longer path.
  const op = opCovers(x.op, y.op) ? y.op : opCovers(y.op, x.op) ? x.op : undefined
  if (!op) return undefined
  if (x.segments.length === y.segments.length) {
    return isPrefix(x.segments, y.segments) ? { ...x, op, dirOnly: x.dirOnly || y.dirOnly } : undefined
  }
  const [short, long] = x.segments.length < y.segments.length ? [x, y] : [y, x]
  return isPrefix(short.segments, long.segments) ? { ...long, op } : undefined
}

/** `grid.catalog.*:/a` meets `grid.catalog.read` in `grid.catalog.read:/a`. */
function wordsMeet(x: PlainScope, y: PlainScope): PlainScope | undefined {
  const word = wordCovers(x.word, y.word) ? y.word : wordCovers(y.word, x.word) ? x.word : undefined
  if (!word) return undefined
  if (!x.segments || !y.segments) {
    const segments = x.segments ?? y.segments
    return { family: 'plain', word, ...(segments && { segments }) }
  }
  const [short, long] =
    x.segments.length < y.segments.length ? [x.segments, y.segments] : [y.segments, x.segments]
  return isPrefix(short, long) ? { family: 'plain', word, segments: long } : undefined
}

export interface PathFacts {
  /** The thing at the path is (or will be) a directory. */
  readonly directory?: boolean
}

const NEEDED: Readonly<Record<StorageOperation, readonly StorageScopeOp[]>> = {
  stat: ['read', 'create', 'modify', 'stage'],
  list: ['read'],
  read: ['read'],
  create: ['create', 'modify'],
  overwrite: ['modify'],
  mkdir: ['create', 'modify'],
  rename: ['create', 'modify'],
  delete: ['modify'],
  stage: ['stage'],
  poll: ['poll', 'stage'],
}

/**
 * Whether these scopes permit an operation on a path (decoded, absolute, relative to the VO's area, or its
 * segments). A rename is asked for source and destination; replacing a file at the destination is `overwrite`.
 */
export function pathAllowed(
  scopes: readonly Scope[],
  operation: StorageOperation,
  path: string | readonly string[],
  facts: PathFacts = {},
): boolean {
  const segments = typeof path === 'string' ? decodedSegments(path) : path
  if (!segments?.every((segment) => !isDots(segment))) return false
  const needed = operation === 'rename' && facts.directory ? (['modify'] as const) : NEEDED[operation]
  return scopes.some((scope) => {
    if (scope.family !== 'storage' || !needed.includes(scope.op)) return false
    if (isPrefix(scope.segments, segments)) {
      const itself = scope.segments.length === segments.length
      return !(itself && scope.dirOnly && !facts.directory && makesFile(operation))
    }
    // Who may write at /a/b may make, and see, the directory /a.
    const maker = scope.op === 'create' || scope.op === 'modify'
    const leadsThere = segments.length >= (scope.from ?? 0) && isPrefix(segments, scope.segments)
    return maker && leadsThere && (operation === 'mkdir' || operation === 'stat')
  })
}

function makesFile(operation: StorageOperation): boolean {
  return operation === 'create' || operation === 'overwrite' || operation === 'rename'
}

function isDots(segment: string): boolean {
  return segment === '' || segment === '.' || segment === '..' || /[/\0]/.test(segment)
}

function decodedSegments(path: string): string[] | undefined {
  if (!path.startsWith('/')) return undefined
  const parts = path.slice(1).split('/')
  if (parts.at(-1) === '') parts.pop()
  return parts
}
