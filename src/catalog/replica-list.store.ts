import { type Db, rows, sql, type Tx, transaction } from '../kernel/index.ts'
import { STATE_CODE, stateOf } from './codes.ts'
import { adlerText } from './names.ts'
import type { DatasetReplica, Did, KnownDid, Replica } from './types.ts'

/**
 * Runs reads whose every table is reached by key. Right after a bulk load, and for collections far larger than most,
 * the planner's guesses would have it read a whole table or collection for one page. (`offset 0` below fixes the order
 * of the joins.)
 */
export const readByKeys = <T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> =>
  transaction(db, async (tx) => {
    await sql`select set_config(name, 'off', true) from unnest(array['enable_seqscan', 'enable_bitmapscan', 'jit']) as setting(name)`.execute(
      tx,
    )
    return work(tx)
  })

export interface Member {
  readonly parentId: bigint
  readonly fileId: bigint
}

/** SQL: next files of a dataset by id. */
export const pageOfDataset = (datasetId: bigint, afterFileId: bigint, limit: number) => sql<Member>`
  select parent_id as "parentId", child_id as "fileId" from content
  where parent_id = ${datasetId} and child_id > ${afterFileId} order by child_id limit ${limit}`

/** SQL: members that an earlier one of the datasets holds too. */
export const membersSeenBefore = (members: readonly Member[], datasets: readonly bigint[]) => sql<Member>`
  select w.parent_id as "parentId", w.child_id as "fileId"
  from unnest(${members.map((m) => m.parentId)}::bigint[], ${members.map((m) => m.fileId)}::bigint[])
    as w(parent_id, child_id)
  cross join lateral (select from content o where o.child_id = w.child_id and o.parent_id < w.parent_id
    and o.parent_id = any(${datasets}::bigint[]) limit 1) earlier`

export interface CopyFilter {
  readonly rseIds?: readonly number[]
  readonly allStates?: boolean
  readonly updatedAfter?: Date
}

/** SQL: files in the order of the ids given. */
export const filesById = (ids: readonly bigint[]) => sql<ListedRow>`
  select f.id as "fileId", s.name as scope, f.name, f.bytes, f.adler32, encode(f.md5, 'hex') as md5
  from unnest(${ids}::bigint[]) with ordinality as w(id, place)
  cross join lateral (select * from file x where x.id = w.id and x.deleted_at is null and not x.is_collection offset 0) f
  cross join lateral (select s.name from scope s where s.id = f.scope_id offset 0) s
  order by w.place`

interface ListedRow extends Did {
  readonly fileId: bigint
  readonly bytes: bigint
  readonly adler32: number | null
  readonly md5: string | null
}

/** SQL: copies of files; `updated after` goes by when a copy was last verified, or else its file registered. */
export const copiesOfFiles = (ids: readonly bigint[], filter: CopyFilter) => sql<StoredCopy>`
  select r.file_id as "fileId", r.rse_id as "rseId", r.state, r.tombstone, r.verified_at as "verifiedAt", r.path
  from unnest(${ids}::bigint[]) as w(id)
  cross join lateral (select * from replica c where c.file_id = w.id
    ${filter.allStates ? sql`` : sql`and c.state = ${STATE_CODE.AVAILABLE}::text::"char"`}
    ${filter.rseIds ? sql`and c.rse_id = any(${filter.rseIds}::int[])` : sql``} order by c.rse_id offset 0) r
  ${
    filter.updatedAfter
      ? sql`cross join lateral (select from file f where f.id = w.id
          and greatest(r.verified_at, f.created_at) >= ${filter.updatedAfter} offset 0) recent`
      : sql``
  }`

type StoredCopy = Omit<Replica, 'state'> & { readonly state: string }

