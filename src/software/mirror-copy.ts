import { transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Worker } from '../kernel/workers.ts'
import { compact } from './collect.ts'
import type { Context } from './context.ts'
import { damaged } from './format/errors.ts'
import { type ContentHash, type ObjectKind, objectPath, textOf } from './format/hash.ts'
import { type Incoming, isGreat, verified, verifiedBytes } from './format/incoming.ts'
import { readManifest } from './format/manifest.ts'
import { PACK_BYTES, type PackedObject } from './format/pack.ts'
import * as mirrors from './mirror.store.ts'
import { openMirror, reflogOf } from './mirrors.ts'
import { deleteUnwanted, dropEmptyPacks, missingHashes } from './object.store.ts'
import { storeGreat, storeObjects } from './objects.ts'
import * as store from './repository.store.ts'

/** Objects asked for at the same time. */
const PARALLEL = 8
/** Objects looked up at once. */
const LOOKED_UP = 5_000
/** A copying that says nothing for so long is taken up by another process. */
const LEASE_MS = 15 * 60_000
const AGAIN_MS = 60_000
/** Those who copy a great object say that they do each time that so much of it came. */
const SAY_EACH_BYTES = 64 << 20

/** Objects on their way into packs. */
interface Bringing {
  /** Brings those objects that are not here. Throws when the original does not give one. */
  bring(objects: readonly { hash: ContentHash; kind: ObjectKind }[]): Promise<void>
  put(object: PackedObject): Promise<void>
  flush(): Promise<void>
}

function bringing(context: Context, row: store.RepositoryRow, signal: AbortSignal): Bringing {
  const { db, clock, originals } = context
  const of = { name: row.name, urls: row.mirrorOf ?? [] }
  let batch: PackedObject[] = []
  let bytes = 0
  async function flush(): Promise<void> {
    if (batch.length === 0) return
    const [objects, size] = [batch, bytes]
    batch = []
    bytes = 0
    await storeObjects(context, clock.now(), row, objects)
    await brought(objects.length, size)
  }
  async function brought(count: number, size: number): Promise<void> {
    const until = new Date(clock.now().getTime() + LEASE_MS)
    await mirrors.noteCopying(db, row.id, { objects: count, bytes: size, until })
  }
  async function put(object: PackedObject): Promise<void> {
    batch.push(object)
    bytes += object.stored.length
    if (bytes >= PACK_BYTES) await flush()
  }
  async function* atWork(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let since = 0
    for await (const piece of pieces) {
      signal.throwIfAborted()
      since += piece.length
      if (since >= SAY_EACH_BYTES) {
        await brought(0, since)
        since = 0
      }
      yield piece
    }
    await brought(1, since)
  }
  async function take(incoming: Incoming, hash: ContentHash): Promise<true> {
    if (isGreat(incoming)) {
      const body = atWork(verified(incoming, hash))
      await storeGreat(context, clock.now(), row, { hash, length: incoming.length, body })
    } else await put({ hash, stored: await verifiedBytes(incoming, hash) })
    return true
  }
  return {
    flush,
    put,
    async bring(objects) {
      for (let at = 0; at < objects.length; at += LOOKED_UP) {
        const part = new Map(objects.slice(at, at + LOOKED_UP).map((one) => [one.hash.hex, one]))
        const [now, digests] = [clock.now(), Buffer.from([...part.keys()].join(''), 'hex')]
        const absent = await transaction(db, (tx) => missingHashes(tx, now, row.id, digests, now))
        let next = 0
        const one = async () => {
          for (let hex = absent[next++]; hex; hex = absent[next++]) {
            signal.throwIfAborted()
            const { hash, kind } = part.get(hex)!
            const path = objectPath(hash, kind)
            const found = await originals.fetchObject(of, path, (coming) => take(coming, hash))
            if (!found) throw damaged(`Object ${textOf(hash)} is missing at the original.`)
          }
        }
        const ended = await Promise.allSettled(
          Array.from({ length: PARALLEL }, () =>
            one().catch((error) => {
              // The others end what they are at: the next attempt would bring it a second time beside them.
              next = absent.length
              throw error
            }),
          ),
        )
        for (const end of ended) if (end.status === 'rejected') throw end.reason
      }
    },
  }
}

/**
 * Brings all that the present manifest refers to: its documents and the trees of the newest revision and of all tags.
 * What is here already stays; what nothing refers to any more goes, as after a collection.
 */
async function copyWhole(context: Context, row: store.RepositoryRow, signal: AbortSignal): Promise<void> {
  const { db, clock, graceSeconds } = context
  const before = new Date(clock.now().getTime() - graceSeconds * 1000)
  const manifest = readManifest(row.manifest!)
  const work = bringing(context, row, signal)
  const reflog = await reflogOf(context, row)
  if (reflog) await work.put({ hash: manifest.reflog!, stored: reflog })
  for (const kind of ['certificate', 'history', 'metainfo'] as const) {
    const hash = manifest[kind]
    if (hash) await work.bring([{ hash, kind }])
  }
  const seen = new Set<string>()
  async function bringTree(root: ContentHash): Promise<void> {
    const open = [root]
    for (let hash = open.pop(); hash; hash = open.pop()) {
      if (seen.has(textOf(hash))) continue
      seen.add(textOf(hash))
      signal.throwIfAborted()
      await work.bring([{ hash, kind: 'catalog' }])
      await work.flush()
      const stored = await context.stored(row, hash, 'catalog')
      const { nested, objects } = await context.references(stored, hash)
      open.push(...nested)
      await work.bring(objects)
    }
  }
  await bringTree(manifest.root)
  for (const tag of await (await openMirror(context, row)).tags()) {
    // The original may have given up the tree of an old tag.
    if (await exists(context, row, tag.root)) await bringTree(tag.root)
  }
  await work.flush()
  await transaction(db, async (tx) => {
    const now = clock.now()
    await store.lockRepository(tx, row.id)
    await mirrors.noteCopied(tx, now, row.id, { manifest: row.manifest!, revision: row.revision })
    // All that is referred to was noted as wanted on the way.
    await deleteUnwanted(tx, row.id, before)
    await dropEmptyPacks(tx, now, row.id)
    const payload = { revision: Number(row.revision) }
    await publish(tx, now, [{ vo: row.vo, kind: 'software.copied', subject: row.name, payload }])
  })
  await compact(context, row)
}

async function exists(context: Context, row: store.RepositoryRow, root: ContentHash): Promise<boolean> {
  try {
    await context.stored(row, root, 'catalog')
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'software_damaged') return false
    throw error
  }
}

/** Keeps complete copies complete. */
export function copyWorker(context: Context): Worker {
  const { db, clock, log } = context
  return {
    name: 'software-copies',
    wakeOn: ['software'],
    async tick(now, signal) {
      const claimed = await mirrors.claimCopy(db, now, new Date(now.getTime() + LEASE_MS))
      if (!claimed) return { changed: 0, nextWake: null }
      const { repositoryId, name } = claimed
      try {
        await copyWhole(context, await context.repository(name), signal)
        log.info({ repository: name }, 'a mirror is complete')
      } catch (error) {
        const again = new Date(clock.now().getTime() + (signal.aborted ? 0 : AGAIN_MS))
        const failure = signal.aborted ? 'The server was stopped.' : (error as Error).message.slice(0, 1000)
        await mirrors.noteNotCopied(db, repositoryId, { failure, again })
        if (!signal.aborted) log.warn({ err: error, repository: name }, 'a mirror was not copied')
      }
      return { changed: 1, nextWake: null }
    },
  }
}
