import { type Db, row, rows, sql } from '../kernel/index.ts'
import { type Comparison, type Condition, conditionSql } from './condition.ts'
import { jobMissing } from './errors.ts'
import { codesOf, FINAL, HELD, STATES, stateName } from './states.ts'
import type { JobItem, JobSpec } from './types.ts'

/** A job as lists show it. */
export interface JobView {
  readonly id: bigint
  readonly vo: string
  readonly ownerId: number
  readonly owner: string
  readonly group: string
  readonly jobType: string
  readonly jobGroup: string
  readonly name: string
  readonly state: number
  readonly minor: string
  readonly application: string
  readonly site: string | null
  readonly priority: number
  readonly attempt: number
  readonly losses: number
  readonly failures: number
  readonly submittedAt: Date
  readonly updatedAt: Date
  readonly startedAt: Date | null
  readonly heartbeatAt: Date | null
  readonly rescheduledAt: Date | null
  readonly endedAt: Date | null
  readonly deadline: Date | null
}

/** Jobs with their queue and body. */
export const FROM = sql`from job j join job_queue q on q.id = j.queue_id join job_body b on b.id = j.body_id`
const VIEW = sql`j.id, j.vo, j.owner_id as "ownerId", q.owner, q.group_name as "group", q.job_type as "jobType",
  b.job_group as "jobGroup", j.name, j.state, j.minor, j.application, j.site, j.priority, j.attempt, j.losses, j.failures,
  j.submitted_at as "submittedAt", j.updated_at as "updatedAt", j.started_at as "startedAt",
  j.heartbeat_at as "heartbeatAt", j.rescheduled_at as "rescheduledAt", j.ended_at as "endedAt", j.deadline`

export const jobsByIds = (db: Db, vo: string, ids: readonly bigint[]): Promise<JobView[]> =>
  rows(
    db,
    sql<JobView>`select ${VIEW} ${FROM} where j.vo = ${vo} and j.id = any(${ids}::bigint[]) order by j.id`,
  )

/** How jobs stand; `over` ended without success, or are not there. */
export interface JobsStanding {
  readonly waiting: number
  readonly running: number
  readonly over: readonly bigint[]
}

const OVER = FINAL.filter((state) => state !== STATES.Done)
/** Tens of thousands are asked about again and again: hardly anything of them leaves the database. */
export async function jobsStanding(db: Db, vo: string, ids: readonly bigint[]): Promise<JobsStanding> {
  const found = await row(
    db,
    sql<
      Omit<JobsStanding, 'over'> & { over: string[] }
    >`select count(*) filter (where j.state <= ${STATES.Waiting} or j.state = ${HELD})::int as waiting,
        count(*) filter (where j.state > ${STATES.Waiting} and j.state <> ${HELD} and j.state <> all(${FINAL}::int[]))::int as running,
        coalesce(array_agg(a.id) filter (where j.id is null or j.state = any(${OVER}::int[])), '{}') as over
      from unnest(${ids}::bigint[]) a(id) left join job j on j.id = a.id and j.vo = ${vo}`,
  )
  return { ...found!, over: found!.over.map(BigInt) }
}

export async function jobBodyOf(db: Db, jobId: bigint): Promise<bigint> {
  const found = await row(db, sql<{ id: bigint }>`select body_id as id from job where id = ${jobId}`)
  if (!found) throw jobMissing(`There is no job ${jobId}.`)
  return found.id
}

export const jobDetails = (
  db: Db,
  vo: string,
  id: bigint,
): Promise<{ queueId: number; spec: JobSpec; item: JobItem | null; pilotId: bigint | null } | undefined> =>
  row(
    db,
    sql<{ queueId: number; spec: JobSpec; item: JobItem | null; pilotId: bigint | null }>`
      select j.queue_id as "queueId", b.spec, j.item, j.pilot_id as "pilotId" ${FROM}
      where j.vo = ${vo} and j.id = ${id}`,
  )

export interface JobEvent {
  readonly jobId: bigint
  readonly attempt: number
  readonly at: Date
  readonly state: number
  readonly minor: string
  readonly application: string
  readonly source: string
}

export const eventsOf = (db: Db, ids: readonly bigint[]): Promise<JobEvent[]> =>
  rows(
    db,
    sql<JobEvent>`select job_id as "jobId", attempt, at, state, minor, application, source from job_event
      where job_id = any(${ids}::bigint[]) order by job_id, at, attempt, state`,
  )

export interface AttemptView {
  readonly jobId: bigint
  readonly n: number
  readonly pilot: string | null
  readonly site: string
  readonly resource: string
  readonly leasedAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  readonly outcome: string | null
  readonly reason: string | null
  readonly exitCode: number | null
  readonly figures: Readonly<Record<string, number | string>>
}

export const attemptsOf = (db: Db, ids: readonly bigint[]): Promise<AttemptView[]> =>
  rows(
    db,
    sql<AttemptView>`select a.job_id as "jobId", a.n, p.stamp as pilot, a.site, a.resource, a.leased_at as "leasedAt",
        a.started_at as "startedAt", a.ended_at as "endedAt", a.outcome, a.reason, a.exit_code as "exitCode", a.figures
      from job_attempt a left join pilot p on p.id = a.pilot_id
      where a.job_id = any(${ids}::bigint[]) order by a.job_id, a.n`,
  )

export const outputsOfJobs = (
  db: Db,
  ids: readonly bigint[],
): Promise<{ jobId: bigint; attempt: number; fileId: bigint }[]> =>
  rows(
    db,
    sql<{ jobId: bigint; attempt: number; fileId: bigint }>`
      select job_id as "jobId", attempt, file_id as "fileId" from job_output where job_id = any(${ids}::bigint[])
      order by job_id, file_id`,
  )

