import { constants, lstatSync, readlinkSync } from 'node:fs'
import { defineError } from '../../kernel/errors.ts'
import type { Entry, EntryKind } from '../format/entry.ts'
import { type Look, type Looking, lookBelow, lookOf, oneByOne, type Stat } from './look.ts'

const badTree = defineError('invalid', 'software_bad_tree')

/** Files with more names than this are published as that many files. */
const MOST_LINKS = 65_535

/** Something of a local tree, as far as one sees it without reading it. */
export interface Found {
  readonly path: string
  readonly kind: EntryKind
  readonly file: string
  /** Where in it the content begins, when it is part of a greater file. */
  readonly start?: number | undefined
  /** Changes whenever the file may have changed. */
  readonly stamp: string
  /** When it last changed in any way, ms since 1970. */
  readonly changedAt: number
  /** Which files of its directory it is one with; known with the last of them. */
  links: Entry['links']
  /** Of a directory: other whenever something in it may have changed; undefined when nobody knows, or it needs a look. */
  sum: string | undefined
  /** Of a directory: what is in it needs not be found. */
  known: boolean
  /** Everything but the content of files. Made when it is asked for: most of what is found is as it was. */
  readonly entry: Entry
}

export interface LocalTree {
  /** Everything, parents first and names in order (`byPath`); to be gone through once. */
  readonly found: Iterable<Found>
  /** What cannot be published, complete when `found` has come to its end. */
  readonly leftOut: string[]
  /** Files that not everybody may read: clients could not, either. The same. */
  readonly unreadable: string[]
}

export interface WalkOptions {
  /** Names left out wherever they occur. */
  readonly exclude?: ReadonlySet<string> | undefined
  /** All of it, looked at beforehand. */
  readonly looking?: Promise<Looking | undefined>
}

/**
 * A directory with all below it, as the entries of a repository below `to`. Hard links are kept within a directory, as
 * the format has them.
 */
export async function walkDirectory(
  directory: string,
  to: string,
  { exclude = new Set(), looking = lookBelow(directory, exclude) }: WalkOptions = {},
): Promise<LocalTree> {
  const top = lstatSync(directory, { bigint: true, throwIfNoEntry: false })
  if (!top?.isDirectory()) throw badTree(`${directory} is no directory.`)
  const { into, sumOf } = (await looking) ?? oneByOne
  const [leftOut, unreadable]: [string[], string[]] = [[], []]

  /** What is in a directory, by name. */
  function contentOf(inside: Found): Found[] {
    const { file, path } = inside
    const content: Found[] = []
    const linked = new Map<string, Found[]>()
    for (const one of [...into(file)].sort(byName)) {
      if (exclude.has(one.name)) continue
      if (one.name.includes('\ufffd')) throw badTree(`A name in ${file} is not UTF-8; CVMFS cannot hold it.`)
      const inner = `${file}/${one.name}`
      const found = foundOf(inner, `${path}/${one.name}`, one)
      if (!found) {
        leftOut.push(inner)
        inside.sum = undefined
        continue
      }
      content.push(found)
      if (found.kind === 'directory') found.sum = sumOf(inner)
      if (found.kind !== 'file') continue
      if (!(one.mode & 0o004)) {
        unreadable.push(inner)
        inside.sum = undefined
      }
      if (one.names === 1) continue
      const group = linked.get(one.inode)
      if (group) group.push(found)
      else linked.set(one.inode, [found])
    }
    markLinks(linked.values())
    return content
  }

  const first = foundOf(directory, to, lookOf('', top))!
  first.sum = sumOf(directory)
  return { found: inOrder(first, contentOf), leftOut, unreadable }
}

const byName = (a: Look, b: Look): number => (a.name < b.name ? -1 : 1)

/** A directory and all below it, as far as `contentOf` says what is in a directory. */
export function* inOrder<One extends Found>(top: One, contentOf: (one: One) => One[]): Generator<One> {
  const open = [top]
  for (let next = open.pop(); next; next = open.pop()) {
    yield next
    if (next.kind === 'directory' && !next.known) for (const one of contentOf(next).reverse()) open.push(one)
  }
}

/** Notes of the files of one directory which of them are one; the first name of a group stands for it. */
export function markLinks(groups: Iterable<readonly Found[]>): void {
  for (const group of groups) {
    const first = group[0]!.path
    const links = { first: first.slice(first.lastIndexOf('/') + 1), count: group.length }
    if (group.length > 1 && group.length <= MOST_LINKS) for (const one of group) one.links = links
  }
}

type Facts = Omit<Found, 'links' | 'sum' | 'known' | 'entry'>

/** Something found, of which an entry is made when it is asked for. */
export const foundWith = (facts: Facts, entryOf: () => Entry): Found => new LazilyFound(facts, entryOf)

/** There are millions of them, and an object with a getter of its own takes twenty times as long to make. */
class LazilyFound implements Found {
  readonly path: string
  readonly kind: EntryKind
  readonly file: string
  readonly start: number | undefined
  readonly stamp: string
  readonly changedAt: number
  links: Entry['links']
  sum: string | undefined
  known = false
  readonly #entryOf: () => Entry
  #made: Entry | undefined

  constructor({ path, kind, file, start, stamp, changedAt }: Facts, entryOf: () => Entry) {
    this.path = path
    this.kind = kind
    this.file = file
    this.start = start
    this.stamp = stamp
    this.changedAt = changedAt
    this.#entryOf = entryOf
  }

  get entry(): Entry {
    this.#made ??= this.links ? { ...this.#entryOf(), links: this.links } : this.#entryOf()
    return this.#made
  }
}

/** Undefined for what a repository does not hold. */
function foundOf(file: string, path: string, look: Look): Found | undefined {
  const kind = KINDS.get(look.mode & constants.S_IFMT)
  if (!kind) return undefined
  const { stamp, changedAt } = look
  return foundWith({ file, path, kind, stamp, changedAt }, () => entryOf(file, path, kind, look.stat()))
}
const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFIFO, 'fifo'],
])

function entryOf(file: string, path: string, kind: EntryKind, stat: Stat): Entry {
  const [mode, nanos] = [Number(stat.mode), stat.mtimeNs]
  if (KINDS.get(mode & constants.S_IFMT) !== kind)
    throw badTree(`${file} became something else while it was looked at; publish again.`)
  const target = kind === 'symlink' ? readlinkSync(file) : undefined
  return {
    path,
    kind,
    mode: mode & 0o7777,
    mtime: Number(nanos / SECOND),
    mtimeNs: Number(nanos % SECOND),
    size: kind === 'file' ? Number(stat.size) : Buffer.byteLength(target ?? ''),
    target,
    device: undefined,
    content: undefined,
    compression: kind === 'file' ? 'zlib' : undefined,
    chunks: undefined,
    xattrs: undefined,
    links: undefined,
  }
}
const SECOND = 1_000_000_000n
