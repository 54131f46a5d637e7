import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { deadlineOf, STATES, WITH_PILOT } from './states.ts'
import type { JobItem, JobSpec } from './types.ts'

export interface FreeJob {
  readonly id: bigint
  readonly queueId: number
}

/** Locks waiting jobs of one queue, the first in its order; other matchers pass over them. */
export const lockWaiting = (tx: Tx, queueId: number, limit: number): Promise<FreeJob[]> =>
  rows(
    tx,
    sql<FreeJob>`select id, queue_id as "queueId" from job where state = ${sql.lit(STATES.Waiting)} and queue_id = ${queueId}
      order by priority desc, id limit ${limit} for update skip locked`,
  )

export interface Start {
  readonly id: bigint
  /** Core seconds put on the owner's account. */
  readonly charged: number
  readonly limits: readonly number[]
}

export interface StartedJob {
  readonly id: bigint
  readonly attempt: number
  readonly vo: string
  readonly queueId: number
  readonly ownerId: number
  readonly name: string
  readonly bodyId: bigint
  readonly item: JobItem | null
}

/** Gives locked jobs to a pilot: a new numbered start, its event, the counts of the queue and the charge to its owner. */
export async function startJobs(
  tx: Tx,
  input: {
    now: Date
    pilot: { id: bigint; site: string; resource: string }
    starts: readonly Start[]
  },
): Promise<StartedJob[]> {
  const { now, pilot, starts } = input
  const list = JSON.stringify(starts.map((start) => ({ ...start, id: String(start.id) })))
  const { Waiting, Matched } = STATES
  return rows(
    tx,
    sql<StartedJob>`
      with wanted as (select w.id, w.charged, array(select jsonb_array_elements_text(w.limits)::int) as limits
          from jsonb_to_recordset(${list}::jsonb) as w(id bigint, charged double precision, limits jsonb)),
        taken as (
          update job j set state = ${sql.lit(Matched)}, minor = 'Assigned', attempt = j.attempt + 1, pilot_id = ${pilot.id},
            site = ${pilot.site}, look_at = null, deadline = ${deadlineOf(Matched, now)}, updated_at = ${now},
            heartbeat_at = null
          from wanted w where j.id = w.id and j.state = ${sql.lit(Waiting)}
          returning j.id, j.attempt, j.vo, j.queue_id, j.owner_id, j.name, j.body_id, j.item, w.charged, w.limits),
        begun as (insert into job_attempt (job_id, n, pilot_id, site, resource, leased_at, charged, limits)
          select id, attempt, ${pilot.id}::bigint, ${pilot.site}, ${pilot.resource}, ${now}::timestamptz, charged, limits from taken),
        told as (insert into job_event (job_id, attempt, at, state, minor, application, source)
          select id, attempt, ${now}::timestamptz, ${sql.lit(Matched)}, 'Assigned', 'Unknown', 'Matcher' from taken),
        counted as (insert into job_delta (queue_id, state, n, core_seconds)
          select queue_id, ${sql.lit(Waiting)}, -count(*), sum(charged) from taken group by 1
          union all select queue_id, ${sql.lit(Matched)}, count(*), 0 from taken group by 1)
      select id, attempt, vo, queue_id as "queueId", owner_id as "ownerId", name, body_id as "bodyId", item from taken
      order by id`,
  )
}

export async function bodiesOf(db: Db, ids: readonly bigint[]): Promise<Map<bigint, JobSpec>> {
  const found = await rows(
    db,
    sql<{ id: bigint; spec: JobSpec }>`select id, spec from job_body where id = any(${ids}::bigint[])`,
  )
  return new Map(found.map(({ id, spec }) => [id, spec]))
}

export interface PilotRow {
  readonly id: bigint
  readonly stamp: string
  readonly vo: string
  readonly resourceId: number | null
  readonly site: string
  readonly resource: string
  readonly state: string
  readonly draining: boolean
  readonly spoilt: number
}

const PILOT = sql`id, stamp, vo, resource_id as "resourceId", site, resource, state, draining, spoilt`

export const pilotByStamp = (db: Db, vo: string, stamp: string): Promise<PilotRow | undefined> =>
  row(db, sql<PilotRow>`select ${PILOT} from pilot where vo = ${vo} and stamp = ${stamp}`)

/** Notes that a pilot is alive; undefined when it was given up. */
export const touchPilot = (
  db: Db,
  now: Date,
  pilot: { id: bigint; until: Date; offer?: unknown },
): Promise<PilotRow | undefined> =>
  row(
    db,
    sql<PilotRow>`update pilot set seen_at = ${now}, deadline = ${pilot.until}, state = 'Running',
        offer = coalesce(${pilot.offer === undefined ? null : JSON.stringify(pilot.offer)}::jsonb, offer)
      where id = ${pilot.id} and state in ('Submitted', 'Waiting', 'Running', 'Unknown') returning ${PILOT}`,
  )

/** Starts that a pilot has according to the rows. */
export const startsOfPilot = (
  db: Db,
  pilotId: bigint,
): Promise<(StartedJob & { readonly state: number })[]> =>
  rows(
    db,
    sql<
      StartedJob & { state: number }
    >`select id, attempt, vo, queue_id as "queueId", owner_id as "ownerId", name,
        body_id as "bodyId", item, state from job
      where pilot_id = ${pilotId} and state in (${sql.join(WITH_PILOT.map((code) => sql.lit(code)))}) order by id`,
  )
