import { GridError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { fetchDocument, type Outbound } from '../storage/index.ts'
import { originalsAway } from './errors.ts'
import { damaged } from './format/errors.ts'
import { type ContentHash, hashOf, sameHash, textOf } from './format/hash.ts'
import { type CacheCounts, objectCache } from './local/object-cache.ts'

export interface OriginalsOptions {
  /** Asks the hosts that may be asked. */
  readonly outbound: Outbound
  /** Objects of repositories that are read through are kept here, at most so many bytes. */
  readonly directory: string
  readonly mostBytes: number
  /** Whoever takes longer for one answer is not waited for; a minute when absent. */
  readonly deadlineMs?: number
}

/** A mirrored repository and where it comes from. */
export interface Mirrored {
  readonly name: string
  readonly urls: readonly string[]
}

/** No answer is longer: what is greater is stored in pieces by those who publish. */
const MOST_BYTES = 64 << 20
const MOST_DOCUMENT_BYTES = 16 << 20
/** An address that failed is asked last for so long. */
const ILL_MS = 60_000

/** Where mirrored repositories come from. Nothing is handed on that was not verified. */
export interface Originals {
  /**
   * What `ask` finds at the first address that has it; one that throws is passed over. Undefined when none has it; throws
   * software_originals_away when that cannot be known.
   */
  first<T>(urls: readonly string[], ask: (url: string) => Promise<T | undefined>): Promise<T | undefined>
  /** A document as an address gives it, not verified; undefined when there is none. */
  document(url: string, path: string): Promise<Buffer | undefined>
  /** An object, compared with its name, asked of the addresses. */
  fetchObject(of: Mirrored, path: string, hash: ContentHash): Promise<Buffer | undefined>
  /** The same, kept for the next who wants it. */
  object(of: Mirrored, path: string, hash: ContentHash): Promise<Buffer | undefined>
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

  async function read(url: string, path: string, maxBytes: number): Promise<Buffer | undefined> {
    try {
      return await fetchDocument(outbound, `${url}/${path}`, { maxBytes, deadlineMs })
    } catch (error) {
      const status = (error as { details?: { status?: number } }).details?.status
      if (status === 404 || status === 410) return undefined
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
  const fetchObject = ({ urls }: Mirrored, path: string, hash: ContentHash) =>
    first(urls, async (url) => {
      const bytes = await read(url, path, MOST_BYTES)
      if (bytes && !sameHash(hashOf(bytes, hash.algorithm), hash))
        throw damaged(`Object ${textOf(hash)} came with other bytes than its name says.`)
      return bytes
    })
  return {
    ...{ first, fetchObject },
    document: (url, path) => read(url, path, MOST_DOCUMENT_BYTES),
    async object(of, path, hash) {
      const kept = await (await cache()).object(`${of.name}/${path} ${textOf(hash)}`, hash, () =>
        fetchObject(of, path, hash),
      )
      return kept?.bytes
    },
    counts: async () =>
      opened ? (await opened).counts() : { hits: 0, misses: 0, evictions: 0, bytes: 0, mostBytes },
  }
}

function wordsOf(error: unknown): string {
  return error instanceof GridError ? error.message : 'It takes too long, or broke off.'
}
