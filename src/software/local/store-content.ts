import { setImmediate as pause } from 'node:timers/promises'
import { createThreads, type Threads } from '../../kernel/threads.ts'
import type { Entry } from '../format/entry.ts'
import { type Algorithm, type ContentHash, hashFromText } from '../format/hash.ts'
import { PACK_BYTES } from '../format/pack.ts'
import {
  type ContentJob,
  contentWork,
  type Packed,
  type Part,
  type Piece,
  type Summed,
} from './content-work.ts'
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
  /** The store has nothing: it need not be asked. */
  readonly bare?: boolean
  readonly onFile?: ((bytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Something of a tree. */
export interface Listed {
  /** A file whose content is to be stored. */
  readonly unread: Found | undefined
  /** Its entry, once that is done. */
  readonly stored: Entry | undefined
}

/** How much goes through at once. */
interface Batch<One extends Listed> {
  readonly listed: readonly One[]
  readonly files: readonly Found[]
  readonly bytes: number
}

const BATCH_LISTED = 1000
/** Of what is not to be read: it waits for nothing, and what is short-lived costs least. */
const LISTED_ALONE = 250
const BATCH_FILES = 1000
const PACKS_AT_ONCE = 2
/** Less than this is done sooner than a thread is started. */
const LITTLE_FILES = 500
const LITTLE_BYTES = 1 << 20
/** Contents whose names are remembered; of others the store is asked once more. */
const MOST_NAMES = 50_000

/** Names of contents, by SHA-256. */
type Names = ReadonlyMap<string, ContentHash>

export interface Storing {
  readonly uploadedObjects: number
  readonly uploadedBytes: number
}

/**
 * Reads, sums, compresses and uploads the files of a list, many at once; what is there already is neither compressed nor
 * sent. The list comes out in its order, some at a time, and `storing` counts.
 */
export function storeContent<One extends Listed>(
  list: Iterable<One>,
  store: ContentStore,
  { algorithm, parallel = 4, bare = false, onFile, signal }: StoreOptions,
): { batches: AsyncGenerator<One[]>; storing: Storing } {
  const inline: Pick<Threads<ContentJob, Summed | Packed>, 'run'> = {
    run: async (job) => contentWork(job).result,
  }
  let threads: Threads<ContentJob, Summed | Packed> | undefined
  const startThreads = () => {
    threads ??= createThreads(import.meta.url, 'content-thread')
    return threads
  }
  /** Which contents are named, or being named, and with which others. */
  const names = new Map<string, Promise<Names>>()
  const storing = { uploadedObjects: 0, uploadedBytes: 0 }

  /** Names pieces; those that are not there are uploaded, in packs. */
  async function namesOf(
    pieces: readonly Piece[],
    content: Summed['content'],
    { run }: Pick<Threads<ContentJob, Summed | Packed>, 'run'>,
  ): Promise<Names> {
    const named = new Map<string, ContentHash>()
    if (!bare)
      for (const [plain, text] of await store.known(pieces.map(({ plain }) => plain)))
        named.set(plain, hashFromText(text))
    const packs = inPacks(pieces.filter(({ plain }) => !named.has(plain))).values()
    const work = async () => {
      for (const part of packs) {
        signal?.throwIfAborted()
        const job: ContentJob = { do: 'pack', pieces: part, algorithm, content }
        const { pack, hashes } = (await run(job, content && { transfer: [content.buffer] })) as Packed
        signal?.throwIfAborted()
        await store.upload(pack)
        storing.uploadedObjects += hashes.length
        storing.uploadedBytes += pack.length
        for (const [i, { plain }] of part.entries()) named.set(plain, hashes[i]!)
      }
    }
    await Promise.all(Array.from({ length: PACKS_AT_ONCE }, work))
    return named
  }

  /** The same, but what was named before, or is being named. */
  async function ensure(
    pieces: readonly Piece[],
    content: Summed['content'],
    work: Pick<Threads<ContentJob, Summed | Packed>, 'run'>,
  ): Promise<ContentHash[]> {
    const fresh = new Map(
      pieces.filter(({ plain }) => !names.has(plain)).map((piece) => [piece.plain, piece]),
    )
    if (fresh.size > 0) {
      const naming = namesOf([...fresh.values()], content, work)
      // Others may wait for it, or nobody any more.
      naming.catch(() => undefined)
      for (const plain of fresh.keys()) names.set(plain, naming)
    }
    const asked = pieces.map(({ plain }) => names.get(plain)!)
    const given = new Map<Promise<Names>, Names>()
    for (const naming of new Set(asked)) given.set(naming, await naming)
    return pieces.map(({ plain }, i) => given.get(asked[i]!)!.get(plain)!)
  }

  function forget(): void {
    for (const plain of names.keys()) {
      if (names.size <= MOST_NAMES) return
      names.delete(plain)
    }
  }

  async function storeBatch({ listed, files, bytes }: Batch<One>): Promise<One[]> {
    if (files.length === 0) return [...listed]
    signal?.throwIfAborted()
    const little = files.length <= LITTLE_FILES && bytes < LITTLE_BYTES
    const work = threads ?? (little ? inline : startThreads())
    const parts = files.map(partOf)
    // What makes one pack is read once.
    const job: ContentJob = { do: 'sum', files: parts, keep: bytes <= PACK_BYTES }
    const { sums, content } = (await work.run(job)) as Summed
    const pieces = piecesOf(parts, sums)
    const entries = entriesOf(files, pieces, await ensure(pieces.flat(), content, work))
    for (const { size } of parts) onFile?.(size)
    forget()
    return listed.map((one) => (one.unread ? { ...one, stored: entries.get(one.unread) } : one))
  }

  async function* batches(): AsyncGenerator<One[]> {
    const under: Promise<One[]>[] = []
    try {
      for (const batch of inBatches(list)) {
        const storing = storeBatch(batch)
        // Whoever waits for it hears of it; one after a failed one nobody waits for.
        storing.catch(() => undefined)
        under.push(storing)
        // What waits for nothing goes at once, and is forgotten.
        if (under.length >= parallel || batch.files.length === 0) yield await under.shift()!
        await pause()
      }
      for (let next = under.shift(); next; next = under.shift()) yield await next
    } finally {
      await threads?.close()
    }
  }
  return { batches: batches(), storing }
}

function* inBatches<One extends Listed>(list: Iterable<One>): Generator<Batch<One>> {
  let listed: One[] = []
  let files: Found[] = []
  let bytes = 0
  const take = (): Batch<One> => {
    const batch = { listed, files, bytes }
    ;[listed, files, bytes] = [[], [], 0]
    return batch
  }
  for (const one of list) {
    const size = one.unread?.entry.size ?? 0
    const most = files.length > 0 ? BATCH_LISTED : LISTED_ALONE
    const full = listed.length >= most || files.length >= BATCH_FILES
    if (full || (files.length > 0 && bytes + size > PACK_BYTES)) yield take()
    listed.push(one)
    if (one.unread) files.push(one.unread)
    bytes += size
  }
  yield take()
}

const partOf = ({ file, start = 0, entry }: Found): Part => ({ file, start, size: entry.size })

/** What files are made of, in the order of the files; they were read one behind the other. */
function piecesOf(files: readonly Part[], sums: Summed['sums']): Piece[][] {
  let at = 0
  return files.map(({ file, start, size }, i) =>
    sums[i]!.map((plain, n) => {
      const from = n * CHUNK_BYTES
      const length = Math.min(CHUNK_BYTES, size - from)
      at += length
      return { file, offset: start + from, length, plain, at: at - length }
    }),
  )
}

/** Files as they are stored: `hashes` are the names of all their pieces. */
function entriesOf(
  files: readonly Found[],
  pieces: readonly Piece[][],
  hashes: readonly ContentHash[],
): Map<Found, Entry> {
  let next = 0
  const entries = new Map<Found, Entry>()
  for (const [i, found] of files.entries()) {
    const chunks = pieces[i]!.map(({ length: size }, n) => ({
      ...{ offset: n * CHUNK_BYTES, size, hash: hashes[next++]! },
    }))
    const { entry } = found
    entries.set(found, chunks.length > 1 ? { ...entry, chunks } : { ...entry, content: chunks[0]!.hash })
  }
  return entries
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
