import { hashFromPath, textOf } from '../format/hash.ts'
import { readPackList } from '../format/pack.ts'
import type { Fetch } from './repository.ts'

/** Objects that are no greater come many in one answer. */
export const SMALL_BYTES = 64 << 10
const IN_ONE = 128
/** Small ones only wait for the answer that they come in. */
const SMALL_AT_ONCE = 512
const AT_ONCE = 16

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

/** Does `work` with each: many at once of those that are small, few of the others. After one that fails none is begun. */
export async function smallAtOnce<T>(
  some: readonly T[],
  isSmall: (one: T) => boolean,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const [small, others]: [T[], T[]] = [[], []]
  for (const one of some) (isSmall(one) ? small : others).push(one)
  let failed = false
  const all = async (these: readonly T[], atOnce: number): Promise<void> => {
    let next = 0
    const inTurn = async () => {
      try {
        while (!failed && next < these.length) await work(these[next++]!)
      } catch (error) {
        failed = true
        throw error
      }
    }
    await Promise.all(Array.from({ length: atOnce }, inTurn))
  }
  await Promise.all([all(small, SMALL_AT_ONCE), all(others, AT_ONCE)])
}

/** The hash in `data/9a/aab…P`. */
function nameOf(path: string): string {
  const hash = hashFromPath(path)
  return hash ? textOf(hash) : ''
}
