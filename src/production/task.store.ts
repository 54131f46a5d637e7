import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import type { TaskState } from './types.ts'

/**
 * Cuts tasks from the open cells of a production, in the order of the cells, at most so many. What is cut is noted at
 * the cell in the same statement, whose row is locked: no event belongs to two tasks. Returns how many.
 */
export async function cutTasks(
  tx: Tx,
  now: Date,
  input: { productionId: number; stepId: number; eventsPerJob: number; most: number; scout: boolean },
): Promise<number> {
  const { productionId, stepId, eventsPerJob: size, most, scout } = input
  const cut = await row(
    tx,
    sql<{ n: number }>`
      with open as (
        select * from production_cell where production_id = ${productionId} and events_cut < events
        order by id limit ${most} for update),
      wanted as (
        select c.id, c.experiment, c.run, c.event_type, c.tasks_cut + g.i as n,
          c.events_cut + g.i::bigint * ${size}::bigint as first,
          least(${size}::bigint, c.events - c.events_cut - g.i::bigint * ${size}::bigint) as events
        from open c cross join lateral generate_series(0, least(
          (c.events - c.events_cut + ${size}::bigint - 1) / ${size}::bigint, ${most}::bigint)::int - 1) as g(i)
        order by c.id, g.i limit ${most}),
      made as (
        insert into production_task (step_id, cell_id, n, experiment, run, event_type, first_event, events, scout,
          ready_at, updated_at)
        select ${stepId}::int, id, n, experiment, run, event_type, first, events, ${scout}::boolean, ${now}::timestamptz,
          ${now}::timestamptz from wanted order by id, n returning cell_id, events),
      noted as (
        update production_cell c set events_cut = c.events_cut + m.events, tasks_cut = c.tasks_cut + m.n
        from (select cell_id, sum(events) as events, count(*)::int as n from made group by 1) m where c.id = m.cell_id)
      select count(*)::int as n from made`,
  )
  return cut?.n ?? 0
}

export interface NewTask {
  readonly inputs: readonly bigint[]
}

/** Makes a task of each group of free inputs. Inputs that were taken meanwhile leave their group out. */
export async function groupTasks(
  tx: Tx,
  now: Date,
  input: { stepId: number; scout: boolean; groups: readonly NewTask[] },
): Promise<{ tasks: number; inputs: number }> {
  const { stepId, scout, groups } = input
  if (groups.length === 0) return { tasks: 0, inputs: 0 }
  const pairs = groups.flatMap(({ inputs }, group) => inputs.map((id) => ({ group, id: String(id) })))
  const made = await row(
    tx,
    sql<{ tasks: number; inputs: number }>`
      with wanted as (select * from jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as w("group" int, id bigint)),
      free as (
        select i.*, w."group" from wanted w join production_input i on i.step_id = ${stepId} and i.file_id = w.id
        where i.task_id is null and not i.taken order by i.file_id for update of i),
      whole as (
        select w."group", count(f.file_id) as n, min(f.experiment) as experiment, min(f.run) as run, min(f.event_type) as type,
          count(distinct (f.experiment, f.run)) as runs, count(distinct f.event_type) as types,
          case when count(f.events) = count(*) then sum(f.events)::bigint end as events
        from wanted w left join free f on f.file_id = w.id group by 1 having count(f.file_id) = count(*)),
      numbered as (
        select *, nextval(pg_get_serial_sequence('production_task', 'id')) as task from whole),
      made as (
        insert into production_task (id, step_id, experiment, run, event_type, events, scout, ready_at, updated_at)
        overriding system value
        select task, ${stepId}::int, case when runs = 1 then experiment end, case when runs = 1 then run end,
          case when types <= 1 then type end, events, ${scout}::boolean, ${now}::timestamptz, ${now}::timestamptz
        from numbered returning id),
      taken as (
        update production_input i set task_id = m.task from free f join numbered m on m."group" = f."group"
        where i.step_id = f.step_id and i.file_id = f.file_id returning 1)
      select (select count(*)::int from made) as tasks, (select count(*)::int from taken) as inputs`,
  )
  return made ?? { tasks: 0, inputs: 0 }
}

