import { affected, type Db, row, rows, sql } from '../kernel/index.ts'

/** Queues rules for evaluation. */
export async function queueRules(db: Db, now: Date, ids: readonly string[]): Promise<void> {
  await sql`insert into evaluation_queue (rule_id, queued_at)
    select id, ${now}::timestamptz from rule where id = any(${ids}::uuid[])
    on conflict (rule_id) do update set queued_at = excluded.queued_at`.execute(db)
}

/** Queues the evaluation of a rule for later, even when it is queued for now. */
export const queueRuleAgain = (db: Db, id: string, at: Date) =>
  sql`insert into evaluation_queue (rule_id, queued_at) select id, ${at}::timestamptz from rule where id = ${id}
    on conflict (rule_id) do update set queued_at = excluded.queued_at`.execute(db)

/** Takes the oldest rule off the queue; new rules that were too large to place at once count as queued. */
export const takeQueuedRule = (db: Db, now: Date) =>
  row(
    db,
    sql<{ id: string }>`
      with next as (
        select rule_id from evaluation_queue where queued_at <= ${now} order by queued_at limit 1 for update skip locked),
      gone as (delete from evaluation_queue q using next n where q.rule_id = n.rule_id returning q.rule_id as id),
      large as (
        select id from rule where state = 'INJECT' and not exists (select from gone)
        order by created_at limit 1 for update skip locked)
      select id from gone union all select id from large limit 1`,
  )

/** Single files that lost a membership: their copies may have lost their protection. */
export const queueFileRelease = (db: Db, now: Date, fileIds: readonly bigint[]) =>
  affected(
    db,
    sql`insert into release_queue (target_id, target_kind, rse_id, queued_at)
      select w.id, 'F'::"char", r.rse_id, ${now}::timestamptz from (select distinct unnest(${fileIds}::bigint[])) as w(id)
      cross join lateral (select rse_id from replica where file_id = w.id offset 0) r
      on conflict (target_id, rse_id) do update set queued_at = excluded.queued_at`,
  )

export interface Release {
  readonly targetId: bigint
  readonly kind: string
  readonly rseId: number
  readonly purge: boolean
  readonly queuedAt: Date
}

export const oldestReleases = (db: Db, limit: number) =>
  rows(
    db,
    sql<Release>`select target_id as "targetId", target_kind as kind, rse_id as "rseId", purge, queued_at as "queuedAt"
      from release_queue order by queued_at limit ${limit} for update skip locked`,
  )

export const finishReleases = (db: Db, list: readonly Release[]) =>
  sql`delete from release_queue q
    using unnest(${list.map((r) => r.targetId)}::bigint[], ${list.map((r) => r.rseId)}::int[],
      ${list.map((r) => r.queuedAt)}::timestamptz[]) as w(t, r, at)
    where q.target_id = w.t and q.rse_id = w.r and q.queued_at = w.at`.execute(db)

/** Where a consumer of events goes on. */
export const readCursor = (db: Db, consumer: string) =>
  row(
    db,
    sql<{ xact: string; id: bigint }>`select xact::text as xact, id from event_cursor
      where consumer = ${consumer} for update skip locked`,
  )

export const createCursor = (db: Db, consumer: string) =>
  sql`insert into event_cursor (consumer, xact, id) values (${consumer}, '0', 0) on conflict do nothing`.execute(
    db,
  )

export const writeCursor = (db: Db, consumer: string, position: { xact: string; id: bigint }) =>
  sql`update event_cursor set xact = ${position.xact}::xid8, id = ${position.id}
    where consumer = ${consumer}`.execute(db)
