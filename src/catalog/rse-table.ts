import type { Db, Wakeups } from '../kernel/index.ts'
import { rseNotFound } from './errors.ts'
import { readRses } from './rse.ts'
import { matchRses } from './rse-expression.ts'
import type { Rse } from './types.ts'

/** The RSEs of all VOs in memory; read again after a wake-up on `catalog.rse`, and at least every 10 s. */
export interface RseTable {
  all(vo: string): Promise<readonly Rse[]>
  byId(vo: string, id: number): Promise<Rse | undefined>
  /** Throws rse_not_found. */
  byName(vo: string, name: string): Promise<Rse>
  /** RSEs of an expression. Throws invalid_rse_expression, no_rse_matches. */
  match(vo: string, expression: string): Promise<readonly Rse[]>
  invalidate(): void
}

export function createRseTable(db: Db, wakeups?: Wakeups): RseTable {
  throw new Error('unfinished')
}
