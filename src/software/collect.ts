import { randomUUID } from 'node:crypto'
import { type Db, type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Worker } from '../kernel/workers.ts'
import type { Context } from './context.ts'
import { openCatalog } from './format/catalog.ts'
import { damaged } from './format/errors.ts'
import { hashFromText, hashOf, textOf } from './format/hash.ts'
import { readManifest } from './format/manifest.ts'
import { storedForm } from './format/objects.ts'
import { readPackList, writePack } from './format/pack.ts'
import * as objects from './object.store.ts'
import { catalogBytes, oneChunk, packPath, wholePack } from './objects.ts'
import * as proposals from './proposal.store.ts'
import { changesPath, DECIDING_MS } from './propose.ts'
import { expirePublications, openPublications } from './publication.store.ts'
import * as store from './repository.store.ts'
import { signAgain } from './revisions.ts'

export interface CollectionPlan {
  /** Revisions whose trees go. */
  readonly revisions: readonly bigint[]
  readonly kept: readonly bigint[]
  readonly objects: bigint
  readonly bytes: bigint
}

/** Of a pack, less than this share is used: what is used moves to another. */
const SPARSE = 0.5
const PACKS_AT_ONCE = 16

/**
 * Which revisions stay: the newest `keep`, all that a tag names, and those that clients may still have open because they
 * were the newest until a while ago. Pure. `revisions` are in their order.
 */
export function chooseKept(
  revisions: readonly { readonly revision: bigint; readonly at: Date }[],
  tagged: ReadonlySet<bigint>,
  { keep, since }: { keep: number; since: Date },
): { kept: bigint[]; dropped: bigint[] } {
  const [kept, dropped]: [bigint[], bigint[]] = [[], []]
  for (const [i, { revision }] of revisions.entries()) {
    const successor = revisions[i + 1]
    const newest = i >= revisions.length - Math.max(1, keep)
    const recent = successor !== undefined && successor.at > since
    if (newest || recent || tagged.has(revision)) kept.push(revision)
    else dropped.push(revision)
  }
  return { kept, dropped }
}

/** What a collection would do. */
export async function planCollection(
  context: Context,
  repository: store.RepositoryRow,
  keep: number,
): Promise<CollectionPlan> {
  const { kept, dropped } = await choose(context, repository.id, keep)
  const before = await safeBefore(context, repository.id)
  const trees = [...kept, ...(await proposedTrees(context, repository))]
  const unused = await transaction(context.db, async (tx) => {
    await noteInUse(context, tx, repository, trees)
    await objects.noteInUse(tx, documentsOf(repository))
    return objects.unusedObjects(tx, repository.id, before)
  })
  return { revisions: dropped, kept: kept.map(({ revision }) => revision), ...unused }
}

async function choose(context: Context, id: number, keep: number) {
  const all = await store.keptRevisions(context.db, id)
  const tagged = await named(context.db, id)
  const since = new Date(context.clock.now().getTime() - context.graceSeconds * 1000)
  const chosen = chooseKept(all, tagged, { keep, since })
  return { kept: all.filter(({ revision }) => chosen.kept.includes(revision)), dropped: chosen.dropped }
}

/** Revisions that have a tag, or that a proposal is about. */
async function named(db: Db, id: number): Promise<Set<bigint>> {
  const proposed = (await proposals.proposed(db, id)).flatMap(({ ofRevision }) => ofRevision ?? [])
  return new Set([...(await store.tagsOf(db, id)).map((tag) => tag.revision), ...proposed])
}

/** Trees that wait for somebody who approves them; whoever asks knew before which publications were open. */
const proposedTrees = async ({ db }: Context, { id }: store.RepositoryRow): Promise<{ rootHash: string }[]> =>
  (await proposals.proposed(db, id)).flatMap(({ rootHash }) => (rootHash === null ? [] : { rootHash }))

