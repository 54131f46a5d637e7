import { type Db, rows, sql } from '../kernel/index.ts'
import type { DatasetLockView, LockView } from './types.ts'

/** SQL: a lock of a rule on copy (l.file_id, l.rse_id), made up from the placement and its gap. */
const lockOf = (ruleId: string, copies: ReturnType<typeof sql>) =>
  sql<LockView & { fileId: bigint }>`
    select l.file_id as "fileId", s.name as scope, f.name, l.rse_id as "rseId", ${ruleId}::text as "ruleId",
      case when g.state is null then 'OK' when g.state = 'failed' then 'STUCK' else 'REPLICATING' end as state
    from ${copies} l
    cross join lateral (select scope_id, name from file where id = l.file_id offset 0) f
    join scope s on s.id = f.scope_id
    left join lateral (select state from placement_gap
      where rule_id = ${ruleId} and file_id = l.file_id and rse_id = l.rse_id offset 0) g on true
    order by l.file_id, l.rse_id`

/**
 * Locks of a rule on files of one of its datasets at a storage, after a file. Left out are those on files that an
 * earlier dataset of the rule holds there too; `next` is the file to go on after.
 */
export async function selectDatasetFileLocks(
  db: Db,
  input: { ruleId: string; collectionId: bigint; rseId: number; after: bigint; limit: number },
): Promise<{ locks: LockView[]; next: bigint | undefined }> {
  const { ruleId, collectionId, rseId, after, limit } = input
  const [end] = await rows(
    db,
    sql<{
      id: bigint
    }>`select child_id as id from content where parent_id = ${collectionId} and child_id > ${after}
      order by child_id offset ${limit - 1} limit 1`,
  )
  const locks = await rows(
    db,
    lockOf(
      ruleId,
      sql`(select c.child_id as file_id, ${rseId}::int as rse_id from content c
        where c.parent_id = ${collectionId} and c.child_id > ${after} ${end ? sql`and c.child_id <= ${end.id}` : sql``}
          and not exists (select from (select parent_id from content where child_id = c.child_id
              and parent_id < c.parent_id offset 0) k
            cross join lateral (select from placement p where p.rule_id = ${ruleId}
              and p.collection_id = k.parent_id and p.rse_id = ${rseId} offset 0) p)
        order by c.child_id limit ${limit})`,
    ),
  )
  return { locks, next: end?.id }
}

/** Locks of a rule on single files, after (file, storage), in that order. */
export const selectSingleFileLocks = (
  db: Db,
  input: { ruleId: string; afterFile: bigint; afterRse: number; limit: number },
) =>
  rows(
    db,
    lockOf(
      input.ruleId,
      sql`(select file_id, rse_id from file_placement where rule_id = ${input.ruleId}
        and (file_id, rse_id) > (${input.afterFile}, ${input.afterRse}) order by 1, 2 limit ${input.limit})`,
    ),
  )

export const selectDatasetLocks = (
  db: Db,
  input: { vo: string; datasetIds: readonly bigint[] | null; rseId: number | null },
) =>
  rows(
    db,
    sql<DatasetLockView>`
      select s.name as scope, c.name, p.rse_id as "rseId", r.id as "ruleId", r.account_id as "accountId",
        (c.n_files + coalesce(d.files, 0))::bigint as files, (c.bytes + coalesce(d.bytes, 0))::bigint as bytes,
        case when not exists (select from placement_gap g join content k on k.child_id = g.file_id
            where g.rule_id = p.rule_id and g.rse_id = p.rse_id and k.parent_id = p.collection_id) then 'OK'
          when r.state = 'STUCK' then 'STUCK' else 'REPLICATING' end as state
      from placement p join rule r on r.id = p.rule_id join collection c on c.id = p.collection_id
      join scope s on s.id = c.scope_id
      left join lateral (select sum(d_files) as files, sum(d_bytes) as bytes from counter_delta
        where kind = 'collection' and key1 = c.id) d on true
      where r.vo = ${input.vo}
        and (${input.datasetIds}::bigint[] is null or p.collection_id = any(${input.datasetIds}::bigint[]))
        and (${input.rseId}::int is null or p.rse_id = ${input.rseId}::int)
      order by 1, 2, 3`,
  )
