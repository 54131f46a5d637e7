import { affected, type Db, row, rows, sql } from '../kernel/index.ts'
import {
  GROUPING_CODE,
  groupingOf,
  type RuleChanges,
  type RuleFilter,
  type RuleRequest,
  type RuleView,
} from './types.ts'

interface NewRule extends RuleRequest {
  readonly id: string
  readonly targetId: bigint
  readonly targetKind: string
}

/** False when the same account has asked the same before. */
export async function insertRule(db: Db, vo: string, now: Date, r: NewRule): Promise<boolean> {
  const inserted = await affected(
    db,
    sql`insert into rule (id, vo, target_id, target_kind, account_id, rse_expression, copies, grouping, weight, state,
        locked, priority, activity, source_rse_expression, expires_at, purge_replicas, ignore_availability,
        notification, comments, meta, created_at, updated_at)
      values (${r.id}, ${vo}, ${r.targetId}, ${r.targetKind}::"char", ${r.accountId}, ${r.rseExpression}, ${r.copies},
        ${GROUPING_CODE[r.grouping]}::"char", ${r.weight}, 'INJECT', ${r.locked}, ${r.priority},
        coalesce(${r.activity}::text, 'User Subscriptions'), ${r.sourceRseExpression}, ${r.expiresAt}, ${r.purgeReplicas},
        ${r.ignoreAvailability}, coalesce(${r.notification}::text, 'NO'), ${r.comments},
        ${r.meta === undefined || r.meta === null ? null : JSON.stringify(r.meta)}::jsonb, ${now}, ${now})
      on conflict (target_id, account_id, rse_expression, copies) do nothing`,
  )
  return inserted === 1
}

const placed = sql`(
  coalesce((select sum(c.n_files + coalesce((select sum(d.d_files) from counter_delta d
      where d.kind = 'collection' and d.key1 = c.id), 0))
    from placement p join collection c on c.id = p.collection_id where p.rule_id = r.id), 0)
  + (select count(*) from file_placement fp where fp.rule_id = r.id))::bigint`

// As a range, so that the index is used: where one large rule has nearly all gaps the planner believes that any rule
// has, and would look through all of them for each rule of a list.
const gaps = (condition: ReturnType<typeof sql>) =>
  sql`(select count(*) from placement_gap g where g.rule_id between r.id and r.id and ${condition})`

interface RuleRow extends Omit<RuleView, 'target' | 'grouping' | 'locksOk'> {
  readonly targetId: bigint
  readonly targetKind: string
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly grouping: string
  readonly placed: bigint
}

const columns = sql`r.id, r.target_id as "targetId", r.target_kind as "targetKind", s.name as scope, f.name,
  case when c.id is null then f.bytes else (c.bytes + coalesce((select sum(d.d_bytes) from counter_delta d
    where d.kind = 'collection' and d.key1 = c.id), 0))::bigint end as bytes,
  r.account_id as "accountId", r.rse_expression as "rseExpression", r.copies, r.grouping, r.weight, r.state, r.error,
  r.locked, r.priority, r.activity, r.source_rse_expression as "sourceRseExpression", r.expires_at as "expiresAt",
  r.purge_replicas as "purgeReplicas", r.ignore_availability as "ignoreAvailability", r.notification, r.comments,
  r.meta, r.created_at as "createdAt", r.updated_at as "updatedAt", r.stuck_at as "stuckAt", ${placed} as placed,
  ${gaps(sql`g.state <> 'failed'`)} as "locksReplicating", ${gaps(sql`g.state = 'failed'`)} as "locksStuck"`

const from = sql`rule r join file f on f.id = r.target_id join scope s on s.id = f.scope_id
  left join collection c on f.is_collection and c.id = f.id`

function view(r: RuleRow): RuleView {
  const { targetId, targetKind, scope, name, bytes, grouping, placed: all, ...rest } = r
  const kind = targetKind === 'F' ? 'FILE' : targetKind === 'D' ? 'DATASET' : 'CONTAINER'
  const ok = all - rest.locksReplicating - rest.locksStuck
  return {
    ...rest,
    target: { id: targetId, scope, name, kind, bytes },
    grouping: groupingOf(grouping),
    locksOk: ok > 0n ? ok : 0n,
  }
}

export async function selectRule(db: Db, vo: string, id: string): Promise<RuleView | undefined> {
  const found = await row(
    db,
    sql<RuleRow>`select ${columns} from ${from} where r.vo = ${vo} and r.id = ${id}`,
  )
  return found && view(found)
}

export interface RulePageFilter extends Omit<RuleFilter, 'targets' | 'withAncestors'> {
  readonly targetIds?: readonly bigint[]
}