/** Objects on which somebody counted since then stay: of those who publish now, and of clients with an older manifest. */
async function safeBefore({ db, clock, graceSeconds }: Context, id: number): Promise<Date> {
  const now = clock.now()
  await expirePublications(db, now)
  const [oldest] = await openPublications(db, id)
  const deciding = await proposals.decidingSince(db, id, new Date(now.getTime() - DECIDING_MS))
  const grace = new Date(now.getTime() - graceSeconds * 1000)
  return [oldest?.openedAt, deciding].reduce<Date>((first, at) => (at && at < first ? at : first), grace)
}

/**
 * Gives up the trees of revisions that are neither among the newest nor tagged, and the objects only they used.
 * Publishing goes on meanwhile: an object that a publication counts on is noted as wanted, and stays.
 */
export async function collect(
  context: Context,
  repository: store.RepositoryRow,
  input: { keep: number; account: string },
): Promise<CollectionPlan> {
  const { db, audit, clock } = context
  const { id, vo, name } = repository
  const { dropped } = await choose(context, id, input.keep)
  if (dropped.length > 0)
    await signAgain(context, repository, async (tx, now, locked) => {
      const tagged = await named(tx, locked.id)
      const still = dropped.filter((revision) => revision !== locked.revision && !tagged.has(revision))
      await store.dropRevisions(tx, now, locked.id, still)
    })
  // The trees are read without a lock; what was published since then is wanted since then, and stays by that.
  const before = await safeBefore(context, id)
  const kept = await store.keptRevisions(db, id)
  const trees = [...kept, ...(await proposedTrees(context, repository))]
  const unused = await transaction(db, async (tx) => {
    await noteInUse(context, tx, repository, trees)
    const now = clock.now()
    const locked = (await store.lockRepository(tx, id))!
    // A rollback or a tag may have come meanwhile; both only refer to what is kept.
    await objects.noteInUse(tx, documentsOf(locked))
    const gone = await objects.deleteUnused(tx, id, before)
    await objects.dropEmptyPacks(tx, now, id)
    const detail = {
      keep: input.keep,
      revisions: dropped.map(Number),
      objects: Number(gone.objects),
      bytes: Number(gone.bytes),
    }
    await publish(tx, now, [{ vo, kind: 'software.collected', subject: name, payload: detail }])
    await audit(tx, { vo, actor: input.account, action: 'software.collected', target: name, detail })
    return gone
  })
  await compact(context, repository)
  return { revisions: dropped, kept: kept.map(({ revision }) => revision), ...unused }
}

/** Notes every object that trees refer to; each catalogue is read once. */
async function noteInUse(
  context: Context,
  tx: Tx,
  repository: store.RepositoryRow,
  trees: readonly { readonly rootHash: string }[],
): Promise<void> {
  await objects.beginInUse(tx)
  const emptyFile = storedForm(Buffer.alloc(0), repository.algorithm).hash
  await objects.noteInUse(tx, Buffer.from(emptyFile.hex, 'hex'))
  const seen = new Set<string>()
  const open = trees.map(({ rootHash }) => rootHash)
  for (let text = open.pop(); text; text = open.pop()) {
    if (seen.has(text)) continue
    seen.add(text)
    const hash = hashFromText(text)
    const catalog = openCatalog(await catalogBytes({ ...context, db: tx }, repository, hash))
    try {
      for (const nested of catalog.nested()) open.push(textOf(nested.hash))
      const found = new Set([hash.hex, ...catalog.references()])
      await objects.noteInUse(tx, Buffer.from([...found].join(''), 'hex'))
    } finally {
      catalog.close()
    }
  }
  await objects.endInUse(tx)
}

/** The hashes of the objects that the manifest itself names. */
function documentsOf(repository: store.RepositoryRow): Buffer {
  if (!repository.manifest) return Buffer.alloc(0)
  const { root, certificate, history, metainfo, reflog } = readManifest(repository.manifest)
  const named = [root, certificate, history, metainfo, reflog].map((hash) => hash?.hex ?? '')
  return Buffer.from(named.join(''), 'hex')
}

