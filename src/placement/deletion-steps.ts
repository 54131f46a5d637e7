import {
  availableCopies,
  changeReplicaStates,
  countCopies,
  lockFiles,
  markVerified,
  type ReplicaKey,
  type Rse,
  type RseTable,
  readReplicas,
  removeReplicas,
  setTombstones,
} from '../catalog/index.ts'
import { type Clock, type Db, type Ids, type Logger, publish, type Tx, transaction } from '../kernel/index.ts'
import * as store from './deletion.store.ts'
import { protectedCopies } from './gap.store.ts'

/** A file as one storage has it. */
export interface FileAt {
  readonly scope: string
  readonly name: string
  /** Only where the path cannot be computed from the name. */
  readonly path: string | null
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
  /**
   * Whether a copy is there with the right size and checksum: `kept` as its storage wrote it down, `anew` made of the
   * bytes as they are now.
   */
  verify(rse: Rse, file: FileAt, checksum: 'kept' | 'anew'): Promise<boolean>
}

export interface DeletionDeps {
  readonly db: Db
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly rses: RseTable
  readonly copies: CopyStore
  readonly owner: string
  /** Good copies, each at a site of its own, that must remain in a VO; at least 1. */
  readonly floor: (vo: string) => number
  /** A copy is good when it is AVAILABLE and was verified within this time. */
  readonly verifiedWithinSeconds: number
  readonly graceSeconds: number
}

/** An intent that is ours, with what it is about. */
export interface DeletionOrder {
  readonly intent: store.Intent
  readonly rse: Rse
  readonly file: store.CopyFacts
}

/** Longer than a storage may take to answer for one large file. */
export const LEASE_MS = 600_000
const LOOKS_AT_ONCE = 8
const DELETABLE = ['AVAILABLE', 'UNAVAILABLE', 'BAD', 'SUSPICIOUS', 'TEMPORARY_UNAVAILABLE'] as const
/** Until a copy that had to stay is looked at again: transfers end soon, survivors have to be made first. */
const BUSY_MS = 300_000
const TOO_FEW_MS = 3_600_000

const verifiedSince = ({ verifiedWithinSeconds }: DeletionDeps, now: Date): Date =>
  new Date(now.getTime() - verifiedWithinSeconds * 1000)

/**
 * Before the decision, and in no transaction because it may take long: survivors that nobody verified lately are read
 * again, as far as the floor needs them. One that fails is suspicious; one whose storage does not answer does not count.
 */
export async function lookAtSurvivors(
  deps: DeletionDeps,
  now: Date,
  { vo, id: rseId }: Rse,
  due: readonly store.Candidate[],
): Promise<void> {
  const { db, copies, rses, log } = deps
  const stale = await store.staleSurvivors(db, {
    fileIds: due.map((copy) => copy.fileId),
    ...{ exceptRseId: rseId, floor: deps.floor(vo), verifiedSince: verifiedSince(deps, now) },
  })
  const [good, bad]: [ReplicaKey[], ReplicaKey[]] = [[], []]
  const silent = new Set<number>()
  const queue = stale.values()
  const look = async (): Promise<void> => {
    for (const copy of queue) {
      const rse = await rses.byId(vo, copy.rseId)
      if (!rse || silent.has(copy.rseId)) continue
      try {
        const found = (await copies.verify(rse, copy, 'anew')) ? good : bad
        found.push({ fileId: copy.fileId, rseId: copy.rseId })
      } catch (error) {
        silent.add(copy.rseId)
        log.debug({ err: error, rse: rse.name }, 'copies cannot be looked at')
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(LOOKS_AT_ONCE, stale.length) }, look))
  if (good.length > 0) await markVerified(db, { now, replicas: good })
  await suspect(db, now, vo, bad)
}

async function suspect(db: Db, now: Date, vo: string, replicas: readonly ReplicaKey[]): Promise<void> {
  if (replicas.length === 0) return
  await changeReplicaStates(db, { vo, now, replicas, from: ['AVAILABLE'], to: 'SUSPICIOUS' })
}

