import { type Db, publish, transaction } from '../kernel/index.ts'
import * as store from './bad-replica.store.ts'
import { lockFiles } from './copies.store.ts'
import { changeReplicaStates, readReplicas } from './replica.ts'
import type { BadReplica, ReplicaKey, ReplicaState } from './types.ts'

export type { SuspiciousSummary } from './bad-replica.store.ts'

const MAY_TURN_BAD: readonly ReplicaState[] = [
  'AVAILABLE',
  'UNAVAILABLE',
  'COPYING',
  'SUSPICIOUS',
  'TEMPORARY_UNAVAILABLE',
]

/**
 * Declares copies BAD or SUSPICIOUS; returns the keys that are no replicas. Publishes catalog.replica_bad.
 * A bad copy is no longer AVAILABLE; a suspicion is only noted: one failed reading takes no copy away.
 */
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
  const { vo, now, state, replicas } = input
  if (replicas.length === 0) return { declared: [], unknown: [] }
  return transaction(db, async (tx) => {
    await lockFiles(
      tx,
      replicas.map((replica) => replica.fileId),
    )
    const known = await readReplicas(tx, replicas)
    const keys = new Set(known.map(keyOf))
    const unknown = replicas.filter((replica) => !keys.has(keyOf(replica)))
    const declared = known.map(({ fileId, rseId }) => ({ fileId, rseId }))
    if (declared.length === 0) return { declared, unknown }
    await store.insertDeclarations(tx, { ...input, replicas: declared })
    if (state === 'BAD') {
      await changeReplicaStates(tx, { vo, now, replicas: declared, from: MAY_TURN_BAD, to: 'BAD' })
    }
    const rseIds = [...new Set(declared.map((replica) => replica.rseId))]
    await publish(tx, now, [
      {
        vo,
        kind: 'catalog.replica_bad',
        subject: rseIds.length === 1 ? String(rseIds[0]) : '*',
        payload: { state, reason: input.reason, replicas: declared.length, rseIds },
      },
    ])
    return { declared, unknown }
  })
}

const keyOf = (key: ReplicaKey): string => `${key.fileId}/${key.rseId}`

/** Closes open declarations after a good copy arrived or the file was given up. */
export async function resolveDeclarations(
  db: Db,
  input: { now: Date; replicas: readonly ReplicaKey[]; outcome: 'RECOVERED' | 'LOST' },
): Promise<void> {
  if (input.replicas.length === 0) return
  await transaction(db, (tx) => store.updateResolved(tx, input))
}

/** Declarations, newest first. */
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
  return store.selectBad(db, input)
}

/** Copies with open suspicions, the most suspected first; those already bad are left out. */
export async function listSuspicious(
  db: Db,
  input: { vo: string; rseIds?: readonly number[]; since?: Date; atLeast?: number },
): Promise<store.SuspiciousSummary[]> {
  return store.selectSuspicious(db, { ...input, atLeast: input.atLeast ?? 1 })
}
