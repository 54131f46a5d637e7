import {
  availableCopies,
  changeReplicaStates,
  countCopies,
  deletableCopies,
  lockFiles,
  type ReplicaKey,
  type Rse,
  type RseTable,
  readReplicas,
  removeReplicas,
  setTombstones,
} from '../catalog/index.ts'
import {
  type Clock,
  type Db,
  GridError,
  type Ids,
  type Logger,
  publish,
  type Tx,
  transaction,
} from '../kernel/index.ts'
import * as store from './deletion.store.ts'
import { protectedCopies } from './gap.store.ts'

export interface FileAt {
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly adler32: number | null
}

/** What deletion asks of a storage. Every call may be repeated and then has the same effect. */
export interface CopyStore {
  /** Renames a copy into the trash; a copy that is in neither place is gone and no error. */
  trash(rse: Rse, file: FileAt, id: string): Promise<void>
  /** Undoes `trash`. */
  restore(rse: Rse, file: FileAt, id: string): Promise<void>
  purge(rse: Rse, id: string): Promise<void>
  /** Whether a copy is there with the right size and checksum. */
  verify(rse: Rse, file: FileAt): Promise<boolean>
}

export interface DeletionDeps {
  readonly db: Db
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly rses: RseTable
  readonly copies: CopyStore
  readonly owner: string
  /** Verified copies at other sites that must remain; at least 1. */
  readonly floor: number
  readonly graceSeconds: number
  /** How files are kept from two deleters at once; only the test that proves its need gives another. */
  readonly lock?: (tx: Tx, fileIds: readonly bigint[]) => Promise<readonly bigint[]>
  /** The second guard, after the rename; like `lock` replaced only by the test that proves its need. */
  readonly survivorsAreGood?: () => Promise<boolean>
  /** Called between the steps of the protocol, so that a test can stop or reorder them. */
  readonly step?: (name: string) => Promise<void>
}

const BATCH = 100
const DELETABLE = ['AVAILABLE', 'UNAVAILABLE', 'BAD', 'SUSPICIOUS', 'TEMPORARY_UNAVAILABLE'] as const
const LEASE_MS = 60_000
const TRY_AGAIN_MS = 30_000
const UNDONE_MS = 3_600_000

/**
 * Decides, in one transaction, which copies with a passed tombstone go: the file row is locked, the copy is not
 * protected and not being read, and enough AVAILABLE copies lie at other sites. Returns the number of intents.
 */
export async function intendDeletions(deps: DeletionDeps, now: Date): Promise<number> {
  let intended = 0
  for (const { id, vo } of await store.rsesWithTombstones(deps.db, now)) {
    const due = await deletableCopies(deps.db, { rseId: id, now, limit: BATCH })
    if (due.length > 0) intended += await intendAt(deps, now, vo, id, due)
  }
  return intended
}

/** The decision for copies at one storage; see intendDeletions. */
export async function intendAt(
  deps: DeletionDeps,
  now: Date,
  vo: string,
  rseId: number,
  due: readonly { fileId: bigint; bytes: bigint }[],
): Promise<number> {
  const { db, floor, ids, graceSeconds } = deps
  const lock = deps.lock ?? ((tx, fileIds) => lockFiles(tx, fileIds, { skipLocked: true }))
  return transaction(db, async (tx) => {
    const fileIds = due.map((copy) => copy.fileId).sort((a, b) => (a < b ? -1 : 1))
    const locked = new Set(await lock(tx, fileIds))
    await deps.step?.('locked')
    const mine = due.filter((copy) => locked.has(copy.fileId)).map((copy) => ({ ...copy, rseId }))
    const held = await protectedCopies(tx, mine)
    // A copy that a rule wants again is no candidate any more; its tombstone was only not cleared yet.
    if (held.length > 0) await setTombstones(tx, { replicas: held, tombstone: null })
    const busy = [...held, ...(await store.copiesBeingRead(tx, mine))].map((copy) => copy.fileId)
    const free = mine.filter((copy) => !busy.includes(copy.fileId))
    const safe = await withSurvivors(tx, floor, rseId, free)
    await deps.step?.('counted')
    const before = await readReplicas(tx, safe)
    const marked = await changeReplicaStates(tx, {
      vo,
      now,
      replicas: safe,
      from: DELETABLE,
      to: 'BEING_DELETED',
    })
    const bytes = new Map(safe.map((copy) => [copy.fileId, copy.bytes]))
    const states = new Map(before.map((copy) => [copy.fileId, copy.state]))
    await store.insertIntents(tx, {
      now,
      purgeAfter: new Date(now.getTime() + graceSeconds * 1000),
      intents: marked.map(({ fileId }) => ({
        ...{ id: ids.uuid(), vo, fileId, rseId },
        ...{ bytes: bytes.get(fileId)!, wasState: states.get(fileId)! },
      })),
    })
    await deps.step?.('intended')
    return marked.length
  })
}

