import { type Db, row, rows, sql } from '../../kernel/database.ts'
import { endedStarts } from '../statistics/attempts.store.ts'

// Numbers and long hexadecimal words make every message another one.
const kindOf = (message: ReturnType<typeof sql>) =>
  sql`left(regexp_replace(coalesce(${message}, ''), '[0-9a-f]{8,}|[0-9]+', '#', 'g'), 200)`

export interface StartFacts {
  readonly vo: string
  readonly start: Date
  readonly site: string
  readonly resource: string
  readonly owner: string
  readonly production: string
  readonly release: string
  readonly outputStorage: string
  readonly inputStorage: string
  readonly node: string
  readonly n: number
  readonly failed: number
  readonly errors: { text: string; n: number }[]
}

/** Ends of starts by what may be their cause and by bins of ten minutes, with the most frequent messages. */
export const startFacts = (db: Db, vo: string, from: Date, to: Date): Promise<StartFacts[]> =>
  rows(
    db,
    sql<StartFacts>`with e as (select *, date_bin('10 minutes', ended_at, timestamptz '2000-01-01 00:00:00+00') as start,
          case when failed then ${kindOf(sql`reason`)} end as message from (${endedStarts(from, to)}) all_of where vo = ${vo}),
        m as (select start, site, resource, node, owner, production, release, output_storage, input_storage, message,
          count(*)::int as n, (count(*) filter (where failed))::int as failed from e group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
      select start, site, resource, node, owner, production, release, output_storage as "outputStorage",
        input_storage as "inputStorage", sum(n)::int as n, sum(failed)::int as failed,
        coalesce((jsonb_agg(jsonb_build_object('text', message, 'n', n) order by n desc, message)
          filter (where message <> '')), '[]') as errors
      from m group by 1, 2, 3, 4, 5, 6, 7, 8, 9`,
  )

export interface TransferFacts {
  readonly start: Date
  readonly source: string
  readonly destination: string
  readonly activity: string
  readonly n: number
  readonly failed: number
  readonly failedSource: number
  readonly failedDestination: number
  readonly errors: { text: string; n: number }[]
}

/** Attempts of transfers by link, activity and bins of ten minutes. */
export const transferFacts = (db: Db, vo: string, from: Date, to: Date): Promise<TransferFacts[]> =>
  rows(
    db,
    sql<TransferFacts>`with e as (
          select date_bin('10 minutes', t.at, timestamptz '2000-01-01 00:00:00+00') as start, s.name as source,
            d.name as destination, t.activity, t.n, t.failed, t.failed_source, t.failed_destination,
            case when t.failed > 0 then ${kindOf(sql`t.error`)} end as message
          from transfer_end t join rse s on s.id = t.src_rse_id join rse d on d.id = t.dst_rse_id
          where t.vo = ${vo} and t.at >= ${from} and t.at < ${to}),
        m as (select start, source, destination, activity, message, sum(n)::int as n, sum(failed)::int as failed,
          sum(failed_source)::int as fs, sum(failed_destination)::int as fd
          from e group by 1, 2, 3, 4, 5)
      select start, source, destination, activity, sum(n)::int as n, sum(failed)::int as failed,
        sum(fs)::int as "failedSource", sum(fd)::int as "failedDestination",
        coalesce((jsonb_agg(jsonb_build_object('text', message, 'n', failed) order by failed desc, message)
          filter (where message <> '')), '[]') as errors
      from m group by 1, 2, 3, 4`,
  )

export async function queuedTransfers(db: Db, vo: string): Promise<number> {
  const found = await row(
    db,
    sql<{ n: number }>`select count(*)::int as n from transfer where vo = ${vo} and state = 'queued'`,
  )
  return found!.n
}

export interface PilotFacts {
  readonly resource: string
  readonly site: string
  readonly waiting: number
  readonly running: number
  readonly oldestWaitingSince: Date | null
  readonly maxPilots: number
  readonly ended: number
  readonly empty: number
  readonly submissions: { at: string; ok: boolean }[]
}

/** Pilots of each place: those there are, those that ended since a time, and how the last twenty came on. */
export const pilotFacts = (db: Db, vo: string, since: Date): Promise<PilotFacts[]> =>
  rows(
    db,
    sql<PilotFacts>`select r.name as resource, r.site, r.max_pilots as "maxPilots", a.waiting, a.running,
        a.oldest as "oldestWaitingSince", e.ended, e.empty, coalesce(l.submissions, '[]') as submissions
      from compute_resource r
      cross join lateral (select (count(*) filter (where state <> 'Running'))::int as waiting,
          (count(*) filter (where state = 'Running'))::int as running, min(created_at) filter (where state <> 'Running') as oldest
        from pilot where resource_id = r.id and deadline is not null) a
      cross join lateral (select count(*)::int as ended, (count(*) filter (where state = 'Done' and jobs = 0))::int as empty
        from pilot where ended_at >= ${since} and resource_id = r.id) e
      cross join lateral (select jsonb_agg(jsonb_build_object('at', created_at, 'ok', ok) order by created_at) as submissions
        from (select created_at, not (state in ('Failed', 'Aborted') and jobs = 0) as ok from pilot
          where resource_id = r.id and id > (select max(id) - 100000 from pilot) and (deadline is null or state = 'Running')
          order by id desc limit 20) p) l
      where r.vo = ${vo} order by r.name`,
  )

export interface UserFacts {
  readonly user: string
  readonly n: number
  readonly failed: number
  readonly sites: number
}

/** What became of each user's starts since a time. */
export const userFacts = (db: Db, vo: string, since: Date): Promise<UserFacts[]> =>
  rows(
    db,
    sql<UserFacts>`select owner as "user", sum(n)::int as n, sum(failed)::int as failed,
        (count(distinct site) filter (where failed > 0))::int as sites
      from job_fact where hour >= ${since} and vo = ${vo} group by 1`,
  )

export interface SiteEating {
  readonly site: string
  readonly usualPerHour: number
}

/** Median of ends of starts in an hour, of hours in which there were any. */
export const usualEating = (db: Db, vo: string, since: Date, before: Date): Promise<SiteEating[]> =>
  rows(
    db,
    sql<SiteEating>`select site, percentile_cont(0.5) within group (order by n)::float8 as "usualPerHour"
      from (select site, hour, sum(n) as n from job_fact where hour >= ${since} and hour < ${before} and vo = ${vo}
        group by 1, 2) h group by 1`,
  )

export interface Walls {
  readonly site: string
  /** null: the site as a whole; `nodes`: how many different ones. */
  readonly node: string | null
  readonly nodes: number
  readonly n: number
  readonly failed: number
  readonly medianMs: number
  /** Of the starts elsewhere. */
  readonly elsewhereMs: number | null
}

/** Of sites as a whole, and of their nodes where pilots name them. */
export const wallsOfSites = (db: Db, vo: string, from: Date, to: Date): Promise<Walls[]> =>
  rows(
    db,
    sql<Walls>`with e as materialized (select site, node, seconds, failed from (${endedStarts(from, to)}) a where vo = ${vo})
      select s.site, nullif(s.node, '') as node, count(distinct s.node)::int as nodes, count(*)::int as n, (count(*) filter (where s.failed))::int as failed,
        1000 * percentile_cont(0.5) within group (order by s.seconds) as "medianMs",
        (select 1000 * percentile_cont(0.5) within group (order by o.seconds) from e o
          where o.site <> s.site and not o.failed) as "elsewhereMs"
      from e s group by grouping sets ((s.site), (s.site, s.node)) having grouping(s.node) = 1 or s.node <> ''`,
  )
