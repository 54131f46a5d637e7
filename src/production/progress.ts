import type { CellTotals } from './production.store.ts'
import type { Production, StepRow } from './types.ts'

/**
 * Which steps have nothing left to do, by name: every input is in a task, every task is verified, and nothing more can
 * come from above. Failed tasks keep a step from being done.
 */
export function stepsDone(
  { definition, life }: Pick<Production, 'definition' | 'life'>,
  rows: readonly StepRow[],
  cells: CellTotals,
): Map<string, boolean> {
  const done = new Map<string, boolean>()
  for (const row of rows) {
    const { kind, name, input } = definition.steps[row.n]!
    const above =
      kind === 'generate'
        ? cells.cut === cells.events
        : input && 'step' in input
          ? (done.get(input.step) ?? false)
          : life === 'finishing'
    done.set(name, above && row.inputs === row.inputsTaken && row.tasks === row.verified)
  }
  return done
}

export interface Progress {
  /** Of the whole, from 0 to 1: of the events that are asked for, or of the tasks and inputs that there are. */
  readonly fraction: number
  readonly eventsVerified: number
  readonly eventsWanted: number | null
  readonly tasks: number
  readonly verified: number
  readonly failed: number
}

/** The last step counts most: a production is as far as its slowest step. */
export function progressOf(rows: readonly StepRow[], cells: CellTotals): Progress {
  const sum = (of: (row: StepRow) => bigint) => Number(rows.reduce((total, row) => total + of(row), 0n))
  const first = rows[0]
  const wanted = first?.kind === 'generate' ? Number(cells.events) : null
  const fractions = rows.map((row) => stepFraction(row, wanted))
  return {
    fraction: fractions.length > 0 ? Math.min(...fractions) : 0,
    eventsVerified: Number(first?.eventsVerified ?? 0n),
    eventsWanted: wanted,
    ...{
      tasks: sum((row) => row.tasks),
      verified: sum((row) => row.verified),
      failed: sum((row) => row.failed),
    },
  }
}

/** Events made of events asked for where a step generates; else inputs that went through, of all that there are. */
export function stepFraction(row: StepRow, eventsWanted: number | null): number {
  if (row.kind === 'generate') return eventsWanted ? Number(row.eventsVerified) / eventsWanted : 0
  if (row.inputs === 0n) return 0
  const through = row.tasks === 0n ? 1 : Number(row.verified) / Number(row.tasks)
  return (Number(row.inputsTaken) / Number(row.inputs)) * through
}
