import { affected, type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import type { RawFile, RawState, Recorded } from './types.ts'

/** Adds files that are not there yet, to be looked for from now on. Returns how many. */
export const insertFiles = (tx: Tx, now: Date, runId: bigint, files: readonly Recorded[]): Promise<number> =>
  affected(
    tx,
    sql`insert into raw_file (run_id, name, stream, bytes, adler32, md5, events, recorded_at, look_at)
      select ${runId}::bigint, w.name, w.stream, w.bytes, w.adler32, w.md5, w.events, ${now}::timestamptz, ${now}::timestamptz
      from jsonb_to_recordset(${JSON.stringify(files.map((file) => ({ ...file, bytes: String(file.bytes) })))}::jsonb)
        as w(name text, stream text, bytes bigint, adler32 text, md5 text, events bigint)
      order by w.name on conflict (run_id, name) do nothing`,
  )

interface FileRow extends Omit<RawFile, 'times'> {
  readonly [column: `at_${string}`]: Date | null
}

const FILE = sql`f.id, f.run_id as "runId", f.name, f.stream, f.bytes, f.adler32, f.md5, f.events::float8 as events, f.state,
  f.file_id as "fileId", f.problem, f.recorded_at as at_recorded, f.landed_at as at_landed, f.verified_at as at_verified,
  f.registered_at as at_registered, f.archived_at as at_archived, f.second_copy_at as at_second_copy,
  f.releasable_at as at_releasable, f.released_at as at_released`

const fileOf = (found: FileRow): RawFile => {
  const facts = Object.entries(found)
  const times = facts.flatMap(([key, at]) => (key.startsWith('at_') && at ? [[key.slice(3), at]] : []))
  const plain = Object.fromEntries(facts.filter(([key]) => !key.startsWith('at_')))
  return { ...(plain as Omit<RawFile, 'times'>), times: Object.fromEntries(times) }
}

/** Files of a run by name, after a given one. */
export const filesOfRun = async (
  db: Db,
  input: {
    runId: bigint
    names: readonly string[] | null
    state: RawState | null
    after: string
    limit: number
  },
): Promise<RawFile[]> =>
  (
    await rows(
      db,
      sql<FileRow>`select ${FILE} from raw_file f where f.run_id = ${input.runId} and f.name > ${input.after}
        and (${input.names}::text[] is null or f.name = any(${input.names}::text[]))
        and (${input.state}::text is null or f.state = ${input.state}) order by f.name limit ${input.limit}`,
    )
  ).map(fileOf)

export const countFiles = async (db: Db, runId: bigint): Promise<number> =>
  (await row(db, sql<{ n: number }>`select count(*)::int as n from raw_file where run_id = ${runId}`))!.n

export interface Expected extends Recorded {
  readonly id: bigint
  readonly runId: bigint
  readonly recordedAt: Date
  readonly vo: string
  readonly accountId: number
  readonly landing: string
  readonly scope: string
  readonly dataset: string
  readonly experiment: number
  readonly run: number
}

/** Files that may have landed, taken from others until `again`, which grows with the time they were waited for. */
export const takeExpected = (db: Db, now: Date, limit: number): Promise<Expected[]> =>
  rows(
    db,
    sql<Expected>`
      with due as (
        select id from raw_file where look_at <= ${now} order by look_at limit ${limit} for update skip locked),
      taken as (
        update raw_file f set look_at = ${now}::timestamptz
          + least(interval '10 min', greatest(interval '1 s', (${now}::timestamptz - f.recorded_at) / 5))
        from due d where f.id = d.id returning f.*)
      select t.id, t.run_id as "runId", t.name, t.stream, t.bytes, t.adler32, t.md5, t.events::float8 as events,
        t.recorded_at as "recordedAt", r.vo, w.account_id as "accountId", w.landing, r.scope, r.dataset, r.experiment, r.run
      from taken t join raw_run r on r.id = t.run_id join raw_flow w on w.id = r.flow_id order by t.run_id, t.name`,
  )

export const nextLook = async (db: Db): Promise<Date | null> =>
  (await row(db, sql<{ at: Date | null }>`select min(look_at) as at from raw_file where look_at is not null`))
    ?.at ?? null

/** Something lies there under the name of the file; why it does not count, if it does not. */
export const noteLanded = (db: Db, now: Date, id: bigint, problem: string) =>
  sql`update raw_file set landed_at = coalesce(landed_at, ${now}), problem = left(${problem}, 500),
      state = case when state = 'recorded' then 'landed' else state end
    where id = ${id} and state in ('recorded', 'landed')`.execute(db)

export const noteProblem = (db: Db, id: bigint, problem: string) =>
  sql`update raw_file set problem = left(${problem}, 500) where id = ${id} and state <> 'released'`.execute(
    db,
  )

/** Those of the files that are still to be registered, locked. */
export const lockUnregistered = (tx: Tx, ids: readonly bigint[]): Promise<{ id: bigint }[]> =>
  rows(
    tx,
    sql<{
      id: bigint
    }>`select id from raw_file where id = any(${ids}::bigint[]) and state in ('recorded', 'landed')
      order by id for update`,
  )

/** They were as they should be at the landing storage at `seen`, and are in the catalogue now. */
export const noteRegistered = (
  tx: Tx,
  seen: Date,
  now: Date,
  list: readonly { id: bigint; fileId: bigint }[],
): Promise<number> =>
  affected(
    tx,
    sql`update raw_file f set state = 'registered', file_id = w.file, problem = '', look_at = null,
        landed_at = coalesce(f.landed_at, ${seen}), verified_at = ${seen}, registered_at = ${now}
      from unnest(${list.map(({ id }) => id)}::bigint[], ${list.map(({ fileId }) => fileId)}::bigint[]) as w(id, file)
      where f.id = w.id and f.state in ('recorded', 'landed')`,
  )

/** Verified copies that can be read: `c.file_id`, `rse`, `domain` (its site) and `tape` of each. */
const VERIFIED = sql`replica c join rse e on e.id = c.rse_id and e.deleted_at is null and e.can_read
  left join rse_attribute a on a.rse_id = e.id and a.key = 'site'`
const DOMAIN = sql`coalesce(a.value #>> '{}', 'rse ' || e.name)`

export interface OnItsWay {
  readonly id: bigint
  readonly state: RawState
  readonly runComplete: boolean
  readonly tape: boolean
  readonly sites: number
}

/** Registered files that are not released yet, with what is known of their copies. */
export const filesOnTheirWay = (
  db: Db,
  input: { runId: bigint | null; after: bigint; limit: number },
): Promise<OnItsWay[]> =>
  rows(
    db,
    sql<OnItsWay>`
      select f.id, f.state, r.completed_at is not null as "runComplete", coalesce(k.tape, false) as tape,
        coalesce(k.sites, 0)::int as sites
      from (select * from raw_file where state in ('registered', 'archived', 'second_copy', 'releasable')
          and id > ${input.after} and (${input.runId}::bigint is null or run_id = ${input.runId})
        order by id limit ${input.limit}) f
      join raw_run r on r.id = f.run_id
      cross join lateral (
        select bool_or(e.kind = 'TAPE') as tape, count(distinct ${DOMAIN}) as sites from ${VERIFIED}
        where c.file_id = f.file_id and c.state = 'A' and c.verified_at is not null) k
      order by f.id`,
  )

/** Moves files from the state in which they were seen; notes when they came so far for the first time. */
export const moveFiles = (
  tx: Tx,
  now: Date,
  moves: readonly { id: bigint; from: RawState; to: RawState }[],
): Promise<number> => {
  const reached = (state: RawState, column: string) =>
    sql`case when w.rank >= ${RANK[state]!} then coalesce(f.${sql.ref(column)}, ${now}) else f.${sql.ref(column)} end`
  return affected(
    tx,
    sql`update raw_file f set state = w.into_state, archived_at = ${reached('archived', 'archived_at')},
        second_copy_at = ${reached('second_copy', 'second_copy_at')},
        releasable_at = ${reached('releasable', 'releasable_at')}
      from unnest(${moves.map(({ id }) => id)}::bigint[], ${moves.map(({ from }) => from)}::text[],
        ${moves.map(({ to }) => to)}::text[], ${moves.map(({ to }) => RANK[to] ?? 0)}::int[]) as w(id, from_state, into_state, rank)
      where f.id = w.id and f.state = w.from_state`,
  )
}
const RANK: Partial<Record<RawState, number>> = { archived: 1, second_copy: 2, releasable: 3 }

export interface StaleCopy {
  readonly fileId: bigint
  readonly rseId: number
  readonly scope: string
  readonly name: string
  readonly path: string | null
  readonly bytes: bigint
  readonly adler32: number | null
}

/** Copies of files that nobody looked at since a time. */
export const staleCopies = (db: Db, fileIds: readonly bigint[], since: Date): Promise<StaleCopy[]> =>
  rows(
    db,
    sql<StaleCopy>`select f.id as "fileId", e.id as "rseId", s.name as scope, f.name, c.path, f.bytes, f.adler32
      from ${VERIFIED} join file f on f.id = c.file_id join scope s on s.id = f.scope_id
      where c.file_id = any(${fileIds}::bigint[]) and c.state = 'A' and (c.verified_at is null or c.verified_at <= ${since})`,
  )

/**
 * Releases those of the files that have, at this moment, a verified copy on tape and another at a different site, both
 * looked at since a time, in a complete run. Hold the locks of the files in the catalogue, taken in an earlier statement:
 * then nobody can take a copy away between the look and the note. Returns the names.
 */
export const releaseFiles = (
  tx: Tx,
  input: { now: Date; runId: bigint; ids: readonly bigint[]; since: Date; by: string },
): Promise<{ id: bigint; name: string }[]> =>
  rows(
    tx,
    sql<{ id: bigint; name: string }>`
      with asked as (
        select f.id, f.file_id from raw_file f join raw_run r on r.id = f.run_id and r.completed_at is not null
        where f.run_id = ${input.runId} and f.id = any(${input.ids}::bigint[]) and f.state = 'releasable'
        order by f.id for update of f),
      copy as (
        select k.id, e.name as rse, ${DOMAIN} as site, e.kind = 'TAPE' as tape
        from asked k join (${VERIFIED}) on c.file_id = k.file_id and c.state = 'A' and c.verified_at > ${input.since}),
      pair as (
        select distinct on (t.id) t.id, t.rse as tape_rse, t.site as tape_site, o.rse as other_rse, o.site as other_site
        from copy t join copy o on o.id = t.id and o.site <> t.site where t.tape order by t.id, t.rse, o.rse)
      update raw_file f set state = 'released', released_at = ${input.now}, released_by = ${input.by}, problem = '',
        tape_rse = p.tape_rse, tape_site = p.tape_site, other_rse = p.other_rse, other_site = p.other_site
      from pair p where f.id = p.id returning f.id, f.name`,
  )

export interface CopyOfRaw {
  readonly fileId: bigint
  readonly rse: string
  readonly site: string
  readonly tape: boolean
  /** As the catalogue's code for it. */
  readonly available: boolean
  readonly verifiedAt: Date | null
}

export const copiesOfRaw = (db: Db, fileIds: readonly bigint[]): Promise<CopyOfRaw[]> =>
  rows(
    db,
    sql<CopyOfRaw>`select c.file_id as "fileId", e.name as rse, ${DOMAIN} as site, e.kind = 'TAPE' as tape,
        c.state = 'A' as available, c.verified_at as "verifiedAt"
      from ${VERIFIED} where c.file_id = any(${fileIds}::bigint[]) order by c.file_id, e.name`,
  )
