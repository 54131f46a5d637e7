import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import type { Held } from './types.ts'

/** How the gateway reaches a batch system; it alone understands this, and each kind has words of its own. */
export type Cluster = Readonly<Record<string, string | number>>

export interface ResourceRow {
  readonly id: number
  readonly vo: string
  readonly site: string
  readonly name: string
  readonly gateway: string
  readonly kind: string
  readonly cores: number
  readonly memoryMb: number
  readonly diskMb: number
  readonly seconds: number
  readonly platform: string
  readonly tags: readonly string[]
  readonly maxPilots: number
  readonly maxWaiting: number
  /** null: the machine of the gateway itself. */
  readonly cluster: Cluster | null
  readonly pausedUntil: Date | null
  readonly pauseMs: number
  readonly pauseReason: string | null
}

const RESOURCE = sql`id, vo, site, name, gateway, kind, cores, memory_mb as "memoryMb", disk_mb as "diskMb", seconds,
  platform, tags, max_pilots as "maxPilots", max_waiting as "maxWaiting", cluster, paused_until as "pausedUntil",
  pause_ms as "pauseMs", pause_reason as "pauseReason"`

export type NewResource = Omit<ResourceRow, 'id' | 'pausedUntil' | 'pauseMs' | 'pauseReason'>

/** Adds a resource or changes what it offers. */
export async function putResource(tx: Tx, resource: NewResource): Promise<ResourceRow> {
  const { vo, site, name, gateway, kind, cores, memoryMb, diskMb, seconds, platform, tags } = resource
  const made = await row(
    tx,
    sql<ResourceRow>`insert into compute_resource (vo, site, name, gateway, kind, cores, memory_mb, disk_mb, seconds,
        platform, tags, max_pilots, max_waiting, cluster)
      values (${vo}, ${site}, ${name}, ${gateway}, ${kind}, ${cores}, ${memoryMb}, ${diskMb}, ${seconds}, ${platform},
        ${tags}::text[], ${resource.maxPilots}, ${resource.maxWaiting},
        ${resource.cluster && JSON.stringify(resource.cluster)}::jsonb)
      on conflict (vo, name) do update set site = excluded.site, gateway = excluded.gateway, kind = excluded.kind,
        cores = excluded.cores, memory_mb = excluded.memory_mb, disk_mb = excluded.disk_mb, seconds = excluded.seconds,
        platform = excluded.platform, tags = excluded.tags, max_pilots = excluded.max_pilots,
        max_waiting = excluded.max_waiting, cluster = excluded.cluster
      returning ${RESOURCE}`,
  )
  return made!
}

export const resourcesOf = (db: Db, vo: string | null): Promise<ResourceRow[]> =>
  rows(
    db,
    sql<ResourceRow>`select ${RESOURCE} from compute_resource where ${vo}::text is null or vo = ${vo} order by vo, name`,
  )

export async function pauseResource(
  tx: Tx,
  pause: { id: number; until: Date | null; pauseMs: number; reason: string | null },
): Promise<void> {
  await sql`update compute_resource set paused_until = ${pause.until}, pause_ms = ${pause.pauseMs},
    pause_reason = ${pause.reason} where id = ${pause.id}`.execute(tx)
}

export interface NewPilot {
  readonly stamp: string
  readonly vo: string
  readonly resourceId: number | null
  readonly site: string
  readonly resource: string
  readonly state: string
  readonly reference: string | null
  /** How it was started, in the words of whoever did. */
  readonly gridType: string
}

/** Adds pilots; a stamp that is known is left out of the answer. */
export async function insertPilots(
  tx: Tx,
  now: Date,
  deadline: Date,
  pilots: readonly NewPilot[],
): Promise<string[]> {
  const list = JSON.stringify(pilots)
  const made = await rows(
    tx,
    sql<{
      stamp: string
    }>`insert into pilot (stamp, vo, resource_id, site, resource, state, reference, grid_type, created_at, deadline)
      select p.stamp, p.vo, p."resourceId", p.site, p.resource, p.state, p.reference, p."gridType", ${now}::timestamptz, ${deadline}::timestamptz
      from jsonb_to_recordset(${list}::jsonb) as p(stamp text, vo text, "resourceId" int, site text, resource text,
        state text, reference text, "gridType" text) on conflict (stamp) do nothing returning stamp`,
  )
  return made.map(({ stamp }) => stamp)
}

export interface PilotCounts {
  readonly resourceId: number
  /** Started, but not heard of yet. */
  readonly waiting: number
  readonly running: number
}

export const pilotCounts = (db: Db): Promise<PilotCounts[]> =>
  rows(
    db,
    sql<PilotCounts>`select resource_id as "resourceId",
        (count(*) filter (where state in ('Submitted', 'Waiting', 'Unknown')))::int as waiting,
        (count(*) filter (where state = 'Running'))::int as running
      from pilot where deadline is not null and resource_id is not null group by 1`,
  )

export interface EndedPilot {
  readonly stamp: string
  readonly state: 'Done' | 'Failed' | 'Aborted' | 'Deleted'
  readonly reason: string
}

/** Jobs are locked before pilots, everywhere: the end of a start counts at its pilot. */
export async function lockStartsAt(tx: Tx, vo: string | null, stamps: readonly string[]): Promise<void> {
  if (stamps.length === 0) return
  await sql`select j.id from job j join pilot p on p.id = j.pilot_id
    where p.stamp = any(${stamps}::text[]) and (${vo}::text is null or p.vo = ${vo}) and j.state in (6, 8, 9, 10)
    order by j.id for update of j`.execute(tx)
}

