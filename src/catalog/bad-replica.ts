import type { Db } from '../kernel/index.ts'
import type { ReplicaKey } from './replica.ts'
import type { BadReplica } from './types.ts'

/** Declares copies BAD or SUSPICIOUS; returns the keys that are no replicas. Publishes catalog.replica_bad. */
export async function declareReplicas(
  db: Db,
  input: {
    vo: string
    now: Date
    accountId: number | null
    state: 'BAD' | 'SUSPICIOUS'
    reason: string
    replicas: readonly ReplicaKey[]
  },
): Promise<{ declared: ReplicaKey[]; unknown: ReplicaKey[] }> {
  throw new Error('unfinished')
}
/** Closes open declarations after a good copy arrived or the file was given up. */
export async function resolveDeclarations(
  db: Db,
  input: { now: Date; replicas: readonly ReplicaKey[]; outcome: 'RECOVERED' | 'LOST' },
): Promise<void> {
  throw new Error('unfinished')
}
export async function listBadReplicas(
  db: Db,
  input: {
    vo: string
    rseIds?: readonly number[]
    states?: readonly BadReplica['state'][]
    since?: Date
    openOnly?: boolean
    limit?: number
  },
): Promise<BadReplica[]> {
  throw new Error('unfinished')
}
export interface SuspiciousSummary extends ReplicaKey {
  readonly scope: string
  readonly name: string
  readonly count: number
  readonly since: Date
}
export async function listSuspicious(
  db: Db,
  input: { vo: string; rseIds?: readonly number[]; since?: Date; atLeast?: number },
): Promise<SuspiciousSummary[]> {
  throw new Error('unfinished')
}
