import { affected, type Db, row, rows, sql, type Tx } from '../kernel/database.ts'

// Objects are looked up by arrays of hashes, never by joins, and by no index that begins with the repository unless the
// hash is in it, too: of a repository that grows while statistics are old, the planner thinks that it is empty, and would
// go through all of it for every hash.

export interface ObjectPlace {
  readonly packId: string
  readonly start: bigint
  readonly length: bigint
}

export const placeOf = (db: Db, repositoryId: number, hex: string): Promise<ObjectPlace | undefined> =>
  row(
    db,
    sql<ObjectPlace>`select pack_id as "packId", start, length from software_object
    where repository_id = ${repositoryId} and hash = decode(${hex}, 'hex')`,
  )

/** Whether there is any content. In the order of an index, or the planner might look for the first in all repositories. */
export const hasContents = async (db: Db, repositoryId: number): Promise<boolean> =>
  (await row(
    db,
    sql`select hash from software_object where repository_id = ${repositoryId} and plain is not null
    order by hash limit 1`,
  )) !== undefined

/** Which contents are there already, by SHA-256; whoever asks counts on them, so they are noted as wanted. */
export const knownContents = (
  db: Db,
  now: Date,
  repositoryId: number,
  plains: readonly string[],
): Promise<{ plain: string; hash: string }[]> =>
  rows(
    db,
    sql<{ plain: string; hash: string }>`update software_object o set wanted_at = ${now}
    where o.repository_id + 0 = ${repositoryId} and o.plain is not null
      and o.plain = any(array(select distinct decode(p, 'hex') from unnest(${plains}::text[]) as p))
    returning encode(o.plain, 'hex') as plain, encode(o.hash, 'hex') as hash`,
  )

/**
 * Those of the hashes (20 bytes each, one behind the other) that are not there, hexadecimal; those that are and that
 * nobody wanted since a date are noted as wanted.
 */
export const missingHashes = async (
  tx: Tx,
  now: Date,
  repositoryId: number,
  hashes: Uint8Array,
  since: Date,
): Promise<string[]> =>
  (
    await rows(
      tx,
      sql<{
        hex: string
      }>`with asked as (select substring(${Buffer.from(hashes)}::bytea from i * 20 + 1 for 20) as hash
        from generate_series(0, ${hashes.length / 20 - 1}::int) as i),
      found as materialized (select o.hash, o.wanted_at from software_object o
        where o.repository_id = ${repositoryId} and o.hash = any(array(select hash from asked))),
      noted as (update software_object o set wanted_at = ${now}
        where o.repository_id = ${repositoryId} and o.hash = any(array(select hash from found where wanted_at < ${since})))
      select encode(asked.hash, 'hex') as hex from asked left join found using (hash) where found.hash is null`,
    )
  ).map(({ hex }) => hex)

export const insertPack = (
  tx: Tx,
  now: Date,
  p: { id: string; repositoryId: number; bytes: number },
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_pack (id, repository_id, bytes, created_at) values (${p.id}, ${p.repositoryId}, ${p.bytes}, ${now})`,
  )

export interface NewObject {
  readonly hex: string
  readonly plain?: string | undefined
  readonly start: number
  readonly length: number
}

/** Objects of a pack; those known already keep the place they have. */
export const insertObjects = (
  tx: Tx,
  now: Date,
  repositoryId: number,
  packId: string,
  objects: readonly NewObject[],
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_object (repository_id, hash, plain, pack_id, start, length, wanted_at)
    select distinct on (1, 2) ${repositoryId}::int, decode(o.hex, 'hex'), decode(nullif(o.plain, ''), 'hex'), ${packId}::uuid, o.start, o.length, ${now}::timestamptz
    from unnest(${objects.map((o) => o.hex)}::text[], ${objects.map((o) => o.plain ?? '')}::text[],
      ${objects.map((o) => o.start)}::bigint[], ${objects.map((o) => o.length)}::bigint[]) as o(hex, plain, start, length)
    order by 1, 2
    on conflict (repository_id, hash) do update set wanted_at = excluded.wanted_at, plain = coalesce(software_object.plain, excluded.plain)`,
  )

/** How much the packs hold and how much of it is used. */
export const usageOf = async (
  db: Db,
  repositoryId: number,
): Promise<{ objects: bigint; usedBytes: bigint; storedBytes: bigint }> =>
  (await row(
    db,
    sql<{ objects: bigint; usedBytes: bigint; storedBytes: bigint }>`
    select (select count(*) from software_object where repository_id = ${repositoryId}) as objects,
      (select coalesce(sum(length), 0)::bigint from software_object where repository_id = ${repositoryId}) as "usedBytes",
      (select coalesce(sum(bytes), 0)::bigint from software_pack where repository_id = ${repositoryId}) as "storedBytes"`,
  ))!

