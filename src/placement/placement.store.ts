import { affected, type Db, row, rows, sql } from '../kernel/index.ts'

/** What the evaluation of a rule starts from. */
export interface RuleRow {
  readonly id: string
  readonly vo: string
  readonly targetId: bigint
  readonly targetKind: string
  readonly copies: number
  readonly grouping: string
  readonly weight: string | null
  readonly rseExpression: string
  readonly ignoreAvailability: boolean
  readonly state: string
}

/** Locks rules in id order: whoever changes placements or gaps of a rule holds this lock. */
export const lockRules = (db: Db, ids: readonly string[]) =>
  rows(
    db,
    sql<RuleRow>`select id, vo, target_id as "targetId", target_kind as "targetKind", copies, grouping, weight,
        rse_expression as "rseExpression", ignore_availability as "ignoreAvailability", state
      from rule where id = any(${ids}::uuid[]) order by id for update`,
  )

export const placementsOf = (db: Db, ruleId: string) =>
  rows(
    db,
    sql<{ collectionId: bigint; rseId: number }>`select collection_id as "collectionId", rse_id as "rseId"
      from placement where rule_id = ${ruleId}`,
  )

interface DatasetAt {
  readonly collectionId: bigint
  readonly rseId: number
}

export async function insertPlacements(db: Db, ruleId: string, list: readonly DatasetAt[]): Promise<void> {
  await sql`insert into placement (rule_id, collection_id, rse_id)
    select ${ruleId}, w.c, w.r
    from unnest(${list.map((p) => p.collectionId)}::bigint[], ${list.map((p) => p.rseId)}::int[]) as w(c, r)
    on conflict do nothing`.execute(db)
}

/** Removes placements of datasets that left the target, and queues their release. */
export async function deletePlacements(
  db: Db,
  now: Date,
  ruleId: string,
  datasets: readonly bigint[],
): Promise<void> {
  await sql`with gone as (
      delete from placement where rule_id = ${ruleId} and collection_id = any(${datasets}::bigint[])
      returning collection_id, rse_id)
    insert into release_queue (target_id, target_kind, rse_id, queued_at)
    select collection_id, 'D'::"char", rse_id, ${now}::timestamptz from gone
    on conflict (target_id, rse_id) do update set queued_at = excluded.queued_at`.execute(db)
}

export async function insertFilePlacements(
  db: Db,
  ruleId: string,
  list: readonly { fileId: bigint; rseId: number }[],
): Promise<void> {
  await sql`insert into file_placement (rule_id, file_id, rse_id)
    select ${ruleId}, w.f, w.r
    from unnest(${list.map((p) => p.fileId)}::bigint[], ${list.map((p) => p.rseId)}::int[]) as w(f, r)
    on conflict do nothing`.execute(db)
}

/** Removes placements of single files that left the datasets of the target, and queues their release. */
export const deleteLeftFiles = (db: Db, now: Date, ruleId: string, datasets: readonly bigint[]) =>
  sql`with gone as (
      delete from file_placement fp where fp.rule_id = ${ruleId} and not exists (
        select from content k where k.child_id = fp.file_id and k.parent_id = any(${datasets}::bigint[]))
      returning file_id, rse_id)
    insert into release_queue (target_id, target_kind, rse_id, queued_at)
    select file_id, 'F'::"char", rse_id, ${now}::timestamptz from gone
    on conflict (target_id, rse_id) do update set queued_at = excluded.queued_at`.execute(db)

/** How many files of each placement of a rule are missing, by the exact counters: no file is looked at. */
export const incompletePlacements = (db: Db, ruleId: string) =>
  rows(
    db,
    sql<DatasetAt & { missing: bigint }>`
      select p.collection_id as "collectionId", p.rse_id as "rseId", (t.files - h.files)::bigint as missing
      from placement p join collection c on c.id = p.collection_id
      cross join lateral (select c.n_files + coalesce((select sum(d_files) from counter_delta
          where kind = 'collection' and key1 = c.id), 0) as files) t
      cross join lateral (select coalesce((select n_files from collection_replica r
          where r.collection_id = c.id and r.rse_id = p.rse_id), 0)
        + coalesce((select sum(d_files) from counter_delta
          where kind = 'collection_replica' and key1 = c.id and key2 = p.rse_id), 0) as files) h
      where p.rule_id = ${ruleId} and t.files <> h.files`,
  )

/** SQL: no good copy of file `file` is at RSE `rse`. */
const lacking = (file: string, rse: string) =>
  sql`not exists (select from replica where file_id = ${sql.ref(file)} and rse_id = ${sql.ref(rse)} and state = 'A' offset 0)`

