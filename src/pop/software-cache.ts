import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from '../kernel/log.ts'
import { damaged } from '../software/format/errors.ts'
import { type ContentHash, hashFromPath, hashOf, sameHash, textOf } from '../software/format/hash.ts'
import { readManifest } from '../software/format/manifest.ts'
import { readSigned } from '../software/format/signed.ts'

/** As long as clients may keep a document themselves. */
const DOCUMENT_MS = 60_000
/** What is not there is not asked for again for so long. */
const MISSING_MS = 60_000
const MOST_MISSING = 10_000
const MOST_DOCUMENTS = 1_000
const UNFINISHED = '.part'

export interface SoftwareCacheOptions {
  readonly directory: string
  /** Bytes of objects that are kept; the one not asked for the longest goes first. */
  readonly mostBytes: number
  /** Bytes below `/cvmfs/` of the server; undefined when it has none. Throws when it cannot be asked. */
  readonly fetch: (path: string) => Promise<Buffer | undefined>
  readonly now: () => Date
  readonly log: Logger
}

export interface Kept {
  readonly bytes: Buffer
  /** Whether the server had to be asked. */
  readonly hit: boolean
}

/** Repositories of the server as a site keeps them: everything is compared with its name or its hash before it goes out. */
export interface SoftwareCache {
  /** A manifest, whitelist or other document that changes; the last one while the server is away. */
  document(path: string): Promise<Kept | undefined>
  object(path: string, hash: ContentHash): Promise<Kept | undefined>
  /** Bytes of the objects that are kept now. */
  bytes(): number
}

export async function softwareCache(options: SoftwareCacheOptions): Promise<SoftwareCache> {
  const { directory, mostBytes, now, log } = options
  const fileOf = ({ hex, algorithm }: ContentHash) =>
    join(directory, hex.slice(0, 2), textOf({ hex, algorithm }).slice(2))
  /** Bytes of each file, in the order in which they were wanted last. */
  const files = await keptFiles(directory)
  let total = [...files.values()].reduce((sum, size) => sum + size, 0)
  const documents = new Map<string, { bytes: Buffer; at: number }>()
  const missing = new Map<string, number>()
  const coming = new Map<string, Promise<Buffer | undefined>>()

  /** Asks the server, once for all who want the same at the same time. */
  function fetched(path: string, use: (bytes: Buffer) => Promise<Buffer>): Promise<Buffer | undefined> {
    const known = coming.get(path)
    if (known) return known
    const request = (async () => {
      const until = missing.get(path)
      if (until !== undefined && until > now().getTime()) return undefined
      const bytes = await options.fetch(path)
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
      await rm(oldest, { force: true })
    }
  }

  return {
    bytes: () => total,
    async document(path) {
      const kept = documents.get(path)
      if (kept && now().getTime() - kept.at < DOCUMENT_MS) return { bytes: kept.bytes, hit: true }
      try {
        const bytes = await fetched(path, async (document) => {
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
    async object(path, hash) {
      const file = fileOf(hash)
      const size = files.get(file)
      if (size !== undefined) {
        const bytes = await readFile(file).catch(() => undefined)
        if (bytes && sameHash(hashOf(bytes, hash.algorithm), hash)) {
          files.delete(file)
          files.set(file, size)
          return { bytes, hit: true }
        }
        drop(file)
      }
      const bytes = await fetched(path, async (object) => {
        if (!sameHash(hashOf(object, hash.algorithm), hash))
          throw damaged(`Object ${textOf(hash)} came from the server with other bytes than its name says.`)
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
