import { type Db, rows, sql, type Tx } from '../kernel/index.ts'
import { deadlineOf, FINAL, STATES, WITH_PILOT } from './states.ts'

export interface Move {
  readonly id: bigint
  /** Only this start; absent: whichever. */
  readonly attempt?: number
  readonly to: number
  readonly minor: string
  /** Absent: as it is. */
  readonly application?: string
  /** Absent: as it is. */
  readonly queueId?: number
  readonly lookAt?: Date | null
  /** Added to what the job has. */
  readonly losses?: number
  readonly failures?: number
  /** Begins anew: no start of it counts any more. */
  readonly afresh?: boolean
}

export interface Moved {
  readonly id: bigint
  readonly before: number
  readonly attempt: number
  readonly queueId: number
}

/** States of jobs that nobody has. */
const AT_NO_PLACE = [STATES.Received, STATES.Waiting, STATES.Rescheduled]

/**
 * The one way in which a job's state changes: only from one of the states given, with its event, its deadline and the
 * counts of its queue and site. Returns those that moved; the others were not in such a state.
 */
export async function moveJobs(
  tx: Tx,
  input: { now: Date; from: readonly number[]; source: string; moves: readonly Move[] },
): Promise<Moved[]> {
  const { now, from, source, moves } = input
  if (moves.length === 0) return []
  const list = JSON.stringify(
    moves.map(({ id, attempt, to, minor, application, queueId, lookAt, losses, failures, afresh }) => ({
      ...{ id: String(id), attempt, to, minor, application, queue: queueId, afresh: afresh ?? false },
      ...{ look: lookAt, losses: losses ?? 0, failures: failures ?? 0, deadline: deadlineOf(to, now) },
    })),
  )
  return rows(
    tx,
    sql<Moved>`
      with wanted as (select * from jsonb_to_recordset(${list}::jsonb) as w(id bigint, attempt int, "to" smallint,
          minor text, application text, queue int, afresh boolean, look timestamptz, losses smallint, failures smallint,
          deadline timestamptz)),
        old as (select j.id, j.state as before, j.queue_id as queue_before, j.site as site_before
          from job j join wanted w on w.id = j.id
          where j.state = any(${from}::smallint[]) and (w.attempt is null or j.attempt = w.attempt)
          order by j.id for update of j),
        moved as (
          update job j set state = w."to", minor = left(w.minor, 128),
            application = left(coalesce(w.application, j.application), 255),
            queue_id = coalesce(w.queue, j.queue_id), look_at = w.look, deadline = w.deadline, updated_at = ${now},
            losses = case when w.afresh then 0 else j.losses + w.losses end,
            failures = case when w.afresh then 0 else j.failures + w.failures end,
            pilot_id = case when w."to" = any(${[...WITH_PILOT]}::smallint[]) then j.pilot_id end,
            site = case when w."to" = any(${[...AT_NO_PLACE]}::smallint[]) then null else j.site end,
            started_at = case when w.afresh then null
              when w."to" = ${sql.lit(STATES.Running)} then coalesce(j.started_at, ${now}) else j.started_at end,
            rescheduled_at = case when o.before = any(${[...WITH_PILOT, ...FINAL]}::smallint[])
              and w."to" = any(${[...AT_NO_PLACE]}::smallint[]) then ${now}::timestamptz else j.rescheduled_at end,
            ended_at = case when w."to" = any(${[...FINAL]}::smallint[]) then coalesce(j.ended_at, ${now}) end
          from wanted w join old o on o.id = w.id where j.id = o.id
          returning j.id, o.before, o.queue_before, o.site_before, j.queue_id, j.site, j.attempt, j.state, j.minor, j.application),
        told as (insert into job_event (job_id, attempt, at, state, minor, application, source)
          select id, attempt, ${now}::timestamptz, state, minor, application, ${source} from moved),
        counted as (insert into job_delta (queue_id, state, site, n)
          select queue_id, state, site, sum(n) from (
            select queue_before as queue_id, before as state, site_before as site, -1 as n from moved
            union all select queue_id, state, site, 1 from moved) c
          group by 1, 2, 3 having sum(n) <> 0 order by 1, 2, 3)
      select id, before, attempt, queue_id as "queueId" from moved`,
  )
}

/** Forgets that jobs look for inputs, and asks anew at a time. */
export async function setLookAt(db: Db, ids: readonly bigint[], at: Date | null): Promise<void> {
  if (ids.length === 0) return
  await sql`update job set look_at = ${at} where id = any(${ids}::bigint[])`.execute(db)
}