/** SQL: the name of file `file` was not given up. One that is only LOST is still wanted: a good copy may turn up. */
const wanted = (file: string) =>
  sql`exists (select from file where id = ${sql.ref(file)} and deleted_at is null offset 0)`

/** Opens gaps for files of placements without an AVAILABLE copy; returns how many are new. */
export async function openGaps(
  db: Db,
  now: Date,
  ruleId: string,
  list: readonly DatasetAt[],
): Promise<number> {
  return affected(
    db,
    sql`insert into placement_gap (rule_id, file_id, rse_id, next_try, created_at)
      select ${ruleId}, k.child_id, w.r, ${now}, ${now}
      from unnest(${list.map((p) => p.collectionId)}::bigint[], ${list.map((p) => p.rseId)}::int[]) as w(c, r)
      cross join lateral (select child_id from content where parent_id = w.c
        and ${lacking('child_id', 'w.r')} and ${wanted('child_id')} offset 0) k
      on conflict do nothing`,
  )
}

/** The same for the single files of a rule. */
export async function openFileGaps(db: Db, now: Date, ruleId: string): Promise<void> {
  await sql`insert into placement_gap (rule_id, file_id, rse_id, next_try, created_at)
    select fp.rule_id, fp.file_id, fp.rse_id, ${now}, ${now} from file_placement fp
    where fp.rule_id = ${ruleId} and ${lacking('fp.file_id', 'fp.rse_id')} and ${wanted('fp.file_id')}
    on conflict do nothing`.execute(db)
}

/** Copies on their way out that a rule waits for need not wait in the trash: the deleter brings them back now. */
export const recallDeletions = (db: Db, now: Date, ruleId: string) =>
  sql`update deletion d set next_try = ${now} from (
      select w.id from placement_gap g cross join lateral (select id from deletion
        where file_id = g.file_id and rse_id = g.rse_id and next_try > ${now} offset 0) w
      where g.rule_id = ${ruleId}) waiting
    where d.id = waiting.id`.execute(db)

/**
 * SQL: whether a rule has gaps. By the first at or after it in the order of the key: where one large rule has nearly all
 * gaps the planner believes that any row will do, and would look through all of them for a rule that has none.
 */
const isWaiting = (ruleId: ReturnType<typeof sql>) =>
  sql<boolean>`coalesce((select g.rule_id from placement_gap g where g.rule_id >= ${ruleId}
    order by g.rule_id limit 1) = ${ruleId}, false)`

export async function hasGaps(db: Db, ruleId: string): Promise<boolean> {
  const found = await row(db, sql<{ waiting: boolean }>`select ${isWaiting(sql`${ruleId}::uuid`)} as waiting`)
  return found!.waiting
}

/** Gaps that nothing asks for any more: the file left the dataset or was given up, or the placement went. */
export async function closeStrayGaps(db: Db, ruleId: string) {
  return rows(
    db,
    sql<{ fileId: bigint; dstRseId: number }>`delete from placement_gap g where g.rule_id = ${ruleId}
      and not (${wanted('g.file_id')} and (
        exists (select from (select parent_id from content where child_id = g.file_id offset 0) k
          cross join lateral (select from placement p where p.rule_id = g.rule_id
            and p.collection_id = k.parent_id and p.rse_id = g.rse_id offset 0) p)
        or exists (select from file_placement fp
          where fp.rule_id = g.rule_id and fp.rse_id = g.rse_id and fp.file_id = g.file_id offset 0)))
      returning g.file_id as "fileId", g.rse_id as "dstRseId"`,
  )
}

/**
 * Sets rules to what their gaps say and returns those whose state changed. Call while holding lockRules, in a
 * statement after the change of the gaps. A rule is stuck since its first failure, until none of its gaps has failed.
 * Counts failed gaps only: the others of a large rule are many, and it is asked after each copy.
 */
export const refreshStates = (db: Db, now: Date, ids: readonly string[]) =>
  rows(
    db,
    sql<{ id: string; vo: string; state: string }>`
      with fact as (
        select r.id, r.state as old, r.stuck_at, r.placement_error, ${isWaiting(sql`r.id`)} as open, f.failed, f.tried, f.why
        from rule r cross join lateral (select
          (select count(*) from placement_gap g
            where g.rule_id between r.id and r.id and g.state = 'failed') as failed,
          exists (select from placement_gap g where g.rule_id between r.id and r.id and g.failures > 0) as tried,
          (select g.last_error ->> 'message' from placement_gap g
            where g.rule_id between r.id and r.id and g.state = 'failed' order by g.next_try desc limit 1) as why) f
        where r.id = any(${ids}::uuid[]) and r.state <> 'SUSPENDED'),
      next as (
        select f.*,
          case when placement_error is not null then 'STUCK' when not open then 'OK' when failed > 0 then 'STUCK'
            else 'REPLICATING' end as state from fact f),
      told as (
        select id, old, state,
          case when state <> 'STUCK' then null when placement_error is not null then placement_error
            else failed || ' copies are stuck; the last error: ' || coalesce(why, 'unknown') end as error,
          case when state = 'OK' then null when state = 'REPLICATING' and not tried then null
            when state = 'REPLICATING' then stuck_at else coalesce(stuck_at, ${now}) end as stuck_at
        from next),
      changed as (
        update rule r set state = n.state, updated_at = ${now}, error = n.error, stuck_at = n.stuck_at
        from told n where n.id = r.id
          and (r.state, r.error, r.stuck_at) is distinct from (n.state, n.error, n.stuck_at)
        returning r.id, r.vo, r.state, n.old)
      select id, vo, state from changed where state <> old`,
  )

