import { type Db, rows, sql } from '../../kernel/database.ts'

/** 95th percentile of how long the last pilots of each place waited, ms; places where none began since are left out. */
export const usualWaits = (db: Db, vo: string, since: Date): Promise<{ resource: string; ms: number }[]> =>
  rows(
    db,
    sql<{ resource: string; ms: number }>`select r.name as resource,
        1000 * percentile_cont(0.95) within group (order by extract(epoch from p.began_at - p.created_at))::float8 as ms
      from compute_resource r cross join lateral (select began_at, created_at from pilot
        where resource_id = r.id and began_at >= ${since} order by began_at desc limit 1000) p
      where r.vo = ${vo} group by 1`,
  )

/** Mean wall time of starts, ms, by step of a production. */
export const usualJobs = (
  db: Db,
  vo: string,
  since: Date,
): Promise<{ transformation: string; ms: number }[]> =>
  rows(
    db,
    sql<{ transformation: string; ms: number }>`
      select production || '/' || step as transformation, 1000 * sum(wall_seconds) / sum(n) as ms from job_fact
      where hour >= ${since} and vo = ${vo} and production <> '' group by 1 having sum(n) > 0`,
  )

/** Bins in which a link must have been full before anybody can say what is usual, and those of the last hour that count. */
const LEAST_BINS = 36
const LEAST_NOW = 3

/** What links carry when they are full, bytes per second: the median of now and of before. */
export const fullLinks = (
  db: Db,
  vo: string,
  { from, now }: { from: Date; now: Date },
): Promise<{ source: string; destination: string; rate: number; usual: number }[]> =>
  rows(
    db,
    sql<{ source: string; destination: string; rate: number; usual: number }>`
      with busy as (select src_rse_id, dst_rse_id, percentile_cont(0.5) within group (order by bytes_per_s)::float8 as rate
          from link_level where start >= ${now} group by 1, 2 having count(*) >= ${LEAST_NOW})
      select s.name as source, d.name as destination, b.rate, u.rate as usual
      from busy b join rse s on s.id = b.src_rse_id join rse d on d.id = b.dst_rse_id
      cross join lateral (select percentile_cont(0.5) within group (order by l.bytes_per_s)::float8 as rate, count(*) as n
        from link_level l where l.src_rse_id = b.src_rse_id and l.dst_rse_id = b.dst_rse_id
          and l.start >= ${from} and l.start < ${now}) u
      where d.vo = ${vo} and u.n >= ${LEAST_BINS}`,
  )
