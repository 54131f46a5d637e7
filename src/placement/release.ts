import {
  AT_ONCE,
  catalogErrors,
  didsByIds,
  lockFiles,
  type ReplicaKey,
  type RseTable,
  readReplicas,
  replicasOfDataset,
  replicasOfFiles,
  setTombstones,
} from '../catalog/index.ts'
import { type Db, type Tx, transaction } from '../kernel/index.ts'
import { copyProtected } from './errors.ts'
import { protectedCopies } from './gap.store.ts'
import * as queue from './queue.store.ts'

/**
 * An unprotected copy is kept for a day, as a cache and to undo a mistake; RSE attribute `tombstone_delay` (seconds;
 * negative: given up at once) changes it.
 */
const KEEP_SECONDS = 86_400
const PAGE = 1000

interface ReleaseDeps {
  readonly rses: RseTable
  readonly vos: () => Promise<readonly string[]>
}

/**
 * Looks at copies that may have lost their last protection and sets their tombstone; a copy that another rule
 * still protects is left alone. Returns how many entries of the queue were done.
 */
export async function releaseCopies(db: Db, deps: ReleaseDeps, now: Date): Promise<number> {
  return transaction(db, async (tx) => {
    const due = await queue.oldestReleases(tx, 20)
    for (const release of due) {
      const tombstone = await tombstoneAt(deps, release, now)
      if (release.kind === 'F') await releaseFile(tx, release, tombstone)
      else await releaseDataset(tx, release, tombstone)
    }
    await queue.finishReleases(tx, due)
    return due.length
  })
}

/**
 * Gives copies up at once, on demand: all or none. They go by the deletion protocol, which still keeps the last good
 * one. Throws replica_not_found, and replica_protected when a rule wants one of them.
 */
export async function giveUpCopies(db: Db, { replicas }: { replicas: readonly ReplicaKey[] }): Promise<void> {
  await transaction(db, async (tx) => {
    await lockFiles(
      tx,
      replicas.map(({ fileId }) => fileId),
    )
    const there = new Set((await readReplicas(tx, replicas)).map(keyOf))
    const absent = replicas.filter((copy) => !there.has(keyOf(copy)))
    if (absent.length > 0) {
      throw catalogErrors.replicaNotFound(
        `${await namesOf(tx, absent)}: there is no copy at this storage; nothing was changed.`,
      )
    }
    const kept = await protectedCopies(tx, replicas)
    if (kept.length > 0) {
      throw copyProtected(
        `A rule protects the copy of ${await namesOf(tx, kept)}; remove the rule first. Nothing was changed.`,
      )
    }
    await setTombstones(tx, { replicas, tombstone: AT_ONCE })
  })
}

async function namesOf(tx: Tx, copies: readonly ReplicaKey[]): Promise<string> {
  const shown = copies.slice(0, 3).map(({ fileId }) => fileId)
  const names = (await didsByIds(tx, shown)).map(({ scope, name }) => `${scope}:${name}`)
  return copies.length > shown.length
    ? `${names.join(', ')} and ${copies.length - shown.length} more`
    : names.join(', ')
}

async function tombstoneAt(
  { rses, vos }: ReleaseDeps,
  { rseId, purge }: queue.Release,
  now: Date,
): Promise<Date> {
  if (purge) return AT_ONCE
  for (const vo of await vos()) {
    const rse = await rses.byId(vo, rseId)
    if (!rse) continue
    const delay = Number(rse.attributes.tombstone_delay ?? KEEP_SECONDS)
    if (delay < 0) return AT_ONCE
    return new Date(now.getTime() + (Number.isFinite(delay) ? delay : KEEP_SECONDS) * 1000)
  }
  return now
}

async function releaseFile(tx: Tx, { targetId, rseId }: queue.Release, tombstone: Date): Promise<void> {
  const there = (await replicasOfFiles(tx, [targetId])).filter((copy) => copy.rseId === rseId)
  await entomb(tx, there, tombstone)
}

async function releaseDataset(tx: Tx, { targetId, rseId }: queue.Release, tombstone: Date): Promise<void> {
  let after: bigint | undefined
  do {
    const { copies, next } = await replicasOfDataset(tx, {
      ...{ collectionId: targetId, rseId, limit: PAGE },
      ...(after !== undefined && { afterFileId: after }),
    })
    await entomb(tx, copies, tombstone)
    after = next
  } while (after !== undefined)
}

async function entomb(
  tx: Tx,
  copies: readonly { fileId: bigint; rseId: number; tombstone: Date | null }[],
  at: Date,
) {
  const free = copies.filter((copy) => copy.tombstone === null || copy.tombstone > at)
  if (free.length === 0) return
  const kept = new Set((await protectedCopies(tx, free)).map(keyOf))
  await setTombstones(tx, { replicas: free.filter((copy) => !kept.has(keyOf(copy))), tombstone: at })
}

const keyOf = ({ fileId, rseId }: { fileId: bigint; rseId: number }): string => `${fileId}/${rseId}`