export interface Task {
  readonly id: bigint
  readonly stepId: number
  readonly experiment: number | null
  readonly run: number | null
  readonly eventType: string | null
  readonly firstEvent: bigint | null
  readonly events: bigint | null
  readonly scout: boolean
  readonly state: TaskState
  readonly jobId: bigint | null
  readonly tries: number
  readonly failure: string | null
  readonly reason: string
}

const TASK = sql`t.id, t.step_id as "stepId", t.experiment, t.run, t.event_type as "eventType",
  t.first_event as "firstEvent", t.events, t.scout, t.state, t.job_id as "jobId", t.tries, t.failure, t.reason`

/** Tasks to be submitted now, locked; scouts first. */
export const lockReady = (tx: Tx, now: Date, stepId: number, limit: number): Promise<Task[]> =>
  rows(
    tx,
    sql<Task>`select ${TASK} from production_task t where t.step_id = ${stepId} and t.state = 'ready' and t.ready_at <= ${now}
      order by t.ready_at, t.id limit ${limit} for update skip locked`,
  )

export const inputsOfTasks = (
  db: Db,
  taskIds: readonly bigint[],
): Promise<{ taskId: bigint; scope: string; name: string; fileId: bigint }[]> =>
  rows(
    db,
    sql<{ taskId: bigint; scope: string; name: string; fileId: bigint }>`
      select task_id as "taskId", scope, name, file_id as "fileId" from production_input
      where task_id = any(${taskIds}::bigint[]) order by task_id, scope, name`,
  )

/** Gives tasks their jobs, in the order given. */
export async function giveJobs(
  tx: Tx,
  now: Date,
  pairs: readonly { taskId: bigint; jobId: bigint }[],
): Promise<void> {
  await sql`
    with given as (select * from unnest(${pairs.map((p) => p.taskId)}::bigint[], ${pairs.map((p) => p.jobId)}::bigint[])
        as g(task, job)),
      moved as (
        update production_task t set state = 'submitted', job_id = g.job, tries = t.tries + 1, updated_at = ${now}
        from given g where t.id = g.task and t.state = 'ready' returning t.id, t.job_id)
    insert into production_job (job_id, task_id, n)
    select m.job_id, m.id, 1 + (select count(*) from production_job j where j.task_id = m.id) from moved m`.execute(
    tx,
  )
}

/** Tasks in the hands of jobs, a page of them. */
export const submittedTasks = (
  db: Db,
  stepId: number,
  after: bigint,
  limit: number,
): Promise<{ id: bigint; jobId: bigint; tries: number }[]> =>
  rows(
    db,
    sql<{ id: bigint; jobId: bigint; tries: number }>`select id, job_id as "jobId", tries from production_task
      where step_id = ${stepId} and state = 'submitted' and id > ${after} order by id limit ${limit}`,
  )

export interface EndedTask {
  readonly id: bigint
  readonly jobId: bigint
  readonly failure: string
  readonly reason: string
  /** When it is submitted again; null: it is given up. */
  readonly again: Date | null
}

/** What becomes of tasks whose jobs failed. Only while that job is still theirs. Returns how many were given up and not. */
export async function endTries(
  tx: Tx,
  now: Date,
  ended: readonly EndedTask[],
): Promise<{ again: number; failed: number }> {
  const list = JSON.stringify(ended.map((e) => ({ ...e, id: String(e.id), jobId: String(e.jobId) })))
  const found = await row(
    tx,
    sql<{ again: number; failed: number }>`
      with given as (select * from jsonb_to_recordset(${list}::jsonb) as g(id bigint, "jobId" bigint, failure text,
          reason text, again timestamptz)),
        held as (select t.id from production_task t join given g on g.id = t.id
          where t.state = 'submitted' and t.job_id = g."jobId" order by t.id for update of t),
        moved as (
          update production_task t set state = case when g.again is null then 'failed' else 'ready' end,
            job_id = null, failure = g.failure, reason = left(g.reason, 500),
            ready_at = coalesce(g.again, t.ready_at), updated_at = ${now}
          from given g join held h on h.id = g.id where t.id = g.id returning t.state)
      select count(*) filter (where state = 'ready')::int as again, count(*) filter (where state = 'failed')::int as failed
      from moved`,
  )
  return found ?? { again: 0, failed: 0 }
}

