import { hashFromPath, textOf } from '../format/hash.ts'
import { readPackList } from '../format/pack.ts'
import type { Fetch } from './repository.ts'

/** Objects that are no greater come many in one answer. */
export const SMALL_BYTES = 64 << 10
const IN_ONE = 128

/**
 * Small objects that are asked for in the same moment are fetched by one request: `fetchPack` gives those of the paths
 * that there are as one pack, or undefined where nobody gives packs. What a pack lacks is fetched by itself.
 */
export function fetchTogether(
  fetch: Fetch,
  fetchPack: (paths: readonly string[]) => Promise<Buffer | undefined>,
): Fetch {
  let waiting: {
    path: string
    done: (stored: Buffer | undefined) => void
    failed: (error: unknown) => void
  }[] = []
  let given = true

  const bring = async (asked: typeof waiting): Promise<void> => {
    try {
      const pack = await fetchPack(asked.map(({ path }) => path))
      given = pack !== undefined
      const objects = new Map(
        (pack ? readPackList(pack) : []).map(({ hash, start, length }) => [
          textOf(hash),
          pack!.subarray(start, start + length),
        ]),
      )
      for (const { path, done } of asked) done(objects.get(nameOf(path)))
    } catch (error) {
      for (const { failed } of asked) failed(error)
    }
  }
  const flush = (): void => {
    const asked = waiting
    waiting = []
    if (asked.length > 0) void bring(asked)
  }
  return async (path, options = {}) => {
    const { size = Number.POSITIVE_INFINITY, signal } = options
    if (!given || size > SMALL_BYTES) return fetch(path, options)
    signal?.throwIfAborted()
    const stored = await new Promise<Buffer | undefined>((done, failed) => {
      if (waiting.push({ path, done, failed }) === 1) setImmediate(flush)
      if (waiting.length >= IN_ONE) flush()
    })
    return stored ?? fetch(path, options)
  }
}

/** The hash in `data/9a/aab…P`. */
function nameOf(path: string): string {
  const hash = hashFromPath(path)
  return hash ? textOf(hash) : ''
}
