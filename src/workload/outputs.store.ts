import { type Db, rows, sql, type Tx } from '../kernel/index.ts'
import type { Held } from './types.ts'

export interface Upload extends Held {
  readonly scope: string
  readonly name: string
  readonly rseId: number
}

/** Notes which files a start may write where, before it may; they are removed unless the start's end commits them. */
export async function promiseUploads(tx: Tx, removeAt: Date, uploads: readonly Upload[]): Promise<void> {
  if (uploads.length === 0) return
  const list = JSON.stringify(uploads.map((upload) => ({ ...upload, jobId: String(upload.jobId) })))
  await sql`insert into job_upload (job_id, attempt, scope, name, rse_id, remove_at)
    select u."jobId", u.attempt, u.scope, u.name, u."rseId", ${removeAt}::timestamptz
    from jsonb_to_recordset(${list}::jsonb) as u("jobId" bigint, attempt int, scope text, name text, "rseId" int)
    on conflict (scope, name, rse_id) do update set remove_at = excluded.remove_at`.execute(tx)
}

export const uploadsOf = (db: Db, { jobId, attempt }: Held): Promise<Upload[]> =>
  rows(
    db,
    sql<Upload>`select job_id as "jobId", attempt, scope, name, rse_id as "rseId" from job_upload
      where job_id = ${jobId} and attempt = ${attempt}`,
  )

/** Files that belong to the catalogue now. */
export async function keepUploads(tx: Tx, kept: readonly Omit<Upload, 'jobId' | 'attempt'>[]): Promise<void> {
  await sql`delete from job_upload u using unnest(${kept.map((k) => k.scope)}::text[],
      ${kept.map((k) => k.name)}::text[], ${kept.map((k) => k.rseId)}::int[]) as k(scope, name, rse_id)
    where u.scope = k.scope and u.name = k.name and u.rse_id = k.rse_id`.execute(tx)
}

/** What the start wrote besides is removed now. */
export async function dropUploadsOf(tx: Tx, now: Date, { jobId, attempt }: Held): Promise<void> {
  await sql`update job_upload set remove_at = ${now} where job_id = ${jobId} and attempt = ${attempt}`.execute(
    tx,
  )
}

export interface Leftover extends Upload {
  readonly vo: string
  readonly tries: number
}

/**
 * Takes files that no start committed, and puts off the next look at them; those of a start that still runs stay.
 */
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
      select p.job_id as "jobId", p.attempt, p.scope, p.name, p.rse_id as "rseId", p.tries, j.vo
      from put p join job j on j.id = p.job_id
      join job_attempt a on a.job_id = p.job_id and a.n = p.attempt and a.ended_at is not null`,
  )

export async function forgetUploads(
  db: Db,
  gone: readonly Omit<Upload, 'jobId' | 'attempt'>[],
): Promise<void> {
  if (gone.length === 0) return
  await keepUploads(db as Tx, gone)
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
