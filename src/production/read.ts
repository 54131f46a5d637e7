import type { Db } from '../kernel/index.ts'
import { missing } from './define.ts'
import { blocksOf } from './output.store.ts'
import {
  type CellTotals,
  cellTotals,
  listedProductions,
  productionByName,
  sourceOf,
  stepsOf,
} from './production.store.ts'
import { type Progress, progressOf, stepFraction } from './progress.ts'
import { failuresOf, type Task, tasksOf } from './task.store.ts'
import type { Production, StepRow, TaskState } from './types.ts'

export interface StepView extends StepRow {
  readonly fraction: number
  /** Failed tasks of those that are over: what a user sees; null while none is. */
  readonly failRate: number | null
  /** Failed jobs of those that were submitted: what the grid sees. */
  readonly jobFailRate: number | null
  readonly blocks: readonly { readonly name: string; readonly destination: number; readonly files: number }[]
  readonly failures: readonly { readonly failure: string; readonly tasks: number; readonly reason: string }[]
}

export interface ProductionView {
  readonly production: Production
  readonly cells: CellTotals
  readonly progress: Progress
  readonly steps: readonly StepView[]
  /** As it was written. */
  readonly source: string
}

/** Throws production_not_found. */
export async function showProduction(db: Db, vo: string, name: string): Promise<ProductionView> {
  const production = await productionByName(db, vo, name)
  if (!production) throw missing(name)
  const rows = await stepsOf(db, [production.id])
  const ids = rows.map(({ id }) => id)
  const [cells, blocks, failures, source] = await Promise.all([
    cellTotals(db, production.id),
    blocksOf(db, ids),
    failuresOf(db, ids),
    sourceOf(db, production.id),
  ])
  const wanted = production.definition.steps[0]?.kind === 'generate' ? Number(cells.events) : null
  const steps = rows.map(
    (row): StepView => ({
      ...row,
      fraction: stepFraction(row, wanted),
      failRate: rateOf(row.failed, row.verified),
      jobFailRate: row.jobs > 0n ? Number(row.jobsFailed) / Number(row.jobs) : null,
      blocks: blocks.filter(({ stepId }) => stepId === row.id),
      failures: failures.filter(({ stepId }) => stepId === row.id),
    }),
  )
  return { production, cells, progress: progressOf(production, rows, cells), steps, source }
}

const rateOf = (failed: bigint, verified: bigint): number | null =>
  failed + verified > 0n ? Number(failed) / Number(failed + verified) : null

export interface ProductionLine {
  readonly production: Production
  readonly progress: Progress
  readonly failRate: number | null
}

/** The newest productions. */
export async function listProductions(db: Db, vo: string, limit: number): Promise<ProductionLine[]> {
  const found = await listedProductions(db, vo, limit)
  const rows = await stepsOf(
    db,
    found.map(({ id }) => id),
  )
  return Promise.all(
    found.map(async (production) => {
      const own = rows.filter(({ productionId }) => productionId === production.id)
      const progress = progressOf(production, own, await cellTotals(db, production.id))
      const failRate = rateOf(BigInt(progress.failed), BigInt(progress.verified))
      return { production, progress, failRate }
    }),
  )
}

/** Tasks of a production, oldest first. Throws production_not_found. */
export async function tasksOfProduction(
  db: Db,
  input: { vo: string; name: string; state: TaskState | null; limit: number },
): Promise<(Task & { readonly step: string })[]> {
  const production = await productionByName(db, input.vo, input.name)
  if (!production) throw missing(input.name)
  const rows = await stepsOf(db, [production.id])
  const names = new Map(rows.map(({ id, name }) => [id, name]))
  const tasks = await tasksOf(db, [...names.keys()], { state: input.state, limit: input.limit })
  return tasks.map((task) => ({ ...task, step: names.get(task.stepId)! }))
}