/** First step: the files' locks. Files that somebody else holds are left for the next time. */
export async function lockCandidates(tx: Tx, due: readonly store.Candidate[]): Promise<store.Candidate[]> {
  const fileIds = due.map((copy) => copy.fileId)
  const locked = new Set(await lockFiles(tx, fileIds, { skipLocked: true }))
  return due.filter((copy) => locked.has(copy.fileId))
}

/**
 * Second step, for copies at one storage whose files the caller has locked: a copy goes when no rule wants it, nobody
 * reads it, and enough good copies lie elsewhere; otherwise it is refused for a while.
 */
export async function intendLocked(
  tx: Tx,
  deps: DeletionDeps,
  now: Date,
  vo: string,
  copies: readonly store.Candidate[],
): Promise<{ intended: number; refused: number }> {
  const held = await protectedCopies(tx, copies)
  // A copy that a rule wants again is no candidate any more; its tombstone was only not cleared yet.
  if (held.length > 0) await setTombstones(tx, { replicas: held, tombstone: null })
  const kept = new Set(held.map((copy) => copy.fileId))
  const read = new Set((await store.copiesBeingRead(tx, copies)).map((copy) => copy.fileId))
  const free = copies.filter((copy) => !kept.has(copy.fileId) && !read.has(copy.fileId))
  const safe = await withSurvivors(tx, deps, now, vo, free)
  const refusal =
    (reason: string, waitMs: number) =>
    ({ fileId, rseId }: store.Candidate) => ({
      ...{ fileId, rseId, reason },
      againAt: new Date(now.getTime() + waitMs),
    })
  const going = new Set(safe.map((copy) => copy.fileId))
  const few = `fewer than ${deps.floor(vo)} good copies at other sites would remain`
  const refused = [
    ...copies.filter((copy) => read.has(copy.fileId)).map(refusal('a transfer reads it', BUSY_MS)),
    ...free.filter((copy) => !going.has(copy.fileId)).map(refusal(few, TOO_FEW_MS)),
  ]
  await store.refuse(tx, now, refused)
  const before = await readReplicas(tx, safe)
  const change = { vo, now, replicas: safe, from: DELETABLE, to: 'BEING_DELETED' } as const
  const marked = await changeReplicaStates(tx, change)
  const bytes = new Map(safe.map((copy) => [copy.fileId, copy.bytes]))
  const states = new Map(before.map((copy) => [copy.fileId, copy.state]))
  await store.insertIntents(tx, {
    now,
    purgeAfter: new Date(now.getTime() + deps.graceSeconds * 1000),
    intents: marked.map(({ fileId, rseId }) => ({
      ...{ id: deps.ids.uuid(), vo, fileId, rseId },
      ...{ bytes: bytes.get(fileId)!, wasState: states.get(fileId)! },
    })),
  })
  return { intended: marked.length, refused: refused.length }
}

async function withSurvivors(
  tx: Tx,
  deps: DeletionDeps,
  now: Date,
  vo: string,
  copies: readonly store.Candidate[],
): Promise<store.Candidate[]> {
  const fileIds = copies.map((copy) => copy.fileId)
  const exceptRseIds = [...new Set(copies.map((copy) => copy.rseId))]
  const good = { readableOnly: true, verifiedSince: verifiedSince(deps, now) }
  const counts = await countCopies(tx, { fileIds, exceptRseIds, ...good })
  const floor = deps.floor(vo)
  const enough = new Set(counts.filter((count) => count.failureDomains >= floor).map((count) => count.fileId))
  const abandoned = new Set((await store.abandonedFiles(tx, fileIds)).map(({ id }) => id))
  return copies.filter((copy) => enough.has(copy.fileId) || abandoned.has(copy.fileId))
}

