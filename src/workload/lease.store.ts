import { type Db, prepared, row, rows, sql } from '../kernel/index.ts'
import { deadlineOf, STATES, WITH_PILOT } from './states.ts'
import type { JobItem, JobSpec } from './types.ts'

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

/**
 * Gives the first waiting jobs of a queue to a pilot: each locked, a new numbered start, its event, the counts of the
 * queue and the site, and the charge to its owner. Rows that another matcher holds are passed over; a pilot that is being
 * given up, or was, gets nothing: it is not waited for, because whoever ends it may wait for limits that are held here.
 */
export async function startJobs(
  db: Db,
  input: {
    now: Date
    pilot: { id: bigint; site: string; resource: string }
    queueId: number
    most: number
    /** Core seconds that each start puts on the owner's account. */
    charged: number
    /** What each start counts for. */
    limits: readonly number[]
  },
): Promise<StartedJob[]> {
  const { now, pilot, queueId, most, charged, limits } = input
  const { Waiting, Matched } = STATES
  return prepared(
    db,
    sql<StartedJob>`
      with alive as materialized (
          select id from pilot where id = ${pilot.id}::bigint and state in (${ALIVE})
            for key share skip locked),
        free as materialized (
          select id from job where state = ${sql.lit(Waiting)} and queue_id = ${queueId}::int and exists (select from alive)
          order by priority desc, id limit ${sql.lit(most)} for update skip locked),
        taken as (
          update job j set state = ${sql.lit(Matched)}, minor = 'Assigned', attempt = j.attempt + 1,
            pilot_id = ${pilot.id}::bigint, site = ${pilot.site}, look_at = null,
            deadline = ${deadlineOf(Matched, now)}::timestamptz, updated_at = ${now}::timestamptz, heartbeat_at = null
          from free where j.id = free.id
          returning j.id, j.attempt, j.vo, j.queue_id, j.owner_id, j.name, j.body_id, j.item),
        begun as (insert into job_attempt (job_id, n, pilot_id, site, resource, leased_at, charged, limits)
          select id, attempt, ${pilot.id}::bigint, ${pilot.site}, ${pilot.resource}, ${now}::timestamptz,
            ${charged}::double precision, ${limits}::int[] from taken),
        told as (insert into job_event (job_id, attempt, at, state, minor, application, source)
          select id, attempt, ${now}::timestamptz, ${sql.lit(Matched)}, 'Assigned', 'Unknown', 'Matcher' from taken),
        counted as (insert into job_delta (queue_id, state, site, n, core_seconds)
          select queue_id, ${sql.lit(Waiting)}, null, -count(*), count(*) * ${charged}::double precision from taken group by 1
          union all select queue_id, ${sql.lit(Matched)}, ${pilot.site}::text, count(*), 0 from taken group by 1)
      select id, attempt, vo, queue_id as "queueId", owner_id as "ownerId", name, body_id as "bodyId", item from taken
      order by id`,
  )
}

export async function bodiesOf(db: Db, ids: readonly bigint[]): Promise<Map<bigint, JobSpec>> {
  const found = await prepared(
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

const ALIVE = sql.raw(`'Submitted', 'Waiting', 'Running', 'Unknown'`)
const HELD_STATES = sql.join(WITH_PILOT.map((code) => sql.lit(code)))
const PILOT = sql`id, stamp, vo, resource_id as "resourceId", site, resource, state, draining, spoilt`

export const pilotByStamp = (db: Db, vo: string, stamp: string): Promise<PilotRow | undefined> =>
  row(db, sql<PilotRow>`select ${PILOT} from pilot where vo = ${vo} and stamp = ${stamp}`)

/** Notes that a pilot is alive; undefined when it was given up. */
export const touchPilot = (
  db: Db,
  now: Date,
  pilot: { id: bigint; until: Date },
): Promise<PilotRow | undefined> =>
  row(
    db,
    sql<PilotRow>`update pilot set seen_at = ${now}, began_at = coalesce(began_at, ${now}), deadline = ${pilot.until}, state = 'Running'
      where id = ${pilot.id} and state in (${ALIVE}) returning ${PILOT}`,
  )

/** A pilot that asks for work, with the starts that it has according to the rows. */
export interface AskingPilot extends PilotRow {
  /** Not given up. */
  readonly alive: boolean
  readonly starts: readonly string[]
}

/** Noted as alive no more often than this: most questions write nothing. */
const SEEN_EVERY_MS = 10_000

/** The pilot of a stamp, its starts (`id attempt`), and a note that it lives. */
export async function pilotAsks(
  db: Db,
  now: Date,
  pilot: { vo: string; stamp: string; until: Date; node?: string | undefined },
): Promise<AskingPilot | undefined> {
  const [found] = await prepared(
    db,
    sql<AskingPilot>`
      with known as (select ${PILOT}, state in (${ALIVE}) as alive,
          state <> 'Running' or seen_at is null or seen_at <= ${new Date(now.getTime() - SEEN_EVERY_MS)} as late
          from pilot where vo = ${pilot.vo} and stamp = ${pilot.stamp}),
        noted as (update pilot p set seen_at = ${now}, began_at = coalesce(p.began_at, ${now}), deadline = ${pilot.until}, state = 'Running',
          node = coalesce(${pilot.node ?? null}::text, p.node) from known k where p.id = k.id and k.late and p.state in (${ALIVE}))
      select k.*, array(select j.id || ' ' || j.attempt from job j
        where j.pilot_id = k.id and j.state in (${HELD_STATES})) as starts from known k`,
  )
  return found
}

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
      where pilot_id = ${pilotId} and state in (${HELD_STATES}) order by id`,
  )
