import type { Did, Rse, RseTable } from '../catalog/index.ts'
import type { Db, Logger, Tx } from '../kernel/index.ts'
import type { CopyStore, RuleRequest } from '../placement/index.ts'
import type { FileFacts } from '../transfer/index.ts'

/** What this room needs from the program that wires it. */
export interface RawDeps {
  readonly db: Db
  readonly log: Logger
  readonly rses: RseTable
  /** Size and checksums of a file as its storage tells them; undefined where there is none. */
  readonly stat: (at: { vo: string; rse: Rse; did: Did; path: null }) => Promise<FileFacts | undefined>
  readonly copies: Pick<CopyStore, 'verify'>
  /** A copy that was looked at longer ago is looked at anew before a file is released. */
  readonly verifiedWithinSeconds: number
  readonly addRules: (
    tx: Tx,
    input: { vo: string; now: Date; rules: readonly RuleRequest[] },
  ) => Promise<string[]>
}
