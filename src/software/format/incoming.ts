import { isGridError } from '../../kernel/errors.ts'
import { damaged, tooGreat } from './errors.ts'
import { type ContentHash, hasher, textOf } from './hash.ts'

/** An object on its way, as it is stored, from wherever it comes. */
export interface Incoming {
  /** Its bytes, if whoever sends it says so beforehand. */
  readonly length: number | undefined
  readonly body: AsyncIterable<Uint8Array>
}

/** What an answer of HTTP brings. */
export function incomingFrom(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: AsyncIterable<Uint8Array>,
): Incoming {
  const said = headers['content-length']
  return { length: said === undefined ? undefined : Number(said), body }
}

/** Objects are held in memory up to here; greater ones, which only others store, go from the wire to a file piece by piece. */
export const HELD_BYTES = 24 << 20
/** Whoever sends more than this says beforehand how much it is: then there is room for it, or it is refused at once. */
const MOST_UNSAID_BYTES = 64 << 20
const MOST_BYTES = 8 * 2 ** 30
/** Catalogues and documents are read whole: no greater one is. */
const MOST_WHOLE_BYTES = 256 << 20

/** One that goes piece by piece: its length is known. */
export const isGreat = (incoming: Incoming): incoming is Incoming & { readonly length: number } =>
  incoming.length !== undefined && incoming.length > HELD_BYTES

/**
 * The bytes of an object as they come. The last are given only when all of them are what its name says; before that it
 * throws `software_damaged` or `software_too_great`, or what the body throws.
 */
export function verified({ length, body }: Incoming, hash: ContentHash): AsyncGenerator<Uint8Array> {
  if (length !== undefined && length > MOST_BYTES)
    throw tooGreat(`Object ${textOf(hash)} has ${length} bytes; at most ${MOST_BYTES} are taken.`)
  return compared(body, hash, length ?? MOST_UNSAID_BYTES)
}

async function* compared(
  body: AsyncIterable<Uint8Array>,
  hash: ContentHash,
  most: number,
): AsyncGenerator<Uint8Array> {
  const sum = hasher(hash.algorithm)
  let bytes = 0
  let last: Uint8Array | undefined
  for await (const piece of body) {
    bytes += piece.length
    if (bytes > most) throw tooGreat(`Object ${textOf(hash)} comes with more than ${most} bytes.`)
    sum.update(piece)
    if (last) yield last
    last = piece
  }
  if (sum.digest('hex') !== hash.hex)
    throw damaged(`Object ${textOf(hash)} came with other bytes than its name says.`)
  if (last) yield last
}

/** Whether it is the object that is not right, and not the way that it came. */
export const isWrong = (error: unknown): boolean =>
  isGridError(error, 'software_damaged') || isGridError(error, 'software_too_great')

/** All of it in memory. Throws as `verified`. */
export async function verifiedBytes(incoming: Incoming, hash: ContentHash): Promise<Buffer> {
  return bytesOf(verified(incoming, hash))
}

export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Throws `software_too_great` for what is not read whole. */
export function checkWhole(length: number, hash: ContentHash): void {
  if (length > MOST_WHOLE_BYTES)
    throw tooGreat(`Object ${textOf(hash)} has ${length} bytes: too many to be looked into.`)
}
