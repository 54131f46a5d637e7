import type { ReplicaState } from '../catalog/index.ts'
import { affected, type Db, rows, sql } from '../kernel/index.ts'

export interface Intent {
  readonly wasState: ReplicaState
  readonly id: string
  readonly vo: string
  readonly fileId: bigint
  readonly rseId: number
  readonly bytes: bigint
  readonly state: 'intended' | 'trashed'
  readonly attempts: number
  readonly purgeAfter: Date
}

interface NewIntent {
  readonly wasState: ReplicaState
  readonly id: string
  readonly vo: string
  readonly fileId: bigint
  readonly rseId: number
  readonly bytes: bigint
}

const text = (value: unknown) => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))

export const insertIntents = (
  db: Db,
  input: { now: Date; purgeAfter: Date; intents: readonly NewIntent[] },
) =>
  sql`insert into deletion (id, vo, file_id, rse_id, bytes, was_state, state, next_try, purge_after, created_at)
    select w.id, w.vo, w."fileId", w."rseId", w.bytes, w."wasState", 'intended', ${input.now}, ${input.purgeAfter}, ${input.now}
    from jsonb_to_recordset(${text(input.intents)}::jsonb)
      as w(id uuid, vo text, "fileId" bigint, "rseId" int, bytes bigint, "wasState" text)`.execute(db)

/** Takes due intents under a lease; one whose owner died comes back when the lease is over. */
export const claimIntents = (db: Db, input: { now: Date; owner: string; leaseUntil: Date; limit: number }) =>
  rows(
    db,
    sql<Intent>`
      with due as (
        select id from deletion where next_try <= ${input.now} and (lease_until is null or lease_until < ${input.now})
        order by next_try limit ${input.limit} for update skip locked)
      update deletion d set owner = ${input.owner}, lease_until = ${input.leaseUntil}, attempts = attempts + 1
      from due where d.id = due.id
      returning d.id, d.vo, d.file_id as "fileId", d.rse_id as "rseId", d.bytes, d.was_state as "wasState", d.state, d.attempts,
        d.purge_after as "purgeAfter"`,
  )

/** Keeps a claim; false when somebody else has taken it over: then nothing may be touched any more. */
export const renewClaim = async (db: Db, id: string, attempts: number, leaseUntil: Date): Promise<boolean> =>
  (await affected(
    db,
    sql`update deletion set lease_until = ${leaseUntil} where id = ${id} and attempts = ${attempts}`,
  )) === 1

/** The copy lies in the trash now; the next step is its removal after the grace. */
export const markTrashed = (db: Db, id: string, attempts: number) =>
  sql`update deletion set state = 'trashed', next_try = purge_after, owner = null, lease_until = null, last_error = null
    where id = ${id} and attempts = ${attempts} and state = 'intended'`.execute(db)

export const postpone = (db: Db, id: string, attempts: number, nextTry: Date, error: object) =>
  sql`update deletion set next_try = ${nextTry}, owner = null, lease_until = null, last_error = ${JSON.stringify(error)}
    where id = ${id} and attempts = ${attempts}`.execute(db)

/** Ends an intent; false when somebody else holds it by now. */
export async function removeIntent(db: Db, id: string, attempts: number): Promise<boolean> {
  const gone = await rows(
    db,
    sql`delete from deletion where id = ${id} and attempts = ${attempts} returning 1`,
  )
  return gone.length === 1
}

/** Of given copies those that a transfer is reading from, or was and will try again. */
export const copiesBeingRead = (db: Db, list: readonly { fileId: bigint; rseId: number }[]) =>
  rows(
    db,
    sql<{
      fileId: bigint
      rseId: number
    }>`select distinct t.file_id as "fileId", t.src_rse_id as "rseId" from transfer t
      join unnest(${list.map((c) => c.fileId)}::bigint[], ${list.map((c) => c.rseId)}::int[]) as w(f, r)
        on t.file_id = w.f and t.src_rse_id = w.r`,
  )

/** Files whose names were given up: their last copy may go too. */
export const abandonedFiles = (db: Db, fileIds: readonly bigint[]) =>
  rows(
    db,
    sql<{ id: bigint }>`select id from file where id = any(${fileIds}::bigint[]) and availability = 'D'`,
  )

export interface StaleCopy extends CopyFacts {
  readonly rseId: number
}

/**
 * Copies that nobody verified since a time, of files at one RSE which would have too few left without them: AVAILABLE
 * ones at other, readable RSEs.
 */
export const staleSurvivors = (
  db: Db,
  input: { fileIds: readonly bigint[]; exceptRseId: number; verifiedSince: Date; floor: number },
) =>
  rows(
    db,
    sql<StaleCopy>`
      with survivor as (
        select c.file_id, c.rse_id, coalesce(c.verified_at > ${input.verifiedSince}, false) as recent,
          coalesce('site ' || (a.value #>> '{}'), 'rse ' || e.id) as domain
        from unnest(${input.fileIds}::bigint[]) as k(id)
        join replica c on c.file_id = k.id and c.state = 'A' and c.rse_id <> ${input.exceptRseId}
        join rse e on e.id = c.rse_id and e.deleted_at is null and e.can_read
        left join rse_attribute a on a.rse_id = e.id and a.key = 'site')
      select f.id as "fileId", s.rse_id as "rseId", sc.name as scope, f.name, f.bytes, f.adler32
      from survivor s join file f on f.id = s.file_id and f.availability <> 'D' join scope sc on sc.id = f.scope_id
      where not s.recent and (select count(distinct domain) from survivor o
        where o.file_id = s.file_id and o.recent) < ${input.floor}
      order by s.rse_id, s.file_id`,
  )

/** RSEs at which something may be deleted now. */
export const rsesWithTombstones = (db: Db, now: Date) =>
  rows(
    db,
    sql<{ rseId: number; vo: string }>`select e.id as "rseId", e.vo from rse e
      where e.can_delete and exists (select from replica x
        where x.rse_id = e.id and x.tombstone <= ${now} and x.state <> 'B')`,
  )

export interface CopyFacts {
  readonly fileId: bigint
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly adler32: number | null
}

export const copyFacts = (db: Db, fileIds: readonly bigint[]) =>
  rows(
    db,
    sql<CopyFacts>`select f.id as "fileId", s.name as scope, f.name, f.bytes, f.adler32
      from file f join scope s on s.id = f.scope_id where f.id = any(${fileIds}::bigint[])`,
  )
