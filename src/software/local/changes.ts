import { AUTOMATIC_MARKER, type Entry, isWithin, MARKER, parentOf } from '../format/entry.ts'
import { writeChange } from './change.ts'

/** A path with its entry as a line of `entryLine`, before and after; undefined where there is none. */
export interface Changed {
  readonly path: string
  readonly before: string | undefined
  readonly after: string | undefined
}

export interface Difference {
  /** The line for the server that makes one path what it is to be, if it needs one. Paths come in their order. */
  take(one: Changed): string | undefined
  readonly counts: { readonly added: number; readonly changed: number; readonly removed: number }
}

/** What makes one tree another, path by path. Pure but for what it counts. */
export function differenceOf(): Difference {
  const counts = { added: 0, changed: 0, removed: 0 }
  const divided = new Set<string>()
  let gone: string | undefined
  return {
    counts,
    take({ path, before, after }) {
      if (before !== undefined && path.endsWith(`/${AUTOMATIC_MARKER}`)) divided.add(parentOf(path))
      if (after === before) return undefined
      if (after === undefined) {
        if (isGridsOwn(path, divided)) return undefined
        counts.removed++
        if (gone !== undefined && isWithin(path, gone)) return undefined
        gone = path
        return writeChange({ remove: path })
      }
      if (before === undefined) counts.added++
      else counts.changed++
      return after
    },
  }
}

export const entryLine = (entry: Entry): string => writeChange({ put: entry })

/** Markers of catalogues that the grid divided by itself are not the publisher's; the one that says so comes first. */
const isGridsOwn = (path: string, divided: ReadonlySet<string>): boolean =>
  (path.endsWith(`/${MARKER}`) || path.endsWith(`/${AUTOMATIC_MARKER}`)) && divided.has(parentOf(path))

/** Parents before what is in them, and that before the next name. */
export function byPath(a: string, b: string): number {
  const both = Math.min(a.length, b.length)
  for (let i = 0; i < both; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x !== y) return (x === SLASH ? 0 : x) - (y === SLASH ? 0 : y)
  }
  return a.length - b.length
}
const SLASH = 47

/** Two lists in their order, side by side; where only one has a path the other is undefined. */
export async function* besides<A extends { path: string }, B extends { path: string }>(
  left: AsyncIterable<A>,
  right: AsyncIterable<B>,
): AsyncGenerator<[A, B | undefined] | [undefined, B]> {
  const others = right[Symbol.asyncIterator]()
  let other = await others.next()
  for await (const one of left) {
    while (!other.done && byPath(other.value.path, one.path) < 0) {
      yield [undefined, other.value]
      other = await others.next()
    }
    if (other.done || other.value.path !== one.path) {
      yield [one, undefined]
      continue
    }
    yield [one, other.value]
    other = await others.next()
  }
  for (; !other.done; other = await others.next()) yield [undefined, other.value]
}