/** Moves what is still used out of packs that are mostly unused. */
export async function compact(context: Context, repository: store.RepositoryRow): Promise<void> {
  const { db, storage, clock } = context
  const { id, name } = repository
  for (;;) {
    const sparse = await objects.sparsePacks(db, id, SPARSE, PACKS_AT_ONCE)
    if (sparse.length === 0) return
    for (const pack of sparse) {
      const bytes = await wholePack(context, name, pack.id)
      // Repositories of others may name their objects by more than one algorithm.
      const names = new Map(readPackList(bytes).map(({ hash }) => [hash.hex, hash]))
      const live = pack.objects.map((object) => {
        const stored = bytes.subarray(object.start, object.start + object.length)
        const hash = names.get(object.hex) ?? { algorithm: repository.algorithm, hex: object.hex }
        if (hashOf(stored, hash.algorithm).hex !== object.hex)
          throw damaged(`Object ${object.hex} of ${name} was damaged in its pack ${pack.id}.`)
        return { hash, stored, plain: object.plain ?? undefined }
      })
      const made = writePack(live)
      const to = randomUUID()
      await storage.write(packPath(name, to), oneChunk(made), { overwrite: false, size: made.length })
      await transaction(db, async (tx) => {
        const now = clock.now()
        await store.lockRepository(tx, id)
        await objects.insertPack(tx, now, {
          id: to,
          repositoryId: id,
          bytes: live.reduce((sum, { stored }) => sum + stored.length, 0),
        })
        const places = readPackList(made).map(({ hash, start, length }) => ({ hex: hash.hex, start, length }))
        await objects.moveObjects(tx, id, pack.id, to, places)
        await objects.dropEmptyPacks(tx, now, id)
      })
    }
  }
}

/** A reader may just have looked up where an object is. */
const READERS_MS = 60_000
const SWEEP_MS = 3_600_000

/** Removes the changes of proposals that wait no more. */
async function sweepChanges({ db, storage }: Context, repository: string, before: Date): Promise<void> {
  const top = [repository, 'proposals']
  if (!(await storage.stat(top))) return
  const old = (await storage.list(top)).filter(({ modified }) => modified < before)
  const needed = await proposals.unfinished(
    db,
    old.map(({ name }) => name),
  )
  for (const { name } of old) if (!needed.includes(name)) await storage.remove(changesPath(repository, name))
}

/** Removes the files of packs that are used no more, and files that a crash left without a row. */
export function packWorker(context: Context): Worker {
  const { db, storage, log } = context
  let sweptAt = new Date(0)
  async function sweep(now: Date): Promise<void> {
    const before = new Date(now.getTime() - SWEEP_MS)
    for (const repository of await storage.list([])) {
      const top = [repository.name, 'packs']
      if (repository.directory) await sweepChanges(context, repository.name, before)
      if (!repository.directory || !(await storage.stat(top))) continue
      for (const directory of await storage.list(top)) {
        const files = (await storage.list([...top, directory.name])).filter(
          ({ modified }) => modified < before,
        )
        const ids = files.map(({ name }) => name).filter((name) => /^[0-9a-f-]{36}$/.test(name))
        for (const id of await objects.unknownPacks(db, ids)) {
          await storage.remove(packPath(repository.name, id))
          log.info({ repository: repository.name, pack: id }, 'a pack that a crash left was removed')
        }
      }
    }
  }
  return {
    name: 'software-packs',
    wakeOn: [],
    async tick(now) {
      const dropped = await objects.droppedPacks(db, new Date(now.getTime() - READERS_MS), 100)
      for (const { id, repository } of dropped)
        if (await storage.stat(packPath(repository, id))) await storage.remove(packPath(repository, id))
      const changed = await objects.deletePacks(
        db,
        dropped.map(({ id }) => id),
      )
      if (now.getTime() - sweptAt.getTime() > SWEEP_MS) {
        await sweep(now)
        sweptAt = now
      }
      return { changed, nextWake: null }
    },
  }
}
