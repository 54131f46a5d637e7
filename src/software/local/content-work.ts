import { createHash } from 'node:crypto'
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
}

/** A file to be summed, or a part of one. */
export interface Part {
  readonly file: string
  readonly start: number
  readonly size: number
}

export type ContentJob =
  | { readonly do: 'sum'; readonly files: readonly Part[] }
  | { readonly do: 'pack'; readonly pieces: readonly Piece[]; readonly algorithm: Algorithm }

/** The SHA-256 of each piece of each file. */
export type Sums = readonly (readonly string[])[]
export interface Packed {
  readonly pack: Uint8Array
  readonly hashes: readonly ContentHash[]
}

const fileChanged = defineError('conflict', 'software_file_changed')

function readPiece(file: string, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  const handle = openSync(file, 'r')
  try {
    let done = 0
    while (done < length) {
      const read = readSync(handle, bytes, done, length - done, offset + done)
      if (read === 0) throw fileChanged(`${file} became shorter while it was published.`)
      done += read
    }
    return bytes
  } finally {
    closeSync(handle)
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Reads and sums, or compresses; what it gives may be handed over to another thread. */
export function contentWork(job: ContentJob): { result: Sums | Packed; transfer?: ArrayBuffer[] } {
  if (job.do === 'sum') {
    const result: Sums = job.files.map(({ file, start, size }) => {
      const sums: string[] = []
      for (let at = 0; at === 0 || at < size; at += CHUNK_BYTES)
        sums.push(sha256(readPiece(file, start + at, Math.min(CHUNK_BYTES, size - at))))
      return sums
    })
    return { result }
  }
  const objects: PackedObject[] = job.pieces.map(({ file, offset, length, plain }) => {
    const bytes = readPiece(file, offset, length)
    if (sha256(bytes) !== plain) throw fileChanged(`${file} changed while it was published; publish again.`)
    return { ...storedForm(bytes, job.algorithm), plain }
  })
  const pack = writePack(objects)
  const bytes = new Uint8Array(pack.length)
  bytes.set(pack)
  return {
    result: { pack: bytes, hashes: objects.map(({ hash }) => hash) } satisfies Packed,
    transfer: [bytes.buffer],
  }
}
