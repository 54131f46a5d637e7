import { hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { defineError } from '../../kernel/errors.ts'
import type { Algorithm, ContentHash } from '../format/hash.ts'
import { storedForm } from '../format/objects.ts'
import { type PackedObject, writePack } from '../format/pack.ts'
import { CHUNK_BYTES } from './pieces.ts'

/** A part of a file, known by the SHA-256 of its content. */
export interface Piece {
  readonly file: string
  readonly offset: number
  readonly length: number
  readonly plain: string
  /** Where it begins in what was kept of the summing. */
  readonly at: number
}

/** A file to be summed, or a part of one. */
export interface Part {
  readonly file: string
  readonly start: number
  readonly size: number
}

export type ContentJob =
  | { readonly do: 'sum'; readonly files: readonly Part[]; readonly keep: boolean }
  | {
      readonly do: 'pack'
      readonly pieces: readonly Piece[]
      readonly algorithm: Algorithm
      /** What the pieces are made of; without it they are read again. */
      readonly content?: Uint8Array | undefined
    }

/** The SHA-256 of each piece of each file, and what was read, one file behind the other, if that was to be kept. */
export interface Summed {
  readonly sums: readonly (readonly string[])[]
  readonly content: Uint8Array<ArrayBuffer> | undefined
}
export interface Packed {
  readonly pack: Uint8Array
  readonly hashes: readonly ContentHash[]
}

const fileChanged = defineError('conflict', 'software_file_changed')

function readInto(bytes: Uint8Array, file: string, offset: number): void {
  if (bytes.length === 0) return
  const handle = openSync(file, 'r')
  try {
    let done = 0
    while (done < bytes.length) {
      const read = readSync(handle, bytes, done, bytes.length - done, offset + done)
      if (read === 0) throw fileChanged(`${file} became shorter while it was published.`)
      done += read
    }
  } finally {
    closeSync(handle)
  }
}

const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes)

/** Reads and sums, or compresses; what it gives may be handed over to another thread. */
export function contentWork(job: ContentJob): { result: Summed | Packed; transfer?: ArrayBuffer[] } {
  if (job.do === 'sum') return sum(job)
  const objects: PackedObject[] = job.pieces.map((piece) => {
    const { plain } = piece
    return { ...storedForm(contentOf(piece, job.content), job.algorithm), plain }
  })
  const pack = writePack(objects)
  const memory = pack.buffer as ArrayBuffer
  return {
    result: { pack, hashes: objects.map(({ hash }) => hash) } satisfies Packed,
    // Small ones share it with others.
    ...(pack.length === memory.byteLength && { transfer: [memory] }),
  }
}

function sum({ files, keep }: Extract<ContentJob, { do: 'sum' }>): {
  result: Summed
  transfer: ArrayBuffer[]
} {
  const content = keep ? new Uint8Array(files.reduce((all, { size }) => all + size, 0)) : undefined
  let at = 0
  const sums = files.map(({ file, start, size }) => {
    const found: string[] = []
    for (let from = 0; from === 0 || from < size; from += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, size - from)
      const piece = content?.subarray(at, at + length) ?? Buffer.allocUnsafe(length)
      readInto(piece, file, start + from)
      found.push(sha256(piece))
      at += length
    }
    return found
  })
  return { result: { sums, content }, transfer: content ? [content.buffer] : [] }
}

function contentOf({ file, offset, length, plain, at }: Piece, kept: Uint8Array | undefined): Uint8Array {
  if (kept) return kept.subarray(at, at + length)
  const bytes = Buffer.allocUnsafe(length)
  readInto(bytes, file, offset)
  if (sha256(bytes) !== plain) throw fileChanged(`${file} changed while it was published; publish again.`)
  return bytes
}