export const makersOfFiles = (
  db: Db,
  fileIds: readonly bigint[],
): Promise<{ fileId: bigint; jobId: bigint; attempt: number }[]> =>
  rows(
    db,
    sql<{ fileId: bigint; jobId: bigint; attempt: number }>`
      select file_id as "fileId", job_id as "jobId", attempt from job_output where file_id = any(${fileIds}::bigint[])`,
  )

/** What can be asked of jobs, by the names of this room. `text` columns compare as texts, `time` ones as times. */
export const COLUMNS = {
  id: { sql: sql`j.id`, kind: 'number' },
  owner: { sql: sql`q.owner`, kind: 'text' },
  group: { sql: sql`q.group_name`, kind: 'text' },
  jobType: { sql: sql`q.job_type`, kind: 'text' },
  jobGroup: { sql: sql`b.job_group`, kind: 'text' },
  vo: { sql: sql`j.vo`, kind: 'text' },
  name: { sql: sql`j.name`, kind: 'text' },
  state: { sql: sql`j.state`, kind: 'state' },
  minor: { sql: sql`j.minor`, kind: 'text' },
  application: { sql: sql`j.application`, kind: 'text' },
  site: { sql: sql`coalesce(j.site, 'ANY')`, kind: 'text' },
  priority: { sql: sql`j.priority`, kind: 'number' },
  reschedules: { sql: sql`greatest(j.attempt - 1, 0)`, kind: 'number' },
  submittedAt: { sql: sql`j.submitted_at`, kind: 'time' },
  updatedAt: { sql: sql`j.updated_at`, kind: 'time' },
  startedAt: { sql: sql`j.started_at`, kind: 'time' },
  heartbeatAt: { sql: sql`j.heartbeat_at`, kind: 'time' },
  rescheduledAt: { sql: sql`j.rescheduled_at`, kind: 'time' },
  endedAt: { sql: sql`j.ended_at`, kind: 'time' },
  pilot: { sql: sql`(select p.stamp from pilot p where p.id = j.pilot_id)`, kind: 'text' },
} as const
export type JobColumn = keyof typeof COLUMNS
export const isJobColumn = (name: string): name is JobColumn => Object.hasOwn(COLUMNS, name)
export const kindOfColumn = (column: JobColumn): 'number' | 'text' | 'state' | 'time' => COLUMNS[column].kind

export type JobCondition = Condition<JobColumn>

function whereColumn(condition: JobCondition) {
  const { sql: expression, kind } = COLUMNS[condition.column]
  if (kind === 'state') return stateSql(condition.operator, condition.values)
  return conditionSql(expression, kind, condition)
}

/** States compare by their names; numbers are ours. */
function stateSql(operator: Comparison, values: readonly string[]) {
  const all = Array.from({ length: 17 }, (_, code) => ({ code, name: stateName(code) }))
  const value = values[0] ?? ''
  const chosen =
    operator === 'in' || operator === 'eq' || operator === 'neq' || operator === 'not in'
      ? values.flatMap(codesOf)
      : all.filter(({ name }) => matches(operator, name, value)).map(({ code }) => code)
  const inside = sql`j.state = any(${chosen}::smallint[])`
  return operator === 'neq' || operator === 'not in' ? sql`not (${inside})` : inside
}

function matches(operator: Comparison, name: string, value: string): boolean {
  if (operator === 'gt') return name > value
  if (operator === 'lt') return name < value
  const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const pattern =
    operator === 'regex'
      ? new RegExp(value)
      : new RegExp(`^${escaped(value).replaceAll('%', '.*').replaceAll('_', '.')}$`)
  return pattern.test(name) !== (operator === 'not like')
}

export interface JobSearch {
  readonly vo: string
  /** Only jobs of this account. */
  readonly ownerId?: number | undefined
  readonly conditions: readonly JobCondition[]
  readonly sort: readonly { readonly column: JobColumn; readonly descending: boolean }[]
  readonly offset: number
  readonly limit: number
}

export const whereOf = ({ vo, ownerId, conditions }: Pick<JobSearch, 'vo' | 'ownerId' | 'conditions'>) =>
  sql`where ${sql.join(
    [
      sql`j.vo = ${vo}`,
      ...(ownerId === undefined ? [] : [sql`j.owner_id = ${ownerId}`]),
      ...conditions.map(whereColumn),
    ],
    sql` and `,
  )}`

export const searchJobs = (db: Db, search: JobSearch): Promise<JobView[]> => {
  const order = [
    ...search.sort.map(({ column, descending }) =>
      descending ? sql`${COLUMNS[column].sql} desc nulls last` : sql`${COLUMNS[column].sql} nulls first`,
    ),
    // What nobody asked for shall not change from page to page.
    ...(search.sort.some(({ column }) => column === 'id') ? [] : [sql`j.id`]),
  ]
  return rows(
    db,
    sql<JobView>`select ${VIEW} ${FROM} ${whereOf(search)}
      order by ${sql.join(order)} limit ${search.limit} offset ${search.offset}`,
  )
}

/**
 * Jobs of the same queue that come first, counted up to a most; those behind are not looked at, for there may be a
 * million of them.
 */
export async function aheadOf(db: Db, jobId: bigint, most: number): Promise<number> {
  const same = sql`select from job w where w.state = 5 and w.queue_id = j.queue_id`
  const found = await row(
    db,
    sql<{ n: number }>`
      select count(*)::int as n from (
        select from job j cross join lateral (
          (${same} and w.priority > j.priority order by w.priority desc, w.id limit ${most})
          union all (${same} and w.priority = j.priority and w.id < j.id limit ${most})) w
        where j.id = ${jobId} limit ${most}) a`,
  )
  return found?.n ?? 0
}

export const finalCodes: readonly number[] = FINAL
