import type { RseTable } from '../catalog/index.ts'
import type { Db, Logger, Tx } from '../kernel/index.ts'
import type { RuleRequest } from '../placement/index.ts'

/** What this room needs from the program that wires it. */
export interface ProductionDeps {
  readonly db: Db
  readonly log: Logger
  readonly rses: RseTable
  readonly addRules: (
    tx: Tx,
    input: { vo: string; now: Date; rules: readonly RuleRequest[] },
  ) => Promise<string[]>
}
