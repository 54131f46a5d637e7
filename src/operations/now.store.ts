import { type Db, row, sql } from '../kernel/database.ts'
import { storageSite } from './sites.store.ts'

export interface TotalsRow {
  readonly datasets: bigint
  readonly files: bigint
  readonly bytes: bigint
  readonly safe_datasets: bigint
  readonly safe_files: bigint
  readonly copies: bigint
  readonly copy_bytes: bigint
}

/**
 * Totals from the datasets' counters, never from file rows. A dataset is safe when complete copies of it lie at two sites
 * or more (a storage without a site counts as a site of its own).
 */
export async function readTotals(db: Db, vo: string): Promise<TotalsRow> {
  const found = await row(
    db,
    sql<TotalsRow>`
      with home as (${storageSite}),
      dataset as (
        select c.id, c.n_files + coalesce(d.files, 0) as files, c.bytes + coalesce(d.bytes, 0) as bytes
        from collection c join scope s on s.id = c.scope_id and s.vo = ${vo}
        left join (select key1, sum(d_files) as files, sum(d_bytes) as bytes from counter_delta where kind = 'collection' group by 1) d
          on d.key1 = c.id
        where c.kind = 'D' and c.deleted_at is null),
      held as (
        select collection_id, rse_id, sum(files) as files, sum(bytes) as bytes from (
          select collection_id, rse_id, n_files as files, bytes from collection_replica
          union all
          select key1, key2::int, d_files, d_bytes from counter_delta where kind = 'collection_replica') x
        group by 1, 2),
      safety as (
        select dataset.id, dataset.files, dataset.bytes, coalesce(sum(held.files), 0) as copies,
          coalesce(sum(held.bytes), 0) as copy_bytes,
          count(distinct coalesce(home.site, home.rse)) filter (where held.files >= dataset.files and dataset.files > 0) as complete
        from dataset left join held on held.collection_id = dataset.id left join home on home.rse_id = held.rse_id
        group by 1, 2, 3)
      select count(*) as datasets, coalesce(sum(files), 0)::bigint as files, coalesce(sum(bytes), 0)::bigint as bytes,
        count(*) filter (where complete >= 2) as safe_datasets,
        coalesce(sum(files) filter (where complete >= 2), 0)::bigint as safe_files,
        coalesce(sum(copies), 0)::bigint as copies, coalesce(sum(copy_bytes), 0)::bigint as copy_bytes
      from safety`,
  )
  return found!
}

export interface CountsRow {
  readonly rules_ok: bigint
  readonly rules_working: bigint
  readonly rules_stuck: bigint
  readonly transfers_active: bigint
  readonly transfers_queued: bigint
  readonly transfers_retrying: bigint
  readonly bad_copies: bigint
}

export async function readCounts(db: Db, vo: string): Promise<CountsRow> {
  const found = await row(
    db,
    sql<CountsRow>`
      select
        (select count(*) from rule where vo = ${vo} and state = 'OK') as rules_ok,
        (select count(*) from rule where vo = ${vo} and state in ('REPLICATING', 'INJECT')) as rules_working,
        (select count(*) from rule where vo = ${vo} and state = 'STUCK') as rules_stuck,
        (select count(*) from transfer where vo = ${vo} and state <> 'queued') as transfers_active,
        (select count(*) from transfer where vo = ${vo} and state = 'queued') as transfers_queued,
        (select count(*) from transfer where vo = ${vo} and state = 'queued' and last_error is not null) as transfers_retrying,
        (select count(*) from bad_replica b join rse r on r.id = b.rse_id
         where r.vo = ${vo} and b.resolved_at is null and b.state = 'BAD') as bad_copies`,
  )
  return found!
}
