import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { StringDecoder } from 'node:string_decoder'

/** What was published of a directory last time, so that only what changed is read again. */
export interface StatCache {
  readonly algorithm: string
  /** The revision after which the repository had exactly these entries. */
  readonly revision: number
  /** In the order of paths. */
  entries(): Generator<Noted>
}

export interface Noted {
  readonly path: string
  /** What the file looked like; empty: it is to be looked at again. */
  readonly stamp: string
  /** Its entry. */
  readonly line: string
}

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
  let head: Head
  try {
    head = readHead(file)
  } catch {
    return undefined
  }
  const { version, revision, algorithm } = head
  if (version !== VERSION || !Number.isSafeInteger(revision)) return undefined
  return { revision, algorithm, entries: () => entriesOf(file) }
}

function readHead(file: string): Head {
  const handle = openSync(file, 'r')
  try {
    const block = Buffer.alloc(HEAD_BYTES)
    readSync(handle, block, 0, HEAD_BYTES, 0)
    const head = JSON.parse(block.toString('utf8')) as Head
    if (fstatSync(handle).size !== head.bytes) throw new Error('It is cut off.')
    return head
  } finally {
    closeSync(handle)
  }
}

function* entriesOf(file: string): Generator<Noted> {
  const handle = openSync(file, 'r')
  try {
    const block = Buffer.alloc(BLOCK_BYTES)
    const decoder = new StringDecoder('utf8')
    let [at, rest] = [HEAD_BYTES, '']
    for (;;) {
      const read = readSync(handle, block, 0, BLOCK_BYTES, at)
      if (read === 0) return
      at += read
      const lines = (rest + decoder.write(block.subarray(0, read))).split('\n')
      rest = lines.pop()!
      for (const text of lines) {
        const [one, two] = [text.indexOf('\t'), text.indexOf('\t', text.indexOf('\t') + 1)]
        const path = text.slice(0, one)
        yield {
          path: path.includes('\\') ? (JSON.parse(`"${path}"`) as string) : path,
          stamp: text.slice(one + 1, two),
          line: text.slice(two + 1),
        }
      }
    }
  } finally {
    closeSync(handle)
  }
}

export interface StatNotes {
  note(one: Noted & { readonly changedAt: number }): void
  /** From now on this is what was published. */
  keep(of: { readonly revision: number; readonly algorithm: string }): void
  /** Without this, or `keep`, half a file is left behind. */
  drop(): void
}

/** `seenAt` is when the directory was looked at: what changed just before is looked at again next time. */
export function writeStatCache(file: string, seenAt: number): StatNotes {
  const half = `${file}.${process.pid}`
  mkdirSync(dirname(file), { recursive: true })
  const handle = openSync(half, 'w')
  let [waiting, bytes, open] = ['', HEAD_BYTES, true]
  const flush = () => {
    const block = Buffer.from(waiting)
    for (let done = 0; done < block.length; )
      done += writeSync(handle, block, done, block.length - done, bytes + done)
    bytes += block.length
    waiting = ''
  }
  const close = () => {
    if (open) closeSync(handle)
    open = false
  }
  return {
    note({ path, stamp, line, changedAt }) {
      const known = changedAt > seenAt - RACE_MS ? '' : stamp
      waiting += `${JSON.stringify(path).slice(1, -1)}\t${known}\t${line}\n`
      if (waiting.length >= BLOCK_BYTES) flush()
    },
    keep({ revision, algorithm }) {
      flush()
      const head: Head = { version: VERSION, revision, algorithm, bytes }
      writeSync(handle, `${JSON.stringify(head).padEnd(HEAD_BYTES - 1)}\n`, 0)
      close()
      renameSync(half, file)
    },
    drop() {
      close()
      rmSync(half, { force: true })
    },
  }
}
