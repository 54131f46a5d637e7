import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentOf } from '../format/entry.ts'
import {
  BLOCK_BYTES,
  HEAD_BYTES,
  type Head,
  type Inside,
  type Noted,
  type Place,
  type StatCache,
  VERSION,
} from './stat-cache.ts'

/** A file may change twice within this time without its times showing it. */
const RACE_MS = 50
/** A directory with more bytes of notes does not wait until all in it is noted. */
const MOST_INSIDE = 1 << 23

/** What is to be noted. `place` and `inside` are where and how it was noted last time, if it is as it was. */
export interface Note extends Noted {
  readonly changedAt: number
  /** Of a directory: its `sum` is asked for when all in it is noted. */
  readonly directory?: { readonly sum: string | undefined } | undefined
  /** Of a directory: `place` has all in it, too. */
  readonly whole?: boolean
}

export interface StatNotes {
  /** Paths come in their order. */
  note(one: Note): void
  /** That was all: it is written but for its first line. */
  end(): void
  /** From now on this is what was published. */
  keep(of: { readonly revision: number; readonly algorithm: string }): void
  /** Without this, or `keep`, half a file is left behind. */
  drop(): void
}

/** A note as it is written, or where the same stands in the notes of last time. */
type Piece = Place | string

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
  const directories = withDirectories((piece) => {
    if (typeof piece === 'string') {
      copy()
      waiting += piece
      if (waiting.length >= BLOCK_BYTES) flush()
      return
    }
    const follows = waiting === '' && copying[1] === piece[0]
    if (!follows) copy()
    if (waiting !== '') flush()
    copying = [follows ? copying[0] : piece[0], piece[1]]
  })
  function end(): void {
    directories.end()
    copy()
    flush()
  }
  return {
    note: (one) => directories.note(one, one.changedAt > seenAt - RACE_MS),
    end,
    keep({ revision, algorithm }) {
      directories.end()
      const all = handle === undefined && waiting === '' && copying[0] === HEAD_BYTES
      if (
        all &&
        before?.revision === revision &&
        before.algorithm === algorithm &&
        copying[1] === before.bytes
      )
        return
      end()
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

/**
 * The note of a directory that holds no others says what follows of it, so that next time all of that is passed over when
 * nothing changed. It waits until all in it is noted.
 */
function withDirectories(emit: (piece: Piece) => void) {
  let open: { readonly of: Note; readonly pieces: Piece[]; bytes: number; sure: boolean } | undefined

  function end(): void {
    if (!open) return
    const { of, pieces, bytes, sure } = open
    open = undefined
    const sum = sure ? of.directory?.sum : undefined
    const inside = sum === undefined ? undefined : { sum, count: pieces.length, bytes }
    const same = of.place && JSON.stringify(inside) === JSON.stringify(of.inside)
    emit(same ? of.place : textOf(of, of.stamp, inside))
    for (const piece of pieces) emit(piece)
  }

  function note(one: Note, late: boolean): void {
    const piece = one.place && !late ? one.place : textOf(one, late ? '' : one.stamp)
    const within = open && parentOf(one.path) === open.of.path ? open : undefined
    if (within && !one.directory) {
      within.pieces.push(piece)
      within.bytes += typeof piece === 'string' ? Buffer.byteLength(piece) : piece[1] - piece[0]
      within.sure &&= !late && within.bytes <= MOST_INSIDE
      if (within.bytes > MOST_INSIDE) end()
      return
    }
    if (within) within.sure = false
    end()
    if (one.whole && one.place) emit(one.place)
    else if (one.directory && !late) open = { of: one, pieces: [], bytes: 0, sure: true }
    else emit(piece)
  }
  return { note, end }
}

function textOf({ path, line }: Noted, stamp: string, inside?: Inside): string {
  const known = inside ? `${inside.sum} ${inside.count} ${inside.bytes}` : ''
  return `${JSON.stringify(path).slice(1, -1)}\t${stamp}\t${known}\t${line}\n`
}
