import { AT_ONCE, type ReplicaState } from '../catalog/index.ts'
import { affected, type Db, row, rows, sql } from '../kernel/index.ts'

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
    sql<CopyFacts>`
      with survivor as (
        select c.file_id, c.rse_id, c.path, coalesce(c.verified_at > ${input.verifiedSince}, false) as recent,
          coalesce('site ' || (a.value #>> '{}'), 'rse ' || e.id) as domain
        from unnest(${input.fileIds}::bigint[]) as k(id)
        join replica c on c.file_id = k.id and c.state = 'A' and c.rse_id <> ${input.exceptRseId}
        join rse e on e.id = c.rse_id and e.deleted_at is null and e.can_read
        left join rse_attribute a on a.rse_id = e.id and a.key = 'site')
      select f.id as "fileId", s.rse_id as "rseId", sc.name as scope, f.name, s.path, f.bytes, f.adler32
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
      where e.can_delete and e.deleted_at is null and exists (select from replica x
        where x.rse_id = e.id and x.tombstone <= ${now} and x.state not in ('B', 'C'))`,
  )

export interface Candidate {
  readonly fileId: bigint
  readonly rseId: number
  readonly bytes: bigint
  /** Given up without regard to space. */
  readonly atOnce: boolean
}

/** Copies at an RSE whose tombstone has passed and that were not refused lately: those given up at once, then least recently used first. */
export const candidates = (db: Db, input: { rseId: number; now: Date; limit: number }) =>
  rows(
    db,
    sql<Candidate>`
      select r.file_id as "fileId", r.rse_id as "rseId", f.bytes, r.tombstone <= ${AT_ONCE} as "atOnce"
      from (select x.file_id, x.rse_id, x.tombstone from replica x
        where x.rse_id = ${input.rseId} and x.tombstone <= ${input.now} and x.state not in ('B', 'C')
          and not exists (select from deletion_refused d
            where d.file_id = x.file_id and d.rse_id = x.rse_id and d.again_at > ${input.now})
        order by x.tombstone limit ${input.limit}) r
      join file f on f.id = r.file_id order by r.tombstone, r.file_id`,
  )

/** Notes copies that stay for now, each with its reason. */
export async function refuse(
  db: Db,
  now: Date,
  list: readonly { fileId: bigint; rseId: number; reason: string; againAt: Date }[],
): Promise<void> {
  await sql`delete from deletion_refused where again_at < ${new Date(now.getTime() - FORGET_REFUSAL_MS)}`.execute(
    db,
  )
  if (list.length === 0) return
  await sql`insert into deletion_refused (file_id, rse_id, reason, again_at)
    select w."fileId", w."rseId", w.reason, w."againAt"
    from jsonb_to_recordset(${text(list)}::jsonb) as w("fileId" bigint, "rseId" int, reason text, "againAt" timestamptz)
    on conflict (file_id, rse_id) do update set reason = excluded.reason, again_at = excluded.again_at`.execute(
    db,
  )
}
const FORGET_REFUSAL_MS = 86_400_000

/** Free bytes as last measured (null: never), and bytes that have been leaving since or are about to. */
export async function measuredSpace(
  db: Db,
  rseId: number,
  source: string,
): Promise<{ free: bigint | null; leaving: bigint }> {
  const found = await row(
    db,
    sql<{ free: bigint | null; leaving: bigint }>`
      select u.free, (coalesce((select sum(d.bytes) from deletion d where d.rse_id = ${rseId}), 0)
        + coalesce((select sum(s.bytes) from freed_space s where s.rse_id = ${rseId} and s.at > u.updated_at), 0))::bigint
        as leaving
      from rse_usage u where u.rse_id = ${rseId} and u.source = ${source}`,
  )
  return found ?? { free: null, leaving: 0n }
}

/** Notes bytes that went; what was measured since by every source is forgotten. */
export async function noteFreed(db: Db, now: Date, rseId: number, bytes: bigint): Promise<void> {
  await sql`delete from freed_space s where s.rse_id = ${rseId}
    and s.at <= (select min(updated_at) from rse_usage where rse_id = ${rseId} and source <> 'rucio')`.execute(
    db,
  )
  await sql`insert into freed_space (rse_id, bytes, at) values (${rseId}, ${bytes}, ${now})`.execute(db)
}

export interface CopyFacts {
  readonly fileId: bigint
  readonly rseId: number
  readonly scope: string
  readonly name: string
  readonly path: string | null
  readonly bytes: bigint
  readonly adler32: number | null
}

/** What copies are of and where they lie. */
export const copyFacts = (db: Db, copies: readonly { fileId: bigint; rseId: number }[]) =>
  rows(
    db,
    sql<CopyFacts>`select f.id as "fileId", w.r as "rseId", s.name as scope, f.name, x.path, f.bytes, f.adler32
      from unnest(${copies.map((c) => c.fileId)}::bigint[], ${copies.map((c) => c.rseId)}::int[]) as w(f, r)
      join file f on f.id = w.f join scope s on s.id = f.scope_id
      left join replica x on x.file_id = w.f and x.rse_id = w.r`,
  )
