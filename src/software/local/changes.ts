import { AUTOMATIC_MARKER, type Entry, isWithin, MARKER, parentOf } from '../format/entry.ts'
import { writeChange } from './change.ts'

export interface Difference {
  /** Lines for the server, parents first; what goes comes before what comes. */
  readonly lines: string[]
  readonly added: number
  readonly changed: number
  readonly removed: number
}

/** What makes `before` to `after`; both by path, as lines of `entryLine`. Pure. */
export function differenceOf(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Difference {
  const lines: string[] = []
  let [added, changed, removed] = [0, 0, 0]
  let gone: string | undefined
  const absent = [...before.keys()].filter((path) => !after.has(path) && !isGridsOwn(path, before))
  for (const path of absent.sort(byPath)) {
    removed++
    if (gone !== undefined && isWithin(path, gone)) continue
    gone = path
    lines.push(writeChange({ remove: path }))
  }
  for (const [path, line] of after) {
    const was = before.get(path)
    if (was === line) continue
    if (was === undefined) added++
    else changed++
    lines.push(line)
  }
  return { lines, added, changed, removed }
}

export const entryLine = (entry: Entry): string => writeChange({ put: ordered(entry) })

/** Markers of catalogues that the grid divided by itself are not the publisher's. */
function isGridsOwn(path: string, all: ReadonlyMap<string, unknown>): boolean {
  return (
    (path.endsWith(`/${MARKER}`) || path.endsWith(`/${AUTOMATIC_MARKER}`)) &&
    all.has(`${parentOf(path)}/${AUTOMATIC_MARKER}`)
  )
}

/** The same fields in the same order, wherever an entry comes from. */
function ordered(entry: Entry): Entry {
  const {
    path,
    kind,
    mode,
    mtime,
    mtimeNs,
    size,
    target,
    device,
    compression,
    content,
    chunks,
    xattrs,
    links,
  } = entry
  return {
    ...{ path, kind, mode, mtime, mtimeNs, size },
    ...(target !== undefined && { target }),
    ...(device !== undefined && { device }),
    ...(compression && { compression }),
    ...(chunks
      ? { chunks: chunks.map(({ offset, size, hash }) => ({ offset, size, hash })) }
      : content && { content }),
    ...(xattrs && { xattrs }),
    ...(links && { links }),
  }
}

/** Parents before what is in them. */
export const byPath = (a: string, b: string): number => {
  const [x, y] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')]
  return x < y ? -1 : x > y ? 1 : 0
}
