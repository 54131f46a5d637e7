import {
  availableCopies,
  datasetsOf,
  type Rse,
  type RseTable,
  readRseUsage,
  siteOf,
} from '../catalog/index.ts'
import { type Db, publish, type Tx } from '../kernel/index.ts'
import { type Candidate, chooseRses } from './choose-rses.ts'
import * as store from './placement.store.ts'
import { fileIdsOfDatasets, type SpreadFile } from './spread.store.ts'

/** As in the field. */
const STUCK_PATIENCE_MS = 14 * 86_400_000

export interface EvaluateDeps {
  readonly rses: RseTable
  /** Told of copies that nobody waits for any more. */
  readonly cancelTransfers: (
    tx: Tx,
    input: { vo: string; now: Date; keys: readonly { fileId: bigint; dstRseId: number }[] },
  ) => Promise<unknown>
}

/**
 * Makes the placements of a rule fit its target as it is now, opens gaps for what is missing and closes those nobody
 * asks for. The caller holds lockRules. With complete data no single file is looked at.
 */
export async function evaluateRule(
  tx: Tx,
  deps: EvaluateDeps,
  now: Date,
  rule: store.RuleRow,
): Promise<void> {
  if (rule.targetKind === 'F') await placeFile(tx, deps, now, rule)
  else if (rule.grouping === 'N') await spreadFiles(tx, deps, now, rule)
  else await placeDatasets(tx, deps, now, rule)
  const incomplete = await store.incompletePlacements(tx, rule.id)
  if (incomplete.length > 0) await store.openGaps(tx, now, rule.id, incomplete)
  if (rule.targetKind === 'F' || rule.grouping === 'N') await store.openFileGaps(tx, now, rule.id)
  // Asked first: without gaps the search for stray ones would still walk the content.
  if (await store.hasGaps(tx, rule.id)) {
    const stray = await store.closeStrayGaps(tx, rule.id)
    if (stray.length > 0) await deps.cancelTransfers(tx, { vo: rule.vo, now, keys: stray })
    await store.recallDeletions(tx, now, rule.id)
  }
  await store.setPlacementError(tx, rule.id, null)
  await settleStates(tx, now, [rule.id])
}

/** Sets states by the gaps and tells what changed. The caller holds lockRules. */
export async function settleStates(tx: Tx, now: Date, ruleIds: readonly string[]): Promise<void> {
  await tellStates(tx, now, await store.refreshStates(tx, now, ruleIds))
}

/** Takes rules out of service that failed again and again for too long. Returns how many. */
export async function suspendHopeless(tx: Tx, now: Date): Promise<number> {
  const since = new Date(now.getTime() - STUCK_PATIENCE_MS)
  const suspended = await store.suspendStuck(tx, now, since, 100)
  await tellStates(tx, now, suspended)
  return suspended.length
}

async function tellStates(
  tx: Tx,
  now: Date,
  changed: readonly { id: string; vo: string; state: string }[],
): Promise<void> {
  await publish(
    tx,
    now,
    changed.map(({ id, vo, state }) => ({ vo, kind: `rule.${state.toLowerCase()}`, subject: id })),
  )
}

async function placeDatasets(tx: Tx, deps: EvaluateDeps, now: Date, rule: store.RuleRow): Promise<void> {
  const [datasets, placed] = await Promise.all([
    datasetsOf(tx, [rule.targetId]),
    store.placementsOf(tx, rule.id),
  ])
  const inTarget = new Set(datasets)
  const left = [...new Set(placed.map((p) => p.collectionId))].filter((id) => !inTarget.has(id))
  if (left.length > 0) await store.deletePlacements(tx, now, rule.id, left)
  const known = new Set(placed.map((p) => p.collectionId))
  const fresh = datasets.filter((id) => !known.has(id))
  if (fresh.length === 0) {
    // Refused here, not when the first dataset comes.
    if (rule.state === 'INJECT') chooseRses(await candidates(tx, deps, now, rule, new Map()), rule)
    return
  }
  const present = await store.presentBytes(tx, { datasets: fresh, fileId: null })
  const preferred = [...new Set(placed.map((p) => p.rseId))]
  const choose = async (group: readonly bigint[], keep: readonly number[]): Promise<void> => {
    const inGroup = new Set<bigint | null>(group)
    const bytes = sumByRse(present.filter((p) => inGroup.has(p.collectionId)))
    const rseIds = chooseRses(await candidates(tx, deps, now, rule, bytes), {
      copies: rule.copies,
      preferred: keep,
      weight: rule.weight,
    })
    const list = group.flatMap((collectionId) => rseIds.map((rseId) => ({ collectionId, rseId })))
    await store.insertPlacements(tx, rule.id, list)
  }
  if (rule.grouping === 'A') await choose(fresh, preferred)
  else for (const dataset of fresh) await choose([dataset], [])
}

