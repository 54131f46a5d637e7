import type { Readable } from 'node:stream'
import { setImmediate as pause } from 'node:timers/promises'
import { parentOf } from '../format/entry.ts'
import type { Algorithm } from '../format/hash.ts'
import { besides, byPath, type Changed, differenceOf, entryLine } from './changes.ts'
import { type BegunLook, beginLook } from './look.ts'
import { addAttributes } from './read-attributes.ts'
import { openSpool } from './spool.ts'
import { type Noted, openStatCache } from './stat-cache.ts'
import { writeStatCache } from './stat-notes.ts'
import { type ContentStore, type Listed, storeContent } from './store-content.ts'
import { type Found, type LocalTree, walkDirectory } from './walk.ts'

export interface Opened {
  readonly id: string
  readonly algorithm: Algorithm
  readonly revision: number
  readonly rootHash: string | null
  /** The newest revision that changed something where is to be published; 0: nothing was ever there. */
  readonly touchedBy: number
  /** There is no content yet. */
  readonly bare: boolean
}

/** What waits for somebody who approves it; null: it is done. */
export type Proposed = { readonly id: string; readonly expiresAt: Date | string } | null

/** The server, as a publisher needs it. */
export interface PublishDoor {
  open(path: string, source: string): Promise<Opened>
  content(publication: string): ContentStore
  commit(
    publication: string,
    lines: Readable,
    tag: { name: string; description: string } | undefined,
  ): Promise<{ revision: number; rootHash: string; proposal: Proposed }>
  /** Names the present revision: for a tree that did not change. */
  tag(revision: number, tag: { name: string; description: string }): Promise<Proposed>
  cancel(publication: string): Promise<void>
  /** What is published at a path, in the order of paths; empty when nothing is. */
  published(root: string, path: string): AsyncIterable<{ readonly path: string; readonly line: string }>
}

