import type { Rse } from '../catalog/index.ts'
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
  wantedAgain,
} from './deletion-steps.ts'
import { bytesToFree, enoughFor } from './free-space.ts'

const BATCH = 100
const TRY_AGAIN_MS = 30_000

/** Decides at every storage which copies with a passed tombstone go. Returns how many copies it decided about. */
export async function intendDeletions(deps: DeletionDeps, now: Date): Promise<number> {
  let decided = 0
  for (const { vo, rseId } of await store.rsesWithTombstones(deps.db, now)) {
    const rse = await deps.rses.byId(vo, rseId)
    if (!rse) continue
    const { intended, refused } = await intendAt(deps, now, rse)
    decided += intended + refused
  }
  return decided
}

/**
 * The decision for one storage: as many copies, least recently used first, as space is needed, and those given up at
 * once. Survivors are looked at first; then one transaction holds the locks of the files.
 */
export async function intendAt(
  deps: DeletionDeps,
  now: Date,
  rse: Rse,
): Promise<{ intended: number; refused: number }> {
  const none = { intended: 0, refused: 0 }
  const due = await store.candidates(deps.db, { rseId: rse.id, now, limit: BATCH })
  const wanted = enoughFor(due, await bytesToFree(deps.db, rse))
  if (wanted.length === 0) return none
  await lookAtSurvivors(deps, now, rse, wanted)
  return transaction(deps.db, async (tx) => {
    // Somebody else at this storage chose the same copies; who has their files' locks first takes them.
    const still = enoughFor(wanted, await bytesToFree(tx, rse))
    return intendLocked(tx, deps, now, rse.vo, await lockCandidates(tx, still))
  })
}

/**
 * Carries out due intents: to the trash, survivors looked at once more, purged after the grace. A copy that a rule
 * wants by now comes back.
 */
export async function executeDeletions(deps: DeletionDeps, now: Date): Promise<number> {
  return eachClaimed(deps, now, async (order) => {
    if (await wantedAgain(deps, order)) return undoTrashed(deps, now, order, 'a rule wants it again')
    if (order.intent.state === 'trashed') return purgeTrashed(deps, now, order)
    await trashCopy(deps, order)
    if (await survivorsAreGood(deps, now, order)) await keepTrashed(deps, order)
    else await undoTrashed(deps, now, order, 'the copies at other sites are not as good as it seemed')
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
  const facts = await store.copyFacts(db, intents)
  const fileOf = ({ fileId, rseId }: store.Intent) =>
    facts.find((copy) => copy.fileId === fileId && copy.rseId === rseId)!
  for (const intent of intents) {
    try {
      const until = new Date(clock.now().getTime() + LEASE_MS)
      if (!(await store.renewClaim(db, intent.id, intent.attempts, until))) continue
      const rse = await rses.byId(intent.vo, intent.rseId)
      if (!rse) throw new Error(`RSE ${intent.rseId} is not known any more`)
      await work({ intent, rse, file: fileOf(intent) })
    } catch (error) {
      const message = error instanceof GridError ? error.message : String(error)
      log.warn({ err: error, deletion: intent.id }, 'deletion postponed')
      const again = new Date(now.getTime() + TRY_AGAIN_MS)
      await store.postpone(db, intent.id, intent.attempts, again, { message })
    }
  }
  return intents.length
}