/** Ends pilots, or of them those whose end has come; answers what was running at them. */
export async function endPilots(
  tx: Tx,
  now: Date,
  vo: string | null,
  ended: readonly EndedPilot[],
  onlyOverdue: boolean,
): Promise<{ stamp: string; resourceId: number | null; jobs: number; starts: Held[] }[]> {
  if (ended.length === 0) return []
  // Whoever is just giving one of them a job comes before this, and the job is seen below; after it nobody does.
  await sql`select id from pilot where stamp = any(${ended.map(({ stamp }) => stamp)}::text[]) and deadline is not null
    order by id for update`.execute(tx)
  const over = await rows(
    tx,
    sql<{ id: bigint; stamp: string; resourceId: number | null; jobs: number }>`
      update pilot p set state = e.state, reason = left(e.reason, 500), ended_at = ${now}, deadline = null
      from jsonb_to_recordset(${JSON.stringify(ended)}::jsonb) as e(stamp text, state text, reason text)
      where p.stamp = e.stamp and p.deadline is not null and (not ${onlyOverdue} or p.deadline <= ${now})
        and (${vo}::text is null or p.vo = ${vo})
      returning p.id, p.stamp, p.resource_id as "resourceId", p.jobs`,
  )
  const starts = await rows(
    tx,
    // One that came since its pilot's jobs were locked may be ending: not waited for, the transaction begins anew.
    sql<Held & { pilotId: bigint }>`select id as "jobId", attempt, pilot_id as "pilotId" from job
      where pilot_id = any(${over.map(({ id }) => id)}::bigint[]) and state in (6, 8, 9, 10) order by id for update nowait`,
  )
  return over.map(({ id, stamp, resourceId, jobs }) => ({
    ...{ stamp, resourceId, jobs },
    starts: starts.filter(({ pilotId }) => pilotId === id).map(({ jobId, attempt }) => ({ jobId, attempt })),
  }))
}

/** Pilots whose end has come, unless they are heard of before they are locked. */
export const overduePilots = (db: Db, now: Date, limit: number): Promise<{ stamp: string }[]> =>
  rows(
    db,
    sql<{ stamp: string }>`select stamp from pilot where deadline <= ${now} order by deadline limit ${limit}`,
  )

export async function setPilotState(
  db: Db,
  now: Date,
  vo: string,
  pilots: readonly {
    stamp: string
    state: string
    reason: string
    reference: string | null
    deadline: Date
  }[],
): Promise<void> {
  await sql`update pilot p set state = case when p.state = 'Running' then p.state else s.state end,
      reference = coalesce(s.reference, p.reference), deadline = greatest(p.deadline, s.deadline)
    from jsonb_to_recordset(${JSON.stringify(pilots)}::jsonb)
      as s(stamp text, state text, reason text, reference text, deadline timestamptz)
    where p.stamp = s.stamp and p.vo = ${vo} and p.deadline is not null and ${now}::timestamptz is not null`.execute(
    db,
  )
}

/** How the last pilots of a resource ended: whether they ever took a job, and whether the site spoilt those. */
export interface PilotEnd {
  readonly resourceId: number
  readonly jobs: number
  readonly spoilt: number
  readonly state: string
  readonly reason: string
  readonly endedAt: Date
}

export const lastEnds = (db: Db, perResource: number): Promise<PilotEnd[]> =>
  rows(
    db,
    sql<PilotEnd>`select p.* from compute_resource r cross join lateral (
        select resource_id as "resourceId", jobs, spoilt, state, reason, ended_at as "endedAt" from pilot
        where resource_id = r.id and deadline is null order by id desc limit ${perResource}) p`,
  )

/** Pilots of a place, also those that others started there, finish what they have and end. */
export async function drainPilots(tx: Tx, vo: string, resource: string): Promise<void> {
  await sql`update pilot set draining = true where vo = ${vo} and resource = ${resource}
    and deadline is not null`.execute(tx)
}

export interface PilotView {
  readonly stamp: string
  readonly site: string
  readonly resource: string
  readonly state: string
  readonly reason: string
  readonly reference: string | null
  readonly jobs: number
  readonly createdAt: Date
  readonly seenAt: Date | null
  readonly endedAt: Date | null
}

export const pilotsOf = (db: Db, vo: string, limit: number): Promise<PilotView[]> =>
  rows(
    db,
    sql<PilotView>`select stamp, site, resource, state, reason, reference, jobs, created_at as "createdAt",
        seen_at as "seenAt", ended_at as "endedAt"
      from pilot where vo = ${vo} order by id desc limit ${limit}`,
  )

/** One process provisions at a time; any constant that nobody else uses. */
const PROVISION_LOCK = 0x70696c6f

export async function takeTurn(tx: Tx): Promise<boolean> {
  const turn = await row(
    tx,
    sql<{ mine: boolean }>`select pg_try_advisory_xact_lock(${PROVISION_LOCK}) as mine`,
  )
  return turn?.mine ?? false
}

/** Of some stamps those of pilots that a gateway was asked to start. */
export async function stampsOfGateway(
  db: Db,
  vo: string,
  gateway: string,
  stamps: readonly string[],
): Promise<Set<string>> {
  const found = await rows(
    db,
    sql<{ stamp: string }>`select p.stamp from pilot p join compute_resource r on r.id = p.resource_id
      where p.vo = ${vo} and r.vo = ${vo} and r.gateway = ${gateway} and p.stamp = any(${stamps}::text[])`,
  )
  return new Set(found.map(({ stamp }) => stamp))
}
