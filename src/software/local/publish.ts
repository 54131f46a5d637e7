import { Readable } from 'node:stream'
import type { Algorithm } from '../format/hash.ts'
import { differenceOf, entryLine } from './changes.ts'
import { addAttributes } from './read-attributes.ts'
import { readStatCache, type StatCache, writeStatCache } from './stat-cache.ts'
import { type ContentStore, storeContent } from './store-content.ts'
import { type Found, type LocalTree, walkDirectory } from './walk.ts'

export interface Opened {
  readonly id: string
  readonly algorithm: Algorithm
  readonly revision: number
  readonly rootHash: string | null
  /** The newest revision that changed something where is to be published. */
  readonly touchedBy: number
}

/** The server, as a publisher needs it. */
export interface PublishDoor {
  open(path: string, source: string): Promise<Opened>
  content(publication: string): ContentStore
  commit(
    publication: string,
    lines: Readable,
    tag: { name: string; description: string } | undefined,
  ): Promise<{ revision: number; rootHash: string }>
  /** Names the present revision: for a tree that did not change. */
  tag(revision: number, tag: { name: string; description: string }): Promise<void>
  cancel(publication: string): Promise<void>
  /** What is published at a path, as lines by path; empty when nothing is. */
  published(root: string, path: string): Promise<Map<string, string>>
}

export interface PublishOptions {
  readonly door: PublishDoor
  /** `/releases/08`, or nothing for the whole repository. */
  readonly to: string
  readonly source: string
  readonly tag?: { readonly name: string; readonly description: string } | undefined
  /** Where is noted what was published; nothing is noted without it. */
  readonly cacheFile?: string | undefined
  readonly onPlan?: (plan: { files: number; bytes: number }) => void
  readonly onFile?: (bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

export interface PublishReport {
  readonly revision: number
  readonly rootHash: string | null
  readonly unchanged: boolean
  readonly entries: number
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly uploadedObjects: number
  readonly uploadedBytes: number
  readonly leftOut: readonly string[]
  readonly unreadable: readonly string[]
}

/** Makes a path of a repository what a directory is: only what differs is read, sent and written. */
export async function publishDirectory(
  options: PublishOptions & {
    readonly directory: string
    readonly exclude?: ReadonlySet<string>
    /** With extended attributes, which a program has to read. */
    readonly attributes?: boolean
  },
): Promise<PublishReport> {
  const seenAt = Date.now()
  const tree = walkDirectory(options.directory, options.to, options.exclude)
  const found = options.attributes ? addAttributes(tree.found) : tree.found
  return publishTree({ ...tree, found }, seenAt, options)
}

/** The same of a tree that was found at a time, in ms since 1970. */
export async function publishTree(
  tree: LocalTree,
  seenAt: number,
  options: PublishOptions,
): Promise<PublishReport> {
  const { door, to, source, tag, cacheFile, signal } = options
  const opened = await door.open(to, source)
  try {
    const noted = cacheFile === undefined ? undefined : readStatCache(cacheFile)
    // Another repository may have been made at the same address.
    const cache = noted?.algorithm === opened.algorithm ? noted : undefined
    const [before, { lines, stored }] = await Promise.all([
      baseOf(door, opened, to, cache),
      entriesOf(tree.found, opened, cache, options),
    ])
    const { leftOut, unreadable } = tree
    const difference = differenceOf(before, lines)
    const note = (revision: number) => {
      if (cacheFile === undefined) return
      const entries = tree.found.map(({ entry, stamp, changedAt }) => ({
        ...{ path: entry.path, line: lines.get(entry.path)!, stamp, changedAt },
      }))
      writeStatCache(cacheFile, { revision, algorithm: opened.algorithm }, entries, seenAt)
    }
    const { uploadedObjects, uploadedBytes } = stored
    const { added, changed, removed } = difference
    const report = {
      entries: lines.size,
      added,
      changed,
      removed,
      uploadedObjects,
      uploadedBytes,
      leftOut,
      unreadable,
    }
    if (difference.lines.length === 0) {
      await door.cancel(opened.id)
      if (tag) await door.tag(opened.revision, tag)
      note(opened.revision)
      return { ...report, revision: opened.revision, rootHash: opened.rootHash, unchanged: true }
    }
    signal?.throwIfAborted()
    const made = await door.commit(opened.id, Readable.from(inPieces(difference.lines)), tag)
    note(made.revision)
    return { ...report, ...made, unchanged: false }
  } catch (error) {
    await door.cancel(opened.id).catch(() => undefined)
    throw error
  }
}

/** What is published now: as noted when nothing was published there since, else as the repository says. */
async function baseOf(
  door: PublishDoor,
  opened: Opened,
  to: string,
  cache: StatCache | undefined,
): Promise<ReadonlyMap<string, string>> {
  if (cache && cache.revision >= opened.touchedBy && cache.revision <= opened.revision)
    return new Map([...cache.entries].map(([path, { line }]) => [path, line]))
  return opened.rootHash === null ? new Map() : door.published(opened.rootHash, to)
}

async function entriesOf(
  found: readonly Found[],
  opened: Opened,
  cache: StatCache | undefined,
  { door, onPlan, onFile, signal }: PublishOptions,
) {
  const lines = new Map<string, string>()
  const unread: Found[] = []
  for (const one of found) {
    const { entry, stamp } = one
    const known = cache?.entries.get(entry.path)
    // The same content, though perhaps under other names: links are part of the line.
    const same = known?.stamp === stamp && sameLinks(known.line, one)
    lines.set(entry.path, same ? known.line : '')
    if (same) continue
    if (entry.kind === 'file') unread.push(one)
    else lines.set(entry.path, entryLine(entry))
  }
  onPlan?.({ files: unread.length, bytes: unread.reduce((sum, { entry }) => sum + entry.size, 0) })
  const stored = await storeContent(unread, door.content(opened.id), {
    algorithm: opened.algorithm,
    ...(onFile && { onFile }),
    signal,
  })
  for (const entry of stored.entries) lines.set(entry.path, entryLine(entry))
  return { lines, stored }
}

function sameLinks(line: string, { entry }: Found): boolean {
  // A quotation mark in a name has a backslash before it.
  if (!entry.links) return !line.includes(',"links":')
  const before = (JSON.parse(line) as { put: { links?: unknown } }).put.links
  return JSON.stringify(before) === JSON.stringify(entry.links)
}

/** Lines in pieces worth sending. */
function* inPieces(lines: readonly string[]): Generator<Buffer> {
  for (let at = 0; at < lines.length; at += 1000)
    yield Buffer.from(`${lines.slice(at, at + 1000).join('\n')}\n`)
}
