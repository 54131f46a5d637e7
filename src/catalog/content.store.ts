import { type Db, row, rows, sql } from '../kernel/index.ts'
import { kindOf } from './codes.ts'
import type { KnownDid } from './types.ts'

/** One transaction changes the tree of containers at a time, so that two cannot close a circle between them. */
const TREE_LOCK = 0x74726565

export interface CollectionLock {
  readonly id: bigint
  readonly kind: string
  readonly open: boolean
  readonly monotonic: boolean
}

/** Keeps collections from being closed or deleted until the transaction ends. */
export const lockCollections = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<CollectionLock>`select id, kind, open, monotonic from collection
      where id = any(${ids}::bigint[]) and deleted_at is null order by id for share`,
  )

export interface Pair {
  readonly parentId: bigint
  readonly childId: bigint
}

const pairs = (list: readonly Pair[]) =>
  sql`unnest(${list.map((p) => p.parentId)}::bigint[], ${list.map((p) => p.childId)}::bigint[]) as w(parent_id, child_id)`

/** Deltas of memberships that the CTE `changed(parent_id, child_id)` names, with a sign. Each row is reached by its key. */
const deltas = (sign: 1 | -1) => sql`
  sized as materialized (
    select m.parent_id, m.child_id, f.bytes
    from changed m cross join lateral (select bytes from file where id = m.child_id offset 0) f),
  counted as (
    insert into counter_delta (kind, key1, d_files, d_bytes)
    select 'collection', parent_id, ${sign} * count(*), ${sign} * sum(bytes) from sized group by parent_id),
  placed as (
    insert into counter_delta (kind, key1, key2, d_files, d_bytes)
    select 'collection_replica', s.parent_id, r.rse_id, ${sign} * count(*), ${sign} * sum(s.bytes)
    from sized s cross join lateral (select rse_id from replica where file_id = s.child_id and state = 'A' offset 0) r
    group by s.parent_id, r.rse_id)`

/**
 * Adds memberships, with their counters. The caller holds the files, so that none comes up in between. Returns how many
 * were new, and the children of (some of) those that were there.
 */
export async function insertContent(
  db: Db,
  list: readonly Pair[],
): Promise<{ inserted: number; there: bigint[] }> {
  const done = await row(
    db,
    sql<{ inserted: number; there: string[] }>`
      with judged as materialized (
        select w.parent_id, w.child_id, exists (select from content c
          where c.parent_id = w.parent_id and c.child_id = w.child_id offset 0) as there
        from ${pairs(list)}),
      changed as materialized (select parent_id, child_id from judged where not there order by 1, 2),
      inserted as (insert into content (parent_id, child_id) select parent_id, child_id from changed), ${deltas(1)}
      select (select count(*)::int from changed) as inserted,
        array(select child_id from judged where there limit 1000) as there`,
  )
  return { inserted: done?.inserted ?? 0, there: (done?.there ?? []).map(BigInt) }
}

/** Removes memberships, with their counters; returns how many there were. */
export async function deleteContent(db: Db, list: readonly Pair[]): Promise<number> {
  const removed = await row(
    db,
    sql<{ n: number }>`
      with changed as (
        delete from content c using ${pairs(list)} where c.parent_id = w.parent_id and c.child_id = w.child_id
        returning c.parent_id, c.child_id), ${deltas(-1)}
      select count(*)::int as n from changed`,
  )
  return removed?.n ?? 0
}

/** Names of collections that are in their containers already. */
export const existingMembers = (db: Db, list: readonly Pair[]) =>
  rows(
    db,
    sql<{ scope: string; name: string }>`select s.name as scope, f.name
      from ${pairs(list)} join tree c on c.parent_id = w.parent_id and c.child_id = w.child_id
      join file f on f.id = w.child_id join scope s on s.id = f.scope_id order by 1, 2 limit 1000`,
  )

/** Puts collections into containers; `circle` when a container would come to lie below itself. */
export async function insertTree(
  db: Db,
  list: readonly Pair[],
): Promise<{ inserted: number; circle: boolean }> {
  await sql`select pg_advisory_xact_lock(${TREE_LOCK})`.execute(db)
  const circle = await row(
    db,
    sql`with recursive below(root, id) as (
        select w.parent_id, w.child_id from ${pairs(list)}
        union select b.root, t.child_id from below b join tree t on t.parent_id = b.id)
      select 1 from below where root = id limit 1`,
  )
  if (circle) return { inserted: 0, circle: true }
  const inserted = await rows(
    db,
    sql`insert into tree (parent_id, child_id) select parent_id, child_id from ${pairs(list)} order by 1, 2
      on conflict do nothing returning 1`,
  )
  return { inserted: inserted.length, circle: false }
}

export async function deleteTree(db: Db, list: readonly Pair[]): Promise<number> {
  const removed = await rows(
    db,
    sql`delete from tree c using ${pairs(list)} where c.parent_id = w.parent_id and c.child_id = w.child_id returning 1`,
  )
  return removed.length
}

interface MemberRow {
  readonly id: bigint
  readonly scope: string
  readonly name: string
  readonly kind: string | null
  readonly parentId: bigint
  readonly accountId: number
  readonly bytes: bigint
  readonly adler32: number | null
  readonly md5: string | null
  readonly guid: string | null
  readonly availability: string
  readonly createdAt: Date
}

/** Direct members of one collection after `after`, by id. */
export const selectMembers = (
  db: Db,
  input: { table: 'content' | 'tree'; parentId: bigint; after: bigint; limit: number },
) =>
  rows(
    db,
    sql<MemberRow>`select f.id, s.name as scope, f.name, c.kind, m.parent_id as "parentId",
        f.account_id as "accountId", f.bytes, f.adler32, encode(f.md5, 'hex') as md5, f.guid, f.availability,
        f.created_at as "createdAt"
      from ${sql.table(input.table)} m join file f on f.id = m.child_id join scope s on s.id = f.scope_id
      left join collection c on f.is_collection and c.id = f.id
      where m.parent_id = ${input.parentId} and m.child_id > ${input.after}
      order by m.child_id limit ${input.limit}`,
  )

export async function selectParents(db: Db, id: bigint): Promise<KnownDid[]> {
  const found = await rows(
    db,
    sql<{ id: bigint; scope: string; name: string; kind: string }>`
      select c.id, s.name as scope, c.name, c.kind from (
        select parent_id from content where child_id = ${id}
        union select parent_id from tree where child_id = ${id}) p
      join collection c on c.id = p.parent_id and c.deleted_at is null join scope s on s.id = c.scope_id
      order by 2, 3`,
  )
  return found.map((r) => ({ ...r, kind: kindOf(r.kind) }))
}

export const selectAncestors = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<{ id: bigint; ancestorId: bigint }>`
      with recursive start(id) as (select unnest(${ids}::bigint[])),
      above(id, ancestor) as (
        select s.id, c.id from start s join collection c on c.id = s.id
        union select s.id, m.parent_id from start s join content m on m.child_id = s.id
        union select a.id, t.parent_id from above a join tree t on t.child_id = a.ancestor)
      select id, ancestor as "ancestorId" from above`,
  )

export const selectDatasets = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<{ id: bigint }>`
      with recursive below(id) as (
        select unnest(${ids}::bigint[]) union select t.child_id from below b join tree t on t.parent_id = b.id)
      select c.id from below b join collection c on c.id = b.id and c.kind = 'D' and c.deleted_at is null order by 1`,
  )
