import { affected, type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { STATE_CODE, stateOf } from './codes.ts'
import type { Did, Replica, ReplicaKey, ReplicaState } from './types.ts'

const COLUMNS = sql`r.file_id as "fileId", r.rse_id as "rseId", r.state, r.tombstone, r.verified_at as "verifiedAt", r.path`

type StoredReplica = Omit<Replica, 'state'> & { readonly state: string }
const toReplica = (stored: StoredReplica): Replica => ({ ...stored, state: stateOf(stored.state) })

const fileIdsOf = (keys: readonly ReplicaKey[]) => keys.map((key) => key.fileId)
const rseIdsOf = (keys: readonly ReplicaKey[]) => keys.map((key) => key.rseId)
const keyTable = (keys: readonly ReplicaKey[]) =>
  sql`unnest(${fileIdsOf(keys)}::bigint[], ${rseIdsOf(keys)}::int[])`

export interface InsertedReplica extends ReplicaKey {
  readonly state: ReplicaState
  readonly path: string | null
  readonly tombstone: Date | null
}

const insertedRows = (replicas: readonly InsertedReplica[]) => sql`
  insert into replica (file_id, rse_id, state, tombstone, path)
  select * from unnest(${fileIdsOf(replicas)}::bigint[], ${rseIdsOf(replicas)}::int[],
    ${replicas.map((r) => STATE_CODE[r.state])}::"char"[], ${replicas.map((r) => r.tombstone)}::timestamptz[],
    ${replicas.map((r) => r.path)}::text[])`

/** Rows of files that nobody else knows yet. */
export const insertFirstReplicas = (tx: Tx, replicas: readonly InsertedReplica[]) =>
  insertedRows(replicas).execute(tx)

/** Rows that were missing; the others stay as they are. Returns the new ones. The keys must differ. */
export async function insertReplicas<R extends InsertedReplica>(
  tx: Tx,
  replicas: readonly R[],
): Promise<R[]> {
  const made = await row(
    tx,
    sql<{ n: number; keys: string[] }>`
      with made as (${insertedRows(replicas)} on conflict (file_id, rse_id) do nothing returning file_id, rse_id)
      select count(*)::int as n, case when count(*) < ${replicas.length}::int
        then array_agg(file_id || '/' || rse_id) else '{}' end as keys from made`,
  )
  // Nearly always all of them: then nothing but their number comes back.
  if (made?.n === replicas.length) return [...replicas]
  const keys = new Set(made?.keys)
  return replicas.filter(({ fileId, rseId }) => keys.has(`${fileId}/${rseId}`))
}

export const selectReplicas = async (db: Db, keys: readonly ReplicaKey[]): Promise<Replica[]> =>
  (
    await rows(
      db,
      sql<StoredReplica>`select ${COLUMNS} from (select distinct * from ${keyTable(keys)}) as k(file_id, rse_id)
        cross join lateral (select * from replica c where c.file_id = k.file_id and c.rse_id = k.rse_id offset 0) r`,
    )
  ).map(toReplica)

/** Row by row, not `= any`: so each id is looked for in its own partition only. */
export const selectReplicasOfFiles = async (db: Db, fileIds: readonly bigint[]): Promise<Replica[]> =>
  (
    await rows(
      db,
      sql<StoredReplica>`select ${COLUMNS} from (select distinct * from unnest(${fileIds}::bigint[])) as k(file_id)
        cross join lateral (select * from replica c where c.file_id = k.file_id offset 0) r`,
    )
  ).map(toReplica)

export interface ChangedReplica extends Replica {
  readonly before: ReplicaState
}

/** Guarded change. The old state is read in the same statement: the caller holds the files' locks. */
export async function updateStates(
  tx: Tx,
  input: {
    replicas: readonly (ReplicaKey & { path?: string | null })[]
    from: readonly ReplicaState[]
    to: ReplicaState
    verifiedAt?: Date | undefined
    tombstone?: Date | null | undefined
  },
): Promise<ChangedReplica[]> {
  const { replicas, from, to, verifiedAt, tombstone } = input
  const changed = await rows(
    tx,
    sql<StoredReplica & { before: string }>`
      with before as (
        select r.file_id, r.rse_id, r.state, k.path
        from (select distinct on (file_id, rse_id) * from unnest(${fileIdsOf(replicas)}::bigint[],
            ${rseIdsOf(replicas)}::int[], ${replicas.map((r) => r.path ?? null)}::text[])
          as k(file_id, rse_id, path) order by file_id, rse_id) k
        join replica r on r.file_id = k.file_id and r.rse_id = k.rse_id
        where r.state = any(${from.map((state) => STATE_CODE[state])}::text[]::"char"[]))
      update replica r set state = ${STATE_CODE[to]}::text::"char",
        verified_at = coalesce(${verifiedAt ?? null}::timestamptz, r.verified_at),
        tombstone = ${tombstone === undefined ? sql`r.tombstone` : sql`${tombstone}::timestamptz`},
        path = coalesce(b.path, r.path)
      from before b where r.file_id = b.file_id and r.rse_id = b.rse_id
      returning ${COLUMNS}, b.state as before`,
  )
  return changed.map((stored) => ({ ...toReplica(stored), before: stateOf(stored.before) }))
}

export const updateVerified = (db: Db, keys: readonly ReplicaKey[], now: Date) =>
  affected(
    db,
    sql`update replica r set verified_at = ${now} from ${keyTable(keys)} as k(file_id, rse_id)
      where r.file_id = k.file_id and r.rse_id = k.rse_id and (r.verified_at is null or r.verified_at < ${now})`,
  )

export const updateTombstones = (tx: Tx, keys: readonly ReplicaKey[], tombstone: Date | null) =>
  affected(
    tx,
    sql`update replica r set tombstone = ${tombstone}::timestamptz from ${keyTable(keys)} as k(file_id, rse_id)
      where r.file_id = k.file_id and r.rse_id = k.rse_id and r.tombstone is distinct from ${tombstone}::timestamptz`,
  )

/** Tombstones between two times become the later one. */
export const delayTombstones = (
  tx: Tx,
  keys: readonly ReplicaKey[],
  { after, to }: { after: Date; to: Date },
) =>
  affected(
    tx,
    sql`update replica r set tombstone = ${to}::timestamptz from ${keyTable(keys)} as k(file_id, rse_id)
      where r.file_id = k.file_id and r.rse_id = k.rse_id and r.tombstone > ${after}::timestamptz
        and r.tombstone < ${to}::timestamptz`,
  )

export const deleteReplicas = async (tx: Tx, keys: readonly ReplicaKey[]): Promise<Replica[]> =>
  (
    await rows(
      tx,
      sql<StoredReplica>`delete from replica r using ${keyTable(keys)} as k(file_id, rse_id)
        where r.file_id = k.file_id and r.rse_id = k.rse_id returning ${COLUMNS}`,
    )
  ).map(toReplica)

/**
 * Counter changes of copies that became AVAILABLE (sign 1) or ceased to be (-1): of their RSEs and of every dataset
 * that holds their files. A statement of its own, after the one that locked the files: it sees every attachment made
 * before.
 */
export async function addAvailabilityDeltas(
  tx: Tx,
  changes: readonly ReplicaKey[],
  sign: 1 | -1,
): Promise<void> {
  if (changes.length === 0) return
  await sql`
    with changed as materialized (
      select k.file_id, k.rse_id, f.bytes from ${keyTable(changes)} as k(file_id, rse_id)
      cross join lateral (select bytes from file where id = k.file_id offset 0) f)
    insert into counter_delta (kind, key1, key2, d_files, d_bytes)
    select 'rse', rse_id, 0, ${sign} * count(*), ${sign} * sum(bytes) from changed group by rse_id
    union all
    select 'collection_replica', c.parent_id, k.rse_id, ${sign} * count(*), ${sign} * sum(k.bytes)
    from changed k cross join lateral (select parent_id from content where child_id = k.file_id offset 0) c
    group by c.parent_id, k.rse_id`.execute(tx)
}

/**
 * The same for copies that are new at an RSE, with the sizes of their files. Files just made are in no dataset yet.
 */
export async function addNewCopyDeltas(
  tx: Tx,
  rseId: number,
  copies: readonly { fileId: bigint; bytes: bigint; isNewFile: boolean }[],
): Promise<void> {
  if (copies.length === 0) return
  const known = copies.filter((copy) => !copy.isNewFile)
  const bytes = copies.reduce((sum, copy) => sum + copy.bytes, 0n)
  await sql`
    insert into counter_delta (kind, key1, key2, d_files, d_bytes)
    select 'rse', ${rseId}::int, 0, ${copies.length}::int, ${bytes}::bigint
    union all
    select 'collection_replica', c.parent_id, ${rseId}, count(*), sum(k.bytes)
    from unnest(${known.map((copy) => copy.fileId)}::bigint[], ${known.map((copy) => copy.bytes)}::bigint[])
      as k(file_id, bytes)
    cross join lateral (select parent_id from content where child_id = k.file_id offset 0) c
    group by c.parent_id`.execute(tx)
}

/** A file with a good copy is neither lost nor deleted. */
export const restoreAvailability = (tx: Tx, fileIds: readonly bigint[]) =>
  affected(
    tx,
    sql`update file set availability = 'A' where id = any(${fileIds}::bigint[]) and availability <> 'A'`,
  )

export interface PlacedRse {
  readonly id: number
  readonly name: string
  readonly deterministic: boolean
  readonly algorithm: string | null
}

export const selectPlacedRse = (db: Db, vo: string, rseId: number) =>
  row(
    db,
    sql<PlacedRse>`select r.id, r.name, r.deterministic, a.value #>> '{}' as algorithm
      from rse r left join rse_attribute a on a.rse_id = r.id and a.key = 'lfn2pfn_algorithm'
      where r.id = ${rseId} and r.vo = ${vo} and r.deleted_at is null`,
  )

/** Ids of living files by name; the names that are none are absent. */
export const selectFileIds = (db: Db, vo: string, dids: readonly Did[]) =>
  rows(
    db,
    sql<{ id: bigint; place: number }>`
      select f.id, (w.place - 1)::int as place
      from unnest(${dids.map((d) => d.scope)}::text[], ${dids.map((d) => d.name)}::text[])
        with ordinality as w(scope, name, place)
      join scope s on s.vo = ${vo} and s.name = w.scope
      join file f on f.scope_id = s.id and f.name = w.name
      where f.deleted_at is null and not f.is_collection`,
  )