/** Failed tasks get all their tries again. Returns how many there were, by step. */
export const retryFailed = (
  tx: Tx,
  now: Date,
  stepIds: readonly number[],
): Promise<{ stepId: number; n: number }[]> =>
  rows(
    tx,
    sql<{ stepId: number; n: number }>`
      with again as (
        update production_task set state = 'ready', tries = 0, ready_at = ${now}, updated_at = ${now}
        where step_id = any(${stepIds}::int[]) and state = 'failed' returning step_id)
      select step_id as "stepId", count(*)::int as n from again group by 1`,
  )

export const scoutTotals = async (
  db: Db,
  stepId: number,
): Promise<{ all: number; verified: number; failed: number; why: string | null }> => {
  const found = await row(
    db,
    sql<{ all: number; verified: number; failed: number; why: string | null }>`select count(*)::int as all,
        count(*) filter (where state = 'verified')::int as verified, count(*) filter (where state = 'failed')::int as failed,
        max(failure || ': ' || reason) filter (where state = 'failed') as why
      from production_task where step_id = ${stepId} and scout`,
  )
  return found!
}

/** Tasks that are neither done nor given up. */
export const readyCount = async (db: Db, stepId: number): Promise<number> =>
  (await row(
    db,
    sql<{
      n: number
    }>`select count(*)::int as n from production_task where step_id = ${stepId} and state = 'ready'`,
  ))!.n

export const tasksOf = (
  db: Db,
  stepIds: readonly number[],
  options: { state: TaskState | null; limit: number },
): Promise<Task[]> =>
  rows(
    db,
    sql<Task>`select ${TASK} from unnest(${stepIds}::int[]) s(id) cross join lateral (
        select * from production_task p where p.step_id = s.id
          and ${options.state === null ? sql`true` : sql`p.state = ${sql.lit(options.state)}`}
        order by p.id limit ${options.limit}) t
      order by t.id limit ${options.limit}`,
  )

/** Jobs of the tasks in hand, for orders that concern them all. */
export const jobsInHand = (
  db: Db,
  stepIds: readonly number[],
  after: bigint,
  limit: number,
): Promise<{ jobId: bigint }[]> =>
  rows(
    db,
    sql<{
      jobId: bigint
    }>`select job_id as "jobId" from production_task where step_id = any(${stepIds}::int[])
      and state = 'submitted' and job_id > ${after} order by job_id limit ${limit}`,
  )

/** Takes tasks out of what is still to be done: their production is cancelled. Returns how many there were, by step. */
export const giveUpTasks = (
  tx: Tx,
  now: Date,
  stepIds: readonly number[],
  reason: string,
): Promise<{ stepId: number; n: number }[]> =>
  rows(
    tx,
    sql<{ stepId: number; n: number }>`
      with given as (
        update production_task set state = 'failed', failure = 'cancelled', reason = ${reason}, job_id = null,
          updated_at = ${now}
        where step_id = any(${stepIds}::int[]) and state in ('ready', 'submitted') returning step_id)
      select step_id as "stepId", count(*)::int as n from given group by 1`,
  )

/** Why tasks are failed or were tried again, by step and class, with one reason of each. */
export const failuresOf = (
  db: Db,
  stepIds: readonly number[],
): Promise<{ stepId: number; failure: string; tasks: number; reason: string }[]> =>
  rows(
    db,
    sql<{ stepId: number; failure: string; tasks: number; reason: string }>`
      select step_id as "stepId", failure, count(*)::int as tasks, max(reason) as reason from production_task
      where step_id = any(${stepIds}::int[]) and state = 'failed' group by 1, 2 order by 1, 3 desc`,
  )
