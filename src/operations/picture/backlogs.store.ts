import { type Db, row, rows, sql } from '../../kernel/database.ts'
import type { RawInput } from '../detection/types.ts'

export interface StuckRow {
  readonly state: number
  readonly site: string | null
  readonly n: number
  readonly oldestSince: Date
}

/** Jobs whose state should have ended by a time, and did not: whoever moves them on does not work. */
export const stuckRows = (db: Db, vo: string, endedBefore: Date): Promise<StuckRow[]> =>
  rows(
    db,
    sql<StuckRow>`select state, site, count(*)::int as n, min(deadline) as "oldestSince"
      from job where deadline < ${endedBefore} and vo = ${vo} group by 1, 2 order by 1, 2`,
  )

/** Jobs that pilots have, of all. */
export const jobsInHand = async (db: Db, vo: string): Promise<number> =>
  (await row(
    db,
    sql<{ n: number }>`select coalesce(sum(c.n), 0)::int as n from (
        select queue_id, n from job_count where state in (6, 8, 10)
        union all select queue_id, n from job_delta where state in (6, 8, 10)) c
      join job_queue q on q.id = c.queue_id and q.vo = ${vo}`,
  ))!.n

/** Ends of transfers in a minute, since a time. */
export const transfersPerMinute = async (db: Db, vo: string, since: Date, now: Date): Promise<number> =>
  (await row(
    db,
    sql<{ n: number }>`select coalesce(sum(n - failed), 0)::float8
        / greatest(1, extract(epoch from ${now}::timestamptz - ${since}::timestamptz) / 60)::float8 as n
      from transfer_end where vo = ${vo} and at >= ${since}`,
  ))!.n

export interface RuleBacklogRow {
  readonly expired: number
  readonly unevaluated: number
  readonly unevaluatedSince: Date | null
  readonly lateDeletions: number
}

/** What rules and deletions should have done by now. */
export const ruleBacklog = async (
  db: Db,
  vo: string,
  { expiredBefore, deletedBefore }: { expiredBefore: Date; deletedBefore: Date },
): Promise<RuleBacklogRow> =>
  (await row(
    db,
    sql<RuleBacklogRow>`select
        (select count(*)::int from rule where vo = ${vo} and expires_at < ${expiredBefore} and not locked) as expired,
        e.n as unevaluated, e.since as "unevaluatedSince",
        (select count(*)::int from deletion where vo = ${vo} and state = 'intended' and created_at < ${deletedBefore})
          as "lateDeletions"
      from (select count(*)::int as n, min(q.queued_at) as since from evaluation_queue q join rule r on r.id = q.rule_id
        where r.vo = ${vo}) e`,
  ))!

export type RawTrouble = Omit<RawInput, 'consistent'>

/** More than so many files say the same as the first of them. */
const MOST_FILES = 200

/**
 * Registered raw files that may not be released yet and have no good copy, and inputs of productions at work whose
 * task failed or came to nothing for a day.
 */
export const rawTroubles = (db: Db, vo: string, dayAgo: Date): Promise<RawTrouble[]> =>
  rows(
    db,
    sql<RawTrouble>`with way as (
        select f.file_id, f.name, f.registered_at, r.experiment, r.run,
          (select count(*)::int from replica c where c.file_id = f.file_id and c.state = 'A') as copies
        from raw_file f join raw_run r on r.id = f.run_id
        where r.vo = ${vo} and f.state in ('registered', 'archived', 'second_copy', 'releasable')),
      wanted as (
        select w.*, i.step_id, i.task_id from way w left join lateral (
          select i.step_id, i.task_id from production_step s
          join production p on p.id = s.production_id and p.vo = ${vo} and p.life in ('active', 'finishing')
          join production_input i on i.step_id = s.id and i.file_id = w.file_id limit 1) i on true
        where w.copies = 0 or i.step_id is not null)
      select w.name, w.experiment || '/' || w.run as run, w.copies as "availableCopies", w.registered_at as "registeredAt",
        coalesce(a.n, 0) as "failedAttempts", coalesce(a.sites, 0) as "failedSites",
        coalesce(t.state = 'verified', w.step_id is null) as processed
      from wanted w left join production_task t on t.id = w.task_id
      left join lateral (
        select count(*)::int as n, count(distinct a.site)::int as sites
        from production_job j join job_attempt a on a.job_id = j.job_id
          and a.outcome in ('failed', 'site_fault', 'lost') where j.task_id = w.task_id) a on true
      where w.copies = 0 or (t.state is distinct from 'verified' and (w.registered_at < ${dayAgo} or a.n >= 3))
      order by w.registered_at limit ${MOST_FILES}`,
  )

export interface RawLatencyRow {
  readonly stage: 'registered' | 'second copy'
  readonly p95Ms: number
  readonly n: number
}

/** How long raw files took, or are taking, until they were registered and had two copies; recorded since a time. */
export const rawLatencyRows = (db: Db, vo: string, now: Date, since: Date): Promise<RawLatencyRow[]> =>
  rows(
    db,
    sql<RawLatencyRow>`with f as (select f.* from raw_file f join raw_run r on r.id = f.run_id
        where r.vo = ${vo} and f.recorded_at >= ${since}),
      took as (
        select 'registered' as stage, coalesce(registered_at, ${now}) - recorded_at as t from f
        union all select 'second copy', coalesce(second_copy_at, ${now}) - registered_at from f where registered_at is not null)
      select stage, percentile_cont(0.95) within group (order by extract(epoch from t))::float8 * 1000 as "p95Ms",
        count(*)::int as n from took group by 1 order by 1`,
  )
