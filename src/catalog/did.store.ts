import { type Db, rows, sql } from '../kernel/index.ts'
import { availabilityOf, kindOf } from './codes.ts'
import { collectionBytes, collectionCount } from './counters.store.ts'
import { adlerText } from './names.ts'
import type { AnyDid, Did, KnownDid } from './types.ts'

interface FoundRow {
  readonly index: number
  readonly id: bigint
  readonly kind: string | null
  readonly deleted: boolean
}

/** What is known of names, deleted ones included; `index` is the place in the list asked for. */
export async function selectNames(
  db: Db,
  vo: string,
  dids: readonly Did[],
): Promise<(KnownDid & { index: number; deleted: boolean })[]> {
  const found = await rows(
    db,
    sql<FoundRow>`select (w.n - 1)::int as index, f.id, c.kind, f.deleted_at is not null as deleted
      from unnest(${dids.map((d) => d.scope)}::text[], ${dids.map((d) => d.name)}::text[])
        with ordinality as w(scope, name, n)
      join scope s on s.vo = ${vo} and s.name = w.scope
      cross join lateral (select * from file x where x.scope_id = s.id and x.name = w.name offset 0) f
      left join collection c on f.is_collection and c.id = f.id`,
  )
  return found.map(({ index, id, kind, deleted }) => {
    const { scope, name } = dids[index]!
    return { index, id, scope, name, kind: kindOf(kind), deleted }
  })
}

export async function selectNamesById(db: Db, ids: readonly bigint[]): Promise<KnownDid[]> {
  const found = await rows(
    db,
    sql<Did & Pick<FoundRow, 'id' | 'kind'>>`select f.id, s.name as scope, f.name, c.kind
      from file f join scope s on s.id = f.scope_id left join collection c on f.is_collection and c.id = f.id
      where f.id = any(${ids}::bigint[]) and f.deleted_at is null`,
  )
  return found.map((r) => ({ id: r.id, scope: r.scope, name: r.name, kind: kindOf(r.kind) }))
}

interface FullRow extends Did {
  readonly id: bigint
  readonly kind: string | null
  readonly accountId: number
  readonly bytes: bigint
  readonly adler32: number | null
  readonly md5: string | null
  readonly guid: string | null
  readonly availability: string
  readonly createdAt: Date
  readonly open: boolean
  readonly monotonic: boolean
  readonly files: bigint
  readonly expiresAt: Date | null
  readonly updatedAt: Date
  readonly closedAt: Date | null
}

/** Everything about ids that are not deleted. */
export async function selectFull(db: Db, ids: readonly bigint[]): Promise<AnyDid[]> {
  const found = await rows(
    db,
    sql<FullRow>`select f.id, s.name as scope, f.name, c.kind, f.account_id as "accountId",
        case when c.id is null then f.bytes else ${collectionBytes} end as bytes,
        f.adler32, encode(f.md5, 'hex') as md5, f.guid, f.availability, f.created_at as "createdAt",
        c.open, c.monotonic, ${collectionCount} as files, c.expires_at as "expiresAt",
        c.updated_at as "updatedAt", c.closed_at as "closedAt"
      from file f join scope s on s.id = f.scope_id left join collection c on f.is_collection and c.id = f.id
      where f.id = any(${ids}::bigint[]) and f.deleted_at is null`,
  )
  const full = found.map(anyDid)
  const containers = full.filter((did) => did.kind === 'CONTAINER').map((did) => did.id)
  if (containers.length === 0) return full
  const totals = new Map((await containerTotals(db, containers)).map((t) => [t.id, t]))
  return full.map((did) => {
    const total = totals.get(did.id)
    return total && did.kind === 'CONTAINER' ? { ...did, files: total.files, bytes: total.bytes } : did
  })
}

function anyDid(r: FullRow): AnyDid {
  const { id, scope, name, accountId, bytes, createdAt } = r
  const base = { id, scope, name, accountId, bytes, createdAt }
  const kind = kindOf(r.kind)
  if (kind === 'FILE') {
    const { md5, guid } = r
    return {
      ...base,
      kind,
      adler32: adlerText(r.adler32),
      md5,
      guid,
      availability: availabilityOf(r.availability),
    }
  }
  const { open, monotonic, files, expiresAt, updatedAt, closedAt } = r
  return { ...base, kind, open, monotonic, files, expiresAt, updatedAt, closedAt }
}

