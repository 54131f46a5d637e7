import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import type { Step } from './types.ts'

export interface TaskOfJob {
  readonly taskId: bigint
  readonly stepId: number
  readonly step: number
  readonly productionId: number
  readonly state: string
  /** The job that may end it. */
  readonly jobId: bigint | null
  readonly experiment: number | null
  readonly run: number | null
  readonly eventType: string | null
  readonly events: bigint | null
  readonly scout: boolean
}

/** The task for which a job was submitted, locked; undefined for jobs of no production. */
export const taskOfJob = (tx: Tx, jobId: bigint): Promise<TaskOfJob | undefined> =>
  row(
    tx,
    sql<TaskOfJob>`select t.id as "taskId", t.step_id as "stepId", s.n as step, s.production_id as "productionId", t.state,
        t.job_id as "jobId", t.experiment, t.run, t.event_type as "eventType", t.events, t.scout
      from production_job j join production_task t on t.id = j.task_id join production_step s on s.id = t.step_id
      where j.job_id = ${jobId} for update of t`,
  )

/** The step for which a job was submitted; undefined for jobs of no production. */
export const stepOfJob = async (db: Db, jobId: bigint): Promise<Step | undefined> =>
  (
    await row(
      db,
      sql<{ step: Step }>`select p.definition->'steps'->s.n as step
        from production_job j join production_task t on t.id = j.task_id join production_step s on s.id = t.step_id
        join production p on p.id = s.production_id where j.job_id = ${jobId}`,
    )
  )?.step

export async function verifyTask(tx: Tx, now: Date, taskId: bigint): Promise<void> {
  await sql`update production_task set state = 'verified', failure = null, reason = '', updated_at = ${now}
    where id = ${taskId}`.execute(tx)
}

export async function insertOutput(
  tx: Tx,
  now: Date,
  made: {
    taskId: bigint
    fileId: bigint
    jobId: bigint
    attempt: number
    events: number | null
    blockId: bigint
  },
): Promise<void> {
  await sql`insert into production_output (task_id, file_id, job_id, attempt, events, block_id, added_at)
    values (${made.taskId}, ${made.fileId}, ${made.jobId}, ${made.attempt}, ${made.events}, ${made.blockId}, ${now})`.execute(
    tx,
  )
}

/** Files so far, by destination; whoever asks holds the step until the end of the transaction. */
export async function lockShares(
  tx: Tx,
  stepId: number,
): Promise<{ destination: number; files: number; blocks: number }[]> {
  await sql`select from production_step where id = ${stepId} for no key update`.execute(tx)
  return rows(
    tx,
    sql<{ destination: number; files: number; blocks: number }>`
      select destination::int as destination, sum(files)::int as files, count(*)::int as blocks
      from production_block where step_id = ${stepId} group by 1`,
  )
}

export interface Block {
  readonly id: bigint
  readonly n: number
  readonly destination: number
  readonly scope: string
  readonly name: string
  readonly files: number
}

const BLOCK = sql`id, n, destination::int as destination, scope, name, files`

/** The block of a destination that still has room. */
export const openBlock = (tx: Tx, stepId: number, destination: number, most: number) =>
  row(
    tx,
    sql<Block>`select ${BLOCK} from production_block where step_id = ${stepId} and destination = ${destination}
      and files < ${most} order by n desc limit 1`,
  )

export const insertBlock = (
  tx: Tx,
  block: { stepId: number; n: number; destination: number; scope: string; name: string },
): Promise<Block | undefined> =>
  row(
    tx,
    sql<Block>`insert into production_block (step_id, n, destination, scope, name)
      values (${block.stepId}, ${block.n}, ${block.destination}, ${block.scope}, ${block.name}) returning ${BLOCK}`,
  )

export async function fillBlock(tx: Tx, blockId: bigint, files: number): Promise<void> {
  await sql`update production_block set files = files + ${files} where id = ${blockId}`.execute(tx)
}

export const blocksOf = (db: Db, stepIds: readonly number[]): Promise<(Block & { stepId: number })[]> =>
  rows(
    db,
    sql<Block & { stepId: number }>`select step_id as "stepId", ${BLOCK} from production_block
      where step_id = any(${stepIds}::int[]) order by step_id, n`,
  )

/**
 * Intermediates of a step that every one of these later steps has used to the end: the task that took the file is
 * verified, or took it and needs nothing more.
 */
export const usedUp = (
  db: Db,
  stepId: number,
  laterStepIds: readonly number[],
  limit: number,
): Promise<{ fileId: bigint; blockScope: string; block: string }[]> =>
  rows(
    db,
    sql<{ fileId: bigint; blockScope: string; block: string }>`
      select o.file_id as "fileId", b.scope as "blockScope", b.name as block from production_block b
      join production_output o on o.block_id = b.id and o.given_up_at is null
      where b.step_id = ${stepId} and (
        select count(*) from production_input i left join production_task t on t.id = i.task_id
        where i.file_id = o.file_id and i.step_id = any(${laterStepIds}::int[]) and t.state = 'verified'
      ) = cardinality(${laterStepIds}::int[])
      limit ${limit}`,
  )

export async function noteGivenUp(tx: Tx, now: Date, fileIds: readonly bigint[]): Promise<void> {
  await sql`update production_output set given_up_at = ${now} where file_id = any(${fileIds}::bigint[])`.execute(
    tx,
  )
}

export interface MadeOf {
  readonly fileId: bigint
  readonly production: string
  readonly step: string
  readonly task: bigint
  readonly experiment: number | null
  readonly run: number | null
  readonly eventType: string | null
  readonly events: bigint | null
  readonly generated: boolean
  readonly release: string
  readonly conditions: string
  readonly campaign: string
}

/** What productions know of the making of files. */
export const makingOf = (db: Db, fileIds: readonly bigint[]): Promise<MadeOf[]> =>
  rows(
    db,
    sql<MadeOf>`select o.file_id as "fileId", p.name as production, s.name as step, t.id as task, t.experiment, t.run,
        t.event_type as "eventType", o.events, s.kind = 'generate' as generated, p.definition->>'release' as release,
        p.definition->>'conditions' as conditions, p.definition->>'campaign' as campaign
      from production_output o join production_task t on t.id = o.task_id join production_step s on s.id = t.step_id
      join production p on p.id = s.production_id where o.file_id = any(${fileIds}::bigint[])`,
  )
