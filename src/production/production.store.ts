import { affected, type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import type { Cell, Definition, Life, Operation, Production, StepRow, Validation } from './types.ts'

const COLUMNS = sql`p.id, p.vo, p.name, p.account_id as "accountId", p.account, p.group_name as "group", p.definition,
  p.life, p.validation, p.operation, p.reason, p.checked_by as "checkedBy", p.scouted, p.created_at as "createdAt",
  p.started_at as "startedAt", p.ended_at as "endedAt"`
const STEP = sql`s.id, s.production_id as "productionId", s.n, s.name, s.kind, s.tasks, s.verified, s.failed, s.jobs,
  s.jobs_failed as "jobsFailed", s.events_verified as "eventsVerified", s.inputs, s.inputs_taken as "inputsTaken",
  s.looked_at as "lookedAt"`

export interface NewProduction {
  readonly vo: string
  readonly accountId: number
  readonly account: string
  readonly group: string
  readonly definition: Definition
  readonly source: string
}

/** Undefined when the name is taken. */
export async function insertProduction(tx: Tx, now: Date, made: NewProduction): Promise<number | undefined> {
  const { vo, accountId, account, group, definition, source } = made
  const found = await row(
    tx,
    sql<{
      id: number
    }>`insert into production (vo, name, account_id, account, group_name, definition, source, scouted, created_at)
      values (${vo}, ${definition.name}, ${accountId}, ${account}, ${group}, ${JSON.stringify(definition)}::jsonb, ${source},
        ${definition.scouts === 0}, ${now})
      on conflict (vo, name) do nothing returning id`,
  )
  if (!found) return undefined
  await sql`insert into production_step (production_id, n, name, kind)
    select ${found.id}::int, w.n, w.name, w.kind
    from unnest(${definition.steps.map((_, n) => n)}::int[], ${definition.steps.map(({ name }) => name)}::text[],
      ${definition.steps.map(({ kind }) => kind)}::text[]) as w(n, name, kind)`.execute(tx)
  return found.id
}

/** Removes one that never started. */
export const dropUnstarted = (tx: Tx, vo: string, name: string): Promise<number> =>
  affected(tx, sql`delete from production where vo = ${vo} and name = ${name} and started_at is null`)

const given = (cells: readonly Cell[]) => sql`unnest(${cells.map((c) => c.experiment)}::int[],
  ${cells.map((c) => c.run)}::int[], ${cells.map((c) => c.eventType)}::text[],
  ${cells.map((c) => c.events)}::bigint[]) as w(experiment, run, type, events)`

/** Adds cells, and raises the events of those that are there; never lowers them. Returns how many changed. */
export const putCells = (tx: Tx, productionId: number, cells: readonly Cell[]): Promise<number> =>
  affected(
    tx,
    sql`insert into production_cell as c (production_id, experiment, run, event_type, events)
      select ${productionId}::int, w.experiment, w.run, w.type, w.events from ${given(cells)}
      order by w.experiment, w.run, w.type
      on conflict (production_id, experiment, run, event_type) do update set events = excluded.events
      where c.events < excluded.events`,
  )

/** The first cell that has more events than it shall have now. */
export const cellAbove = (tx: Tx, productionId: number, cells: readonly Cell[]) =>
  row(
    tx,
    sql<Cell>`select c.experiment, c.run, c.event_type as "eventType", c.events::float8 as events
      from ${given(cells)} join production_cell c on c.production_id = ${productionId} and c.experiment = w.experiment
        and c.run = w.run and c.event_type = w.type and c.events > w.events limit 1`,
  )

export const productionByName = (db: Db, vo: string, name: string): Promise<Production | undefined> =>
  row(db, sql<Production>`select ${COLUMNS} from production p where p.vo = ${vo} and p.name = ${name}`)

export const lockProduction = (tx: Tx, vo: string, name: string): Promise<Production | undefined> =>
  row(
    tx,
    sql<Production>`select ${COLUMNS} from production p where p.vo = ${vo} and p.name = ${name} for update`,
  )

/** One at work, unless another process has it in hand. */
export const takeProduction = (tx: Tx, id: number): Promise<Production | undefined> =>
  row(
    tx,
    sql<Production>`select ${COLUMNS} from production p where p.id = ${id} and p.life in ('active', 'finishing')
      for update skip locked`,
  )

export const productionById = (db: Db, id: number): Promise<Production | undefined> =>
  row(db, sql<Production>`select ${COLUMNS} from production p where p.id = ${id}`)

export const productionsAtWork = (db: Db): Promise<{ id: number }[]> =>
  rows(db, sql<{ id: number }>`select id from production where life in ('active', 'finishing') order by id`)

export const sourceOf = async (db: Db, id: number): Promise<string> =>
  (await row(db, sql<{ source: string }>`select source from production where id = ${id}`))?.source ?? ''

export const stepsOf = (db: Db, productionIds: readonly number[]): Promise<StepRow[]> =>
  rows(
    db,
    sql<StepRow>`select ${STEP} from production_step s where s.production_id = any(${productionIds}::int[])
      order by s.production_id, s.n`,
  )

export interface Change {
  readonly life?: Life
  readonly validation?: Validation
  readonly operation?: Operation
  readonly reason?: string
  readonly checkedBy?: string
  readonly scouted?: boolean
  readonly started?: boolean
  readonly ended?: boolean
}

export async function changeProduction(tx: Tx, now: Date, id: number, change: Change): Promise<void> {
  const { life, validation, operation, reason, checkedBy, scouted, started, ended } = change
  await sql`update production set life = coalesce(${life ?? null}, life),
      validation = coalesce(${validation ?? null}, validation), operation = coalesce(${operation ?? null}, operation),
      reason = coalesce(left(${reason ?? null}, 1000), reason), checked_by = coalesce(${checkedBy ?? null}, checked_by),
      scouted = coalesce(${scouted ?? null}::boolean, scouted),
      started_at = case when ${started ?? false} then coalesce(started_at, ${now}) else started_at end,
      ended_at = case when ${ended ?? false} then ${now}::timestamptz when ${life ?? null}::text = 'active' then null else ended_at end
    where id = ${id}`.execute(tx)
}

/** Notes how far it is, in twentieths; true when that was not told before. */
export const tellProgress = async (tx: Tx, id: number, twentieths: number): Promise<boolean> =>
  (await affected(
    tx,
    sql`update production set told = ${twentieths} where id = ${id} and told <> ${twentieths}`,
  )) > 0

export interface CellTotals {
  readonly cells: bigint
  readonly events: bigint
  /** Of which tasks were cut. */
  readonly cut: bigint
}

export async function cellTotals(db: Db, productionId: number): Promise<CellTotals> {
  const found = await row(
    db,
    sql<CellTotals>`select count(*) as cells, coalesce(sum(events), 0)::bigint as events,
        coalesce(sum(events_cut), 0)::bigint as cut
      from production_cell where production_id = ${productionId}`,
  )
  return found ?? { cells: 0n, events: 0n, cut: 0n }
}

export interface StepChange {
  readonly tasks?: number
  readonly verified?: number
  readonly failed?: number
  readonly jobs?: number
  readonly jobsFailed?: number
  readonly events?: number
  readonly inputs?: number
  readonly inputsTaken?: number
}

/** Adds to the counters of a step. */
export async function countStep(tx: Tx, stepId: number, change: StepChange): Promise<void> {
  const n = (value: number | undefined) => sql`${value ?? 0}::bigint`
  await sql`update production_step set tasks = tasks + ${n(change.tasks)}, verified = verified + ${n(change.verified)},
      failed = failed + ${n(change.failed)}, jobs = jobs + ${n(change.jobs)},
      jobs_failed = jobs_failed + ${n(change.jobsFailed)}, events_verified = events_verified + ${n(change.events)},
      inputs = inputs + ${n(change.inputs)}, inputs_taken = inputs_taken + ${n(change.inputsTaken)}
    where id = ${stepId}`.execute(tx)
}

export const noteLook = (tx: Tx, now: Date, stepId: number) =>
  sql`update production_step set looked_at = ${now} where id = ${stepId}`.execute(tx)
