import type { Db } from '../kernel/index.ts'
import { missing } from './define.ts'
import { blocksOf } from './output.store.ts'
import { longest, secondsLeft } from './pace.ts'
import { type CellTotals, productionByName, sourceOf, stepsOf } from './production.store.ts'
import { type Progress, progressOf, stepFraction } from './progress.ts'
import {
  type CellsOfProduction,
  cellsOfProductions,
  type ListedProduction,
  listedProductions,
  type StepInWork,
  stepsInWork,
} from './read.store.ts'
import { failuresOf, type Task, tasksOf } from './task.store.ts'
import type { Production, StepRow, TaskState } from './types.ts'

/** A step as the table of transformations shows it. */
export interface StepLine extends StepRow {
  readonly fraction: number
  /** In the hands of jobs, waiting or running. */
  readonly waiting: number
  /** Tasks that no job has yet, and those that are still to be cut from cells. */
  readonly notSubmitted: number
  /** Failed tasks of those that are over: what a user sees; null while none is. */
  readonly failRate: number | null
  /** Failed jobs of all jobs that are over: what the grid sees. */
  readonly jobFailRate: number | null
  /** At the present pace, for what has reached the step; null: not known, or it makes nothing at the moment. */
  readonly secondsLeft: number | null
}

export interface StepView extends StepLine {
  readonly blocks: readonly { readonly name: string; readonly destination: number; readonly files: number }[]
  readonly failures: readonly { readonly failure: string; readonly tasks: number; readonly reason: string }[]
}

interface Summary {
  readonly progress: Progress
  readonly failRate: number | null
  readonly jobFailRate: number | null
  /** Of the slowest step. */
  readonly secondsLeft: number | null
}

export interface ProductionView extends Summary {
  readonly production: Production
  readonly cells: CellTotals
  readonly steps: readonly StepView[]
  /** As it was written. */
  readonly source: string
}

export interface ProductionLine extends Summary {
  readonly production: ListedProduction
  readonly steps: readonly StepLine[]
}

const NO_CELLS = { cells: 0n, events: 0n, cut: 0n, uncut: 0n }

/** Throws production_not_found. */
export async function showProduction(db: Db, now: Date, vo: string, name: string): Promise<ProductionView> {
  const production = await productionByName(db, vo, name)
  if (!production) throw missing(name)
  const [rows, [cells = NO_CELLS], source] = await Promise.all([
    stepsInWork(db, [production.id]),
    cellsOfProductions(db, [production.id]),
    sourceOf(db, production.id),
  ])
  const ids = rows.map(({ id }) => id)
  const [blocks, failures] = await Promise.all([blocksOf(db, ids), failuresOf(db, ids)])
  const { steps, ...summary } = summed(production, rows, cells, now)
  return {
    ...{ ...summary, production, cells, source },
    steps: steps.map((step) => ({
      ...step,
      blocks: blocks.filter(({ stepId }) => stepId === step.id),
      failures: failures.filter(({ stepId }) => stepId === step.id),
    })),
  }
}

/** The newest productions with their steps; three questions, however many there are. */
export async function listProductions(
  db: Db,
  now: Date,
  vo: string,
  limit: number,
): Promise<ProductionLine[]> {
  const found = await listedProductions(db, vo, limit)
  const ids = found.map(({ id }) => id)
  const [rows, totals] = await Promise.all([stepsInWork(db, ids), cellsOfProductions(db, ids)])
  const stepsBy = new Map<number, StepInWork[]>(ids.map((id) => [id, []]))
  for (const row of rows) stepsBy.get(row.productionId)!.push(row)
  const cellsBy = new Map(totals.map((one) => [one.productionId, one]))
  return found.map((production) => {
    const { id } = production
    return { production, ...summed(production, stepsBy.get(id)!, cellsBy.get(id) ?? NO_CELLS, now) }
  })
}

type Standing = Pick<Production, 'life' | 'operation' | 'scouted'>

function summed(
  production: Standing,
  rows: readonly StepInWork[],
  cells: Omit<CellsOfProduction, 'productionId'>,
  now: Date,
): Summary & { steps: StepLine[] } {
  const progress = progressOf(rows, cells)
  const steps = rows.map((row) => stepLine(production, row, cells, now))
  const jobsFailed = rows.reduce((sum, row) => sum + Number(row.jobsFailed), 0)
  return {
    ...{ progress, steps },
    failRate: rateOf(progress.failed, progress.verified),
    jobFailRate: rateOf(jobsFailed, progress.verified),
    secondsLeft: longest(steps.map((step) => step.secondsLeft)),
  }
}

function stepLine(
  { life, operation, scouted }: Standing,
  row: StepInWork,
  cells: Omit<CellsOfProduction, 'productionId'>,
  now: Date,
): StepLine {
  const { submitted, lately, latelySince, latelyEvents, ...step } = row
  const generates = row.kind === 'generate'
  const atWork = life === 'active' || life === 'finishing'
  const free = Number(row.tasks - row.verified - row.failed - submitted)
  const uncut = generates ? Number(cells.uncut) : 0
  const wanted = generates ? Number(cells.events) : null
  // Inputs that no task has yet become tasks as large as those before.
  const perInput = row.inputsTaken > 0n ? Number(row.tasks) / Number(row.inputsTaken) : 1
  const toCome =
    Number(row.tasks - row.verified - row.failed) + Number(row.inputs - row.inputsTaken) * perInput
  const left = generates
    ? { work: Number(cells.events - row.eventsVerified), done: Number(latelyEvents ?? 0n) }
    : { work: row.kind === 'broadcast' ? 0 : toCome, done: lately }
  const pace = { done: left.done, tasks: lately, since: latelySince }
  return {
    ...step,
    fraction: stepFraction(row, wanted),
    waiting: Number(submitted),
    notSubmitted: life === 'cancelled' ? 0 : free + uncut,
    failRate: rateOf(Number(row.failed), Number(row.verified)),
    jobFailRate: rateOf(Number(row.jobsFailed), Number(row.verified)),
    secondsLeft: atWork && operation === 'normal' && scouted ? secondsLeft(left.work, pace, now) : null,
  }
}

const rateOf = (failed: number, verified: number): number | null =>
  failed + verified > 0 ? failed / (failed + verified) : null

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
