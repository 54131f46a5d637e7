import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from '../../kernel/log.ts'
import { damaged } from '../format/errors.ts'
import { type ContentHash, hashFromPath, hashOf, sameHash, textOf } from '../format/hash.ts'
import { readManifest } from '../format/manifest.ts'
import { readSigned } from '../format/signed.ts'

/** As long as clients may keep a document themselves. */
const DOCUMENT_MS = 60_000
/** What is not there is not asked for again for so long. */
const MISSING_MS = 60_000
const MOST_MISSING = 10_000
const MOST_DOCUMENTS = 1_000
const UNFINISHED = '.part'

export interface ObjectCacheOptions {
  readonly directory: string
  /** Bytes of objects that are kept; the one not asked for the longest goes first. */
  readonly mostBytes: number
  readonly now: () => Date
  readonly log: Logger
}

/** Bytes at `<repository>/<path>` of whoever has them; undefined when there are none. Throws when that cannot be known. */
export type FetchKept = (path: string) => Promise<Buffer | undefined>

export interface Kept {
  readonly bytes: Buffer
  /** Whether nobody had to be asked for it. */
  readonly hit: boolean
}

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
  document(path: string, fetch: FetchKept): Promise<Kept | undefined>
  object(path: string, hash: ContentHash, fetch: FetchKept): Promise<Kept | undefined>
  /** Of objects. */
  counts(): CacheCounts
  /** The newest revision of each repository whose manifest is kept. */
  revisions(): Record<string, number>
}

export async function objectCache(options: ObjectCacheOptions): Promise<ObjectCache> {
  const { directory, mostBytes, now, log } = options
  const fileOf = ({ hex, algorithm }: ContentHash) =>
    join(directory, hex.slice(0, 2), textOf({ hex, algorithm }).slice(2))
  /** Bytes of each file, in the order in which they were wanted last. */
  const files = await keptFiles(directory)
  let [hits, misses, evictions] = [0, 0, 0]
  let total = [...files.values()].reduce((sum, size) => sum + size, 0)
  const documents = new Map<string, { bytes: Buffer; at: number }>()
  const missing = new Map<string, number>()
  const coming = new Map<string, Promise<Buffer | undefined>>()

  /** Asks, once for all who want the same at the same time. */
  function fetched(
    path: string,
    fetch: FetchKept,
    use: (bytes: Buffer) => Promise<Buffer>,
  ): Promise<Buffer | undefined> {
    const known = coming.get(path)
    if (known) return known
    const request = (async () => {
      const until = missing.get(path)
      if (until !== undefined && until > now().getTime()) return undefined
      const bytes = await fetch(path)
      if (bytes) {
        missing.delete(path)
        return use(bytes)
      }
      if (missing.size >= MOST_MISSING) missing.clear()
      missing.set(path, now().getTime() + MISSING_MS)
      return undefined
    })().finally(() => coming.delete(path))
    coming.set(path, request)
    return request
  }

  function drop(file: string): void {
    total -= files.get(file) ?? 0
    files.delete(file)
  }

  async function keep(file: string, bytes: Buffer): Promise<void> {
    const unfinished = `${file}${UNFINISHED}`
    try {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(unfinished, bytes)
      await rename(unfinished, file)
    } catch (error) {
      // A full disk keeps nobody from the software.
      log.warn({ err: error, file }, 'an object of a software repository was not kept')
      return
    }
    drop(file)
    files.set(file, bytes.length)
    total += bytes.length
    for (const oldest of files.keys()) {
      if (total <= mostBytes) break
      drop(oldest)
      evictions++
      await rm(oldest, { force: true })
    }
  }

  return {
    counts: () => ({ hits, misses, evictions, bytes: total, mostBytes }),
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
        const bytes = await fetched(path, fetch, async (document) => {
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
    async object(path, hash, fetch) {
      const file = fileOf(hash)
      const size = files.get(file)
      if (size !== undefined) {
        const bytes = await readFile(file).catch(() => undefined)
        if (bytes && sameHash(hashOf(bytes, hash.algorithm), hash)) {
          files.delete(file)
          files.set(file, size)
          hits++
          return { bytes, hit: true }
        }
        drop(file)
      }
      misses++
      const bytes = await fetched(path, fetch, async (object) => {
        if (!sameHash(hashOf(object, hash.algorithm), hash))
          throw damaged(`Object ${textOf(hash)} came with other bytes than its name says.`)
        await keep(file, object)
        return object
      })
      return bytes && { bytes, hit: false }
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

/** What an earlier run left: its objects, the oldest first; what it did not finish is removed. */
async function keptFiles(directory: string): Promise<Map<string, number>> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const found: { file: string; size: number; at: number }[] = []
  for (const inside of await readdir(directory))
    for (const rest of await readdir(join(directory, inside))) {
      const file = join(directory, inside, rest)
      if (!hashFromPath(inside, rest)) {
        await rm(file, { force: true })
        continue
      }
      const { size, mtimeMs } = await stat(file)
      found.push({ file, size, at: mtimeMs })
    }
  found.sort((a, b) => a.at - b.at)
  return new Map(found.map(({ file, size }) => [file, size]))
}