async function withSurvivors<T extends { fileId: bigint }>(
  tx: Tx,
  floor: number,
  rseId: number,
  copies: readonly T[],
): Promise<T[]> {
  const fileIds = copies.map((copy) => copy.fileId)
  const counts = await countCopies(tx, { fileIds, exceptRseIds: [rseId], readableOnly: true })
  const enough = new Set(counts.filter((count) => count.failureDomains >= floor).map((count) => count.fileId))
  const abandoned = new Set((await store.abandonedFiles(tx, fileIds)).map(({ id }) => id))
  return copies.filter((copy) => enough.has(copy.fileId) || abandoned.has(copy.fileId))
}

/** Carries out due intents: to the trash, survivors looked at once more, purged after the grace. */
export async function executeDeletions(deps: DeletionDeps, now: Date): Promise<number> {
  const { db, owner } = deps
  const leaseUntil = new Date(now.getTime() + LEASE_MS)
  const intents = await store.claimIntents(db, { now, owner, leaseUntil, limit: 20 })
  const facts = new Map(
    (
      await store.copyFacts(
        db,
        intents.map((intent) => intent.fileId),
      )
    ).map((file) => [file.fileId, file]),
  )
  for (const intent of intents) {
    try {
      const until = new Date(deps.clock.now().getTime() + LEASE_MS)
      if (!(await store.renewClaim(db, intent.id, intent.attempts, until))) continue
      const rse = await deps.rses.byId(intent.vo, intent.rseId)
      if (!rse) throw new Error(`RSE ${intent.rseId} is not known any more`)
      if (intent.state === 'intended') await moveToTrash(deps, now, intent, rse, facts.get(intent.fileId)!)
      else await purge(deps, now, intent, rse)
    } catch (error) {
      const message = error instanceof GridError ? error.message : String(error)
      deps.log.warn({ err: error, deletion: intent.id }, 'deletion postponed')
      await store.postpone(db, intent.id, intent.attempts, new Date(now.getTime() + TRY_AGAIN_MS), {
        message,
      })
    }
  }
  return intents.length
}

async function moveToTrash(
  deps: DeletionDeps,
  now: Date,
  intent: store.Intent,
  rse: Rse,
  file: store.CopyFacts,
): Promise<void> {
  const { db, copies } = deps
  await copies.trash(rse, file, intent.id)
  await deps.step?.('trashed')
  const good = await (deps.survivorsAreGood?.() ?? survivorsAreGood(deps, now, intent, file))
  if (good) {
    await store.markTrashed(db, intent.id, intent.attempts)
    return
  }
  const until = new Date(deps.clock.now().getTime() + LEASE_MS)
  if (!(await store.renewClaim(db, intent.id, intent.attempts, until))) return
  await copies.restore(rse, file, intent.id)
  await transaction(db, async (tx) => {
    await lockFiles(tx, [intent.fileId])
    if (!(await store.removeIntent(tx, intent.id, intent.attempts))) return
    const key = [{ fileId: intent.fileId, rseId: intent.rseId }]
    // Not again at once: the survivors have to become good first.
    const tombstone = new Date(now.getTime() + UNDONE_MS)
    const back = { vo: intent.vo, now, replicas: key, tombstone }
    await changeReplicaStates(tx, { ...back, from: ['BEING_DELETED'], to: intent.wasState })
    const payload = { rse: rse.name, reason: 'survivors are not good' }
    await publish(tx, now, [
      { vo: intent.vo, kind: 'deletion.undone', subject: `${file.scope}:${file.name}`, payload },
    ])
  })
}

/** With few survivors each is read again; one that fails is suspicious and does not count. */
async function survivorsAreGood(
  deps: DeletionDeps,
  now: Date,
  intent: store.Intent,
  file: store.CopyFacts,
): Promise<boolean> {
  const { db, copies, rses, floor } = deps
  if ((await store.abandonedFiles(db, [intent.fileId])).length > 0) return true
  const others = (await availableCopies(db, [intent.fileId])).filter((copy) => copy.rseId !== intent.rseId)
  if (others.length > floor) return true
  const bad: ReplicaKey[] = []
  for (const copy of others) {
    const rse = await rses.byId(intent.vo, copy.rseId)
    if (!rse || !(await copies.verify(rse, file))) bad.push({ fileId: intent.fileId, rseId: copy.rseId })
  }
  if (bad.length > 0) {
    await changeReplicaStates(db, {
      vo: intent.vo,
      now,
      replicas: bad,
      from: ['AVAILABLE'],
      to: 'SUSPICIOUS',
    })
  }
  return others.length - bad.length >= floor
}

async function purge(deps: DeletionDeps, now: Date, intent: store.Intent, rse: Rse): Promise<void> {
  await deps.copies.purge(rse, intent.id)
  await deps.step?.('purged')
  await transaction(deps.db, async (tx) => {
    await lockFiles(tx, [intent.fileId])
    if (!(await store.removeIntent(tx, intent.id, intent.attempts))) return
    await removeReplicas(tx, {
      vo: intent.vo,
      now,
      replicas: [{ fileId: intent.fileId, rseId: intent.rseId }],
    })
    const payload = { rse: rse.name, bytes: String(intent.bytes) }
    await publish(tx, now, [
      { vo: intent.vo, kind: 'deletion.done', subject: String(intent.fileId), payload },
    ])
  })
}
