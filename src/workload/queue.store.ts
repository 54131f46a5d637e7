import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { queueKey } from './demand.ts'
import type { Usage } from './match.ts'
import { STATES } from './states.ts'
import type { JobLimit, Queue } from './types.ts'

const QUEUE = sql`q.id, q.vo, q.owner_id as "ownerId", q.owner, q.group_name as "group", q.job_type as "jobType",
  q.demand, q.data_sites as "dataSites", q.spoilt_at as "spoiltAt"`

/** The queues of these demands, made where they are new; in the order asked. */
export async function ensureQueues(
  tx: Tx,
  now: Date,
  wanted: readonly Omit<Queue, 'id'>[],
): Promise<number[]> {
  const keyed = wanted.map((queue) => ({ ...queue, key: queueKey(queue).toString('hex') }))
  const distinct = [...new Map(keyed.map((queue) => [`${queue.vo} ${queue.key}`, queue])).values()]
  const list = JSON.stringify(distinct)
  const given = sql`jsonb_to_recordset(${list}::jsonb) as w(key text, vo text, "ownerId" int, owner text, "group" text,
    "jobType" text, demand jsonb, "dataSites" text[], "spoiltAt" text[])`
  const found = () =>
    rows(
      tx,
      sql<{ vo: string; key: string; id: number }>`select q.vo, w.key, q.id from ${given}
        join job_queue q on q.vo = w.vo and q.key = decode(w.key, 'hex')`,
    )
  let known = await found()
  if (known.length < distinct.length) {
    await sql`insert into job_queue (vo, key, owner_id, owner, group_name, job_type, demand, data_sites, spoilt_at,
        created_at)
      select w.vo, decode(w.key, 'hex'), w."ownerId", w.owner, w."group", w."jobType", w.demand, w."dataSites", w."spoiltAt",
        ${now}::timestamptz
      from ${given} order by w.key on conflict do nothing`.execute(tx)
    known = await found()
  }
  const ids = new Map(known.map(({ vo, key, id }) => [`${vo} ${key}`, id]))
  return keyed.map(({ vo, key }) => ids.get(`${vo} ${key}`)!)
}

export async function queuesByIds(db: Db, ids: readonly number[]): Promise<Queue[]> {
  return rows(db, sql<Queue>`select ${QUEUE} from job_queue q where q.id = any(${ids}::int[])`)
}

/** Queues with waiting jobs and how many those are. */
export async function waitingCounts(db: Db, vo: string | null): Promise<{ id: number; waiting: bigint }[]> {
  return rows(
    db,
    sql<{ id: number; waiting: bigint }>`
      select c.queue_id as id, sum(c.n)::bigint as waiting from (
        select queue_id, n from job_count where state = ${sql.lit(STATES.Waiting)} and n > 0
        union all select queue_id, n from job_delta where state = ${sql.lit(STATES.Waiting)}) c
      join job_queue q on q.id = c.queue_id and (${vo}::text is null or q.vo = ${vo})
      group by 1 having sum(c.n) > 0`,
  )
}

export interface StateCount {
  readonly queueId: number
  readonly state: number
  readonly n: bigint
}

/** Jobs by queue and state, exact now. */
export async function stateCounts(db: Db, queueIds: readonly number[]): Promise<StateCount[]> {
  return rows(
    db,
    sql<StateCount>`select queue_id as "queueId", state, sum(n)::bigint as n from (
        select queue_id, state, n from job_count where queue_id = any(${queueIds}::int[])
        union all select queue_id, state, n from job_delta where queue_id = any(${queueIds}::int[])) c
      group by 1, 2 having sum(n) <> 0 order by 1, 2`,
  )
}

const BATCH = 50_000
/** One process folds at a time; any constant that nobody else uses. */
const FOLDER_LOCK = 0x6a6f6273

