import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** What was published of a directory last time, so that only what changed is read again. */
export interface StatCache {
  readonly algorithm: string
  /** The revision after which the repository had exactly these entries. */
  readonly revision: number
  /** In the order of paths; `next` may be told to pass over so many bytes. */
  entries(): Generator<Noted, void, number | undefined>
  /** Bytes of the file, and how many it has in all. */
  read(block: Uint8Array, at: number): void
  readonly bytes: number
  close(): void
}

export interface Noted {
  readonly path: string
  /** What the file looked like; empty: it is to be looked at again. */
  readonly stamp: string
  /** Of a directory, as it was looked at, with all that is in it: the notes of that follow this one. */
  readonly inside?: Inside | undefined
  /** Its entry. */
  readonly line: string
  /** Where in the notes of last time the same stands, in bytes, and where it ends: it is copied, not written anew. */
  readonly place?: Place | undefined
}
export type Place = readonly [from: number, end: number]

export interface Inside {
  readonly sum: string
  /** Notes, and their bytes. */
  readonly count: number
  readonly bytes: number
}

export const VERSION = 4
/** The first line, which is written last, has this many bytes. */
export const HEAD_BYTES = 120
export const BLOCK_BYTES = 1 << 18

export interface Head {
  readonly version: number
  readonly revision: number
  readonly algorithm: string
  /** Of the whole file. */
  readonly bytes: number
}

/** Undefined when there is none, or one that another version left: everything is read again. */
export function openStatCache(file: string): StatCache | undefined {
  let handle: number | undefined
  try {
    handle = openSync(file, 'r')
    return notesIn(handle)
  } catch {
    if (handle !== undefined) closeSync(handle)
    return undefined
  }
}

function notesIn(handle: number): StatCache {
  const read = (block: Uint8Array, at: number) => {
    for (let done = 0, more: number; done < block.length; done += more) {
      more = readSync(handle, block, done, block.length - done, at + done)
      if (more === 0) throw new Error('It is cut off.')
    }
  }
  const first = Buffer.alloc(HEAD_BYTES)
  read(first, 0)
  const { version, revision, algorithm, bytes } = JSON.parse(first.toString('utf8')) as Head
  if (version !== VERSION || !Number.isSafeInteger(revision)) throw new Error('It is of another version.')
  if (fstatSync(handle).size !== bytes) throw new Error('It is cut off.')
  return {
    revision,
    algorithm,
    bytes,
    read,
    entries: () => entriesOf(read, bytes),
    close: () => closeSync(handle),
  }
}

function* entriesOf(read: StatCache['read'], bytes: number): Generator<Noted, void, number | undefined> {
  let rest = Buffer.alloc(0)
  for (let from = HEAD_BYTES; from + rest.length < bytes; ) {
    const more = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, bytes - from - rest.length))
    read(more, from + rest.length)
    const block = rest.length > 0 ? Buffer.concat([rest, more]) : more
    let at = 0
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, at)) {
      const over = yield notedIn(block.toString('utf8', at, end), [from + at, from + end + 1])
      at = end + 1 + (over ?? 0)
    }
    rest = block.subarray(Math.min(at, block.length))
    from += at
  }
}
const NEWLINE = 10

function notedIn(text: string, place: Place): Noted {
  const ends: number[] = []
  for (let at = text.indexOf('\t'); ends.push(at) < 3; ) at = text.indexOf('\t', at + 1)
  const [path, stamp, inside] = [
    text.slice(0, ends[0]),
    text.slice(ends[0]! + 1, ends[1]),
    text.slice(ends[1]! + 1, ends[2]),
  ]
  return {
    path: path.includes('\\') ? (JSON.parse(`"${path}"`) as string) : path,
    ...{ stamp, inside: inside === '' ? undefined : insideOf(inside), line: text.slice(ends[2]! + 1), place },
  }
}

function insideOf(text: string): Inside {
  const [sum, count, bytes] = text.split(' ')
  return { sum: sum!, count: Number(count), bytes: Number(bytes) }
}
