import { constants, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { defineError } from '../../kernel/errors.ts'
import type { Entry } from '../format/entry.ts'

const badTree = defineError('invalid', 'software_bad_tree')

/** Files with more names than this are published as that many files. */
const MOST_LINKS = 65_535

/** Something of a local tree, as far as one sees it without reading it. */
export interface Found {
  /** Everything but the content of files. */
  readonly entry: Entry
  readonly file: string
  /** Where in it the content begins, when it is part of a greater file. */
  readonly start?: number
  /** Changes whenever the file may have changed. */
  readonly stamp: string
  /** When it last changed in any way, ms since 1970. */
  readonly changedAt: number
}

export interface LocalTree {
  /** Everything, parents first and names in order (`byPath`); to be gone through once. */
  readonly found: Iterable<Found>
  /** What cannot be published, complete when `found` has come to its end. */
  readonly leftOut: string[]
  /** Files that not everybody may read: clients could not, either. The same. */
  readonly unreadable: string[]
}

/**
 * A directory with all below it, as the entries of a repository below `to`, looked at as they are asked for. Hard links
 * are kept within a directory, as the format has them. `exclude` are names left out wherever they occur.
 */
export function walkDirectory(
  directory: string,
  to: string,
  exclude: ReadonlySet<string> = new Set(),
): LocalTree {
  const [leftOut, unreadable]: [string[], string[]] = [[], []]
  const top = lstatSync(directory, { bigint: true, throwIfNoEntry: false })
  if (!top?.isDirectory()) throw badTree(`${directory} is no directory.`)

  /** What is in a directory, by name. */
  function contentOf({ file, entry: { path } }: Found): Found[] {
    const content: Found[] = []
    const linked = new Map<string, Found[]>()
    for (const name of readdirSync(file).sort()) {
      if (exclude.has(name)) continue
      if (name.includes('\ufffd')) throw badTree(`A name in ${file} is not UTF-8; CVMFS cannot hold it.`)
      const inner = `${file}/${name}`
      const own = lstatSync(inner, { bigint: true })
      const found = foundOf(inner, `${path}/${name}`, own)
      if (!found) {
        leftOut.push(inner)
        continue
      }
      content.push(found)
      if (found.entry.kind !== 'file') continue
      if (!(found.entry.mode & 0o004)) unreadable.push(inner)
      if (own.nlink === 1n) continue
      const key = `${own.dev}:${own.ino}`
      linked.set(key, [...(linked.get(key) ?? []), found])
    }
    markLinks(linked.values())
    return content
  }

  return { found: inOrder(foundOf(directory, to, top)!, contentOf), leftOut, unreadable }
}

/** A directory and all below it, as far as `contentOf` says what is in a directory. */
export function* inOrder<One extends Found>(top: One, contentOf: (one: One) => One[]): Generator<One> {
  const open = [top]
  for (let next = open.pop(); next; next = open.pop()) {
    yield next
    if (next.entry.kind === 'directory') for (const one of contentOf(next).reverse()) open.push(one)
  }
}

/** Notes of the files of one directory which of them are one; the first name of a group stands for it. */
export function markLinks(groups: Iterable<readonly Found[]>): void {
  for (const group of groups) {
    const first = group[0]!.entry.path
    const links = { first: first.slice(first.lastIndexOf('/') + 1), count: group.length }
    if (group.length > 1 && group.length <= MOST_LINKS)
      for (const one of group) Object.assign(one.entry, { links })
  }
}

/** Undefined for what a repository does not hold. */
function foundOf(file: string, path: string, stat: ReturnType<typeof bigStat>): Found | undefined {
  const nanos = stat.mtimeNs
  // Seven questions to a stat of great numbers take as long as the stat itself.
  const mode = Number(stat.mode)
  const mtime = Number(nanos / 1_000_000_000n)
  const common = { path, mode: mode & 0o7777, mtime, mtimeNs: Number(nanos % 1_000_000_000n) }
  const entry = entryOf(file, mode & constants.S_IFMT, common, stat.size)
  return (
    entry && {
      ...{ entry, file, changedAt: Number(stat.ctimeNs / 1_000_000n) },
      stamp: `${stat.ino}:${stat.size}:${stat.mode}:${nanos}:${stat.ctimeNs}`,
    }
  )
}

type Common = Pick<Entry, 'path' | 'mode' | 'mtime' | 'mtimeNs'>

function entryOf(file: string, type: number, common: Common, size: bigint): Entry | undefined {
  const { path, mode, mtime, mtimeNs } = common
  if (type === constants.S_IFREG)
    return { path, mode, mtime, mtimeNs, kind: 'file', size: Number(size), compression: 'zlib' }
  if (type === constants.S_IFDIR) return { ...common, kind: 'directory', size: 0 }
  if (type === constants.S_IFLNK) return linkEntry(common, readlinkSync(file))
  return type === constants.S_IFIFO ? { ...common, kind: 'fifo', size: 0 } : undefined
}

function linkEntry(common: Common, target: string): Entry {
  return { ...common, kind: 'symlink', target, size: Buffer.byteLength(target) }
}

const bigStat = (file: string) => lstatSync(file, { bigint: true })
