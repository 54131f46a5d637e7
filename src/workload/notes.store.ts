import { rows, sql, type Tx } from '../kernel/index.ts'
import type { Held } from './types.ts'

export interface Note {
  readonly id: bigint
  readonly at: Date
  readonly minor: string | null
  readonly application: string | null
  readonly source: string
}

/** Writes what somebody says of jobs into their history; where `current`, it is also what lists show from now on. */
export async function noteJobs(
  tx: Tx,
  now: Date,
  notes: readonly Note[],
  options: { readonly current: boolean },
): Promise<void> {
  if (notes.length === 0) return
  const list = JSON.stringify(notes.map((note) => ({ ...note, id: String(note.id) })))
  const given = sql`jsonb_to_recordset(${list}::jsonb)
    as n(id bigint, at timestamptz, minor text, application text, source text)`
  if (options.current)
    await sql`update job j set minor = left(coalesce(n.minor, j.minor), 128), updated_at = ${now},
        application = left(coalesce(n.application, j.application), 255)
      from ${given} where j.id = n.id`.execute(tx)
  await sql`insert into job_event (job_id, attempt, at, state, minor, application, source)
    select j.id, j.attempt, n.at, j.state, left(coalesce(n.minor, j.minor), 128),
      left(coalesce(n.application, j.application), 255), n.source
    from ${given} join job j on j.id = n.id`.execute(tx)
}

/** Notes figures of running starts and that somebody heard of them; answers the present start of each. */
export const noteFigures = (
  tx: Tx,
  now: Date,
  told: readonly { readonly id: bigint; readonly figures: Readonly<Record<string, number | string>> }[],
): Promise<Held[]> =>
  rows(
    tx,
    sql<Held>`
      with told as (select * from jsonb_to_recordset(${JSON.stringify(
        told.map(({ id, figures }) => ({ id: String(id), figures })),
      )}::jsonb) as t(id bigint, figures jsonb)),
      heard as (update job j set heartbeat_at = ${now} from told t
        where j.id = t.id and j.state in (6, 8, 9, 10) returning j.id, j.attempt)
      update job_attempt a set figures = a.figures || t.figures
      from heard h join told t on t.id = h.id where a.job_id = h.id and a.n = h.attempt
      returning a.job_id as "jobId", a.n as attempt`,
  )

export interface JobChange {
  readonly id: bigint
  readonly name: string | null
  readonly priority: number | null
  readonly application: string | null
  readonly parameters: Readonly<Record<string, string>>
}

/** Changes what owners may change of their jobs, and keeps whatever else they want remembered. */
export async function changeJobs(tx: Tx, now: Date, changes: readonly JobChange[]): Promise<void> {
  const list = JSON.stringify(changes.map((change) => ({ ...change, id: String(change.id) })))
  await sql`update job j set name = coalesce(c.name, j.name), priority = coalesce(c.priority, j.priority),
      application = left(coalesce(c.application, j.application), 255), updated_at = ${now}
    from jsonb_to_recordset(${list}::jsonb) as c(id bigint, name text, priority smallint, application text)
    where j.id = c.id`.execute(tx)
  await sql`insert into job_parameter (job_id, name, value)
    select c.id, p.key, p.value
    from jsonb_to_recordset(${list}::jsonb) as c(id bigint, parameters jsonb)
      cross join lateral jsonb_each_text(c.parameters) as p
    on conflict (job_id, name) do update set value = excluded.value`.execute(tx)
}

export const parametersOf = (
  db: Tx | Parameters<typeof rows>[0],
  jobId: bigint,
): Promise<{ name: string; value: string }[]> =>
  rows(
    db,
    sql<{
      name: string
      value: string
    }>`select name, value from job_parameter where job_id = ${jobId} order by name`,
  )
