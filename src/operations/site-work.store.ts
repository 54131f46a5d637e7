import { type Db, rows, sql } from '../kernel/database.ts'
import { storageSite } from './sites.store.ts'

export interface OutcomeRow {
  readonly site: string
  /** Beginning of the hour. */
  readonly at: Date
  readonly done: number
  /** Ended badly by the job's own doing. */
  readonly failed: number
  /** Spoilt by the site, or lost with their pilot. */
  readonly spoilt: number
  /** Killed, or given back. */
  readonly other: number
}

/**
 * How the starts of jobs ended, by site and hour: from the counted bins, and from the starts themselves for the last
 * minutes, which may still be counted anew.
 */
export const outcomesByHour = (
  db: Db,
  vo: string,
  { sites, from, to }: { sites: readonly string[]; from: Date; to: Date },
): Promise<OutcomeRow[]> =>
  rows(
    db,
    sql<OutcomeRow>`with mark as materialized (
        select greatest(${from}::timestamptz, least(${to}::timestamptz, coalesce((select at from operation_mark where name = 'bins'),
          ${from}::timestamptz))) as at),
      place as (select name from unnest(${sites}::text[]) s(name)),
      counted as (
        select place.name as site, b.start as at, b.n - b.failed as done, b.failed - b.spoilt as failed, b.spoilt, b.other
        from place cross join lateral (select * from activity_bin b where b.vo = ${vo} and b.kind = 'site' and b.name = place.name
          and b.measure = 'jobs' and b.start >= ${from} and b.start < (select at from mark)) b),
      late as (
        select place.name as site, a.ended_at as at, (a.outcome = 'done')::int as done, (a.outcome = 'failed')::int as failed,
          (a.outcome in ('site_fault', 'lost'))::int as spoilt, (a.outcome in ('killed', 'returned'))::int as other
        from place cross join lateral (select * from job_attempt a where a.site = place.name
          and a.ended_at >= (select at from mark) and a.ended_at < ${to}) a
        join pilot p on p.id = a.pilot_id and p.vo = ${vo})
      select site, date_trunc('hour', at, 'UTC') as at, sum(done)::int as done, sum(failed)::int as failed,
        sum(spoilt)::int as spoilt, sum(other)::int as other
      from (select * from counted union all select * from late) e group by 1, 2 order by 1, 2`,
  )

export interface ReasonRow {
  readonly outcome: string
  readonly reason: string
  readonly count: number
  readonly last: Date
}

/** Why starts at a site failed, most frequent reason first. */
export const reasonsAt = (
  db: Db,
  vo: string,
  site: string,
  since: Date,
  limit: number,
): Promise<ReasonRow[]> =>
  rows(
    db,
    sql<ReasonRow>`select a.outcome, coalesce(a.reason, '') as reason, count(*)::int as count, max(a.ended_at) as last
      from job_attempt a join pilot p on p.id = a.pilot_id and p.vo = ${vo}
      where a.site = ${site} and a.ended_at >= ${since} and a.outcome in ('failed', 'site_fault', 'lost')
      group by 1, 2 order by count(*) desc, max(a.ended_at) desc limit ${limit}`,
  )

export interface SitePilotRow {
  readonly stamp: string
  readonly resource: string
  readonly state: string
  readonly reason: string
  readonly jobs: number
  readonly createdAt: Date
  readonly seenAt: Date | null
  readonly endedAt: Date | null
}

/** The newest pilots of a site, among the newest of all. */
export const pilotsAt = (
  db: Db,
  vo: string,
  site: string,
  limit: number,
  look: number,
): Promise<SitePilotRow[]> =>
  rows(
    db,
    sql<SitePilotRow>`select stamp, resource, state, reason, jobs, created_at as "createdAt", seen_at as "seenAt",
        ended_at as "endedAt"
      from (select * from pilot where vo = ${vo} order by id desc limit ${look}) p
      where site = ${site} order by id desc limit ${limit}`,
  )

export interface StorageRow {
  readonly site: string
  readonly name: string
  readonly kind: string
  readonly read: boolean
  readonly write: boolean
  readonly delete: boolean
  /** Why transfers leave it alone at the moment. */
  readonly faults: readonly { side: string; since: string; until: string; reason: string }[]
}

export const storagesBySite = (db: Db, vo: string): Promise<StorageRow[]> =>
  rows(
    db,
    sql<StorageRow>`with home as (${storageSite})
      select h.site, r.name, r.kind, r.can_read as read, r.can_write as write, r.can_delete as delete,
        coalesce((select jsonb_agg(jsonb_build_object('side', f.side, 'since', f.since, 'until', f.blocked_until,
          'reason', f.reason) order by f.side) from storage_fault f where f.rse_id = r.id), '[]') as faults
      from home h join rse r on r.id = h.rse_id where h.vo = ${vo} and h.site is not null order by h.site, r.name`,
  )
