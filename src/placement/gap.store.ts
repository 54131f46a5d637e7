import { type Db, row, rows, sql } from '../kernel/index.ts'
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
          and not exists (select from replica x
            where x.file_id = g.file_id and x.rse_id = g.rse_id and x.state = 'B' offset 0)
        order by next_try limit ${limit} for update skip locked),
      taken as (
        update placement_gap g set state = 'moving' from due d
        where g.rule_id = d.rule_id and g.file_id = d.file_id and g.rse_id = d.rse_id
        returning g.rule_id, g.file_id, g.rse_id)
      select (array_agg(r.vo))[1] as vo, t.file_id as "fileId", t.rse_id as "dstRseId", f.bytes,
        (array_agg(r.activity order by r.priority desc))[1] as activity, max(r.priority)::int as priority,
        coalesce(x.state in ('D', 'S', 'T', 'U'), false) as overwrite,
        (array_agg(r.source_rse_expression order by r.priority desc))[1] as "sourceExpression"
      from taken t join rule r on r.id = t.rule_id
      cross join lateral (select bytes from file where id = t.file_id offset 0) f
      left join lateral (select state from replica where file_id = t.file_id and rse_id = t.rse_id offset 0) x on true
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

/** SQL: rules whose placement of a dataset covers copy (w.f, w.r). */
const overDatasets = sql`(select parent_id from content where child_id = w.f offset 0) k
  cross join lateral (select rule_id from placement where collection_id = k.parent_id and rse_id = w.r offset 0) p`
/** SQL: rules that placed the file of copy (w.f, w.r) for itself. */
const overFiles = sql`(select rule_id from file_placement where file_id = w.f and rse_id = w.r offset 0) p`

/** Opens gaps for every rule that wants given copies, of files not given up; returns those rules, locked. */
export const reopenGaps = (db: Db, now: Date, list: readonly Copy[]) =>
  rows(
    db,
    sql<{ id: string }>`
      with kept as materialized (select w.f, w.r from ${copies(list)}
        where exists (select from file where id = w.f and deleted_at is null offset 0)),
      wanted as (
        select p.rule_id, w.f, w.r from kept w cross join lateral (select p.rule_id from ${overDatasets}) p
        union select p.rule_id, w.f, w.r from kept w cross join lateral ${overFiles}),
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
      where exists (select from ${overDatasets}) or exists (select from ${overFiles})`,
  )

interface GapRow {
  readonly scope: string
  readonly name: string
  readonly rseId: number
  readonly attempts: number
  readonly lastError: string | null
  readonly lastSource: string | null
  readonly lastTime: Date | null
}

/** Gaps of a rule, failed ones first. */
export const gapsOf = (db: Db, ruleId: string, limit: number) =>
  rows(
    db,
    sql<GapRow>`select s.name as scope, f.name, g.rse_id as "rseId", g.attempts, g.last_error ->> 'message' as "lastError",
        g.last_error ->> 'source' as "lastSource", g.next_try as "lastTime"
      from (
        (select 1 as turn, * from placement_gap where rule_id = ${ruleId} and state = 'failed' order by file_id limit ${limit})
        union all
        (select 2, * from placement_gap where rule_id = ${ruleId} and state <> 'failed' order by file_id limit ${limit})
        order by 1, file_id limit ${limit}) g
      cross join lateral (select * from file where id = g.file_id offset 0) f join scope s on s.id = f.scope_id
      order by g.turn, g.file_id`,
  )

export interface GapKey extends Copy {
  readonly ruleId: string
}

/**
 * Looks at the next `most` gaps after a place, and closes those whose copy came by another way (an upload, another
 * rule). Returns their rules, locked, and the place to go on; undefined: at the beginning.
 */
export async function closeFilledGaps(
  db: Db,
  after: GapKey | undefined,
  most: number,
): Promise<{ rules: string[]; next: GapKey | undefined }> {
  const beyond = after
    ? sql`where (rule_id, file_id, rse_id) > (${after.ruleId}::uuid, ${after.fileId}::bigint, ${after.rseId}::int)`
    : sql``
  const done = await row(
    db,
    sql<{ rules: string[]; looked: number; ruleId: string; fileId: bigint; rseId: number }>`
      with looked as materialized (
        select ctid as place, rule_id, file_id, rse_id from placement_gap ${beyond}
        order by rule_id, file_id, rse_id limit ${most}),
      filled as materialized (
        select l.place, l.rule_id from looked l where exists (select from replica x
          where x.file_id = l.file_id and x.rse_id = l.rse_id and x.state = 'A' offset 0)),
      locked as materialized (
        select id from rule where id in (select rule_id from filled) order by id for update skip locked),
      closed as (
        delete from placement_gap where ctid = any(array(
          select f.place from filled f where f.rule_id in (select id from locked))))
      select array(select id::text from locked) as rules, (select count(*)::int from looked) as looked,
        l.rule_id as "ruleId", l.file_id as "fileId", l.rse_id as "rseId"
      from looked l order by l.rule_id desc, l.file_id desc, l.rse_id desc limit 1`,
  )
  if (!done) return { rules: [], next: undefined }
  const { rules, looked, ...last } = done
  return { rules, next: looked < most ? undefined : last }
}
