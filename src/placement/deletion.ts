import { deletableCopies } from '../catalog/index.ts'
import { GridError, transaction } from '../kernel/index.ts'
import * as store from './deletion.store.ts'
import {
  type DeletionDeps,
  type DeletionOrder,
  intendLocked,
  keepTrashed,
  LEASE_MS,
  lockCandidates,
  lookAtSurvivors,
  purgeTrashed,
  survivorsAreGood,
  trashCopy,
  undoTrashed,
} from './deletion-steps.ts'

const BATCH = 100
const TRY_AGAIN_MS = 30_000

/** Decides at every storage which copies with a passed tombstone go. Returns the number of intents. */
export async function intendDeletions(deps: DeletionDeps, now: Date): Promise<number> {
  let intended = 0
  for (const at of await store.rsesWithTombstones(deps.db, now)) intended += await intendAt(deps, now, at)
  return intended
}

/** The decision for one storage: survivors are looked at, then one transaction holds the locks of the files. */
export async function intendAt(
  deps: DeletionDeps,
  now: Date,
  { vo, rseId }: { vo: string; rseId: number },
): Promise<number> {
  const due = await deletableCopies(deps.db, { rseId, now, limit: BATCH })
  if (due.length === 0) return 0
  await lookAtSurvivors(deps, now, { vo, rseId }, due)
  return transaction(deps.db, async (tx) => intendLocked(tx, deps, now, vo, await lockCandidates(tx, due)))
}

/** Carries out due intents: to the trash, survivors looked at once more, purged after the grace. */
export async function executeDeletions(deps: DeletionDeps, now: Date): Promise<number> {
  return eachClaimed(deps, now, async (order) => {
    if (order.intent.state === 'trashed') return purgeTrashed(deps, now, order)
    await trashCopy(deps, order)
    if (await survivorsAreGood(deps, now, order)) await keepTrashed(deps, order)
    else await undoTrashed(deps, now, order)
  })
}

/** Claims due intents and works on each under a lease; what fails is tried again later. Returns how many there were. */
export async function eachClaimed(
  deps: DeletionDeps,
  now: Date,
  work: (order: DeletionOrder) => Promise<void>,
): Promise<number> {
  const { db, owner, clock, rses, log } = deps
  const leaseUntil = new Date(now.getTime() + LEASE_MS)
  const intents = await store.claimIntents(db, { now, owner, leaseUntil, limit: 20 })
  const fileIds = intents.map((intent) => intent.fileId)
  const facts = new Map((await store.copyFacts(db, fileIds)).map((file) => [file.fileId, file]))
  for (const intent of intents) {
    try {
      const until = new Date(clock.now().getTime() + LEASE_MS)
      if (!(await store.renewClaim(db, intent.id, intent.attempts, until))) continue
      const rse = await rses.byId(intent.vo, intent.rseId)
      if (!rse) throw new Error(`RSE ${intent.rseId} is not known any more`)
      await work({ intent, rse, file: facts.get(intent.fileId)! })
    } catch (error) {
      const message = error instanceof GridError ? error.message : String(error)
      log.warn({ err: error, deletion: intent.id }, 'deletion postponed')
      const again = new Date(now.getTime() + TRY_AGAIN_MS)
      await store.postpone(db, intent.id, intent.attempts, again, { message })
    }
  }
  return intents.length
}
