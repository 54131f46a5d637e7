/** Rules and what follows from them: placements, gaps, release, deletion, recovery. */
import { type Did, datasetsOf, resolveDids } from '../catalog/index.ts'
import type { Db } from '../kernel/index.ts'
import * as locks from './lock.store.ts'
import * as placements from './placement.store.ts'
import * as rules from './rules.ts'
import type { DatasetLockView, LimitView, LockView, UsageView } from './types.ts'
import * as usage from './usage.store.ts'

export { type Candidate, type Choice, chooseRses } from './choose-rses.ts'
export { executeDeletions, intendDeletions } from './deletion.ts'
export type { CopyStore, DeletionDeps, FileAt } from './deletion-steps.ts'
export * as placementErrors from './errors.ts'
export { gatewayCopies } from './gateway-copies.ts'
export { declareBad, declareDamaged } from './recovery.ts'
export { giveUpCopies } from './release.ts'
export {
  addRules,
  deleteRule,
  gapsOfRule,
  getRule,
  listRules,
  moveRule,
  type RuleDeps,
  updateRule,
} from './rules.ts'
export { type CopyOutcome, settle } from './settle.ts'
export type * from './types.ts'
export { type PlacementDeps, placementWorkers } from './workers.ts'

const LOCK_PAGE = 1000

/** The field's per-file locks of a rule, in chunks. Throws rule_not_found. */
export async function* locksOfRule(
  db: Db,
  input: { vo: string; id: string },
): AsyncGenerator<readonly LockView[]> {
  await rules.getRule(db, input)
  const ruleId = input.id
  const limit = LOCK_PAGE
  for (const { collectionId, rseId } of await placements.placementsOf(db, ruleId)) {
    for (let after: bigint | undefined = -1n; after !== undefined; ) {
      const page: Awaited<ReturnType<typeof locks.selectDatasetFileLocks>> =
        await locks.selectDatasetFileLocks(db, { ruleId, collectionId, rseId, after, limit })
      if (page.locks.length > 0) yield page.locks
      after = page.next
    }
  }
  for (let afterFile = -1n, afterRse = -1; ; ) {
    const page = await locks.selectSingleFileLocks(db, { ruleId, afterFile, afterRse, limit })
    if (page.length > 0) yield page
    if (page.length < limit) return
    const last = page.at(-1)!
    afterFile = last.fileId
    afterRse = last.rseId
  }
}

/** Datasets that rules hold at storages, by name or by storage. */
export async function datasetLocks(
  db: Db,
  input: { vo: string; dids?: readonly Did[]; rseId?: number },
): Promise<readonly DatasetLockView[]> {
  const { vo, dids, rseId } = input
  const datasetIds = dids
    ? await datasetsOf(
        db,
        (await resolveDids(db, { vo, dids })).map((did) => did.id),
      )
    : null
  return locks.selectDatasetLocks(db, { vo, datasetIds, rseId: rseId ?? null })
}

/** What the rules of an account ask for, per storage, with its limits. */
export async function accountUsage(
  db: Db,
  input: { vo: string; accountId: number },
): Promise<readonly UsageView[]> {
  return usage.selectUsage(db, input.accountId)
}

export async function accountLimits(
  db: Db,
  input: { vo: string; accountId: number },
): Promise<readonly LimitView[]> {
  return usage.selectLimits(db, input.accountId)
}

/** Sets a limit at a storage or for an expression; null removes it. */
export async function setAccountLimit(
  db: Db,
  input: { accountId: number; rseId?: number; rseExpression?: string; bytes: bigint | null },
): Promise<void> {
  await usage.writeLimit(db, input)
}
