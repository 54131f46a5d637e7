import { isGridError } from '../../kernel/errors.ts'
import type { Logger } from '../../kernel/log.ts'
import { damaged } from '../format/errors.ts'
import type { ContentHash } from '../format/hash.ts'
import type { Incoming } from '../format/incoming.ts'
import { readManifest } from '../format/manifest.ts'
import { readSigned } from '../format/signed.ts'
import { objectFiles, type StoredObject } from './object-files.ts'

/** As long as clients may keep a document themselves. */
const DOCUMENT_MS = 60_000
/** What is not there is not asked for again for so long. */
const MISSING_MS = 60_000
const MOST_MISSING = 10_000
const MOST_DOCUMENTS = 1_000

export interface ObjectCacheOptions {
  readonly directory: string
  /** Bytes of objects that are kept; the one not asked for the longest goes first. */
  readonly mostBytes: number
  readonly now: () => Date
  readonly log: Logger
}

/** Bytes at `<repository>/<path>` of whoever has them; undefined when there are none. Throws when that cannot be known. */
export type FetchDocument = (path: string) => Promise<Buffer | undefined>
/** The same for what may be great: `take` is given what comes, perhaps by one after the other until one gives it right. */
export type FetchObject = (
  path: string,
  take: (incoming: Incoming) => Promise<StoredObject>,
) => Promise<StoredObject | undefined>

/** Whether nobody had to be asked for it. */
interface Found {
  readonly hit: boolean
}
export interface KeptDocument extends Found {
  readonly bytes: Buffer
}
export interface KeptObject extends Found, StoredObject {}

/** What a cache did since it was opened, and holds now. */
export interface CacheCounts {
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  readonly bytes: number
  readonly mostBytes: number
}

/**
 * Repositories of others as they are kept near those who read them, at gateways and for mirrors: everything is compared
 * with its name or its hash before it goes out.
 */
export interface ObjectCache {
  /** A manifest, whitelist or other document that changes; the last one while nobody can be asked. */
  document(path: string, fetch: FetchDocument): Promise<KeptDocument | undefined>
  object(path: string, hash: ContentHash, fetch: FetchObject): Promise<KeptObject | undefined>
  /** Of objects. */
  counts(): CacheCounts
  /** The newest revision of each repository whose manifest is kept. */
  revisions(): Record<string, number>
}

export async function objectCache(options: ObjectCacheOptions): Promise<ObjectCache> {
  const { mostBytes, now, log } = options
  const files = await objectFiles(options)
  let [hits, misses] = [0, 0]
  const documents = new Map<string, { bytes: Buffer; at: number }>()
  const missing = new Map<string, number>()

  /** Asks, once for all who want the same at the same time. */
  function once<T>() {
    const coming = new Map<string, Promise<T | undefined>>()
    return (path: string, ask: () => Promise<T | undefined>): Promise<T | undefined> => {
      const known = coming.get(path)
      if (known) return known
      const request = (async () => {
        const until = missing.get(path)
        if (until !== undefined && until > now().getTime()) return undefined
        const found = await ask()
        if (found) missing.delete(path)
        else {
          if (missing.size >= MOST_MISSING) missing.clear()
          missing.set(path, now().getTime() + MISSING_MS)
        }
        return found
      })().finally(() => coming.delete(path))
      coming.set(path, request)
      return request
    }
  }
  const documentOnce = once<Buffer>()
  const objectOnce = once<StoredObject>()

  async function object(
    path: string,
    hash: ContentHash,
    fetch: FetchObject,
  ): Promise<KeptObject | undefined> {
    const bring = () => objectOnce(path, () => fetch(path, (incoming) => files.take(hash, incoming)))
    const kept = await files.find(hash)
    if (kept) hits++
    else misses++
    const found = kept ?? (await bring())
    return (
      found && {
        ...{ length: found.length, hit: kept !== undefined },
        async read(range) {
          try {
            return await found.read(range)
          } catch (error) {
            if (!isGridError(error, 'no_such_file')) throw error
            // Others needed the room in between.
            const again = await bring()
            if (!again) throw error
            return again.read(range)
          }
        },
      }
    )
  }

  return {
    object,
    counts: () => ({ hits, misses, mostBytes, ...files.counts() }),
    revisions: () =>
      Object.fromEntries(
        [...documents].flatMap(([path, { bytes }]) => {
          const [repository, name] = path.split('/')
          return name === '.cvmfspublished' ? [[repository, readManifest(bytes).revision]] : []
        }),
      ),
    async document(path, fetch) {
      const kept = documents.get(path)
      if (kept && now().getTime() - kept.at < DOCUMENT_MS) return { bytes: kept.bytes, hit: true }
      try {
        const bytes = await documentOnce(path, async () => {
          const document = await fetch(path)
          if (!document) return undefined
          checkDocument(path, document, kept?.bytes)
          if (documents.size >= MOST_DOCUMENTS) documents.clear()
          documents.set(path, { bytes: document, at: now().getTime() })
          return document
        })
        if (!bytes) documents.delete(path)
        return bytes && { bytes, hit: false }
      } catch (error) {
        if (!kept) throw error
        log.debug({ err: error, path }, 'the last manifest or whitelist is served')
        return { bytes: kept.bytes, hit: true }
      }
    },
  }
}

/** Manifest and whitelist carry a hash of themselves; a manifest must be that of its repository and not go back. */
function checkDocument(path: string, bytes: Buffer, before: Buffer | undefined): void {
  const [repository, name] = path.split('/')
  if (name === '.cvmfswhitelist') readSigned(bytes, 'whitelist')
  if (name !== '.cvmfspublished') return
  const manifest = readManifest(bytes)
  if (manifest.repository !== repository)
    throw damaged(`The server gave the manifest of ${manifest.repository} for that of ${repository}.`)
  if (before && readManifest(before).revision > manifest.revision)
    throw damaged(`The server gave an older manifest of ${repository} than before.`)
}
