import type { Did, DidKind } from '../catalog/index.ts'

export type Grouping = 'ALL' | 'DATASET' | 'NONE'
export type RuleState = 'INJECT' | 'REPLICATING' | 'OK' | 'STUCK' | 'SUSPENDED'

/** "So many copies of this on those storages." */
export interface RuleRequest {
  readonly target: Did
  readonly accountId: number
  readonly copies: number
  readonly rseExpression: string
  readonly grouping: Grouping
  /** An RSE attribute; storages with more of it are chosen more readily. */
  readonly weight: string | null
  readonly expiresAt: Date | null
  readonly locked: boolean
  readonly sourceRseExpression: string | null
  readonly activity: string | null
  readonly notification: string | null
  readonly purgeReplicas: boolean
  readonly ignoreAvailability: boolean
  readonly comments: string | null
  /** 1 (low) to 5. */
  readonly priority: number
  readonly meta: unknown
}

export interface RuleView {
  readonly id: string
  readonly accountId: number
  readonly target: Did & { readonly id: bigint; readonly kind: DidKind; readonly bytes: bigint }
  readonly state: RuleState
  /** Why it is stuck, in a sentence. */
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

export interface LimitView {
  readonly rseId: number | null
  readonly rseExpression: string | null
  readonly bytes: bigint
}

export const GROUPING_CODE: Readonly<Record<Grouping, string>> = { ALL: 'A', DATASET: 'D', NONE: 'N' }
export const groupingOf = (code: string): Grouping =>
  code === 'A' ? 'ALL' : code === 'N' ? 'NONE' : 'DATASET'

/** A copy that rules wait for, as transfer is asked for it. */
export interface CopyWish {
  readonly fileId: bigint
  readonly dstRseId: number
  readonly bytes: bigint
  readonly activity: string
  readonly priority: number
  readonly overwrite: boolean
  readonly sourceExpression: string | null
}
