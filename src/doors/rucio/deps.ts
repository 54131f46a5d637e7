import type { Did, Rse, RseTable } from '../../catalog/index.ts'
import type { Identity } from '../../identity/index.ts'
import type { Clock, Db, Ids, Logger, Tx } from '../../kernel/index.ts'

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
  readonly verifyArrivals?: (input: {
    vo: string
    now: Date
    rse: Rse
    files: readonly Did[]
  }) => Promise<void>
}

export type Grouping = 'ALL' | 'DATASET' | 'NONE'

export interface RuleRequest {
  readonly target: Did
  readonly accountId: number
  readonly copies: number
  readonly rseExpression: string
  readonly grouping: Grouping
  readonly weight: string | null
  readonly expiresAt: Date | null
  readonly locked: boolean
  readonly sourceRseExpression: string | null
  readonly activity: string | null
  readonly notification: string | null
  readonly purgeReplicas: boolean
  readonly ignoreAvailability: boolean
  readonly comments: string | null
  readonly priority: number
  readonly meta: unknown
}

export interface RuleView {
  readonly id: string
  readonly accountId: number
  readonly target: Did & { readonly kind: 'FILE' | 'DATASET' | 'CONTAINER'; readonly bytes: bigint }
  readonly state: 'INJECT' | 'REPLICATING' | 'OK' | 'STUCK' | 'SUSPENDED'
  readonly error: string | null
  readonly rseExpression: string
  readonly copies: number
  readonly grouping: Grouping
  readonly weight: string | null
  readonly locked: boolean
  readonly locksOk: bigint
  readonly locksReplicating: bigint
  readonly locksStuck: bigint
  readonly sourceRseExpression: string | null
  readonly activity: string
  readonly notification: string
  readonly purgeReplicas: boolean
  readonly ignoreAvailability: boolean
  readonly priority: number
  readonly comments: string | null
  readonly meta: unknown
  readonly expiresAt: Date | null
  readonly stuckAt: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface RuleFilter {
  readonly accountId?: number
  readonly targets?: readonly Did[]
  /** Also rules on collections above the targets. */
  readonly withAncestors?: boolean
  readonly scope?: string
  readonly states?: readonly string[]
  readonly rseExpression?: string
  readonly activity?: string
  readonly createdAfter?: Date
  readonly createdBefore?: Date
}

export interface RuleChanges {
  readonly comments?: string | null
  readonly locked?: boolean
  readonly expiresAt?: Date | null
  readonly accountId?: number
  readonly state?: 'SUSPENDED' | 'STUCK'
  readonly activity?: string
  readonly sourceRseExpression?: string | null
  readonly priority?: number
  readonly purgeReplicas?: boolean
  readonly meta?: unknown
  /** Try failed copies again at once. */
  readonly boost?: boolean
}

export interface LockView extends Did {
  readonly rseId: number
  readonly ruleId: string
  readonly state: 'OK' | 'REPLICATING' | 'STUCK'
}

export interface DatasetLockView extends LockView {
  readonly accountId: number
  readonly files: bigint
  readonly bytes: bigint
}

export interface GapView extends Did {
  readonly rseId: number
  readonly attempts: number
  readonly lastError: string | null
  readonly lastSource: string | null
  readonly lastTime: Date | null
}

export interface UsageView {
  readonly rseId: number
  readonly files: bigint
  readonly bytes: bigint
  /** null: no limit. */
  readonly limit: bigint | null
}

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
  limits(
    db: Db,
    input: { vo: string; accountId: number },
  ): Promise<readonly { rseId: number | null; rseExpression: string | null; bytes: bigint }[]>
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
  /** Rules on these collections and those above them are looked at again; in the transaction that changed them. */
  contentChanged(tx: Tx, input: { vo: string; now: Date; collections: readonly Did[] }): Promise<void>
}
