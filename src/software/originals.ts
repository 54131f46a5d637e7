import { GridError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { fetchDocument, type Outbound } from '../storage/index.ts'
import { originalsAway } from './errors.ts'
import { type ContentHash, textOf } from './format/hash.ts'
import { bytesOf, checkWhole, type Incoming, incomingFrom, isWrong } from './format/incoming.ts'
import { type CacheCounts, objectCache } from './local/object-cache.ts'
import type { StoredObject } from './local/object-files.ts'

export interface OriginalsOptions {
  /** Asks the hosts that may be asked. */
  readonly outbound: Outbound
  /** Objects of repositories that are read through are kept here, at most so many bytes. */
  readonly directory: string
  readonly mostBytes: number
  /** Whoever takes longer for an answer, or for 64 MiB of a great one, is not waited for; a minute when absent. */
  readonly deadlineMs?: number
}

/** A mirrored repository and where it comes from. */
export interface Mirrored {
  readonly name: string
  readonly urls: readonly string[]
}

/** So much is to come in the time that one answer may take. */
const IN_TIME_BYTES = 64 << 20
const MOST_DOCUMENT_BYTES = 16 << 20
/** An address that failed is asked last for so long. */
const ILL_MS = 60_000

/** What an address gives, and whether it was the address that failed. */
interface Coming extends Incoming {
  broken(): boolean
  end(): void
}

/** Where mirrored repositories come from. Nothing is handed on that was not verified. */
export interface Originals {
  /**
   * What `ask` finds at the first address that has it; one that throws is passed over. Undefined when none has it; throws
   * software_originals_away when that cannot be known.
   */
  first<T>(urls: readonly string[], ask: (url: string) => Promise<T | undefined>): Promise<T | undefined>
  /** A document as an address gives it, not verified; undefined when there is none. */
  document(url: string, path: string): Promise<Buffer | undefined>
  /**
   * Gives `take` an object as it comes from one address after the other, until one gives it right: `take` throws what
   * `verified` throws. What fails at `take` itself is thrown at once.
   */
  fetchObject<T>(of: Mirrored, path: string, take: (incoming: Incoming) => Promise<T>): Promise<T | undefined>
  /** An object that is what its name says, kept for the next who wants it. */
  object(of: Mirrored, path: string, hash: ContentHash): Promise<StoredObject | undefined>
  /** All of it in memory; throws software_too_great for what is not read whole. */
  bytes(of: Mirrored, path: string, hash: ContentHash): Promise<Buffer | undefined>
  counts(): Promise<CacheCounts>
}

export function openOriginals(
  { outbound, directory, mostBytes, deadlineMs = 60_000 }: OriginalsOptions,
  { clock, log }: { clock: Clock; log: Logger },
): Originals {
  const illUntil = new Map<string, number>()
  let opened: ReturnType<typeof objectCache> | undefined
  // Most grids mirror nothing: the directory is looked at when something does.
  const cache = () => {
    opened ??= objectCache({ directory, mostBytes, log, now: clock.now })
    return opened
  }

  async function document(url: string, path: string): Promise<Buffer | undefined> {
    try {
      return await fetchDocument(outbound, `${url}/${path}`, { maxBytes: MOST_DOCUMENT_BYTES, deadlineMs })
    } catch (error) {
      if (isNothing(error)) return undefined
      throw error
    }
  }
  async function first<T>(urls: readonly string[], ask: (url: string) => Promise<T | undefined>) {
    const now = clock.now().getTime()
    const ill = (url: string) => (illUntil.get(url) ?? 0) > now
    const problems: string[] = []
    for (const url of [...urls.filter((one) => !ill(one)), ...urls.filter(ill)]) {
      try {
        const found = await ask(url)
        if (found === undefined) continue
        illUntil.delete(url)
        return found
      } catch (error) {
        illUntil.set(url, now + ILL_MS)
        problems.push(`${new URL(url).host}: ${wordsOf(error)}`)
      }
    }
    if (problems.length > 0) throw originalsAway(problems.join(' '))
    return undefined
  }
  /** An object as it begins to come. */
  async function open(url: string, path: string): Promise<Coming | undefined> {
    const late = new AbortController()
    let [timer, broken] = [setTimeout(() => late.abort(), deadlineMs), false]
    try {
      const answer = await outbound({
        ...{ method: 'GET', url: `${url}/${path}`, signal: late.signal, party: 'source' },
      })
      const body = async function* () {
        let bytes = 0
        try {
          for await (const piece of answer as AsyncIterable<Buffer>) {
            bytes += piece.length
            if (bytes >= IN_TIME_BYTES) {
              bytes = 0
              timer.refresh()
            }
            yield piece
          }
          clearTimeout(timer)
        } catch (error) {
          broken = true
          throw error
        }
      }
      return {
        ...incomingFrom(answer.headers, body()),
        broken: () => broken,
        end() {
          clearTimeout(timer)
          answer.destroy()
        },
      }
    } catch (error) {
      clearTimeout(timer)
      if (isNothing(error)) return undefined
      throw error
    }
  }
  const fetchObject: Originals['fetchObject'] = async (of, path, take) => {
    const found = await first(of.urls, async (url) => {
      const coming = await open(url, path)
      if (!coming) return undefined
      try {
        return { taken: await take(coming) }
      } catch (error) {
        if (coming.broken() || isWrong(error)) throw error
        // No other address would help.
        return { error }
      } finally {
        coming.end()
      }
    })
    if (found && 'error' in found) throw found.error
    return found?.taken
  }
  async function object(of: Mirrored, path: string, hash: ContentHash): Promise<StoredObject | undefined> {
    return (await cache()).object(`${of.name}/${path} ${textOf(hash)}`, hash, (_name, take) =>
      fetchObject(of, path, take),
    )
  }
  return {
    ...{ first, document, fetchObject, object },
    async bytes(of, path, hash) {
      const found = await object(of, path, hash)
      if (!found) return undefined
      checkWhole(found.length, hash)
      const body = await found.read()
      return Buffer.isBuffer(body) ? body : bytesOf(body)
    },
    counts: async () =>
      opened ? (await opened).counts() : { hits: 0, misses: 0, evictions: 0, bytes: 0, mostBytes },
  }
}

function wordsOf(error: unknown): string {
  return error instanceof GridError ? error.message : 'It takes too long, or broke off.'
}

/** Whether an address says that there is nothing. */
function isNothing(error: unknown): boolean {
  const status = (error as { details?: { status?: number } }).details?.status
  return status === 404 || status === 410
}
