import { type Db, rows, sql, type Tx } from '../kernel/index.ts'
import type { Held } from './types.ts'

export interface Upload extends Held {
  readonly scope: string
  readonly name: string
  readonly rseId: number
  /** In which order it was offered. */
  readonly place: number
}

/** Notes which files a start may write where, before it may; they are removed unless the start's end commits them. */
export async function promiseUploads(tx: Tx, removeAt: Date, uploads: readonly Upload[]): Promise<void> {
  if (uploads.length === 0) return
  const list = JSON.stringify(uploads.map((upload) => ({ ...upload, jobId: String(upload.jobId) })))
  await sql`insert into job_upload (job_id, attempt, scope, name, rse_id, place, remove_at)
    select u."jobId", u.attempt, u.scope, u.name, u."rseId", u.place, ${removeAt}::timestamptz
    from jsonb_to_recordset(${list}::jsonb) as u("jobId" bigint, attempt int, scope text, name text, "rseId" int,
      place smallint)
    on conflict (scope, name, rse_id) do update set remove_at = excluded.remove_at`.execute(tx)
}

export const uploadsOf = (db: Db, { jobId, attempt }: Held): Promise<Upload[]> =>
  rows(
    db,
    sql<Upload>`select job_id as "jobId", attempt, scope, name, rse_id as "rseId", place from job_upload
      where job_id = ${jobId} and attempt = ${attempt}`,
  )

type FileAt = Pick<Upload, 'scope' | 'name' | 'rseId'>

/** Files that belong to the catalogue now; the places that were offered after theirs were never written to. */
export async function keepUploads(tx: Tx, kept: readonly FileAt[]): Promise<void> {
  await sql`delete from job_upload u using job_upload c
    join unnest(${kept.map((k) => k.scope)}::text[], ${kept.map((k) => k.name)}::text[],
      ${kept.map((k) => k.rseId)}::int[]) as k(scope, name, rse_id)
      on c.scope = k.scope and c.name = k.name and c.rse_id = k.rse_id
    where u.scope = c.scope and u.name = c.name and u.place >= c.place`.execute(tx)
}

export interface Leftover extends FileAt {
  readonly vo: string
  readonly tries: number
  /** When the start ended that was allowed to write it. */
  readonly endedAt: Date
}

/** Takes files that starts wrote which ended without them, and puts off the next look at them. */
export const takeLeftovers = (db: Db, now: Date, again: Date, limit: number): Promise<Leftover[]> =>
  rows(
    db,
    sql<Leftover>`
      with due as (
        select u.scope, u.name, u.rse_id from job_upload u
        where u.remove_at <= ${now} order by u.remove_at limit ${limit} for update skip locked),
      put as (update job_upload u set remove_at = ${again}, tries = u.tries + 1
        from due d where u.scope = d.scope and u.name = d.name and u.rse_id = d.rse_id
        returning u.*)
      select p.scope, p.name, p.rse_id as "rseId", p.tries, j.vo, a.ended_at as "endedAt"
      from put p join job j on j.id = p.job_id
      join job_attempt a on a.job_id = p.job_id and a.n = p.attempt and a.ended_at is not null`,
  )

/** Looks again at a time; null: never. */
export async function putOffUploads(db: Db, files: readonly FileAt[], until: Date | null): Promise<void> {
  if (files.length === 0) return
  const given = sql`unnest(${files.map((f) => f.scope)}::text[], ${files.map((f) => f.name)}::text[],
    ${files.map((f) => f.rseId)}::int[]) as k(scope, name, rse_id)`
  const same = sql`u.scope = k.scope and u.name = k.name and u.rse_id = k.rse_id`
  await (until
    ? sql`update job_upload u set remove_at = ${until} from ${given} where ${same}`
    : sql`delete from job_upload u using ${given} where ${same}`
  ).execute(db)
}

export async function addOutputs(
  tx: Tx,
  { jobId, attempt }: Held,
  fileIds: readonly bigint[],
): Promise<void> {
  await sql`insert into job_output (file_id, job_id, attempt)
    select id, ${jobId}::bigint, ${attempt}::int from unnest(${fileIds}::bigint[]) as f(id) on conflict do nothing`.execute(
    tx,
  )
}
