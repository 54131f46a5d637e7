import { hash as digest } from 'node:crypto'
import { damaged, notACvmfs } from './errors.ts'
import { type ContentHash, hashFromText, hashOf, sameHash, textOf } from './hash.ts'
import { HELD_BYTES } from './incoming.ts'
import { inflated } from './objects.ts'

/**
 * Many stored objects as one file, for upload and for storage: four bytes with the length of a JSON list, the list, the
 * objects one behind the other. A storage full of small files would be slow, and the list lets an index be made anew.
 */
export interface PackedObject {
  readonly hash: ContentHash
  readonly stored: Uint8Array
  /** SHA-256 of the content before compression: by it a publisher asks whether an object is there already. */
  readonly plain?: string | undefined
}

export interface PackEntry {
  readonly hash: ContentHash
  readonly plain?: string | undefined
  /** Where the object begins, from the beginning of the pack, and its length. */
  readonly start: number
  readonly length: number
}

/** Bytes of objects one pack takes; a single greater object has a pack of its own. */
export const PACK_BYTES = 8 << 20
/** No pack is greater, but that of a single great object: one that cannot be compressed, and the list. */
export const MAX_PACK_BYTES = HELD_BYTES
const MAX_OBJECTS = 20_000

/** What stands in a pack before its objects. */
export function packHead(
  objects: readonly { hash: ContentHash; length: number; plain?: string | undefined }[],
): Buffer {
  const list = Buffer.from(
    JSON.stringify(objects.map(({ hash, length, plain }) => [textOf(hash), length, plain ?? ''])),
  )
  const length = Buffer.alloc(4)
  length.writeUInt32BE(list.length)
  return Buffer.concat([length, list])
}

export function writePack(objects: readonly PackedObject[]): Buffer {
  const head = packHead(
    objects.map(({ hash, stored, plain }) => ({ ...{ hash, plain }, length: stored.length })),
  )
  return Buffer.concat([head, ...objects.map(({ stored }) => stored)])
}

/** The list of a pack; throws `software_format` unless it fits the bytes exactly. */
export function readPackList(pack: Buffer): PackEntry[] {
  const bad = (why: string) => notACvmfs(`A pack of objects cannot be read: ${why}.`)
  if (pack.length < 4) throw bad('it is too short')
  const end = 4 + pack.readUInt32BE(0)
  if (end > pack.length) throw bad('its list is cut off')
  let list: unknown
  try {
    list = JSON.parse(pack.toString('utf8', 4, end))
  } catch {
    throw bad('its list is no JSON')
  }
  if (!Array.isArray(list) || list.length > MAX_OBJECTS) throw bad('its list is none, or too long')
  let start = end
  const entries = list.map((line): PackEntry => {
    if (!Array.isArray(line)) throw bad('a line of its list is none')
    const [hash, length, plain] = line as unknown[]
    if (typeof hash !== 'string' || !Number.isSafeInteger(length) || (length as number) < 0)
      throw bad('a line of its list lacks hash or length')
    if (typeof plain !== 'string' || !/^([0-9a-f]{64})?$/.test(plain)) throw bad('a SHA-256 is none')
    const entry = { hash: hashFromText(hash), start, length: length as number, plain: plain || undefined }
    start += entry.length
    return entry
  })
  if (start !== pack.length) throw bad('its objects do not fill it')
  return entries
}

/** Compares every object with its name, and its content with the SHA-256 it is announced under. */
export function checkPack(pack: Buffer, mostPlain: number): PackEntry[] {
  const entries = readPackList(pack)
  for (const { hash, plain, start, length } of entries) {
    const stored = pack.subarray(start, start + length)
    if (!sameHash(hashOf(stored, hash.algorithm), hash))
      throw damaged(`Object ${textOf(hash)} does not have the bytes that its name says.`)
    if (plain === undefined) continue
    let content: Buffer
    try {
      content = inflated(stored, mostPlain)
    } catch (error) {
      throw notACvmfs(`Object ${textOf(hash)} cannot be unpacked, or is too long.`, {}, error)
    }
    if (digest('sha256', content) !== plain)
      throw damaged(`Object ${textOf(hash)} is not what its SHA-256 says.`)
  }
  return entries
}
