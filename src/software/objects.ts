import { type Db, transaction } from '../kernel/database.ts'
import type { Ids } from '../kernel/ports.ts'
import type { ByteRange, StorageDriver, StoragePath } from '../storage/index.ts'
import { damaged } from './format/errors.ts'
import { type ContentHash, textOf } from './format/hash.ts'
import { bytesOf, checkWhole } from './format/incoming.ts'
import { plainForm } from './format/objects.ts'
import { type PackEntry, type PackedObject, packHead, readPackList, writePack } from './format/pack.ts'
import * as store from './object.store.ts'

export interface ObjectDeps {
  readonly db: Db
  readonly ids: Ids
  readonly storage: StorageDriver
}
interface RepositoryKey {
  readonly id: number
  readonly name: string
}

/** Where a repository's packs lie in its storage. */
export const packPath = (repository: string, id: string): StoragePath => [
  repository,
  'packs',
  id.slice(0, 2),
  id,
]

/** Writes objects as one pack and notes where they are. The file is complete before anything refers to it. */
export const storePack = (
  deps: ObjectDeps,
  now: Date,
  repository: RepositoryKey,
  pack: Uint8Array,
  entries: readonly PackEntry[],
): Promise<void> => writeAndNote(deps, now, repository, { body: oneChunk(pack), size: pack.length, entries })

/** Writes an object that is not held in memory as a pack of its own, while it comes; nothing is left when it breaks off. */
export async function storeGreat(
  deps: ObjectDeps,
  now: Date,
  repository: RepositoryKey,
  { hash, length, body }: { hash: ContentHash; length: number; body: AsyncIterable<Uint8Array> },
): Promise<void> {
  const head = packHead([{ hash, length }])
  const pack = async function* () {
    yield head
    yield* body
  }
  const entries = [{ hash, start: head.length, length }]
  await writeAndNote(deps, now, repository, { body: pack(), size: head.length + length, entries })
}

async function writeAndNote(
  { db, ids, storage }: ObjectDeps,
  now: Date,
  repository: RepositoryKey,
  { body, size, entries }: { body: AsyncIterable<Uint8Array>; size: number; entries: readonly PackEntry[] },
): Promise<void> {
  const id = ids.uuid()
  await storage.write(packPath(repository.name, id), body, { overwrite: false, size })
  await transaction(db, async (tx) => {
    // The list is not counted: a pack of small objects would seem half empty for ever.
    const bytes = entries.reduce((sum, { length }) => sum + length, 0)
    await store.insertPack(tx, now, { id, repositoryId: repository.id, bytes })
    await store.insertObjects(
      tx,
      now,
      repository.id,
      id,
      entries.map(({ hash, plain, start, length }) => ({ hex: hash.hex, plain, start, length })),
    )
  })
}

/** Stores what the server made itself, in packs of bearable size. */
export async function storeObjects(
  deps: ObjectDeps,
  now: Date,
  repository: RepositoryKey,
  objects: readonly PackedObject[],
): Promise<void> {
  const { add, flush } = gatherObjects(deps, now, repository)
  for (const object of objects) await add(object)
  await flush()
}

/** As much waits in memory, and is there twice while it is written: catalogues of millions of entries are many. */
const GATHERED_BYTES = 4 << 20

/** The same as they come, one after the other; the last are stored by `flush`, or with others: `rest` gives them. */
export function gatherObjects(
  deps: ObjectDeps,
  now: Date,
  repository: RepositoryKey,
): { add(object: PackedObject): Promise<void>; flush(): Promise<void>; rest(): readonly PackedObject[] } {
  let batch: PackedObject[] = []
  let bytes = 0
  const flush = async () => {
    if (batch.length === 0) return
    const pack = writePack(batch)
    await storePack(deps, now, repository, pack, readPackList(pack))
    batch = []
    bytes = 0
  }
  return {
    async add(object) {
      if (bytes + object.stored.length > GATHERED_BYTES) await flush()
      batch.push(object)
      bytes += object.stored.length
    },
    flush,
    rest: () => batch,
  }
}

/** A stored object as a stream, or undefined when there is none. */
export async function readObject(
  { db, storage }: Pick<ObjectDeps, 'db' | 'storage'>,
  repository: RepositoryKey,
  hash: ContentHash,
  range?: ByteRange,
  known?: store.ObjectPlace,
): Promise<{ length: number; body: AsyncIterable<Uint8Array> } | undefined> {
  // A second look: between look and reading, a collection may have moved the object to another pack.
  for (let attempt = 0; ; attempt++) {
    const place = (attempt === 0 && known) || (await store.placeOf(db, repository.id, hash.hex))
    if (!place) return undefined
    const start = Number(place.start) + (range?.start ?? 0)
    const length = Number(place.length)
    const end = Number(place.start) + Math.min(range?.end ?? Number.POSITIVE_INFINITY, length - 1)
    try {
      const path = packPath(repository.name, place.packId)
      const body = length === 0 ? oneChunk(Buffer.alloc(0)) : await storage.read(path, { start, end })
      return { length, body }
    } catch (error) {
      if ((error as { code?: string }).code !== 'no_such_file' || attempt > 0) throw error
    }
  }
}

/**
 * A whole object as it is stored, or undefined; whoever unpacks it compares it with its name. Throws software_too_great
 * for what is not read whole.
 */
export async function readStored(
  deps: Pick<ObjectDeps, 'db' | 'storage'>,
  repository: RepositoryKey,
  hash: ContentHash,
): Promise<Buffer | undefined> {
  const place = await store.placeOf(deps.db, repository.id, hash.hex)
  if (!place) return undefined
  checkWhole(Number(place.length), hash)
  const found = await readObject(deps, repository, hash, undefined, place)
  return found && bytesOf(found.body)
}

/** The same; one that is missing is a damage. */
export async function storedBytes(
  deps: Pick<ObjectDeps, 'db' | 'storage'>,
  repository: RepositoryKey,
  hash: ContentHash,
): Promise<Buffer> {
  const found = await readStored(deps, repository, hash)
  if (!found) throw damaged(`Object ${textOf(hash)} of ${repository.name} is missing.`)
  return found
}

export async function catalogBytes(
  deps: Pick<ObjectDeps, 'db' | 'storage'>,
  repository: RepositoryKey,
  hash: ContentHash,
): Promise<Buffer> {
  return plainForm(await storedBytes(deps, repository, hash), hash)
}

export async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

export async function wholePack(
  { storage }: Pick<ObjectDeps, 'storage'>,
  repository: string,
  id: string,
): Promise<Buffer> {
  return bytesOf(await storage.read(packPath(repository, id)))
}
