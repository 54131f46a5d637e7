import { deleteCollections, expiredCollections } from '../catalog/index.ts'
import { type Db, isGridError, type TickResult, transaction, type Worker, wake } from '../kernel/index.ts'
import { executeDeletions, intendDeletions } from './deletion.ts'
import type { DeletionDeps } from './deletion-steps.ts'
import { evaluateRule, settleStates, suspendHopeless } from './evaluate.ts'
import { contentFollower } from './follow-content.ts'
import * as gaps from './gap.store.ts'
import * as placements from './placement.store.ts'
import * as queue from './queue.store.ts'
import { releaseCopies } from './release.ts'
import * as ruleStore from './rule.store.ts'
import type { RuleDeps } from './rules.ts'
import type { CopyWish } from './types.ts'

export interface PlacementDeps extends RuleDeps, DeletionDeps {
  readonly vos: () => Promise<readonly string[]>
  readonly requestTransfers: (
    tx: Db,
    input: { vo: string; now: Date; wishes: readonly CopyWish[] },
  ) => Promise<unknown>
}

const GAPS_AT_ONCE = 500
const GAPS_LOOKED_AT = 5_000
const SWEEP_MS = 2_000
const PLACE_AGAIN_MS = 600_000

/** The loops of placement; each tick does a bounded piece of work. */
export function placementWorkers(deps: PlacementDeps): Worker[] {
  const { db } = deps
  const follow = contentFollower(db)
  const worker = (name: string, wakeOn: string[], tick: (now: Date) => Promise<number>): Worker => ({
    name: `placement-${name}`,
    wakeOn,
    async tick(now): Promise<TickResult> {
      const changed = await tick(now)
      return { changed, nextWake: new Date(now.getTime() + SWEEP_MS) }
    },
  })
  return [
    worker('content', ['catalog'], follow),
    worker('evaluate', ['placement'], (now) => evaluateNext(deps, now)),
    worker('gaps', ['placement', 'rule', 'catalog'], followGaps(deps)),
    worker('expiry', [], (now) => endExpired(deps, now)),
    worker('release', ['placement'], (now) => releaseCopies(db, deps, now)),
    worker('delete', [], (now) => intendDeletions(deps, now)),
    worker('trash', ['placement'], (now) => executeDeletions(deps, now)),
  ]
}

async function evaluateNext(deps: PlacementDeps, now: Date): Promise<number> {
  let taken: string | undefined
  try {
    return await transaction(deps.db, async (tx) => {
      taken = (await queue.takeQueuedRule(tx, now))?.id
      if (!taken) return 0
      const [rule] = await placements.lockRules(tx, [taken])
      if (rule) await evaluateRule(tx, deps, now, rule)
      // New gaps of a rule whose state stays the same would wake nobody.
      await wake(tx, 'placement')
      return 1
    })
  } catch (error) {
    if (!taken || !isGridError(error) || error.kind === 'transient') throw error
    await noteUnplaceable(deps.db, now, taken, error.message)
    return 1
  }
}

/** A rule that cannot be placed as things are is stuck and says why; the others behind it get their turn. */
async function noteUnplaceable(db: Db, now: Date, id: string, message: string): Promise<void> {
  await transaction(db, async (tx) => {
    await placements.lockRules(tx, [id])
    await placements.setPlacementError(tx, id, message)
    await queue.queueRuleAgain(tx, id, new Date(now.getTime() + PLACE_AGAIN_MS))
    await settleStates(tx, now, [id])
  })
}

/**
 * Closes gaps that are filled and turns due ones into transfers. Each tick looks at some of the gaps only and the next
 * one at those after them: a rule may wait for a hundred thousand files.
 */
function followGaps(deps: PlacementDeps): (now: Date) => Promise<number> {
  let place: gaps.GapKey | undefined
  return (now) =>
    transaction(deps.db, async (tx) => {
      const filled = await gaps.closeFilledGaps(tx, place, GAPS_LOOKED_AT)
      if (filled.rules.length > 0) await settleStates(tx, now, filled.rules)
      const due = await gaps.claimGaps(tx, now, GAPS_AT_ONCE)
      for (const vo of new Set(due.map((gap) => gap.vo))) {
        await deps.requestTransfers(tx, { vo, now, wishes: due.filter((gap) => gap.vo === vo) })
      }
      place = filled.next
      return due.length
    })
}

async function endExpired(deps: PlacementDeps, now: Date): Promise<number> {
  return transaction(deps.db, async (tx) => {
    await placements.endReplacedRules(tx, now)
    const suspended = await suspendHopeless(tx, now)
    const dying = await expiredCollections(tx, { now, limit: 100 })
    await ruleStore.expireRulesOn(
      tx,
      now,
      dying.map((did) => did.id),
    )
    const rules = await ruleStore.selectExpiredRules(tx, now, 100)
    for (const { id, vo, purge } of rules) {
      const keys = await ruleStore.removeRules(tx, now, [id], purge)
      if (keys.length > 0) await deps.cancelTransfers(tx, { vo, now, keys })
    }
    for (const vo of new Set(rules.map((rule) => rule.vo))) await wake(tx, 'placement', vo)
    const unprotected = await ruleStore.withoutRules(
      tx,
      dying.map((did) => did.id),
    )
    for (const vo of await deps.vos()) {
      const ids = await ruleStore.collectionsOfVo(tx, vo, unprotected)
      if (ids.length > 0) await deleteCollections(tx, { vo, now, ids })
    }
    return rules.length + unprotected.length + suspended
  })
}
