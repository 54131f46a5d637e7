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

const OLDEST_MS = 10_000

/** Without `wakeups` the table is as old as OLDEST_MS at most; call `invalidate` after changes of one's own. */
export function createRseTable(db: Db, wakeups?: Wakeups): RseTable {
  const tables = new Map<string, { readonly rses: Promise<readonly Rse[]>; readonly readAt: number }>()
  wakeups?.on(['catalog.rse'], () => tables.clear())

  const all = (vo: string): Promise<readonly Rse[]> => {
    const known = tables.get(vo)
    if (known && performance.now() - known.readAt < OLDEST_MS) return known.rses
    const rses = readRses(db, { vo })
    const entry = { rses, readAt: performance.now() }
    tables.set(vo, entry)
    rses.catch(() => {
      if (tables.get(vo) === entry) tables.delete(vo)
    })
    return rses
  }
  return {
    all,
    async byId(vo, id) {
      return (await all(vo)).find((rse) => rse.id === id)
    },
    async byName(vo, name) {
      const found = (await all(vo)).find((rse) => rse.name === name)
      if (!found) throw rseNotFound(`There is no RSE "${name}".`)
      return found
    },
    async match(vo, expression) {
      return matchRses(await all(vo), expression)
    },
    invalidate: () => tables.clear(),
  }
}
