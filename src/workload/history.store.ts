import { affected, type Db, rows, sql } from '../kernel/index.ts'
import { STATES } from './states.ts'

const ENDS = sql.lit(`{${STATES.Done},${STATES.Failed},${STATES.Killed}}`)

/** How many jobs of each VO, or of one, are in each state, and how many ever came into each that ends; from the kept counts. */
const present = (vo: string | null) => sql`
  select vo, coalesce(jsonb_object_agg(state, n) filter (where n > 0), '{}') as counts,
    coalesce(jsonb_object_agg(state, arrived) filter (where state = any(${ENDS}::smallint[])), '{}') as arrived
  from (
    select q.vo, c.state, sum(c.n)::bigint as n, sum(c.arrived)::bigint as arrived
    from (select queue_id, state, n, arrived from job_count
      union all select queue_id, state, n, greatest(n, 0) from job_delta) c
    join job_queue q on q.id = c.queue_id where ${vo}::text is null or q.vo = ${vo} group by 1, 2) s
  group by vo`

/** Writes the present down; a time that is there already stays as it is. */
export async function noteCounts(db: Db, at: Date): Promise<void> {
  await sql`insert into job_history (vo, at, counts, arrived)
    select vo, ${at}::timestamptz, counts, arrived from (${present(null)}) p on conflict do nothing`.execute(
    db,
  )
}

/** Of what is older than a time keeps the last of each so many seconds. */
export const thinHistory = (db: Db, before: Date, seconds: number): Promise<number> =>
  affected(
    db,
    sql`delete from job_history h where h.at < ${before} and exists (
      select from job_history l where l.vo = h.vo and l.at > h.at
        and l.at < to_timestamp((floor(extract(epoch from h.at) / ${seconds}::int) + 1) * ${seconds}::int))`,
  )

export const forgetHistory = (db: Db, before: Date): Promise<number> =>
  affected(db, sql`delete from job_history where at < ${before}`)

export interface CountsAt {
  /** Beginning of the interval. */
  readonly at: Date
  /** By codes of states, at the end of the interval. */
  readonly counts: Readonly<Record<string, number>>
  /** Ever, for states that end. */
  readonly arrived: Readonly<Record<string, number>>
}

/**
 * The last counts of each interval of so many seconds, oldest first, up to the present, which counts for the interval
 * that begins at `now`. The first line is the last one before `from`.
 */
export const countsOver = (
  db: Db,
  vo: string,
  { from, now, seconds }: { from: Date; now: Date; seconds: number },
): Promise<CountsAt[]> =>
  rows(
    db,
    sql<CountsAt>`
      (select at, counts, arrived from job_history where vo = ${vo} and at < ${from} order by at desc limit 1)
      union all
      (select distinct on (1) to_timestamp(floor(extract(epoch from at) / ${seconds}::int) * ${seconds}::int) as begin,
          counts, arrived
        from job_history where vo = ${vo} and at >= ${from} and at < ${now} order by 1, at desc)
      union all
      (select ${now}::timestamptz, counts, arrived from (${present(vo)}) p)
      order by at`,
  )
