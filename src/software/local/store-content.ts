import { setImmediate as pause } from 'node:timers/promises'
import { createThreads, type Threads } from '../../kernel/threads.ts'
import type { Entry } from '../format/entry.ts'
import { type Algorithm, type ContentHash, hashFromText } from '../format/hash.ts'
import { PACK_BYTES } from '../format/pack.ts'
import { type ContentJob, contentWork, type Packed, type Piece, type Sums } from './content-work.ts'
import { CHUNK_BYTES } from './pieces.ts'
import type { Found } from './walk.ts'

/** Where content goes: it says what it has and takes what it lacks. */
export interface ContentStore {
  /** Names of contents that are there, by SHA-256. */
  known(plains: readonly string[]): Promise<ReadonlyMap<string, string>>
  upload(pack: Uint8Array): Promise<void>
}

export interface StoreOptions {
  readonly algorithm: Algorithm
  readonly parallel?: number
  readonly onFile?: (bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

export interface StoredContent {
  /** The entries with what they are made of, in the order of the files. */
  readonly entries: Entry[]
  readonly uploadedObjects: number
  readonly uploadedBytes: number
}

const BATCH_FILES = 500
const BATCH_BYTES = 16 << 20
/** Less than this is done sooner than a thread is started. */
const LITTLE_BYTES = 1 << 20

/** Reads, sums, compresses and uploads files, many at once; what is there already is neither compressed nor sent. */
export async function storeContent(
  files: readonly Found[],
  store: ContentStore,
  { algorithm, parallel = 4, onFile, signal }: StoreOptions,
): Promise<StoredContent> {
  const little =
    files.length <= BATCH_FILES && files.reduce((sum, { entry }) => sum + entry.size, 0) < LITTLE_BYTES
  const threads: Threads<ContentJob, Sums | Packed> = little
    ? { run: async (job) => contentWork(job).result, close: async () => undefined }
    : createThreads(import.meta.url, 'content-thread')
  /** Names of contents as far as they are known; one that is under way is a promise. */
  const names = new Map<string, Promise<ContentHash>>()
  const entries = new Array<Entry>(files.length)
  let [uploadedObjects, uploadedBytes] = [0, 0]

  async function upload(pieces: readonly Piece[]): Promise<ContentHash[]> {
    const { pack, hashes } = (await threads.run({ do: 'pack', pieces, algorithm })) as Packed
    signal?.throwIfAborted()
    await store.upload(pack)
    uploadedObjects += hashes.length
    uploadedBytes += pack.length
    return [...hashes]
  }

  /** Begins to upload pieces that are not there, in packs; returns when all of the batch are. */
  async function ensure(pieces: readonly Piece[]): Promise<void> {
    const fresh = [...new Map(pieces.map((piece) => [piece.plain, piece])).values()].filter(
      ({ plain }) => !names.has(plain),
    )
    const settle = new Map<string, { resolve(hash: ContentHash): void; reject(error: unknown): void }>()
    for (const { plain } of fresh) {
      const promise = new Promise<ContentHash>((resolve, reject) => settle.set(plain, { resolve, reject }))
      promise.catch(() => undefined)
      names.set(plain, promise)
    }
    try {
      const known =
        fresh.length > 0 ? await store.known(fresh.map(({ plain }) => plain)) : new Map<string, string>()
      for (const [plain, text] of known) settle.get(plain)?.resolve(hashFromText(text))
      const missing = fresh.filter(({ plain }) => !known.has(plain))
      await Promise.all(
        inPacks(missing).map(async (part) => {
          const hashes = await upload(part)
          for (const [i, { plain }] of part.entries()) settle.get(plain)!.resolve(hashes[i]!)
        }),
      )
    } catch (error) {
      for (const { reject } of settle.values()) reject(error)
      throw error
    }
    await Promise.all(pieces.map(({ plain }) => names.get(plain)))
  }

  async function storeBatch(from: number, to: number): Promise<void> {
    signal?.throwIfAborted()
    const batch = files.slice(from, to)
    const sums = (await threads.run({
      do: 'sum',
      files: batch.map(({ file, start = 0, entry }) => ({ file, start, size: entry.size })),
    })) as Sums
    const pieces = batch.map(({ file, start = 0, entry }, i) =>
      sums[i]!.map((plain, n): Piece => {
        const offset = n * CHUNK_BYTES
        return { file, offset: start + offset, length: Math.min(CHUNK_BYTES, entry.size - offset), plain }
      }),
    )
    await ensure(pieces.flat())
    for (const [i, { entry }] of batch.entries()) {
      const parts = await Promise.all(
        pieces[i]!.map(async ({ length, plain }, n) => ({
          offset: n * CHUNK_BYTES,
          size: length,
          hash: await names.get(plain)!,
        })),
      )
      entries[from + i] =
        parts.length > 1 ? { ...entry, chunks: parts } : { ...entry, content: parts[0]!.hash }
      onFile?.(entry.size)
    }
  }

  try {
    const batches = inBatches(files)
    let next = 0
    const work = async () => {
      for (let batch = batches[next++]; batch; batch = batches[next++]) {
        await storeBatch(...batch)
        await pause()
      }
    }
    await Promise.all(Array.from({ length: parallel }, work))
    return { entries, uploadedObjects, uploadedBytes }
  } finally {
    await threads.close()
  }
}

function inBatches(files: readonly Found[]): [number, number][] {
  const batches: [number, number][] = []
  let [from, bytes] = [0, 0]
  for (const [i, { entry }] of files.entries()) {
    if (i > from && (i - from >= BATCH_FILES || bytes + entry.size > BATCH_BYTES)) {
      batches.push([from, i])
      ;[from, bytes] = [i, 0]
    }
    bytes += entry.size
  }
  if (from < files.length) batches.push([from, files.length])
  return batches
}

function inPacks(pieces: readonly Piece[]): Piece[][] {
  const packs: Piece[][] = []
  let bytes = 0
  for (const piece of pieces) {
    if (packs.length === 0 || bytes + piece.length > PACK_BYTES) {
      packs.push([])
      bytes = 0
    }
    packs.at(-1)!.push(piece)
    bytes += piece.length
  }
  return packs
}
