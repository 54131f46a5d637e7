import { type Db, rows, sql } from '../kernel/index.ts'
import type { DatasetLockView, LockView } from './types.ts'

/** The field's per-file locks of a rule, made up from placements and gaps; after (file, storage), in that order. */
export const selectLocks = (
  db: Db,
  input: { ruleId: string; afterFile: bigint; afterRse: number; limit: number },
) =>
  rows(
    db,
    sql<LockView & { fileId: bigint }>`
      select l.file_id as "fileId", s.name as scope, f.name, l.rse_id as "rseId", ${input.ruleId}::text as "ruleId",
        case when g.state is null then 'OK' when g.state = 'failed' then 'STUCK' else 'REPLICATING' end as state
      from (
        select k.child_id as file_id, p.rse_id from placement p join content k on k.parent_id = p.collection_id
          where p.rule_id = ${input.ruleId} and k.child_id >= ${input.afterFile}
        union select file_id, rse_id from file_placement where rule_id = ${input.ruleId}
      ) l join file f on f.id = l.file_id join scope s on s.id = f.scope_id
      left join placement_gap g on g.rule_id = ${input.ruleId} and g.file_id = l.file_id and g.rse_id = l.rse_id
      where (l.file_id, l.rse_id) > (${input.afterFile}, ${input.afterRse})
      order by l.file_id, l.rse_id limit ${input.limit}`,
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
