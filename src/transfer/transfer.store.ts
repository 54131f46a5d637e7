import { affected, type Db, row, rows, sql } from '../kernel/index.ts'
import type { TransferError } from './classify.ts'
import type { Queue } from './fair-shares.ts'

export interface TransferRow {
  readonly id: string
  readonly vo: string
  readonly fileId: bigint
  readonly dstRseId: number
  readonly bytes: bigint
  readonly activity: string
  readonly overwrite: boolean
  readonly sourceExpression: string | null
  readonly attempt: number
  readonly failures: number
  readonly waits: number
  readonly deadline: Date
  readonly lastError: LastError | null
}

/** The last failure, and what this transfer learned about its sources: `[failures, of them bad copies]` by RSE id. */
export interface LastError extends TransferError {
  readonly sources?: Readonly<Record<string, readonly [number, number]>>
}

/** Names one start of one transfer: who reports about it must hold it. */
export interface Held {
  readonly id: string
  readonly attempt: number
}

const ROW = sql`t.id, t.vo, t.file_id as "fileId", t.dst_rse_id as "dstRseId", t.bytes, t.activity, t.overwrite,
  t.source_expression as "sourceExpression", t.attempt, t.failures, t.waits, t.deadline, t.last_error as "lastError"`

export interface NewTransfer {
  readonly id: string
  readonly fileId: bigint
  readonly dstRseId: number
  readonly bytes: bigint
  readonly activity: string
  readonly priority: number
  readonly overwrite: boolean
  readonly sourceExpression: string | null
  readonly madeReplica: boolean
}

