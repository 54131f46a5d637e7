import { pipeline } from 'node:stream/promises'
import { createInflate, deflateSync, inflateSync } from 'node:zlib'
import { MOST_SYSTEM_BYTES, systemDeflate } from './deflate.ts'
import type { Compression } from './entry.ts'
import { damaged } from './errors.ts'
import { type Algorithm, type ContentHash, hashOf, sameHash, textOf } from './hash.ts'

/** Half of what level 6 costs, for a twentieth more bytes. */
const LEVEL = 4
/** For what is hashes in the main, which nothing makes shorter: a quarter less time, for a sixtieth more bytes. */
export const HASHES_LEVEL = 1

/** Bytes as they are stored, with their name. */
export interface StoredObject {
  readonly hash: ContentHash
  readonly stored: Buffer
}

export function storedForm(
  plain: Uint8Array,
  algorithm: Algorithm,
  { compression = 'zlib', level = LEVEL }: { compression?: Compression; level?: number } = {},
): StoredObject {
  const stored = compression === 'none' ? Buffer.from(plain) : deflated(plain, level)
  return { hash: hashOf(stored, algorithm), stored }
}

/** Most files are small: a window, and room for what comes out, of their size spare a fifth of the time. */
function deflated(plain: Uint8Array, level: number): Buffer {
  // The empty file has the same name everywhere.
  const bits = plain.length === 0 ? 15 : 32 - Math.clz32(plain.length)
  const windowBits = Math.min(15, Math.max(9, bits))
  return deflateSync(plain, { level, memLevel: 9, windowBits, chunkSize: roomFor(plain.length) })
}

/** The content of a stored object; most of what is stored becomes up to three times as long. */
export const inflated = (stored: Uint8Array, most: number): Buffer =>
  inflateSync(stored, { maxOutputLength: most, chunkSize: roomFor(Math.min(most, 3 * stored.length)) })

/** Bytes of a piece that zlib writes into: what is greater is put together of several, and holds no more than it needs. */
const roomFor = (bytes: number): number => Math.max(64, Math.min(1 << 16, bytes))

/**
 * A certificate or a description of a repository as it is stored: the replicator of CVMFS packs them anew and keeps the
 * name, so they are packed as it does.
 */
export function storedDocument(plain: Uint8Array, algorithm: Algorithm): StoredObject {
  if (plain.length > MOST_SYSTEM_BYTES) return storedForm(plain, algorithm)
  const key = `${algorithm} ${Buffer.from(plain).toString('latin1')}`
  const known = documents.get(key)
  if (known) return known
  const stored = systemDeflate(plain)
  const made = { hash: hashOf(stored, algorithm), stored }
  if (documents.size === MOST_DOCUMENTS) documents.clear()
  documents.set(key, made)
  return made
}
/** They are the same in each revision. */
const documents = new Map<string, StoredObject>()
const MOST_DOCUMENTS = 200

/** The content of a stored object, after comparing its hash; at most `most` bytes. */
export function plainForm(
  stored: Uint8Array,
  hash: ContentHash,
  { compression = 'zlib', most = 2 ** 31 - 1 }: { compression?: Compression | undefined; most?: number } = {},
): Buffer {
  if (!sameHash(hashOf(stored, hash.algorithm), hash))
    throw damaged(`Object ${textOf(hash)} does not have the bytes that its name says.`)
  if (compression === 'none') return Buffer.from(stored)
  try {
    return inflated(stored, Math.max(1, most))
  } catch (error) {
    throw damaged(`Object ${textOf(hash)} cannot be unpacked, or is longer than it should be.`, {}, error)
  }
}

/** The content of an object whose stored bytes come piece by piece, compared with its name; at most `size` bytes. */
export async function* plainPieces(
  stored: AsyncIterable<Uint8Array>,
  hash: ContentHash,
  { compression = 'zlib', size }: { compression?: Compression | undefined; size: number },
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const piece of compression === 'none' ? stored : inflatedPieces(stored)) {
      bytes += piece.length
      if (bytes > size) throw damaged(`Object ${textOf(hash)} is longer than it should be.`)
      yield piece
    }
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('Z_')) throw error
    throw damaged(`Object ${textOf(hash)} cannot be unpacked.`, {}, error)
  }
}

function inflatedPieces(stored: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const inflate = createInflate({ chunkSize: 256 << 10 })
  // What fails there fails for whoever reads, too.
  pipeline(stored, inflate).catch(() => undefined)
  return inflate
}
