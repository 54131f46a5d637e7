import { type Db, row, rows, sql } from '../kernel/database.ts'

export interface DatasetTransfers {
  /** Copied and verified. */
  readonly done: number
  /** Found complete at the destination after an attempt whose end nobody saw. */
  readonly adopted: number
  readonly failed: number
  readonly running: number
  /** Attempts beyond the first of each transfer. */
  readonly retries: number
  readonly bytes: number
}

/** What it took to copy the files of a dataset, from the first attempt on. */
export async function datasetTransfers(
  db: Db,
  vo: string,
  did: { scope: string; name: string },
): Promise<DatasetTransfers> {
  const found = await row(
    db,
    sql<DatasetTransfers>`
      with member as (
        select k.child_id as id from scope s join collection c on c.scope_id = s.id join content k on k.parent_id = c.id
        where s.vo = ${vo} and s.name = ${did.scope} and c.name = ${did.name}),
      ended as (select t.* from transfer_log t join member m on m.id = t.file_id),
      going as (select t.* from transfer t join member m on m.id = t.file_id)
      select count(*) filter (where outcome = 'done')::int as done,
        count(*) filter (where outcome = 'adopted')::int as adopted,
        count(*) filter (where outcome = 'failed')::int as failed,
        (select count(*)::int from going) as running,
        (coalesce(sum(attempts - 1), 0) + coalesce((select sum(greatest(attempt - 1, 0)) from going), 0))::int as retries,
        coalesce(sum(bytes) filter (where outcome = 'done'), 0)::float8 as bytes
      from ended`,
  )
  return found!
}

export interface BadReplicaLine {
  readonly scope: string
  readonly name: string
  readonly rse: string
  readonly state: string
  readonly reason: string
  readonly at: Date
  readonly resolvedAt: Date | null
}

/** Copies at a site that were declared bad since a time, newest first. */
export const badReplicasOfSite = (db: Db, vo: string, site: string, since: Date, limit: number) =>
  rows(
    db,
    sql<BadReplicaLine>`select s.name as scope, f.name, e.name as rse, b.state, b.reason, b.at,
        b.resolved_at as "resolvedAt"
      from bad_replica b join rse e on e.id = b.rse_id and e.vo = ${vo}
      join rse_attribute a on a.rse_id = e.id and a.key = 'site' and a.value = to_jsonb(${site}::text)
      join file f on f.id = b.file_id join scope s on s.id = f.scope_id
      where b.at >= ${since} order by b.at desc limit ${limit}`,
  )
