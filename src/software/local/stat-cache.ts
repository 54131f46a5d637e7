import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** What was published of a directory last time, so that only what changed is read again. */
export interface StatCache {
  readonly algorithm: string
  /** The revision after which the repository had exactly these entries. */
  readonly revision: number
  /** In the order of paths. */
  entries(): Generator<Noted>
  /** Bytes of the file, and how many it has in all. */
  read(block: Uint8Array, at: number): void
  readonly bytes: number
  close(): void
}

export interface Noted {
  readonly path: string
  /** What the file looked like; empty: it is to be looked at again. */
  readonly stamp: string
  /** Its entry. */
  readonly line: string
  /** Where in the notes of last time the same stands, in bytes, and where it ends: it is copied, not written anew. */
  readonly place?: Place | undefined
}
type Place = readonly [from: number, end: number]

/** A file may change twice within this time without its times showing it. */
const RACE_MS = 50
const VERSION = 3
/** The first line, which is written last, has this many bytes. */
const HEAD_BYTES = 120
const BLOCK_BYTES = 1 << 18

interface Head {
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

function* entriesOf(read: StatCache['read'], bytes: number): Generator<Noted> {
  let rest = Buffer.alloc(0)
  for (let from = HEAD_BYTES; from + rest.length < bytes; ) {
    const more = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, bytes - from - rest.length))
    read(more, from + rest.length)
    const block = rest.length > 0 ? Buffer.concat([rest, more]) : more
    let at = 0
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, at)) {
      yield notedIn(block.toString('utf8', at, end), [from + at, from + end + 1])
      at = end + 1
    }
    rest = block.subarray(at)
    from += at
  }
}
const NEWLINE = 10

function notedIn(text: string, place: Place): Noted {
  const one = text.indexOf('\t')
  const two = text.indexOf('\t', one + 1)
  const path = text.slice(0, one)
  return {
    path: path.includes('\\') ? (JSON.parse(`"${path}"`) as string) : path,
    stamp: text.slice(one + 1, two),
    line: text.slice(two + 1),
    place,
  }
}

export interface StatNotes {
  note(one: Noted & { readonly changedAt: number }): void
  /** From now on this is what was published. */
  keep(of: { readonly revision: number; readonly algorithm: string }): void
  /** Without this, or `keep`, half a file is left behind. */
  drop(): void
}

/**
 * `seenAt` is when the directory was looked at: what changed just before is looked at again next time. `before` are the
 * notes of last time, if places in them are given.
 */
export function writeStatCache(file: string, seenAt: number, before?: StatCache): StatNotes {
  const half = `${file}.${process.pid}`
  let [waiting, bytes] = ['', HEAD_BYTES]
  let handle: number | undefined
  /** Of the notes of last time, what is to be copied next. */
  let copying: Place = [HEAD_BYTES, HEAD_BYTES]
  const write = (block: Uint8Array) => {
    if (handle === undefined) {
      mkdirSync(dirname(file), { recursive: true })
      handle = openSync(half, 'w')
    }
    for (let done = 0; done < block.length; )
      done += writeSync(handle, block, done, block.length - done, bytes + done)
    bytes += block.length
  }
  const copy = () => {
    const [from, end] = copying
    copying = [end, end]
    for (let at = from; at < end; ) {
      const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - at))
      before!.read(block, at)
      write(block)
      at += block.length
    }
  }
  const flush = () => {
    write(Buffer.from(waiting))
    waiting = ''
  }
  const close = () => {
    if (handle !== undefined) closeSync(handle)
    handle = undefined
  }
  return {
    note({ path, stamp, line, changedAt, place }) {
      const late = changedAt > seenAt - RACE_MS
      if (place && !late) {
        const follows = waiting === '' && copying[1] === place[0]
        if (!follows) copy()
        if (waiting !== '') flush()
        copying = [follows ? copying[0] : place[0], place[1]]
        return
      }
      copy()
      waiting += `${JSON.stringify(path).slice(1, -1)}\t${late ? '' : stamp}\t${line}\n`
      if (waiting.length >= BLOCK_BYTES) flush()
    },
    keep({ revision, algorithm }) {
      const all = handle === undefined && waiting === '' && copying[0] === HEAD_BYTES
      if (
        all &&
        before?.revision === revision &&
        before.algorithm === algorithm &&
        copying[1] === before.bytes
      )
        return
      copy()
      flush()
      const head: Head = { version: VERSION, revision, algorithm, bytes }
      writeSync(handle!, `${JSON.stringify(head).padEnd(HEAD_BYTES - 1)}\n`, 0)
      close()
      renameSync(half, file)
    },
    drop() {
      close()
      rmSync(half, { force: true })
    },
  }
}