/** Rules in the order of their ids, after one. */
export async function selectRules(
  db: Db,
  input: { vo: string; filter: RulePageFilter; after: string; limit: number },
): Promise<RuleView[]> {
  const { vo, filter: f, after, limit } = input
  const found = await rows(
    db,
    sql<RuleRow>`select ${columns} from ${from}
      where r.vo = ${vo} and r.id > ${after}
        and (${f.accountId ?? null}::int is null or r.account_id = ${f.accountId ?? null})
        and (${f.targetIds ?? null}::bigint[] is null or r.target_id = any(${f.targetIds ?? null}::bigint[]))
        and (${f.scope ?? null}::text is null or s.name = ${f.scope ?? null})
        and (${f.states ?? null}::text[] is null or r.state = any(${f.states ?? null}::text[]))
        and (${f.rseExpression ?? null}::text is null or r.rse_expression = ${f.rseExpression ?? null})
        and (${f.activity ?? null}::text is null or r.activity = ${f.activity ?? null})
        and (${f.createdAfter ?? null}::timestamptz is null or r.created_at > ${f.createdAfter ?? null})
        and (${f.createdBefore ?? null}::timestamptz is null or r.created_at < ${f.createdBefore ?? null})
      order by r.id limit ${limit}`,
  )
  return found.map(view)
}

export async function updateRule(db: Db, vo: string, now: Date, id: string, c: RuleChanges): Promise<void> {
  const given = (value: unknown) => value !== undefined
  await sql`update rule set updated_at = ${now},
      comments = case when ${given(c.comments)}::boolean then ${c.comments ?? null}::text else comments end,
      locked = coalesce(${c.locked ?? null}::boolean, locked),
      expires_at = case when ${given(c.expiresAt)}::boolean then ${c.expiresAt ?? null}::timestamptz else expires_at end,
      account_id = coalesce(${c.accountId ?? null}::int, account_id),
      state = coalesce(${c.state ?? null}::text, state),
      error = case when ${c.state === 'SUSPENDED'}::boolean then 'Suspended on request. Set the state to STUCK to go on.'
        when ${c.state === 'STUCK'}::boolean then null else error end,
      stuck_at = case when ${c.state === 'STUCK'}::boolean then ${now}::timestamptz else stuck_at end,
      activity = coalesce(${c.activity ?? null}::text, activity),
      source_rse_expression = case when ${given(c.sourceRseExpression)}::boolean
        then ${c.sourceRseExpression ?? null}::text else source_rse_expression end,
      priority = coalesce(${c.priority ?? null}::smallint, priority),
      purge_replicas = coalesce(${c.purgeReplicas ?? null}::boolean, purge_replicas),
      meta = case when ${given(c.meta)}::boolean then ${JSON.stringify(c.meta ?? null)}::jsonb else meta end
    where vo = ${vo} and id = ${id}`.execute(db)
}

export const selectExpiredRules = (db: Db, now: Date, limit: number) =>
  rows(
    db,
    sql<{ id: string; vo: string; purge: boolean }>`select id, vo, purge_replicas as purge from rule
      where expires_at <= ${now} and not locked order by expires_at limit ${limit} for update skip locked`,
  )

/** Queues the release of all that rules protect, then removes them. Returns copies nobody waits for any more. */
export async function removeRules(db: Db, now: Date, ids: readonly string[], purge: boolean) {
  await sql`insert into release_queue (target_id, target_kind, rse_id, purge, queued_at)
    select collection_id, 'D'::"char", rse_id, ${purge}::boolean, ${now}::timestamptz from placement where rule_id = any(${ids}::uuid[])
    union select file_id, 'F'::"char", rse_id, ${purge}::boolean, ${now}::timestamptz from file_placement where rule_id = any(${ids}::uuid[])
    on conflict (target_id, rse_id) do update set queued_at = excluded.queued_at,
      purge = release_queue.purge or excluded.purge`.execute(db)
  const gone = await rows(
    db,
    sql<{ fileId: bigint; dstRseId: number }>`delete from placement_gap where rule_id = any(${ids}::uuid[])
      returning file_id as "fileId", rse_id as "dstRseId"`,
  )
  await sql`delete from rule where id = any(${ids}::uuid[])`.execute(db)
  return rows(
    db,
    sql<{ fileId: bigint; dstRseId: number }>`
      select distinct w.file_id as "fileId", w.rse_id as "dstRseId"
      from unnest(${gone.map((g) => g.fileId)}::bigint[], ${gone.map((g) => g.dstRseId)}::int[]) as w(file_id, rse_id)
      where not exists (select from placement_gap g where g.file_id = w.file_id and g.rse_id = w.rse_id)`,
  )
}

/** Rules on collections whose life is over end with them. */
export const expireRulesOn = (db: Db, now: Date, targetIds: readonly bigint[]) =>
  sql`update rule set expires_at = ${now} where target_id = any(${targetIds}::bigint[])
    and not locked and (expires_at is null or expires_at > ${now})`.execute(db)

export async function withoutRules(db: Db, ids: readonly bigint[]): Promise<bigint[]> {
  const found = await rows(
    db,
    sql<{ id: bigint }>`select w.id from unnest(${ids}::bigint[]) as w(id)
      where not exists (select from rule r where r.target_id = w.id)`,
  )
  return found.map(({ id }) => id)
}

export async function collectionsOfVo(db: Db, vo: string, ids: readonly bigint[]): Promise<bigint[]> {
  const found = await rows(
    db,
    sql<{ id: bigint }>`select c.id from collection c join scope s on s.id = c.scope_id
      where s.vo = ${vo} and c.id = any(${ids}::bigint[])`,
  )
  return found.map(({ id }) => id)
}
