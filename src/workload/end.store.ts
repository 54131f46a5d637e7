import { row, rows, sql, type Tx } from '../kernel/index.ts'
import type { Held } from './types.ts'

export type Outcome = 'done' | 'failed' | 'killed' | 'lost' | 'site_fault' | 'returned'

export interface EndedStart extends Held {
  readonly outcome: Outcome
  readonly reason: string
  readonly exitCode?: number | null
}

/**
 * Ends starts that run: corrects what their owners are charged, gives back what they held of limits, and notes at
 * their pilots whether the site spoilt them. Returns those that had not ended before.
 */
export async function endStarts(
  tx: Tx,
  now: Date,
  starts: readonly EndedStart[],
): Promise<(Held & { readonly site: string })[]> {
  if (starts.length === 0) return []
  const list = JSON.stringify(
    starts.map(({ jobId, attempt, outcome, reason, exitCode }) => ({
      ...{ job: String(jobId), attempt, outcome, reason: reason.slice(0, 500), exit: exitCode ?? null },
    })),
  )
  return rows(
    tx,
    sql<Held & { site: string }>`
      with wanted as (select * from jsonb_to_recordset(${list}::jsonb) as w(job bigint, attempt int, outcome text,
          reason text, exit int)),
        over as (
          update job_attempt a set ended_at = ${now}, outcome = w.outcome, reason = w.reason, exit_code = w.exit
          from wanted w where a.job_id = w.job and a.n = w.attempt and a.ended_at is null
          returning a.job_id, a.n, a.site, a.pilot_id, coalesce(a.started_at, a.leased_at) as started_at, a.charged,
            a.limits, a.outcome),
        dropped as (update job_upload u set remove_at = ${now} from over o
          where u.job_id = o.job_id and u.attempt = o.n),
        used as (insert into job_delta (queue_id, state, n, core_seconds)
          select j.queue_id, 0, 0, sum(coalesce((q.demand->>'cores')::int
            * greatest(0, extract(epoch from ${now}::timestamptz - o.started_at)), 0) - o.charged)
          from over o join job j on j.id = o.job_id join job_queue q on q.id = j.queue_id group by 1),
        freed as (
          update job_limit l set used = greatest(0, l.used - f.n)
          from (select x.id, count(*)::int as n from over o cross join unnest(o.limits) as x(id) group by 1) f
          where l.id = f.id),
        noted as (
          update pilot p set jobs = p.jobs + s.n, spoilt = case when s.spoilt = s.n then p.spoilt + s.n else 0 end
          from (select pilot_id, count(*)::int as n,
              (count(*) filter (where outcome = 'site_fault'))::int as spoilt
            from over where outcome <> 'returned' group by 1) s
          where p.id = s.pilot_id)
      select job_id as "jobId", n as attempt, site from over`,
  )
}

export interface JobAtEnd {
  readonly id: bigint
  readonly vo: string
  readonly state: number
  readonly attempt: number
  readonly queueId: number
  readonly ownerId: number
  readonly losses: number
  readonly failures: number
  readonly tries: number
  readonly needsInputs: boolean
  readonly pilotId: bigint | null
}

/** Of a job j with its body b. */
export const NEEDS_INPUTS = sql`(jsonb_array_length(coalesce(j.item->'inputs', '[]')) > 0
  and not coalesce((b.spec->>'readFromAfar')::boolean, false))`

const AT_END = sql`j.id, j.vo, j.state, j.attempt, j.queue_id as "queueId", j.owner_id as "ownerId", j.losses,
  j.failures, coalesce((b.spec->>'tries')::int, 1) as tries, j.pilot_id as "pilotId",
  ${NEEDS_INPUTS} as "needsInputs"`

/** Locks jobs in the order of their ids. */
export const lockJobs = (tx: Tx, vo: string | null, ids: readonly bigint[]): Promise<JobAtEnd[]> =>
  rows(
    tx,
    sql<JobAtEnd>`select ${AT_END} from job j join job_body b on b.id = j.body_id
      where j.id = any(${ids}::bigint[]) and (${vo}::text is null or j.vo = ${vo}) order by j.id for update of j`,
  )

/** Locks jobs whose state has come to its end; other processes pass over them. */
export const lockOverdue = (tx: Tx, now: Date, limit: number): Promise<JobAtEnd[]> =>
  rows(
    tx,
    sql<JobAtEnd>`select ${AT_END} from job j join job_body b on b.id = j.body_id
      where j.deadline <= ${now} order by j.deadline limit ${limit} for update of j skip locked`,
  )

export async function nextOverdue(tx: Tx | Parameters<typeof row>[0]): Promise<Date | null> {
  const found = await row(
    tx,
    sql<{ at: Date }>`select deadline as at from job where deadline is not null order by deadline limit 1`,
  )
  return found?.at ?? null
}

export interface KnownStart {
  readonly pilotId: bigint
  readonly site: string
  readonly resource: string
  readonly outcome: Outcome | null
  readonly endedAt: Date | null
}

export const startOf = (db: Parameters<typeof row>[0], held: Held): Promise<KnownStart | undefined> =>
  row(
    db,
    sql<KnownStart>`select pilot_id as "pilotId", site, resource, outcome, ended_at as "endedAt" from job_attempt
      where job_id = ${held.jobId} and n = ${held.attempt}`,
  )

export async function orderKills(tx: Tx, now: Date, starts: readonly Held[]): Promise<void> {
  if (starts.length === 0) return
  await sql`insert into job_command (job_id, attempt, command, created_at)
    select job, attempt, 'Kill', ${now}::timestamptz
    from unnest(${starts.map((s) => s.jobId)}::bigint[], ${starts.map((s) => s.attempt)}::int[]) as s(job, attempt)
    on conflict do nothing`.execute(tx)
}

/** Commands not handed out yet; each is handed out once. */
export const takeCommands = (
  tx: Tx,
  now: Date,
  jobIds: readonly bigint[],
): Promise<(Held & { readonly command: string })[]> =>
  rows(
    tx,
    sql<Held & { command: string }>`update job_command set handed_at = ${now}
      where id in (select id from job_command where job_id = any(${jobIds}::bigint[]) and handed_at is null
        order by id for update)
      returning job_id as "jobId", attempt, command`,
  )
