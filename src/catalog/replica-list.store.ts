import { type Db, rows, sql } from '../kernel/index.ts'
import { STATE_CODE, stateOf } from './codes.ts'
import { adlerText } from './names.ts'
import type { DatasetReplica, Did, KnownDid, Replica } from './types.ts'

export interface PagePosition {
  readonly parentId: bigint
  readonly fileId: bigint
}

/**
 * SQL: next files of datasets by (dataset, file), a file only with the first dataset that holds it. The inner limit makes
 * each dataset one range of the primary key; datasets come in order, so nothing but the page is read or sorted.
 */
export const pageOfDatasets = (
  datasets: readonly bigint[],
  after: PagePosition | undefined,
  limit: number,
) => {
  const left = after ? datasets.filter((id) => id >= after.parentId) : datasets
  const beyond = after ? sql`and (c.parent_id > ${after.parentId} or c.child_id > ${after.fileId})` : sql``
  const once =
    datasets.length > 1
      ? sql`and not exists (select from content o where o.child_id = c.child_id and o.parent_id < c.parent_id
          and o.parent_id = any(${datasets}::bigint[]))`
      : sql``
  return sql<PagePosition>`
    select d.id as "parentId", m.child_id as "fileId"
    from (select id from unnest(${left}::bigint[]) as u(id) order by id) d
    cross join lateral (select c.child_id from content c where c.parent_id = d.id ${beyond} ${once}
      order by c.child_id limit ${limit}) m
    order by d.id, m.child_id limit ${limit}`
}

export interface CopyFilter {
  readonly rseIds?: readonly number[]
  readonly allStates?: boolean
  readonly updatedAfter?: Date
}

/** SQL: files in the order of the ids given. */
export const filesById = (ids: readonly bigint[]) => sql<ListedRow>`
  select f.id as "fileId", s.name as scope, f.name, f.bytes, f.adler32, encode(f.md5, 'hex') as md5
  from unnest(${ids}::bigint[]) with ordinality as w(id, place)
  join file f on f.id = w.id join scope s on s.id = f.scope_id
  where f.deleted_at is null and not f.is_collection order by w.place`

interface ListedRow extends Did {
  readonly fileId: bigint
  readonly bytes: bigint
  readonly adler32: number | null
  readonly md5: string | null
}

/** SQL: copies of files; `updated after` goes by when a copy was last verified, or else its file registered. */
export const copiesOfFiles = (ids: readonly bigint[], filter: CopyFilter) => sql<StoredCopy>`
  select r.file_id as "fileId", r.rse_id as "rseId", r.state, r.tombstone, r.verified_at as "verifiedAt", r.path
  from unnest(${ids}::bigint[]) as w(id) join replica r on r.file_id = w.id
  ${filter.updatedAfter ? sql`join file f on f.id = r.file_id` : sql``}
  where ${filter.allStates ? sql`true` : sql`r.state = ${STATE_CODE.AVAILABLE}::text::"char"`}
    ${filter.rseIds ? sql`and r.rse_id = any(${filter.rseIds}::int[])` : sql``}
    ${filter.updatedAfter ? sql`and greatest(r.verified_at, f.created_at) >= ${filter.updatedAfter}` : sql``}
  order by r.file_id, r.rse_id`

type StoredCopy = Omit<Replica, 'state'> & { readonly state: string }

export const selectPage = (
  db: Db,
  datasets: readonly bigint[],
  after: PagePosition | undefined,
  limit: number,
) => rows(db, pageOfDatasets(datasets, after, limit))

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
      from unnest(${fileIds}::bigint[]) as w(id) join content c on c.child_id = w.id
      join file p on p.id = c.parent_id join scope s on s.id = p.scope_id
      where c.parent_id = any(${datasets}::bigint[]) order by 1, 2, 3`,
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
