import { type Db, rows, sql, type Tx } from '../../kernel/database.ts'

export interface SiteChange {
  readonly site: string
  readonly at: Date
  readonly state: string
  readonly reason: string | null
  readonly explanation: string | null
}

/** The last state of each site that was noted. */
export const lastSiteStates = (db: Db, vo: string): Promise<SiteChange[]> =>
  rows(
    db,
    sql<SiteChange>`select s.name as site, c.at, c.state, c.reason, c.explanation
      from site s cross join lateral (select * from site_change c where c.vo = s.vo and c.site = s.name
        order by c.at desc limit 1) c where s.vo = ${vo}`,
  )

export const insertSiteChanges = (tx: Tx, vo: string, changes: readonly SiteChange[]) =>
  sql`insert into site_change (vo, site, at, state, reason, explanation)
    select ${vo}, c.site, c.at, c.state, c.reason, c.explanation
    from jsonb_to_recordset(${JSON.stringify(changes)}::jsonb)
      as c(site text, at timestamptz, state text, reason text, explanation text)
    on conflict (vo, site, at) do nothing`.execute(tx)

/** Changes since a time, and of each site the last one before. */
export const siteChangesSince = (db: Db, vo: string, from: Date): Promise<SiteChange[]> =>
  rows(
    db,
    sql<SiteChange>`select s.name as site, c.at, c.state, c.reason, c.explanation from site s cross join lateral (
        (select * from site_change c where c.vo = s.vo and c.site = s.name and c.at >= ${from})
        union all
        (select * from site_change c where c.vo = s.vo and c.site = s.name and c.at < ${from} order by c.at desc limit 1)) c
      where s.vo = ${vo} order by s.name, c.at`,
  )

/** Ends of jobs at sites by hour. */
export const endsByHour = (db: Db, vo: string, from: Date) =>
  rows(
    db,
    sql<{
      site: string
      at: Date
      n: number
      failed: number
    }>`select s.name as site, date_trunc('hour', b.start, 'UTC') as at, sum(b.n)::int as n, sum(b.failed)::int as failed
      from site s cross join lateral (select * from activity_bin b where b.vo = s.vo and b.kind = 'site' and b.name = s.name
        and b.measure = 'jobs' and b.start >= ${from}) b
      where s.vo = ${vo} group by 1, 2`,
  )