/** Before anything is done at a storage: whether a rule came after the decision. */
export async function wantedAgain({ db }: DeletionDeps, { intent }: DeletionOrder): Promise<boolean> {
  return (await protectedCopies(db, [intent])).length > 0
}

/** Third step: the copy is renamed into the trash. */
export async function trashCopy(
  { copies }: DeletionDeps,
  { intent, rse, file }: DeletionOrder,
): Promise<void> {
  await copies.trash(rse, file, intent.id)
}

/** Fourth step: with just enough survivors each is asked for again; one that fails is suspicious and does not count. */
export async function survivorsAreGood(
  deps: DeletionDeps,
  now: Date,
  { intent, file }: DeletionOrder,
): Promise<boolean> {
  const { db, copies, rses } = deps
  const { vo, fileId, rseId } = intent
  if ((await store.abandonedFiles(db, [fileId])).length > 0) return true
  const good = { fileIds: [fileId], exceptRseIds: [rseId], readableOnly: true }
  const domains = async (): Promise<number> =>
    (await countCopies(db, { ...good, verifiedSince: verifiedSince(deps, now) }))[0]!.failureDomains
  const floor = deps.floor(vo)
  if ((await domains()) > floor) return true
  const bad: ReplicaKey[] = []
  for (const copy of await availableCopies(db, [fileId])) {
    if (copy.rseId === rseId) continue
    const rse = await rses.byId(vo, copy.rseId)
    if (!rse || !(await copies.verify(rse, { ...file, path: copy.path }, 'kept')))
      bad.push({ fileId, rseId: copy.rseId })
  }
  await suspect(db, now, vo, bad)
  return (await domains()) >= floor
}

/** Fifth step, either: the copy stays in the trash until the grace is over. */
export async function keepTrashed({ db }: DeletionDeps, { intent }: DeletionOrder): Promise<void> {
  await store.markTrashed(db, intent.id, intent.attempts)
}

/** Fifth step, or: the copy comes back as it was. */
export async function undoTrashed(
  deps: DeletionDeps,
  now: Date,
  { intent, rse, file }: DeletionOrder,
  reason: string,
): Promise<void> {
  const { db, copies, clock } = deps
  const until = new Date(clock.now().getTime() + LEASE_MS)
  if (!(await store.renewClaim(db, intent.id, intent.attempts, until))) return
  await copies.restore(rse, file, intent.id)
  await transaction(db, async (tx) => {
    await lockFiles(tx, [intent.fileId])
    if (!(await store.removeIntent(tx, intent.id, intent.attempts))) return
    const key = { fileId: intent.fileId, rseId: intent.rseId }
    const back = { vo: intent.vo, now, replicas: [key] }
    await changeReplicaStates(tx, { ...back, from: ['BEING_DELETED'], to: intent.wasState })
    await store.refuse(tx, now, [{ ...key, reason, againAt: new Date(now.getTime() + TOO_FEW_MS) }])
    const payload = { rse: rse.name, reason }
    await publish(tx, now, [
      { vo: intent.vo, kind: 'deletion.undone', subject: `${file.scope}:${file.name}`, payload },
    ])
  })
}

/** Last step, after the grace: the bytes go, and then the row. */
export async function purgeTrashed(
  deps: DeletionDeps,
  now: Date,
  { intent, rse }: DeletionOrder,
): Promise<void> {
  await deps.copies.purge(rse, intent.id)
  await transaction(deps.db, async (tx) => {
    await lockFiles(tx, [intent.fileId])
    if (!(await store.removeIntent(tx, intent.id, intent.attempts))) return
    const replicas = [{ fileId: intent.fileId, rseId: intent.rseId }]
    await removeReplicas(tx, { vo: intent.vo, now, replicas })
    await store.noteFreed(tx, now, intent.rseId, intent.bytes)
    const payload = { rse: rse.name, bytes: String(intent.bytes) }
    await publish(tx, now, [
      { vo: intent.vo, kind: 'deletion.done', subject: String(intent.fileId), payload },
    ])
  })
}
