import { isGridError } from '../../kernel/errors.ts'
import { type ContentHash, hashOf, sameHash } from '../format/hash.ts'
import { verified } from '../format/incoming.ts'
import { type Fetch, type FetchStream, streamBy } from './repository.ts'
import { SMALL_BYTES } from './together.ts'

const AT_ONCE = 16
/** Small ones come together, and only wait. */
const SMALL_AT_ONCE = 512

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
  const great = async ({ path, hash }: TreeObject) => {
    const found = await stream(
      path,
      async (incoming) => {
        for await (const _piece of verified(incoming, hash)) signal?.throwIfAborted()
        return true
      },
      { signal },
    )
    return found
  }
  const problems: string[] = []
  const all = async (some: readonly TreeObject[], read: typeof small, atOnce: number): Promise<void> => {
    let next = 0
    const work = async () => {
      for (let object = some[next++]; object; object = some[next++]) {
        signal?.throwIfAborted()
        const { path, size } = object
        const right = await read(object).catch((error: unknown) => {
          if (!isGridError(error, 'software_damaged')) throw error
          return false
        })
        if (!right) problems.push(`Object ${path} is ${right === undefined ? 'missing' : 'damaged'}.`)
        onObject?.(size)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
  }
  const isSmall = ({ size }: TreeObject) => size <= SMALL_BYTES
  await Promise.all([
    all(objects.filter(isSmall), small, SMALL_AT_ONCE),
    all(
      objects.filter((object) => !isSmall(object)),
      great,
      AT_ONCE,
    ),
  ])
  return problems
}
