import { type Db, rows, sql, type Tx } from '../../kernel/database.ts'
import { storageSite } from '../sites.store.ts'

/** Notes how many pilots run at each site, those with none too, how full the storages are, and what full links carry. */
export async function noteLevels(tx: Tx, now: Date, start: Date): Promise<void> {
  await sql`insert into pilot_level (vo, site, start, running)
    select r.vo, r.site, ${start}::timestamptz, count(p.id) from compute_resource r
    left join pilot p on p.resource_id = r.id and p.deadline is not null and p.state = 'Running' group by 1, 2
    on conflict (vo, site, start) do update set running = excluded.running`.execute(tx)
  await sql`insert into storage_level (rse_id, day, used)
    select rse_id, (${now}::timestamptz at time zone 'UTC')::date, used from rse_usage where source = 'storage'
    on conflict (rse_id, day) do update set used = excluded.used where storage_level.used <> excluded.used`.execute(
    tx,
  )
  await sql`insert into link_level (src_rse_id, dst_rse_id, start, bytes_per_s)
    select src_rse_id, dst_rse_id, ${start}, busy_bytes_per_s from link where busy_at >= ${start}
    on conflict (src_rse_id, dst_rse_id, start) do update set bytes_per_s = excluded.bytes_per_s`.execute(tx)
}

export async function forgetLevels(tx: Tx, before: Date): Promise<void> {
  await sql`delete from pilot_level where start < ${before}`.execute(tx)
  await sql`delete from storage_level where day < ${before}::date`.execute(tx)
  await sql`delete from link_level where start < ${before}`.execute(tx)
}

export interface StorageLevel {
  readonly storage: string
  readonly at: Date
  readonly usedBytes: number
}

/** One value a day and storage, oldest first. */
export const storageLevels = (db: Db, vo: string, since: Date): Promise<StorageLevel[]> =>
  rows(
    db,
    sql<StorageLevel>`with home as (${storageSite})
      select h.rse as storage, l.day::timestamp at time zone 'UTC' as at, l.used::float8 as "usedBytes"
      from home h join storage_level l on l.rse_id = h.rse_id and l.day >= ${since}::date
      where h.vo = ${vo} order by 1, 2`,
  )

export interface SiteTrend {
  readonly site: string
  readonly what: 'running pilots' | 'finished jobs' | 'failed jobs'
  readonly last: number[]
  readonly usual: number[]
}

/**
 * The last hour of each site in bins of ten minutes up to `end`, and the same hour of the week of four weeks before.
 * Where less than half of those bins are known nobody can say what is usual: such a site is left out.
 */
export const siteTrends = (db: Db, vo: string, end: Date): Promise<SiteTrend[]> =>
  rows(
    db,
    sql<SiteTrend>`with week as (select w, ${end}::timestamptz - w * interval '7 days' as until from generate_series(0, 4) w),
      seen as (
        select s.name as site, week.w, b.start - week.until as at, b.n - b.failed as finished, b.failed
        from site s cross join week cross join lateral (select * from activity_bin b where b.vo = s.vo and b.kind = 'site'
          and b.name = s.name and b.measure = 'jobs' and b.start >= week.until - interval '1 hour' and b.start < week.until) b
        where s.vo = ${vo}),
      ran as (
        select s.name as site, week.w, l.start - week.until as at, l.running
        from site s cross join week cross join lateral (select * from pilot_level l where l.vo = s.vo and l.site = s.name
          and l.start >= week.until - interval '1 hour' and l.start < week.until) l
        where s.vo = ${vo}),
      value as (
        select site, w, at, 'finished jobs' as what, finished as n from seen
        union all select site, w, at, 'failed jobs', failed from seen
        union all select site, w, at, 'running pilots', running from ran)
      select site, what,
        array(select coalesce((select v2.n from value v2 where v2.site = v.site and v2.what = v.what and v2.w = 0
            and v2.at = g.at), 0)::int
          from (select n * interval '10 minutes' as at from generate_series(-6, -1) n) g order by g.at) as last,
        array_agg(v.n::int) filter (where v.w > 0) as usual
      from value v group by 1, 2 having count(*) filter (where v.w > 0) >= 12 order by 1, 2`,
  )
