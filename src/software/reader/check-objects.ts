import { isGridError } from '../../kernel/errors.ts'
import { type ContentHash, hashOf, sameHash } from '../format/hash.ts'
import { verified } from '../format/incoming.ts'
import { type Fetch, type FetchStream, streamBy } from './repository.ts'
import { SMALL_BYTES, smallAtOnce } from './together.ts'

/** An object that a tree is made of; `size` is what it is unpacked. */
export interface TreeObject {
  readonly path: string
  readonly hash: ContentHash
  readonly size: number
}

export interface CheckObjects {
  readonly fetch: Fetch
  /** How objects are read that are not small; by `fetch` when absent. */
  readonly stream?: FetchStream
  readonly signal?: AbortSignal | undefined
  /** Told of each object that was read, with the bytes that it is unpacked. */
  readonly onObject?: (bytes: number) => void
}

/** Reads all of them and compares each with its name; returns a sentence for each that is not there or not right. */
export async function damagedObjects(
  objects: readonly TreeObject[],
  { fetch, stream = streamBy(fetch), signal, onObject }: CheckObjects,
): Promise<string[]> {
  const small = async ({ path, hash, size }: TreeObject) => {
    const stored = await fetch(path, { size, signal })
    return stored && sameHash(hashOf(stored, hash.algorithm), hash)
  }
  const great = ({ path, hash }: TreeObject) =>
    stream(
      path,
      async (incoming) => {
        for await (const _piece of verified(incoming, hash)) signal?.throwIfAborted()
        return true
      },
      { signal },
    )
  const problems: string[] = []
  const isSmall = ({ size }: TreeObject) => size <= SMALL_BYTES
  await smallAtOnce(objects, isSmall, async (object) => {
    signal?.throwIfAborted()
    const right = await (isSmall(object) ? small(object) : great(object)).catch((error: unknown) => {
      if (!isGridError(error, 'software_damaged')) throw error
      return false
    })
    if (!right) problems.push(`Object ${object.path} is ${right === undefined ? 'missing' : 'damaged'}.`)
    onObject?.(object.size)
  })
  return problems
}
