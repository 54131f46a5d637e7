import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { deadlineOf, STATES, WITH_PILOT } from './states.ts'
import type { Held } from './types.ts'

export interface StartReport extends Held {
  /** Running, Completing; the others follow by themselves. */
  readonly state: number
  readonly minor: string
  readonly application?: string | undefined
  readonly figures: Readonly<Record<string, number | string>>
}

/**
 * Renews the leases of starts that their pilot still holds and writes what is told of them; answers which those are.
 * A job that was Stalled comes back. History is written only where something changed.
 */
export async function renewStarts(
  tx: Tx,
  now: Date,
  pilotId: bigint,
  reports: readonly StartReport[],
): Promise<Held[]> {
  const list = JSON.stringify(
    reports.map(({ jobId, attempt, state, minor, application, figures }) => ({
      ...{ id: String(jobId), attempt, state, minor, application, figures, deadline: deadlineOf(state, now) },
    })),
  )
  return rows(
    tx,
    sql<Held>`
      with told as (select * from jsonb_to_recordset(${list}::jsonb) as t(id bigint, attempt int, state smallint,
          minor text, application text, figures jsonb, deadline timestamptz)),
        old as (select j.id, j.state as before, j.minor as minor_before, j.application as application_before, j.queue_id
          from job j join told t on t.id = j.id and t.attempt = j.attempt
          where j.pilot_id = ${pilotId} and j.state = any(${[...WITH_PILOT]}::smallint[]) order by j.id for update of j),
        held as (
          update job j set state = t.state, minor = left(t.minor, 128),
            application = left(coalesce(t.application, j.application), 255), deadline = t.deadline, heartbeat_at = ${now},
            updated_at = case when o.before <> t.state or o.minor_before <> t.minor then ${now}::timestamptz else j.updated_at end,
            started_at = coalesce(j.started_at, ${now})
          from told t join old o on o.id = t.id where j.id = o.id
          returning j.id, j.attempt, j.state, j.minor, j.application, j.site, o.before, o.queue_id,
            (o.before <> j.state or o.minor_before <> j.minor or o.application_before <> j.application) as changed),
        noted as (
          update job_attempt a set figures = a.figures || t.figures, started_at = coalesce(a.started_at, ${now})
          from held h join told t on t.id = h.id where a.job_id = h.id and a.n = h.attempt),
        history as (insert into job_event (job_id, attempt, at, state, minor, application, source)
          select id, attempt, ${now}::timestamptz, state, minor, application, 'JobWrapper' from held where changed),
        counted as (insert into job_delta (queue_id, state, site, n)
          select queue_id, state, site, sum(n) from (
            select queue_id, before as state, site, -1 as n from held where before <> state
            union all select queue_id, state, site, 1 from held where before <> state) c
          group by 1, 2, 3 having sum(n) <> 0)
      select id as "jobId", attempt from held`,
  )
}

export interface LogPart extends Held {
  readonly stream: 'out' | 'err'
  readonly at: bigint
  readonly text: string
}

/** Keeps what payloads of a pilot wrote; a part that came before is not written twice. */
export async function addLogs(tx: Tx, pilotId: bigint, parts: readonly LogPart[]): Promise<void> {
  if (parts.length === 0) return
  const list = JSON.stringify(
    parts.map((part) => ({ ...part, jobId: String(part.jobId), at: String(part.at) })),
  )
  await sql`insert into job_log (job_id, attempt, stream, at, text)
    select p."jobId", p.attempt, p.stream, p.at, p.text
    from jsonb_to_recordset(${list}::jsonb) as p("jobId" bigint, attempt int, stream text, at bigint, text text)
    join job_attempt a on a.job_id = p."jobId" and a.n = p.attempt and a.pilot_id = ${pilotId}
    on conflict do nothing`.execute(tx)
}

/** Where the part begins that holds the position so many bytes before the end; 0 when less was written. */
export const logStart = async (
  db: Db,
  { jobId, attempt, stream, last }: Held & { stream: 'out' | 'err'; last: number },
): Promise<bigint> =>
  (
    await row(
      db,
      sql<{ at: bigint }>`with part as (select at, at + octet_length(text) as "end" from job_log
          where job_id = ${jobId} and attempt = ${attempt} and stream = ${stream})
        select coalesce(min(at), 0)::bigint as at from part where "end" > (select max("end") from part) - ${last}::int`,
    )
  )?.at ?? 0n

/** What was written from a position on, up to so many bytes, but a whole part at least. */
export const logParts = (
  db: Db,
  input: Held & { stream: 'out' | 'err'; from: bigint; bytes: number },
): Promise<{ at: bigint; text: string }[]> =>
  rows(
    db,
    sql<{ at: bigint; text: string }>`select at, text from job_log
      where job_id = ${input.jobId} and attempt = ${input.attempt} and stream = ${input.stream} and at >= ${input.from}
        and at < ${input.bytes}::int + (select min(at) from job_log where job_id = ${input.jobId}
          and attempt = ${input.attempt} and stream = ${input.stream} and at >= ${input.from})
      order by at`,
  )

export const isRunningState = (state: number): boolean =>
  state === STATES.Running || state === STATES.Completing

/** Notes to which storages a start was sent first. */
export async function noteStorages(
  db: Db,
  { jobId, attempt }: Held,
  { input = null, output = null }: { input?: string | null; output?: string | null },
): Promise<void> {
  await sql`update job_attempt set input_rse = coalesce(input_rse, ${input}::text),
      output_rse = coalesce(output_rse, ${output}::text)
    where job_id = ${jobId} and n = ${attempt} and ended_at is null`.execute(db)
}