async function placeFile(tx: Tx, deps: EvaluateDeps, now: Date, rule: store.RuleRow): Promise<void> {
  const present = await store.presentBytes(tx, { datasets: [], fileId: rule.targetId })
  const rseIds = chooseRses(await candidates(tx, deps, now, rule, sumByRse(present)), {
    copies: rule.copies,
    preferred: present.map((p) => p.rseId),
    weight: rule.weight,
  })
  await store.insertFilePlacements(
    tx,
    rule.id,
    rseIds.map((rseId) => ({ fileId: rule.targetId, rseId })),
  )
}

/** Grouping NONE: each file for itself, near to where it is, the rest in turn over the storages. */
async function spreadFiles(tx: Tx, deps: EvaluateDeps, now: Date, rule: store.RuleRow): Promise<void> {
  const base = await candidates(tx, deps, now, rule, new Map())
  chooseRses(base, { copies: rule.copies, weight: rule.weight })
  const datasets = await datasetsOf(tx, [rule.targetId])
  await store.deleteLeftFiles(tx, now, rule.id, datasets)
  let turn = 0
  const place = async (files: readonly SpreadFile[]): Promise<void> => {
    const copies = new Map<bigint, number[]>()
    for (const { fileId, rseId } of await availableCopies(
      tx,
      files.map((file) => file.fileId),
    )) {
      copies.set(fileId, [...(copies.get(fileId) ?? []), rseId])
    }
    const list = files.flatMap(({ fileId }) => {
      turn++
      const rotated = base.map((c, i) => ({ ...c, freeBytes: BigInt((i + turn) % base.length) }))
      const preferred = copies.get(fileId) ?? []
      return chooseRses(rotated, { copies: rule.copies, preferred, weight: null }).map((rseId) => ({
        fileId,
        rseId,
      }))
    })
    await store.insertFilePlacements(tx, rule.id, list)
  }
  for await (const page of fileIdsOfDatasets(tx, rule.id, datasets)) await place(page)
}

function sumByRse(list: readonly { rseId: number; bytes: bigint }[]): Map<number, bigint> {
  const sums = new Map<number, bigint>()
  for (const { rseId, bytes } of list) sums.set(rseId, (sums.get(rseId) ?? 0n) + bytes)
  return sums
}

async function candidates(
  db: Db,
  { rses }: EvaluateDeps,
  now: Date,
  rule: store.RuleRow,
  present: ReadonlyMap<number, bigint>,
): Promise<Candidate[]> {
  const matching = await rses.match(rule.vo, rule.rseExpression)
  const writable = matching.filter((rse) => rule.ignoreAvailability || rse.canWrite || present.has(rse.id))
  const usage = await readRseUsage(db, { rseIds: writable.map((rse) => rse.id), now })
  const free = new Map(usage.filter((u) => u.source !== 'rucio').map((u) => [u.rseId, u.free]))
  return writable.map((rse) => ({
    rseId: rse.id,
    name: rse.name,
    site: siteOf(rse),
    presentBytes: present.get(rse.id) ?? 0n,
    freeBytes: free.get(rse.id) ?? null,
    ...(rule.weight && weightOf(rse, rule.weight)),
  }))
}

function weightOf(rse: Rse, attribute: string): { weight?: number } {
  const weight = Number(rse.attributes[attribute])
  return Number.isFinite(weight) ? { weight } : {}
}
