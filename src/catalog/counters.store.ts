import { type Db, row, sql, type Worker } from '../kernel/index.ts'

/** SQL: files and bytes of collection `c`, exact now: the base and the changes not yet folded into it. */
export const collectionCount = sql`(c.n_files + coalesce((select sum(d.d_files) from counter_delta d
  where d.kind = 'collection' and d.key1 = c.id), 0))::bigint`
export const collectionBytes = sql`(c.bytes + coalesce((select sum(d.d_bytes) from counter_delta d
  where d.kind = 'collection' and d.key1 = c.id), 0))::bigint`

/** At most this many changes are folded in one statement. */
const BATCH = 20_000
const FOLD_EVERY_MS = 1_000
/** One process folds at a time; any constant that nobody else uses. */
const FOLDER_LOCK = 0x666f6c64

/** Moves counter changes into their base. What readers see is the same before, during and after. */
export async function foldCounters(db: Db): Promise<number> {
  const folded = await row(
    db,
    sql<{ n: number }>`
      with turn as materialized (select pg_try_advisory_xact_lock(${FOLDER_LOCK}) as mine),
      gone as (
        delete from counter_delta where id in (
          select d.id from counter_delta d, turn where turn.mine order by d.id limit ${BATCH})
        returning kind, key1, key2, d_files, d_bytes),
      total as (
        select kind, key1, key2, sum(d_files)::bigint as files, sum(d_bytes)::bigint as bytes
        from gone group by 1, 2, 3),
      collections as (
        update collection c set n_files = c.n_files + t.files, bytes = c.bytes + t.bytes
        from total t where t.kind = 'collection' and t.key1 = c.id),
      collection_replicas as (
        insert into collection_replica as r (collection_id, rse_id, n_files, bytes)
        select key1, key2, files, bytes from total where kind = 'collection_replica' order by 1, 2
        on conflict (collection_id, rse_id)
        do update set n_files = r.n_files + excluded.n_files, bytes = r.bytes + excluded.bytes),
      rses as (
        insert into rse_usage as u (rse_id, source, used, files, updated_at)
        select key1, 'rucio', bytes, files, current_timestamp from total where kind = 'rse' order by 1
        on conflict (rse_id, source) do update set used = u.used + excluded.used,
          files = u.files + excluded.files, updated_at = excluded.updated_at)
      select count(*)::int as n from gone`,
  )
  return folded?.n ?? 0
}

/** Folds counter changes into their base; reads are exact before and after. */
export function counterFolder(db: Db): Worker {
  return {
    name: 'catalog-counters',
    wakeOn: [],
    async tick(now) {
      const changed = await foldCounters(db)
      // Not again at once unless there is a full batch: a row a second is what folding is meant to save.
      return { changed: changed === BATCH ? changed : 0, nextWake: new Date(now.getTime() + FOLD_EVERY_MS) }
    },
  }
}