/** A container counts each dataset below it once, by whatever ways it is reached. */
function containerTotals(db: Db, ids: readonly bigint[]) {
  return rows(
    db,
    sql<{ id: bigint; files: bigint; bytes: bigint }>`
      with recursive below(root, id) as (
        select unnest(${ids}::bigint[]), unnest(${ids}::bigint[])
        union select b.root, t.child_id from below b join tree t on t.parent_id = b.id)
      select b.root as id, coalesce(sum(${collectionCount}), 0)::bigint as files,
        coalesce(sum(${collectionBytes}), 0)::bigint as bytes
      from below b left join collection c on c.id = b.id and c.kind = 'D' group by b.root`,
  )
}

interface NewRow extends Did {
  readonly kind: 'D' | 'C'
  readonly monotonic: boolean
  readonly meta: object
  readonly expiresAt: Date | null
}

/** Creates collections whose names are free; the others are left out of the answer. */
export async function insertCollections(
  db: Db,
  input: { vo: string; now: Date; accountId: number; collections: readonly NewRow[] },
): Promise<{ id: bigint; scope: string; name: string }[]> {
  return rows(
    db,
    sql<{ id: bigint; scope: string; name: string }>`
      with wanted as materialized (
        select s.id as scope_id, w.* from jsonb_to_recordset(${JSON.stringify(input.collections)}::jsonb)
          as w(scope text, name text, kind text, monotonic boolean, meta jsonb, "expiresAt" timestamptz)
        join scope s on s.vo = ${input.vo} and s.name = w.scope),
      reserved as (
        insert into file (scope_id, name, bytes, account_id, created_at, is_collection)
        select scope_id, name, 0, ${input.accountId}, ${input.now}, true from wanted order by scope_id, name
        on conflict do nothing returning id, scope_id, name)
      insert into collection (id, scope_id, name, kind, monotonic, account_id, meta, expires_at, created_at, updated_at)
      select r.id, r.scope_id, r.name, w.kind::"char", w.monotonic, ${input.accountId}, w.meta, w."expiresAt",
        ${input.now}, ${input.now}
      from reserved r join wanted w on w.scope_id = r.scope_id and w.name = r.name
      returning id, (select name from scope where id = scope_id) as scope, name`,
  )
}

export async function updateStatus(
  db: Db,
  input: { id: bigint; now: Date; open?: boolean; monotonic?: boolean; expiresAt?: Date | null },
): Promise<void> {
  const { id, now, open, monotonic, expiresAt } = input
  await sql`update collection set updated_at = ${now},
      open = coalesce(${open ?? null}::boolean, open),
      closed_at = case when ${open ?? null}::boolean then null when open and not ${open ?? true}::boolean then ${now}
        else closed_at end,
      monotonic = coalesce(${monotonic ?? null}::boolean, monotonic),
      expires_at = case when ${expiresAt !== undefined}::boolean then ${expiresAt ?? null}::timestamptz else expires_at end
    where id = ${id}`.execute(db)
}

export const selectExpired = (db: Db, input: { now: Date; limit: number }) =>
  rows(
    db,
    sql<{ id: bigint }>`select id from collection where expires_at < ${input.now} and deleted_at is null
      order by expires_at limit ${input.limit}`,
  )

/** Empties and removes collections; their names stay reserved. Returns the parents they had. */
export async function removeCollections(
  db: Db,
  input: { now: Date; ids: readonly bigint[] },
): Promise<bigint[]> {
  const { now, ids } = input
  const parents = await rows(
    db,
    sql<{ id: bigint }>`delete from tree where child_id = any(${ids}::bigint[]) returning parent_id as id`,
  )
  await sql`delete from tree where parent_id = any(${ids}::bigint[])`.execute(db)
  await sql`delete from content where parent_id = any(${ids}::bigint[])`.execute(db)
  await sql`delete from counter_delta where kind in ('collection', 'collection_replica')
    and key1 = any(${ids}::bigint[])`.execute(db)
  await sql`delete from collection_replica where collection_id = any(${ids}::bigint[])`.execute(db)
  await sql`update collection set deleted_at = ${now}, open = false, n_files = 0, bytes = 0
    where id = any(${ids}::bigint[])`.execute(db)
  await sql`update file set deleted_at = ${now} where id = any(${ids}::bigint[])`.execute(db)
  return [...new Set(parents.map((p) => p.id))]
}

export async function updateAvailability(
  db: Db,
  fileIds: readonly bigint[],
  code: string,
  now: Date,
): Promise<void> {
  await sql`update file set availability = ${code}::"char",
      deleted_at = case when ${code} = 'D' then ${now}::timestamptz else deleted_at end
    where id = any(${fileIds}::bigint[]) and not is_collection`.execute(db)
}