/** Adds wishes; one that is there already only gains urgency. Returns how many are new. */
export async function insertTransfers(
  db: Db,
  input: { vo: string; now: Date; deadline: Date; transfers: readonly NewTransfer[] },
): Promise<number> {
  const list = JSON.stringify(input.transfers, (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  const found = await rows(
    db,
    sql<{ created: boolean }>`
      insert into transfer as t (id, vo, file_id, dst_rse_id, bytes, activity, priority, overwrite, source_expression,
        made_replica, state, not_before, deadline, created_at)
      select n.id, ${input.vo}, n."fileId", n."dstRseId", n.bytes, n.activity, n.priority, n.overwrite,
        n."sourceExpression", n."madeReplica", 'queued', ${input.now}, ${input.deadline}, ${input.now}
      from jsonb_to_recordset(${list}::jsonb) as n(id uuid, "fileId" bigint, "dstRseId" int, bytes bigint,
        activity text, priority smallint, overwrite boolean, "sourceExpression" text, "madeReplica" boolean)
      order by n."fileId", n."dstRseId"
      on conflict (file_id, dst_rse_id) do update set
        priority = greatest(t.priority, excluded.priority),
        overwrite = t.overwrite or excluded.overwrite,
        made_replica = t.made_replica or excluded.made_replica
      where t.priority < excluded.priority or t.overwrite < excluded.overwrite
        or t.made_replica < excluded.made_replica
      returning (xmax = 0) as created`,
  )
  return found.filter((r) => r.created).length
}

/** The order of a queue: a step of priority is worth an hour of waiting, so that nothing waits for ever. */
const URGENCY = sql`(t.not_before - timestamptz '2000-01-01 00:00:00+00') - t.priority * interval '1 hour'`

/** Queues with something to do now: by destination, and at it by activity; found by leaps over the index. */
export async function dueQueues(db: Db, now: Date): Promise<Queue[]> {
  return rows(
    db,
    sql<Queue>`
      with recursive leap as (
        (select dst_rse_id, vo, activity from transfer where state = 'queued' order by 1, 2, 3 limit 1)
        union all
        select n.* from leap l cross join lateral (
          select t.dst_rse_id, t.vo, t.activity from transfer t
          where t.state = 'queued' and (t.dst_rse_id, t.vo, t.activity) > (l.dst_rse_id, l.vo, l.activity)
          order by 1, 2, 3 limit 1) n)
      select l.vo, l.dst_rse_id as "rseId", l.activity from leap l cross join lateral (
        select from transfer t where t.state = 'queued' and t.dst_rse_id = l.dst_rse_id and t.vo = l.vo
          and t.activity = l.activity and t.not_before <= ${now} order by ${URGENCY} limit 1) due`,
  )
}

/** When the next of the others is due. */
export async function nextDue(db: Db, now: Date): Promise<Date | null> {
  const found = await row(
    db,
    sql<{ at: Date }>`select not_before as at from transfer where state = 'queued' and not_before > ${now}
      order by not_before limit 1`,
  )
  return found?.at ?? null
}

/** Locks queued rows of queues, the most urgent of each; other claimers pass over them. */
export async function lockQueued(
  tx: Db,
  input: { queues: readonly Queue[]; perQueue: number; now: Date },
): Promise<TransferRow[]> {
  const { queues, perQueue, now } = input
  return rows(
    tx,
    sql<TransferRow>`
      select ${ROW} from unnest(${queues.map((q) => q.rseId)}::int[], ${queues.map((q) => q.vo)}::text[],
        ${queues.map((q) => q.activity)}::text[]) as d(rse_id, vo, activity) cross join lateral (
        select * from transfer t
        where t.state = 'queued' and t.dst_rse_id = d.rse_id and t.vo = d.vo and t.activity = d.activity
          and t.not_before <= ${now}
        order by ${URGENCY} limit ${perQueue} for update skip locked) t`,
  )
}

export async function startTransfers(
  tx: Db,
  input: {
    now: Date
    owner: string
    leaseUntil: Date
    starts: readonly { id: string; srcRseId: number | null }[]
  },
): Promise<void> {
  await sql`
    update transfer t set state = 'active', attempt = t.attempt + 1, owner = ${input.owner},
      lease_until = ${input.leaseUntil}, src_rse_id = s.src, started_at = coalesce(t.started_at, ${input.now}),
      bytes_done = 0
    from unnest(${input.starts.map((s) => s.id)}::uuid[], ${input.starts.map((s) => s.srcRseId)}::int[]) as s(id, src)
    where t.id = s.id`.execute(tx)
}

/** Puts rows that cannot start yet behind the others of their destination. */
export async function postpone(tx: Db, ids: readonly string[], until: Date): Promise<void> {
  if (ids.length === 0) return
  await sql`update transfer set not_before = ${until} where id = any(${ids}::uuid[])`.execute(tx)
}

/** Gives rows whose owner is silent back to the queue. */
export async function releaseExpired(db: Db, now: Date): Promise<number> {
  return affected(
    db,
    sql`update transfer set state = 'queued', owner = null, lease_until = null, not_before = ${now}
      where id in (select id from transfer where state <> 'queued' and lease_until < ${now} for update skip locked)`,
  )
}

export async function owners(db: Db): Promise<string[]> {
  const found = await rows(
    db,
    sql<{ owner: string }>`select distinct owner from transfer where state <> 'queued'`,
  )
  return found.map((r) => r.owner)
}

export async function releaseOwners(db: Db, now: Date, gone: readonly string[]): Promise<void> {
  await sql`update transfer set state = 'queued', owner = null, lease_until = null, not_before = ${now}
    where state <> 'queued' and owner = any(${gone})`.execute(db)
}

export interface Running extends Held {
  readonly bytesDone: bigint
  readonly verifying: boolean
}

/** Writes progress of all running starts, and renews their leases; returns the ids still held. */
export async function renewLeases(
  db: Db,
  input: { owner: string; leaseUntil: Date; running: readonly Running[] },
): Promise<Set<string>> {
  const { running } = input
  const found = await rows(
    db,
    sql<{ id: string }>`
      update transfer t set lease_until = ${input.leaseUntil}, bytes_done = least(r.bytes, t.bytes),
        state = case when r.verifying then 'verifying' else 'active' end
      from (select * from unnest(${running.map((r) => r.id)}::uuid[], ${running.map((r) => r.attempt)}::int[],
        ${running.map((r) => String(r.bytesDone))}::bigint[], ${running.map((r) => r.verifying)}::boolean[])
        as r(id, attempt, bytes, verifying)) r
      where t.id = r.id and t.attempt = r.attempt and t.owner = ${input.owner} and t.state <> 'queued'
      returning t.id`,
  )
  return new Set(found.map((r) => r.id))
}

/** Locks the rows of these starts that their owner still holds. */
export async function lockHeld(
  tx: Db,
  owner: string,
  held: readonly Held[],
): Promise<Map<string, { madeReplica: boolean }>> {
  const found = await rows(
    tx,
    sql<{ id: string; madeReplica: boolean }>`
      select t.id, t.made_replica as "madeReplica" from transfer t
      where t.id in (select t.id from transfer t
        join unnest(${held.map((h) => h.id)}::uuid[], ${held.map((h) => h.attempt)}::int[]) as h(id, attempt)
          on t.id = h.id and t.attempt = h.attempt
        where t.owner = ${owner} and t.state <> 'queued')
      order by t.id for update`,
  )
  return new Map(found.map((r) => [r.id, r]))
}

/** Back to the queue of its own will: the process stops. */
export async function releaseHeld(db: Db, owner: string, now: Date, held: readonly Held[]): Promise<void> {
  if (held.length === 0) return
  await sql`update transfer t set state = 'queued', owner = null, lease_until = null, not_before = ${now}
    from unnest(${held.map((h) => h.id)}::uuid[], ${held.map((h) => h.attempt)}::int[]) as h(id, attempt)
    where t.id = h.id and t.attempt = h.attempt and t.owner = ${owner}`.execute(db)
}

export interface Requeued {
  readonly id: string
  readonly failures: number
  readonly waits: number
  readonly notBefore: Date
  readonly error: LastError
}

export async function requeue(tx: Db, list: readonly Requeued[]): Promise<void> {
  if (list.length === 0) return
  await sql`
    update transfer t set state = 'queued', owner = null, lease_until = null, bytes_done = 0,
      failures = r.failures, waits = r.waits, not_before = r."notBefore", last_error = r.error
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
      as r(id uuid, failures smallint, waits smallint, "notBefore" timestamptz, error jsonb)
    where t.id = r.id`.execute(tx)
}

export interface Ended {
  readonly id: string
  readonly outcome: 'done' | 'adopted' | 'failed' | 'canceled'
  readonly error: TransferError | null
}

/** Moves rows to the log. */
export async function endTransfers(tx: Db, now: Date, list: readonly Ended[]): Promise<void> {
  if (list.length === 0) return
  await sql`
    with ended as (select * from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
        as e(id uuid, outcome text, error jsonb)),
      gone as (delete from transfer t using ended e where t.id = e.id
        returning t.*, e.outcome, e.error as end_error)
    insert into transfer_log (id, vo, file_id, src_rse_id, dst_rse_id, bytes, activity, outcome, attempts, error,
      created_at, started_at, finished_at)
    select id, vo, file_id, src_rse_id, dst_rse_id, bytes, activity, outcome, attempt,
      nullif(end_error, 'null'::jsonb), created_at, started_at, ${now} from gone`.execute(tx)
}

export async function lockByKeys(
  tx: Db,
  vo: string,
  keys: readonly { fileId: bigint; dstRseId: number }[],
): Promise<{ id: string; fileId: bigint; dstRseId: number; madeReplica: boolean }[]> {
  return rows(
    tx,
    sql<{ id: string; fileId: bigint; dstRseId: number; madeReplica: boolean }>`
      select t.id, t.file_id as "fileId", t.dst_rse_id as "dstRseId", t.made_replica as "madeReplica"
      from transfer t
      where t.vo = ${vo} and (t.file_id, t.dst_rse_id) in (
        select * from unnest(${keys.map((k) => String(k.fileId))}::bigint[], ${keys.map((k) => k.dstRseId)}::int[]))
      order by t.id for update of t`,
  )
}
