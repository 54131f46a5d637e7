import { type Db, rows, sql, type Tx } from '../kernel/index.ts'
import { stateOf } from './codes.ts'
import type { ReplicaKey, ReplicaState } from './types.ts'

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

/** The same for callers that know that the files are there. A statement after it sees all that earlier holders did. */
export async function holdFiles(tx: Tx, fileIds: readonly bigint[]): Promise<void> {
  await sql`select count(*) from (select from file where id = any(${fileIds}::bigint[]) order by id
    for no key update) held`.execute(tx)
}

export interface CopyCount {
  readonly fileId: bigint
  readonly copies: number
  readonly failureDomains: number
}
/**
 * AVAILABLE copies per file at RSEs other than `except`, and in how many sites (an RSE without a site is one by
 * itself); a file without any comes with zeros. With `verifiedSince` only those verified after it. Hold lockFiles for
 * a firm answer.
 */
export async function countCopies(
  db: Db,
  input: {
    fileIds: readonly bigint[]
    exceptRseIds?: readonly number[]
    readableOnly?: boolean
    verifiedSince?: Date
  },
): Promise<CopyCount[]> {
  const { fileIds, exceptRseIds = [], readableOnly = false, verifiedSince = null } = input
  return rows(
    db,
    sql<CopyCount>`
      with usable as materialized (
        select r.id, coalesce('site ' || (a.value #>> '{}'), 'rse ' || r.id) as domain
        from rse r left join rse_attribute a on a.rse_id = r.id and a.key = 'site'
        where r.deleted_at is null and r.id <> all(${exceptRseIds}::int[]) and (r.can_read or not ${readableOnly}))
      select k.file_id as "fileId", count(u.id)::int as copies, count(distinct u.domain)::int as "failureDomains"
      from (select distinct * from unnest(${fileIds}::bigint[])) as k(file_id)
      left join lateral (select rse_id from replica where file_id = k.file_id and state = 'A'
        and (${verifiedSince}::timestamptz is null or verified_at > ${verifiedSince}::timestamptz) offset 0) c on true
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
      cross join lateral (select from rse where id = r.rse_id and deleted_at is null and can_read offset 0) readable`,
  )
}

export interface HeldCopy extends ReplicaKey {
  readonly tombstone: Date | null
  readonly state: ReplicaState
}

/**
 * Copies at an RSE of the next `limit` files of a dataset, by file: what a released placement has to look at. `next` is
 * the file to go on after; undefined: that was the last.
 */
export async function replicasOfDataset(
  db: Db,
  input: { collectionId: bigint; rseId: number; afterFileId?: bigint; limit: number },
): Promise<{ copies: HeldCopy[]; next: bigint | undefined }> {
  const { collectionId, rseId, afterFileId = -1n, limit } = input
  const found = await rows(
    db,
    sql<{ fileId: bigint; tombstone: Date | null; state: string | null }>`
      select k.child_id as "fileId", r.tombstone, r.state
      from (select child_id from content where parent_id = ${collectionId} and child_id > ${afterFileId}
        order by child_id limit ${limit}) k
      left join lateral (select * from replica c where c.file_id = k.child_id and c.rse_id = ${rseId} offset 0) r on true
      order by k.child_id`,
  )
  const copies = found.flatMap(({ fileId, tombstone, state }) =>
    state === null ? [] : [{ fileId, rseId, tombstone, state: stateOf(state) }],
  )
  return { copies, next: found.length < limit ? undefined : found.at(-1)!.fileId }
}