export interface PublishOptions {
  readonly door: PublishDoor
  /** `/releases/08`, or nothing for the whole repository. */
  readonly to: string
  readonly source: string
  readonly tag?: { readonly name: string; readonly description: string } | undefined
  /** Where is noted what was published; nothing is noted without it. */
  readonly cacheFile?: string | undefined
  readonly onFile?: (bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

export interface PublishReport {
  readonly revision: number
  readonly rootHash: string | null
  readonly unchanged: boolean
  /** What somebody else has to approve first: the tree, or the tag of a tree that did not change. */
  readonly proposal: Proposed
  readonly entries: number
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly uploadedObjects: number
  readonly uploadedBytes: number
  readonly leftOut: readonly string[]
  readonly unreadable: readonly string[]
}

/** Noted of what is only proposed: its files need not be read again, but it is not what is published. */
const NOT_PUBLISHED = -1

/** Makes a path of a repository what a directory is: only what differs is read, sent and written. */
export async function publishDirectory(
  options: PublishOptions & {
    readonly directory: string
    readonly exclude?: ReadonlySet<string> | undefined
    /** With extended attributes, which a program has to read. */
    readonly attributes?: boolean
    /** The look at it, begun while something else was to be done. */
    readonly begun?: BegunLook | undefined
  },
): Promise<PublishReport> {
  const { directory, exclude = new Set(), begun = beginLook(directory, exclude) } = options
  const walking = walkDirectory(directory, options.to, { exclude, looking: begun.looking })
  const tree = options.attributes
    ? walking.then((walked) => ({ ...walked, found: addAttributes(walked.found) }))
    : walking
  return publishTree(tree, begun.at, options)
}

/** The same of a tree that was found at a time, in ms since 1970. */
export async function publishTree(
  tree: LocalTree | Promise<LocalTree>,
  seenAt: number,
  options: PublishOptions,
): Promise<PublishReport> {
  const { door, to, source, tag, cacheFile, signal } = options
  const opening = door.open(to, source)
  const found = aheadWhile(opening, tree)
  // What goes wrong is heard of where the tree is wanted.
  found.catch(() => undefined)
  const opened = await opening
  const spool = openSpool()
  const noted = cacheFile === undefined ? undefined : openStatCache(cacheFile)
  const notes = cacheFile === undefined ? undefined : writeStatCache(cacheFile, seenAt, noted)
  try {
    // Another repository may have been made at the same address.
    const cache = noted?.algorithm === opened.algorithm ? noted : undefined
    // What was noted is what is published when nothing was published there since.
    const isBase = cache && cache.revision >= opened.touchedBy && cache.revision <= opened.revision
    const difference = differenceOf()
    let entries = 0
    let committing: ReturnType<PublishDoor['commit']> | undefined
    let refused: { readonly error: unknown } | undefined
    const begin = () => {
      if (committing) return
      committing = door.commit(opened.id, spool.read(), tag)
      committing.catch((error) => {
        refused = { error }
      })
    }
    const { batches, storing } = storeContent(
      // The server makes itself ready while content is on its way: as a rule, what was to be read has changed.
      forEach(
        compared(await found, cache?.entries() ?? [][Symbol.iterator](), isBase === true),
        ({ unread }) => isBase && unread && begin(),
      ),
      door.content(opened.id),
      { algorithm: opened.algorithm, bare: opened.bare, onFile: options.onFile, signal },
    )
    const take = (one: Seen) => {
      if (refused) throw refused.error
      const line = difference.take(one)
      if (line !== undefined) spool.add(line)
      // And while the rest is still read.
      if (spool.lines > 0) begin()
      if (one.found === undefined) return
      entries += 1 + (one.more ?? 0)
      const { stamp, changedAt, kind } = one.found
      notes?.note({
        ...{ path: one.path, line: one.after!, stamp, changedAt, place: one.place, inside: one.inside },
        ...{ directory: kind === 'directory' ? one.found : undefined, whole: one.more !== undefined },
      })
    }
    // Nothing need be asked for, and nobody who only publishes needs a reader, which brings a database along.
    const empty = opened.rootHash === null || opened.touchedBy === 0
    if (isBase || empty) {
      for await (const batch of batches)
        for (const one of batch) take(isBase ? seenOf(one) : { ...seenOf(one), before: undefined })
    } else
      for await (const [one, before] of besides(oneByOne(batches), door.published(opened.rootHash, to)))
        take({ ...(one ?? { ...NOTHING, path: before!.path }), before: before?.line })

    const keep = (revision: number) => notes?.keep({ revision, algorithm: opened.algorithm })
    const { leftOut, unreadable } = await tree
    const report = { entries, ...difference.counts, ...storing, leftOut, unreadable }
    if (spool.lines === 0) {
      spool.close()
      await door.cancel(opened.id)
      const proposal = tag ? await door.tag(opened.revision, tag) : null
      keep(opened.revision)
      return { ...report, revision: opened.revision, rootHash: opened.rootHash, unchanged: true, proposal }
    }
    signal?.throwIfAborted()
    spool.end()
    // While the server makes its catalogues.
    notes?.end()
    const { revision, rootHash, proposal } = await committing!
    keep(proposal ? NOT_PUBLISHED : revision)
    return { ...report, revision, rootHash, proposal, unchanged: false }
  } catch (error) {
    spool.close()
    await door.cancel(opened.id).catch(() => undefined)
    throw error
  } finally {
    spool.close()
    notes?.drop()
    noted?.close()
  }
}

/** While a question is on its way, the tree is gone through already, as far as memory bears. */
async function aheadWhile(
  asked: Promise<unknown>,
  tree: LocalTree | Promise<LocalTree>,
): Promise<Iterable<Found>> {
  let answered = false
  const over = () => {
    answered = true
  }
  asked.then(over, over)
  const { found } = await tree
  const [walk, ahead] = [found[Symbol.iterator](), [] as Found[]]
  for (let next = walk.next(); !next.done; next = walk.next()) {
    ahead.push(next.value)
    if (ahead.length % STEP_AHEAD > 0) continue
    await pause()
    if (answered || ahead.length >= MOST_AHEAD) break
  }
  return (function* () {
    yield* ahead
    yield* { [Symbol.iterator]: () => walk }
  })()
}
const MOST_AHEAD = 20_000
const STEP_AHEAD = 200

function* forEach<One>(list: Iterable<One>, look: (one: One) => void): Generator<One> {
  for (const one of list) {
    look(one)
    yield one
  }
}

/** A path as it is published and as it was found; what was found has no line before it was read. */
interface Seen extends Changed, Listed {
  readonly found: Found | undefined
  readonly place: Noted['place']
  readonly inside: Noted['inside']
  /** So many more, all that is in it, are as they were. */
  readonly more: number | undefined
}
/** All have the same fields: there are millions, and objects of many forms take ten times as long. */
const NOTHING: Seen = {
  ...{ path: '', before: undefined, after: undefined, found: undefined, unread: undefined },
  ...{ stored: undefined, place: undefined, inside: undefined, more: undefined },
}

/** What was found beside what was noted last time: which files are to be read. `gone`: what is noted only, too. */
function* compared(found: Iterable<Found>, noted: Notes, gone: boolean): Generator<Seen> {
  let note = noted.next()
  /** A directory of which all is known, though some of that was found already. */
  let known: string | undefined
  const noteOnly = ({ path, line }: Noted): Seen => ({ ...NOTHING, path, before: line })
  for (const one of found) {
    const { path } = one
    if (known !== undefined && parentOf(path) === known) continue
    while (!note.done && note.value.path !== path && byPath(note.value.path, path) < 0) {
      if (gone) yield noteOnly(note.value)
      note = noted.next()
    }
    const before = !note.done && note.value.path === path ? note.value : undefined
    const seen = seenBeside(one, before)
    const { place, inside } = seen
    if (gone && place && inside && inside.sum === one.sum) {
      one.known = true
      known = path
      yield { ...seen, more: inside.count, place: [place[0], place[1] + inside.bytes] }
      note = noted.next(inside.bytes)
      continue
    }
    if (before) note = noted.next()
    yield seen
  }
  for (; gone && !note.done; note = noted.next()) yield noteOnly(note.value)
}
type Notes = Iterator<Noted, void, number | undefined>

function seenBeside(one: Found, before: Noted | undefined): Seen {
  const { path, kind } = one
  // The same content, though perhaps under other names: links are part of the line.
  if (before?.stamp === one.stamp && sameLinks(before.line, one)) {
    const { line, place, inside } = before
    return { ...NOTHING, path, before: line, after: line, found: one, place, inside }
  }
  const seen = { ...NOTHING, path, before: before?.line, found: one }
  return kind === 'file' ? { ...seen, unread: one } : { ...seen, after: entryLine(one.entry) }
}

const seenOf = (one: Seen): Seen => (one.stored ? { ...one, after: entryLine(one.stored) } : one)

async function* oneByOne(batches: AsyncIterable<Seen[]>): AsyncGenerator<Seen> {
  for await (const batch of batches) yield* batch.map(seenOf)
}

function sameLinks(line: string, { links }: Found): boolean {
  // A quotation mark in a name has a backslash before it.
  if (!links) return !line.includes(',"links":')
  const before = (JSON.parse(line) as { put: { links?: unknown } }).put.links
  return JSON.stringify(before) === JSON.stringify(links)
}