/** Files of datasets after a member, by dataset and file, at most `limit`, with those seen before left out. */
export async function selectMembers(
  db: Db,
  datasets: readonly bigint[],
  after: Member | undefined,
  limit: number,
): Promise<{ fileIds: bigint[]; last: Member | undefined }> {
  const members: Member[] = []
  for (const id of datasets) {
    if (members.length === limit) break
    if (after && id < after.parentId) continue
    const start = id === after?.parentId ? after.fileId : -1n
    members.push(...(await rows(db, pageOfDataset(id, start, limit - members.length))))
  }
  const again = datasets.length > 1 ? await rows(db, membersSeenBefore(members, datasets)) : []
  const keyOf = (member: Member) => `${member.parentId}/${member.fileId}`
  const seen = new Set(again.map(keyOf))
  return {
    fileIds: members.filter((member) => !seen.has(keyOf(member))).map((member) => member.fileId),
    last: members.length < limit ? undefined : members.at(-1),
  }
}

export const selectListedFiles = async (db: Db, ids: readonly bigint[]) =>
  (await rows(db, filesById(ids))).map((file) => ({ ...file, adler32: adlerText(file.adler32) }))

export const selectCopies = async (db: Db, ids: readonly bigint[], filter: CopyFilter): Promise<Replica[]> =>
  (await rows(db, copiesOfFiles(ids, filter))).map((copy) => ({ ...copy, state: stateOf(copy.state) }))

/** Which of the datasets hold each file. */
export const selectParentsAmong = (db: Db, fileIds: readonly bigint[], datasets: readonly bigint[]) =>
  rows(
    db,
    sql<Did & { fileId: bigint }>`
      select c.child_id as "fileId", s.name as scope, p.name
      from unnest(${fileIds}::bigint[]) as w(id)
      cross join lateral (select * from content m where m.child_id = w.id
        and m.parent_id = any(${datasets}::bigint[]) offset 0) c
      cross join lateral (select * from file x where x.id = c.parent_id offset 0) p
      cross join lateral (select s.name from scope s where s.id = p.scope_id offset 0) s order by 1, 2, 3`,
  )

/** Base and changes not folded yet in one statement, so of one moment. */
export const selectDatasetReplicas = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<DatasetReplica>`
      with available as (
        select collection_id, rse_id, sum(n_files) as n_files, sum(bytes) as bytes from (
          select collection_id, rse_id, n_files, bytes from collection_replica
          where collection_id = any(${ids}::bigint[])
          union all
          select key1, key2::int, d_files, d_bytes from counter_delta
          where kind = 'collection_replica' and key1 = any(${ids}::bigint[])) both_kinds
        group by 1, 2 having sum(n_files) > 0),
      change as (
        select key1 as id, sum(d_files) as n_files, sum(d_bytes) as bytes from counter_delta
        where kind = 'collection' and key1 = any(${ids}::bigint[]) group by 1)
      select c.id as "collectionId", a.rse_id as "rseId",
        (c.n_files + coalesce(d.n_files, 0))::bigint as files, (c.bytes + coalesce(d.bytes, 0))::bigint as bytes,
        a.n_files::bigint as "availableFiles", a.bytes::bigint as "availableBytes"
      from available a join collection c on c.id = a.collection_id and c.deleted_at is null
      left join change d on d.id = c.id order by 1, 2`,
  )

/** Datasets that may have files at an RSE; their counts say whether they do. */
export const selectDatasetsAtRse = (db: Db, rseId: number) =>
  rows(
    db,
    sql<{ id: bigint }>`select collection_id as id from collection_replica where rse_id = ${rseId}
      union select key1 from counter_delta where kind = 'collection_replica' and key2 = ${rseId}`,
  )

/** Files by the paths their copies were registered with. */
export const selectByPath = (db: Db, rseId: number, paths: readonly string[]) =>
  rows(
    db,
    sql<Omit<KnownDid, 'kind'> & { path: string }>`
      select r.path, f.id, s.name as scope, f.name
      from replica r join file f on f.id = r.file_id join scope s on s.id = f.scope_id
      where r.path = any(${paths}::text[]) and r.rse_id = ${rseId} and f.deleted_at is null`,
  )
