import {
  AT_ONCE,
  countCopies,
  declareReplicas,
  didsOfPaths,
  lockFiles,
  type ReplicaKey,
  type Rse,
  type RseTable,
  setAvailability,
  setTombstones,
  siteOf,
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
    await setTombstones(tx, { replicas: unwanted, tombstone: AT_ONCE })
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

/**
 * Declares copies bad whose bytes a site found to be other than they were, by their paths below a storage area.
 * Paths that no file of the catalogue has are passed over.
 */
export async function declareDamaged(
  db: Db,
  input: { vo: string; now: Date; rses: RseTable; site: string; area: string; paths: readonly string[] },
): Promise<number> {
  const { vo, now, rses, site, area, paths } = input
  const prefix = `${area.replace(/^\/?/, '/').replace(/\/*$/, '')}/`
  const here = (await rses.all(vo)).filter((rse) => siteOf(rse) === site)
  let declared = 0
  for (const rse of here) {
    const below = pathsBelow(rse, prefix, paths)
    const dids = await didsOfPaths(db, { vo, rse, paths: below })
    const known = dids.filter((did) => did !== undefined).map((did) => ({ fileId: did.id, rseId: rse.id }))
    if (known.length === 0) continue
    const reason = 'the site found other bytes than were stored'
    declared += (await declareBad(db, { vo, now, replicas: known, reason, accountId: null })).declared
  }
  return declared
}

/** Paths of an area as the RSE counts them, from its own prefix on. */
function pathsBelow(rse: Rse, area: string, paths: readonly string[]): string[] {
  const prefix = (rse.protocols[0]?.prefix ?? '/').replace(/\/*$/, '/')
  return paths
    .map((path) => `${area}${path.replace(/^\/+/, '')}`)
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length))
}