/** Takes rules out of service that have been stuck since before a time and of which no gap is without failure. */
export const suspendStuck = (db: Db, now: Date, since: Date, limit: number) =>
  rows(
    db,
    sql<{ id: string; vo: string; state: string }>`
      with hopeless as (
        select r.id from rule r where r.state in ('STUCK', 'REPLICATING') and r.stuck_at < ${since}
          and not exists (select from placement_gap g where g.rule_id = r.id and g.failures = 0)
        order by r.id limit ${limit} for update skip locked)
      update rule r set state = 'SUSPENDED', updated_at = ${now},
        error = 'Suspended, because it has been stuck since ' || to_char(r.stuck_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
          || ' UTC. ' || coalesce(r.error, 'Its copies fail again and again') || '. Set the state to STUCK to try again.'
      from hopeless h where h.id = r.id returning r.id, r.vo, r.state`,
  )

/** Notes why a rule cannot be placed, or that it can. */
export const setPlacementError = (db: Db, id: string, error: string | null) =>
  sql`update rule set placement_error = ${error} where id = ${id} and placement_error is distinct from ${error}::text`.execute(
    db,
  )

/** Bytes of datasets (or of a file) that are already at storages. */
export const presentBytes = (db: Db, input: { datasets: readonly bigint[]; fileId: bigint | null }) =>
  rows(
    db,
    sql<{ collectionId: bigint | null; rseId: number; bytes: bigint }>`
      select collection_id as "collectionId", rse_id as "rseId", sum(bytes)::bigint as bytes from (
        select collection_id, rse_id, bytes from collection_replica where collection_id = any(${input.datasets}::bigint[])
        union all select key1, key2::int, d_bytes from counter_delta
          where kind = 'collection_replica' and key1 = any(${input.datasets}::bigint[])) p
      group by 1, 2
      union all select null, x.rse_id, f.bytes from replica x join file f on f.id = x.file_id
        where x.file_id = ${input.fileId} and x.state = 'A'`,
  )

/** Rules whose target is one of the collections or lies above one. */
export const rulesOver = (db: Db, collectionIds: readonly bigint[]) =>
  rows(
    db,
    sql<{ id: string }>`with recursive above(id) as (
        select unnest(${collectionIds}::bigint[]) union select t.parent_id from above a join tree t on t.child_id = a.id)
      select r.id from rule r join above a on a.id = r.target_id`,
  )

export async function countDatasets(db: Db, collectionId: bigint): Promise<number> {
  const found = await row(
    db,
    sql<{ n: number }>`with recursive below(id) as (
        select ${collectionId}::bigint union select t.child_id from below b join tree t on t.parent_id = b.id)
      select count(*)::int as n from below`,
  )
  return found?.n ?? 0
}

/** Ids with all collections above them. */
export async function selfAndAncestors(db: Db, ids: readonly bigint[]): Promise<bigint[]> {
  const found = await rows(
    db,
    sql<{ id: bigint }>`with recursive above(id) as (
        select unnest(${ids}::bigint[])
        union select parent_id from content where child_id = any(${ids}::bigint[])
        union select t.parent_id from above a join tree t on t.child_id = a.id)
      select id from above`,
  )
  return found.map(({ id }) => id)
}

/** The rule that replaces another: the old one ends when the new one is OK. */
export async function setSuccessor(db: Db, id: string, successor: string): Promise<void> {
  await sql`update rule set successor_id = ${successor} where id = ${id}`.execute(db)
}

/** Rules whose successor has become OK, as expired from now on. */
export async function endReplacedRules(db: Db, now: Date): Promise<number> {
  const ended = await rows(
    db,
    sql`update rule r set expires_at = ${now} from rule n
      where n.id = r.successor_id and n.state = 'OK' and (r.expires_at is null or r.expires_at > ${now}) returning 1`,
  )
  return ended.length
}
