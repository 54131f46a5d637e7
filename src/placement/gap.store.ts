import { type Db, rows, sql } from '../kernel/index.ts'
import type { CopyWish } from './types.ts'

export interface DueGap extends CopyWish {
  readonly vo: string
}

/**
 * Takes gaps whose time has come and marks them moving; one wish per file and storage, however many rules ask. Those of
 * suspended rules wait, and those whose copy is just being deleted: it comes back or is gone soon.
 */
export const claimGaps = (db: Db, now: Date, limit: number) =>
  rows(
    db,
    sql<DueGap>`
      with due as (
        select rule_id, file_id, rse_id from placement_gap g
        where state <> 'moving' and next_try <= ${now}
          and rule_id not in (select id from rule where state = 'SUSPENDED')
          and not exists (select from replica x where x.file_id = g.file_id and x.rse_id = g.rse_id and x.state = 'B')
        order by next_try limit ${limit} for update skip locked),
      taken as (
        update placement_gap g set state = 'moving' from due d
        where g.rule_id = d.rule_id and g.file_id = d.file_id and g.rse_id = d.rse_id
        returning g.rule_id, g.file_id, g.rse_id)
      select (array_agg(r.vo))[1] as vo, t.file_id as "fileId", t.rse_id as "dstRseId", f.bytes,
        (array_agg(r.activity order by r.priority desc))[1] as activity, max(r.priority)::int as priority,
        coalesce(x.state in ('D', 'S', 'T', 'U'), false) as overwrite,
        (array_agg(r.source_rse_expression order by r.priority desc))[1] as "sourceExpression"
      from taken t join rule r on r.id = t.rule_id join file f on f.id = t.file_id
      left join replica x on x.file_id = t.file_id and x.rse_id = t.rse_id
      group by t.file_id, t.rse_id, f.bytes, x.state`,
  )

interface Copy {
  readonly fileId: bigint
  readonly rseId: number
}

const copies = (list: readonly Copy[]) =>
  sql`unnest(${list.map((c) => c.fileId)}::bigint[], ${list.map((c) => c.rseId)}::int[]) as w(f, r)`

/** Rules that wait for copies, locked in id order: two outcomes of one rule must not both believe to be the last but one. */
export const lockRulesWaitingFor = (db: Db, list: readonly Copy[]) =>
  rows(
    db,
    sql<{ id: string }>`select id from rule where id in (
        select g.rule_id from placement_gap g join ${copies(list)} on g.file_id = w.f and g.rse_id = w.r)
      order by id for update`,
  )

export const closeGaps = (db: Db, list: readonly Copy[]) =>
  sql`delete from placement_gap g using ${copies(list)} where g.file_id = w.f and g.rse_id = w.r`.execute(db)

export interface GapNews extends Copy {
  readonly state: 'moving' | 'failed'
  readonly attempts: number
  readonly error: object | null
  /** When the transfer tries again; one that failed for good is asked for again later after each failure. */
  readonly nextTry: Date | null
}

const FIRST_PAUSE = '1 minute'
const LONGEST_PAUSE = '6 hours'

/** Writes what happened to copies that are not there yet. */
export const updateGaps = (db: Db, now: Date, list: readonly GapNews[]) =>
  sql`update placement_gap g
    set state = w.state, attempts = g.attempts + w.attempts, last_error = w.error,
      failures = g.failures + (w.state = 'failed')::int,
      next_try = case when w.state = 'failed'
        then ${now}::timestamptz + least(${FIRST_PAUSE}::interval * 2 ^ least(g.failures, 20), ${LONGEST_PAUSE}::interval)
        else coalesce(w."nextTry", ${now}::timestamptz) end
    from jsonb_to_recordset(${JSON.stringify(list, (_, v) => (typeof v === 'bigint' ? String(v) : v))}::jsonb)
      as w("fileId" bigint, "rseId" int, state text, attempts int, error jsonb, "nextTry" timestamptz)
    where g.file_id = w."fileId" and g.rse_id = w."rseId"`.execute(db)

export const nextGapTime = (db: Db) =>
  rows(db, sql<{ at: Date | null }>`select min(next_try) as at from placement_gap where state <> 'moving'`)

/** Copies of a rule that were given up are asked for again now, as if they had not failed before. */
export const retryGaps = (db: Db, now: Date, ruleId: string) =>
  sql`update placement_gap set next_try = ${now}, state = 'missing', failures = 0
    where rule_id = ${ruleId} and state = 'failed'`.execute(db)

/** Opens gaps for every rule that wants given copies; returns those rules, locked. */
export const reopenGaps = (db: Db, now: Date, list: readonly Copy[]) =>
  rows(
    db,
    sql<{ id: string }>`
      with wanted as (
        select p.rule_id, w.f, w.r from ${copies(list)} join content k on k.child_id = w.f
          join placement p on p.collection_id = k.parent_id and p.rse_id = w.r
        union select fp.rule_id, w.f, w.r from ${copies(list)}
          join file_placement fp on fp.file_id = w.f and fp.rse_id = w.r),
      locked as (select id from rule where id in (select rule_id from wanted) order by id for update),
      opened as (
        insert into placement_gap (rule_id, file_id, rse_id, next_try, created_at)
        select rule_id, f, r, ${now}, ${now} from wanted where rule_id in (select id from locked)
        on conflict (rule_id, file_id, rse_id) do nothing)
      select id from locked`,
  )

/** Of given copies those that some rule protects. */
export const protectedCopies = (db: Db, list: readonly Copy[]) =>
  rows(
    db,
    sql<Copy>`select w.f as "fileId", w.r as "rseId" from ${copies(list)}
      where exists (select from content k join placement p on p.collection_id = k.parent_id and p.rse_id = w.r
          where k.child_id = w.f)
        or exists (select from file_placement fp where fp.file_id = w.f and fp.rse_id = w.r)`,
  )

export const gapsOf = (db: Db, ruleId: string, limit: number) =>
  rows(
    db,
    sql<{
      scope: string
      name: string
      rseId: number
      attempts: number
      lastError: string | null
      lastSource: string | null
      lastTime: Date | null
    }>`select s.name as scope, f.name, g.rse_id as "rseId", g.attempts, g.last_error ->> 'message' as "lastError",
        g.last_error ->> 'source' as "lastSource", g.next_try as "lastTime"
      from placement_gap g join file f on f.id = g.file_id join scope s on s.id = f.scope_id
      where g.rule_id = ${ruleId} order by (g.state = 'failed') desc, g.file_id limit ${limit}`,
  )

/** Closes gaps whose copy came by another way (an upload, another rule); returns the rules, which it locked first. */
export async function closeFilledRules(db: Db, limit: number): Promise<string[]> {
  const waiting = await rows(
    db,
    sql<{ id: string }>`select id from rule where id in (
        select g.rule_id from placement_gap g
        join replica x on x.file_id = g.file_id and x.rse_id = g.rse_id and x.state = 'A' limit ${limit})
      order by id for update skip locked`,
  )
  const ids = waiting.map(({ id }) => id)
  if (ids.length === 0) return []
  await sql`delete from placement_gap g using replica x
    where g.rule_id = any(${ids}::uuid[]) and x.file_id = g.file_id and x.rse_id = g.rse_id and x.state = 'A'`.execute(
    db,
  )
  return ids
}