/** A place for what a collection finds in use, as long as its transaction lasts: it may be more than memory holds. */
export const beginInUse = (tx: Tx): Promise<unknown> =>
  affected(tx, sql`create temporary table software_in_use (hash bytea not null) on commit drop`)

/** Notes hashes, 20 bytes each, one behind the other; the same may be noted again. */
export const noteInUse = (tx: Tx, hashes: Uint8Array): Promise<number> =>
  affected(
    tx,
    sql`insert into software_in_use select substring(${Buffer.from(hashes)}::bytea from i * 20 + 1 for 20)
    from generate_series(0, ${hashes.length / 20 - 1}::int) as i`,
  )

/** Lets the planner know how many there are: nobody else does for such a table. */
export const endInUse = (tx: Tx): Promise<unknown> => affected(tx, sql`analyze software_in_use`)

interface Amount {
  readonly objects: bigint
  readonly bytes: bigint
}

/** Objects that are not in use, and that nobody counted on since a date. */
export const unusedObjects = async (tx: Tx, repositoryId: number, before: Date): Promise<Amount> =>
  (await row(
    tx,
    sql<Amount>`select count(*) as objects, coalesce(sum(length), 0)::bigint as bytes from software_object o
    where repository_id = ${repositoryId} and wanted_at < ${before}
      and not exists (select from software_in_use u where u.hash = o.hash)`,
  ))!

export const deleteUnused = async (tx: Tx, repositoryId: number, before: Date): Promise<Amount> =>
  (await row(
    tx,
    sql<Amount>`with gone as (
      delete from software_object o where repository_id = ${repositoryId} and wanted_at < ${before}
        and not exists (select from software_in_use u where u.hash = o.hash)
      returning length)
    select count(*) as objects, coalesce(sum(length), 0)::bigint as bytes from gone`,
  ))!

/** Whatever nobody counted on since a date. */
export const deleteUnwanted = (tx: Tx, repositoryId: number, before: Date): Promise<number> =>
  affected(
    tx,
    sql`delete from software_object where repository_id = ${repositoryId} and wanted_at < ${before}`,
  )

/** Packs in which nothing is used any more, noted as dropped; their files may then be removed. */
export const dropEmptyPacks = (tx: Tx, now: Date, repositoryId: number): Promise<number> =>
  affected(
    tx,
    sql`update software_pack p set dropped_at = ${now} where repository_id = ${repositoryId} and dropped_at is null
      and not exists (select from software_object o where o.pack_id = p.id)`,
  )

export interface SparsePack {
  readonly id: string
  readonly objects: { hex: string; plain: string | null; start: number; length: number }[]
}

/** Packs of which less than a share is used, with what is. */
export const sparsePacks = (
  db: Db,
  repositoryId: number,
  share: number,
  limit: number,
): Promise<SparsePack[]> =>
  rows(
    db,
    sql<SparsePack>`select p.id, jsonb_agg(jsonb_build_object('hex', encode(o.hash, 'hex'), 'plain', encode(o.plain, 'hex'),
        'start', o.start, 'length', o.length) order by o.start) as objects
    from software_pack p join software_object o on o.pack_id = p.id
    where p.repository_id = ${repositoryId} and p.dropped_at is null
    group by p.id, p.bytes having sum(o.length) < p.bytes * ${share}::float8 limit ${limit}`,
  )

/** Objects move from one pack to another, as far as they still are in the old one. */
export const moveObjects = (
  tx: Tx,
  repositoryId: number,
  from: string,
  to: string,
  objects: readonly NewObject[],
): Promise<number> =>
  affected(
    tx,
    sql`update software_object o set pack_id = ${to}::uuid, start = n.start
    from unnest(${objects.map((o) => o.hex)}::text[], ${objects.map((o) => o.start)}::bigint[]) as n(hex, start)
    where o.repository_id = ${repositoryId} and o.hash = decode(n.hex, 'hex') and o.pack_id = ${from}::uuid`,
  )

export const droppedPacks = (
  db: Db,
  before: Date,
  limit: number,
): Promise<{ id: string; repository: string }[]> =>
  rows(
    db,
    sql<{ id: string; repository: string }>`select p.id, r.name as repository from software_pack p
    join software_repository r on r.id = p.repository_id where p.dropped_at < ${before} order by p.dropped_at limit ${limit}`,
  )

export const deletePacks = (tx: Db, ids: readonly string[]): Promise<number> =>
  affected(
    tx,
    sql`delete from software_pack p where id = any(${ids}::uuid[]) and dropped_at is not null
      and not exists (select from software_object o where o.pack_id = p.id)`,
  )

/** Those of the pack files that no row knows. */
export const unknownPacks = async (db: Db, ids: readonly string[]): Promise<string[]> =>
  (
    await rows(
      db,
      sql<{ id: string }>`select i::text as id from unnest(${ids}::uuid[]) as i
      where not exists (select from software_pack p where p.id = i)`,
    )
  ).map(({ id }) => id)
