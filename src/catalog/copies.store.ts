import { type Db, rows, sql, type Tx } from '../kernel/index.ts'
import { stateOf } from './codes.ts'
import type { ReplicaKey, ReplicaState } from './types.ts'

export interface MissingCopy extends ReplicaKey {
  readonly bytes: bigint
  readonly state: ReplicaState | null
}
type StoredMissing = ReplicaKey & { readonly bytes: bigint; readonly state: string | null }
const toMissing = (stored: StoredMissing): MissingCopy => ({
  ...stored,
  state: stored.state === null ? null : stateOf(stored.state),
})

/** Files of datasets that have no AVAILABLE copy at an RSE, for each pair (dataset, RSE) given; by file and RSE. */
export async function missingCopies(
  db: Db,
  input: { targets: readonly { collectionId: bigint; rseId: number }[]; after?: ReplicaKey; limit?: number },
): Promise<MissingCopy[]> {
  const { targets, after, limit } = input
  const beyond = after
    ? sql`and c.child_id >= ${after.fileId} and (c.child_id, t.rse_id) > (${after.fileId}, ${after.rseId})`
    : sql``
  const found = await rows(
    db,
    sql<StoredMissing>`
      select distinct c.child_id as "fileId", t.rse_id as "rseId", f.bytes, r.state
      from unnest(${targets.map((t) => t.collectionId)}::bigint[], ${targets.map((t) => t.rseId)}::int[])
        as t(collection_id, rse_id)
      join content c on c.parent_id = t.collection_id
      join file f on f.id = c.child_id and f.deleted_at is null
      left join replica r on r.file_id = c.child_id and r.rse_id = t.rse_id
      where r.state is distinct from 'A' ${beyond}
      order by 1, 2 ${limit === undefined ? sql`` : sql`limit ${limit}`}`,
  )
  return found.map(toMissing)
}

/** Same for single files. */
export async function missingFileCopies(db: Db, replicas: readonly ReplicaKey[]): Promise<MissingCopy[]> {
  const found = await rows(
    db,
    sql<StoredMissing>`
      select distinct f.id as "fileId", t.rse_id as "rseId", f.bytes, r.state
      from unnest(${replicas.map((r) => r.fileId)}::bigint[], ${replicas.map((r) => r.rseId)}::int[])
        as t(file_id, rse_id)
      join file f on f.id = t.file_id and f.deleted_at is null and not f.is_collection
      left join replica r on r.file_id = t.file_id and r.rse_id = t.rse_id
      where r.state is distinct from 'A' order by 1, 2`,
  )
  return found.map(toMissing)
}

/** Locks file rows in id order: whoever changes copies, content or protection of a file holds this lock. Returns the ids locked. */
export async function lockFiles(
  tx: Tx,
  fileIds: readonly bigint[],
  options?: { skipLocked?: boolean },
): Promise<bigint[]> {
  if (fileIds.length === 0) return []
  const locked = await rows(
    tx,
    sql<{ id: bigint }>`select id from file where id = any(${fileIds}::bigint[]) and not is_collection
      order by id for no key update ${options?.skipLocked ? sql`skip locked` : sql``}`,
  )
  return locked.map((file) => file.id)
}

export interface CopyCount {
  readonly fileId: bigint
  readonly copies: number
  readonly failureDomains: number
}
/**
 * AVAILABLE copies per file at RSEs other than `except`, and in how many sites (an RSE without a site is one by
 * itself); a file without any comes with zeros. Hold lockFiles for a firm answer.
 */
