import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { deadlineOf, STATES } from './states.ts'
import type { JobItem, JobSpec } from './types.ts'

export interface KnownRequest {
  readonly digest: string
  readonly jobIds: readonly bigint[]
}

/** The earlier submission under a key; whoever asks holds the key until the end of the transaction. */
export async function earlierRequest(
  tx: Tx,
  request: { vo: string; ownerId: number; key: string },
): Promise<KnownRequest | undefined> {
  const { vo, ownerId, key } = request
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${vo} ${ownerId} ${key}`}, 7))`.execute(tx)
  const found = await row(
    tx,
    // The driver knows bigint, but no list of them.
    sql<{
      digest: string
      jobIds: string[]
    }>`select encode(digest, 'hex') as digest, job_ids::text[] as "jobIds"
      from job_request where vo = ${vo} and owner_id = ${ownerId} and key = ${key}`,
  )
  return found && { digest: found.digest, jobIds: found.jobIds.map(BigInt) }
}

export async function keepRequest(
  tx: Tx,
  now: Date,
  request: { vo: string; ownerId: number; key: string; digest: string; jobIds: readonly bigint[] },
): Promise<void> {
  const { vo, ownerId, key, digest, jobIds } = request
  await sql`insert into job_request (vo, owner_id, key, digest, job_ids, created_at)
    values (${vo}, ${ownerId}, ${key}, decode(${digest}, 'hex'), ${jobIds}::bigint[], ${now})`.execute(tx)
}

export async function forgetRequests(db: Db, before: Date): Promise<void> {
  await sql`delete from job_request where created_at < ${before}`.execute(db)
}

export async function insertBody(
  tx: Tx,
  now: Date,
  body: { vo: string; jobGroup: string; spec: JobSpec },
): Promise<bigint> {
  const made = await row(
    tx,
    sql<{ id: bigint }>`insert into job_body (vo, job_group, spec, created_at)
      values (${body.vo}, ${body.jobGroup}, ${JSON.stringify(body.spec)}::jsonb, ${now}) returning id`,
  )
  return made!.id
}

export interface InsertedJobs {
  readonly vo: string
  readonly queueId: number
  readonly bodyId: bigint
  readonly ownerId: number
  readonly priority: number
  readonly source: string
  readonly jobs: readonly { readonly name: string; readonly item: JobItem | null; readonly look: boolean }[]
}

/** Adds jobs, in order; those whose inputs must be found first are Received, the others Waiting. */
export async function insertJobs(tx: Tx, now: Date, input: InsertedJobs): Promise<bigint[]> {
  const { vo, queueId, bodyId, ownerId, priority, source, jobs } = input
  const { Received, Waiting } = STATES
  const made = await rows(
    tx,
    sql<{ id: bigint }>`
      with made as (
        insert into job (vo, queue_id, body_id, owner_id, name, state, minor, priority, deadline, look_at, item,
          submitted_at, updated_at)
        select ${vo}, ${queueId}::int, ${bodyId}::bigint, ${ownerId}::int, w.name, case when w.look then ${sql.lit(Received)} else ${sql.lit(Waiting)} end,
          case when w.look then 'Job accepted' else 'Pilot Agent Submission' end, ${priority}::smallint,
          case when w.look then ${deadlineOf(Received, now)}::timestamptz else ${deadlineOf(Waiting, now)}::timestamptz end,
          case when w.look then ${now}::timestamptz end, w.item, ${now}::timestamptz, ${now}::timestamptz
        from unnest(${jobs.map((job) => job.name)}::text[], ${jobs.map((job) => job.look)}::boolean[],
          ${jobs.map((job) => job.item && JSON.stringify(job.item))}::jsonb[]) with ordinality as w(name, look, item, at)
        order by w.at returning id, state, minor),
      told as (insert into job_event (job_id, attempt, at, state, minor, application, source)
        select id, 0, ${now}::timestamptz, ${sql.lit(Received)}, 'Job accepted', 'Unknown', ${source} from made
        union all select id, 0, ${now}::timestamptz, state, minor, 'Unknown', ${source} from made where state = ${sql.lit(Waiting)}),
      counted as (insert into job_delta (queue_id, state, n)
        select ${queueId}::int, state, count(*) from made group by state)
      select id from made order by id`,
  )
  return made.map(({ id }) => id)
}