/** Moves changes of counts and use into their base; readers see the same before, during and after. */
export async function foldJobCounts(db: Db, now: Date, halfLifeMs: number): Promise<number> {
  const folded = await row(
    db,
    sql<{ n: number }>`
      with turn as materialized (select pg_try_advisory_xact_lock(${FOLDER_LOCK}) as mine),
      gone as (
        delete from job_delta where id in (
          select d.id from job_delta d, turn where turn.mine order by d.id limit ${BATCH})
        returning queue_id, state, site, n, core_seconds),
      counts as (
        insert into job_count as c (queue_id, state, n, arrived)
        select queue_id, state, sum(n), coalesce(sum(n) filter (where n > 0), 0)
        from gone group by 1, 2 having sum(n) <> 0 or bool_or(n > 0) order by 1, 2
        on conflict (queue_id, state) do update set n = c.n + excluded.n, arrived = c.arrived + excluded.arrived),
      places as (
        insert into job_site_count as c (vo, site, state, n)
        select q.vo, g.site, g.state, sum(g.n) from gone g join job_queue q on q.id = g.queue_id
        where g.site is not null group by 1, 2, 3 having sum(g.n) <> 0 order by 1, 2, 3
        on conflict (vo, site, state) do update set n = c.n + excluded.n),
      uses as (
        insert into job_usage as u (vo, group_name, owner, core_seconds, at)
        select q.vo, q.group_name, q.owner, sum(g.core_seconds), ${now}::timestamptz
        from gone g join job_queue q on q.id = g.queue_id
        group by 1, 2, 3 having sum(g.core_seconds) <> 0 order by 1, 2, 3
        on conflict (vo, group_name, owner) do update set at = excluded.at,
          core_seconds = greatest(0, u.core_seconds * power(0.5::double precision,
            greatest(0, extract(epoch from excluded.at - u.at)) * 1000 / ${halfLifeMs}::double precision) + excluded.core_seconds))
      select count(*)::int as n from gone`,
  )
  return folded?.n ?? 0
}

/** What was used of late, each share halved with every half-life; what is not folded yet counts in full. */
export async function recentUsage(db: Db, vo: string, now: Date, halfLifeMs: number): Promise<Usage[]> {
  return rows(
    db,
    sql<Usage>`
      select "group", owner, sum(used)::double precision as "coreSeconds" from (
        select group_name as "group", owner, core_seconds * power(0.5::double precision,
          greatest(0, extract(epoch from ${now}::timestamptz - at)) * 1000 / ${halfLifeMs}::double precision) as used
        from job_usage where vo = ${vo}
        union all
        select q.group_name, q.owner, d.core_seconds from job_delta d join job_queue q on q.id = d.queue_id
        where q.vo = ${vo} and d.core_seconds <> 0) u
      group by 1, 2`,
  )
}

export async function shareWeights(db: Db, vo: string): Promise<Map<string, number>> {
  const found = await rows(
    db,
    sql<{ group: string; weight: number }>`
      select group_name as "group", weight from job_share where vo = ${vo}`,
  )
  return new Map(found.map(({ group, weight }) => [group, weight]))
}

export async function putShare(db: Db, vo: string, group: string, weight: number): Promise<void> {
  await sql`insert into job_share (vo, group_name, weight) values (${vo}, ${group}, ${weight})
    on conflict (vo, group_name) do update set weight = excluded.weight`.execute(db)
}

const LIMIT = sql`id, vo, site, key, value, max_running as "maxRunning", interval_ms as "intervalMs", used,
  next_at as "nextAt"`

export const limitsOf = (db: Db, vo: string): Promise<JobLimit[]> =>
  rows(db, sql<JobLimit>`select ${LIMIT} from job_limit where vo = ${vo} order by id`)

export const lockLimits = (tx: Tx, ids: readonly number[]): Promise<JobLimit[]> =>
  rows(tx, sql<JobLimit>`select ${LIMIT} from job_limit where id = any(${ids}::int[]) order by id for update`)

/** What a limit counts when it is new: the starts that run now are looked for once. */
export async function putLimit(tx: Tx, limit: Omit<JobLimit, 'id' | 'used' | 'nextAt'>): Promise<JobLimit> {
  const { vo, site, key, value, maxRunning, intervalMs } = limit
  const made = await row(
    tx,
    sql<JobLimit>`insert into job_limit (vo, site, key, value, max_running, interval_ms)
      values (${vo}, ${site}, ${key}, ${value}, ${maxRunning}, ${intervalMs})
      on conflict (vo, coalesce(site, ''), key, value) do update
        set max_running = excluded.max_running, interval_ms = excluded.interval_ms returning ${LIMIT}`,
  )
  return made!
}

export async function dropLimit(db: Db, vo: string, id: number): Promise<boolean> {
  const gone = await rows(db, sql`delete from job_limit where vo = ${vo} and id = ${id} returning id`)
  return gone.length > 0
}

export async function chargeLimits(tx: Tx, now: Date, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  await sql`update job_limit l set used = l.used + u.n,
      next_at = case when l.interval_ms > 0 then ${now}::timestamptz + l.interval_ms * interval '1 ms' end
    from (select id, count(*)::int as n from unnest(${ids}::int[]) as x(id) group by 1) u where l.id = u.id`.execute(
    tx,
  )
}