export async function countCopies(
  db: Db,
  input: { fileIds: readonly bigint[]; exceptRseIds?: readonly number[]; readableOnly?: boolean },
): Promise<CopyCount[]> {
  const { fileIds, exceptRseIds = [], readableOnly = false } = input
  return rows(
    db,
    sql<CopyCount>`
      with usable as materialized (
        select r.id, coalesce('site ' || (a.value #>> '{}'), 'rse ' || r.id) as domain
        from rse r left join rse_attribute a on a.rse_id = r.id and a.key = 'site'
        where r.deleted_at is null and r.id <> all(${exceptRseIds}::int[]) and (r.can_read or not ${readableOnly}))
      select k.file_id as "fileId", count(u.id)::int as copies, count(distinct u.domain)::int as "failureDomains"
      from (select distinct * from unnest(${fileIds}::bigint[])) as k(file_id)
      left join replica c on c.file_id = k.file_id and c.state = 'A'
      left join usable u on u.id = c.rse_id
      group by k.file_id order by k.file_id`,
  )
}

export interface SourceCopy extends ReplicaKey {
  readonly path: string | null
}
/** AVAILABLE copies of files, where transfers may read from. */
export async function availableCopies(db: Db, fileIds: readonly bigint[]): Promise<SourceCopy[]> {
  return rows(
    db,
    sql<SourceCopy>`
      select r.file_id as "fileId", r.rse_id as "rseId", r.path
      from (select distinct * from unnest(${fileIds}::bigint[])) as k(file_id)
      cross join lateral (select * from replica c where c.file_id = k.file_id and c.state = 'A' offset 0) r
      join rse on rse.id = r.rse_id and rse.deleted_at is null and rse.can_read`,
  )
}

/** Copies whose tombstone has passed, oldest first, for a deleter (unlocked; check again under lockFiles). */
export async function deletableCopies(
  db: Db,
  input: { rseId: number; now: Date; limit: number },
): Promise<(ReplicaKey & { bytes: bigint; tombstone: Date })[]> {
  return rows(
    db,
    sql<ReplicaKey & { bytes: bigint; tombstone: Date }>`
      select r.file_id as "fileId", r.rse_id as "rseId", f.bytes, r.tombstone
      from (select file_id, rse_id, tombstone from replica
        where rse_id = ${input.rseId} and tombstone <= ${input.now} and state <> 'B'
        order by tombstone limit ${input.limit}) r
      join file f on f.id = r.file_id order by r.tombstone, r.file_id`,
  )
}

/** Files of datasets with a replica row at an RSE, in id order, paged: what a released placement has to look at. */
export async function replicasOfDataset(
  db: Db,
  input: { collectionId: bigint; rseId: number; afterFileId?: bigint; limit: number },
): Promise<(ReplicaKey & { bytes: bigint; tombstone: Date | null; state: ReplicaState })[]> {
  const found = await rows(
    db,
    sql<ReplicaKey & { bytes: bigint; tombstone: Date | null; state: string }>`
      select c.child_id as "fileId", r.rse_id as "rseId", f.bytes, r.tombstone, r.state
      from content c join replica r on r.file_id = c.child_id and r.rse_id = ${input.rseId}
      join file f on f.id = c.child_id
      where c.parent_id = ${input.collectionId} and c.child_id > ${input.afterFileId ?? 0n}
      order by c.child_id limit ${input.limit}`,
  )
  return found.map((copy) => ({ ...copy, state: stateOf(copy.state) }))
}

/** File ids of a dataset in id order, paged. */
export async function fileIdsOfDataset(
  db: Db,
  input: { collectionId: bigint; afterFileId?: bigint; limit: number },
): Promise<{ fileId: bigint; bytes: bigint }[]> {
  return rows(
    db,
    sql<{ fileId: bigint; bytes: bigint }>`
      select c.child_id as "fileId", f.bytes from content c join file f on f.id = c.child_id
      where c.parent_id = ${input.collectionId} and c.child_id > ${input.afterFileId ?? 0n}
      order by c.child_id limit ${input.limit}`,
  )
}

/** Datasets each file is in. */
export async function datasetsOfFiles(
  db: Db,
  fileIds: readonly bigint[],
): Promise<{ fileId: bigint; collectionId: bigint }[]> {
  return rows(
    db,
    sql<{ fileId: bigint; collectionId: bigint }>`
      select child_id as "fileId", parent_id as "collectionId" from content
      where child_id = any(${fileIds}::bigint[]) order by 1, 2`,
  )
}
