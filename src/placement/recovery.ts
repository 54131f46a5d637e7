import {
  countCopies,
  declareReplicas,
  lockFiles,
  type ReplicaKey,
  setAvailability,
  setTombstones,
} from '../catalog/index.ts'
import { type Db, publish, transaction, wake } from '../kernel/index.ts'
import { settleStates } from './evaluate.ts'
import { protectedCopies, reopenGaps } from './gap.store.ts'

/**
 * Takes copies out of use as bad. Where a rule wants them, a good copy will replace them; elsewhere they become
 * deletable. A file without any good copy left is LOST, which is told and never deleted.
 */
export async function declareBad(
  db: Db,
  input: { vo: string; now: Date; replicas: readonly ReplicaKey[]; reason: string; accountId: number | null },
): Promise<{ declared: number; lost: number }> {
  const { vo, now, replicas, reason, accountId } = input
  return transaction(db, async (tx) => {
    const fileIds = [...new Set(replicas.map((copy) => copy.fileId))]
    await lockFiles(tx, fileIds)
    await declareReplicas(tx, { vo, now, replicas, state: 'BAD', reason, accountId })
    const rules = await reopenGaps(tx, now, replicas)
    await settleStates(
      tx,
      now,
      rules.map(({ id }) => id),
    )
    const wanted = new Set(
      (await protectedCopies(tx, replicas)).map((copy) => `${copy.fileId}/${copy.rseId}`),
    )
    const unwanted = replicas.filter((copy) => !wanted.has(`${copy.fileId}/${copy.rseId}`))
    await setTombstones(tx, { replicas: unwanted, tombstone: now })
    const left = new Set(
      (await countCopies(tx, { fileIds })).filter(({ copies }) => copies > 0).map(({ fileId }) => fileId),
    )
    const lost = fileIds.filter((id) => !left.has(id))
    if (lost.length > 0) await setAvailability(tx, { now, fileIds: lost, availability: 'LOST' })
    await publish(tx, now, [
      {
        vo,
        kind: 'replica.bad',
        subject: String(replicas[0]?.rseId),
        payload: { count: replicas.length, reason },
      },
      ...lost.map((id) => ({ vo, kind: 'replica.lost', subject: String(id), payload: { reason } })),
    ])
    await wake(tx, 'placement')
    return { declared: replicas.length, lost: lost.length }
  })
}
