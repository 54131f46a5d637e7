import type { Did, ReplicaKey, Rse, RseTable } from '../../catalog/index.ts'
import type { Identity } from '../../identity/index.ts'
import type { Clock, Db, Ids, Logger } from '../../kernel/index.ts'
import type {
  DatasetLockView,
  GapView,
  LimitView,
  LockView,
  RuleChanges,
  RuleFilter,
  RuleRequest,
  RuleView,
  UsageView,
} from '../../placement/index.ts'
import type { ArrivedFile } from '../../transfer/index.ts'

/** What the door needs; main.ts supplies it. */
export interface RucioDoorDeps {
  readonly db: Db
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly identity: Identity
  readonly rses: RseTable
  readonly placement: PlacementDesk
  /** Shown by /ping; the client compares nothing with it. */
  readonly version: string
  /** The VO of callers that name none (the client's own default is `def`). */
  readonly defaultVo: string
  /**
   * Asked before copies at an RSE with attribute `verify_arrival` become AVAILABLE; throws when size or checksum at
   * the storage are not those registered.
   */
  readonly verifyArrivals: (input: {
    vo: string
    now: Date
    rse: Rse
    files: readonly ArrivedFile[]
  }) => Promise<void>
}

export type {
  DatasetLockView,
  GapView,
  Grouping,
  LimitView,
  LockView,
  RuleChanges,
  RuleFilter,
  RuleRequest,
  RuleView,
  UsageView,
} from '../../placement/index.ts'

/** The part of placement this door speaks to, in the door's own words, so that the wire stays out of the rules. */
export interface PlacementDesk {
  /** Ids in the order asked; all or nothing. */
  addRules(db: Db, input: { vo: string; now: Date; rules: readonly RuleRequest[] }): Promise<string[]>
  /** Throws rule_missing. */
  getRule(db: Db, input: { vo: string; id: string }): Promise<RuleView>
  listRules(db: Db, input: { vo: string; filter: RuleFilter }): AsyncIterable<readonly RuleView[]>
  updateRule(db: Db, input: { vo: string; now: Date; id: string; changes: RuleChanges }): Promise<void>
  /** Ends the rule's life after the field's grace of an hour. Throws rule_locked. */
  deleteRule(db: Db, input: { vo: string; now: Date; id: string; purge: boolean | null }): Promise<void>
  /** A new rule elsewhere; the old one goes when the new one is OK. */
  moveRule(
    db: Db,
    input: { vo: string; now: Date; id: string; rseExpression: string; changes: RuleChanges },
  ): Promise<string>
  locksOfRule(db: Db, input: { vo: string; id: string }): AsyncIterable<readonly LockView[]>
  gapsOfRule(db: Db, input: { vo: string; id: string }): Promise<readonly GapView[]>
  datasetLocks(
    db: Db,
    input: { vo: string; dids?: readonly Did[]; rseId?: number },
  ): Promise<readonly DatasetLockView[]>
  usage(db: Db, input: { vo: string; accountId: number }): Promise<readonly UsageView[]>
  limits(db: Db, input: { vo: string; accountId: number }): Promise<readonly LimitView[]>
  /** null removes the limit. */
  setLimit(
    db: Db,
    input: {
      vo: string
      now: Date
      accountId: number
      rseId?: number
      rseExpression?: string
      bytes: bigint | null
    },
  ): Promise<void>
  /** All or none. Throws replica_protected, replica_not_found. */
  giveUpCopies(db: Db, input: { replicas: readonly ReplicaKey[] }): Promise<void>
}
