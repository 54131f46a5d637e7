import { type Db, rows, sql } from '../kernel/index.ts'
import type { CellTotals } from './production.store.ts'
import type { Definition, Production, StepRow } from './types.ts'

/** A production as lists show it: of its definition only the words. */
export interface ListedProduction extends Omit<Production, 'definition'> {
  readonly definition: Pick<Definition, 'description' | 'release' | 'conditions' | 'campaign' | 'energy'>
}

/** The newest productions. Definitions carry whole programs: they are unpacked once each, and stay where they are. */
export const listedProductions = (db: Db, vo: string, limit: number): Promise<ListedProduction[]> =>
  rows(
    db,
    sql<ListedProduction>`
      select p.id, p.vo, p.name, p.account_id as "accountId", p.account, p.group_name as "group", to_jsonb(d) as definition,
        p.life, p.validation, p.operation, p.reason, p.checked_by as "checkedBy", p.scouted, p.created_at as "createdAt",
        p.started_at as "startedAt", p.ended_at as "endedAt"
      from (select * from production where vo = ${vo} order by id desc limit ${limit}) p
      cross join lateral jsonb_to_record(p.definition)
        as d(description text, release text, conditions text, campaign text, energy text)
      order by p.id desc`,
  )

export interface StepInWork extends StepRow {
  /** Tasks in the hands of jobs; never many more than run. */
  readonly submitted: bigint
  /** Tasks among the last that were verified, since when those were, and their events. */
  readonly lately: number
  readonly latelySince: Date | null
  readonly latelyEvents: bigint | null
}

/** Tasks from which the pace of a step is told. */
const LATELY = 200

/** Steps with what their tasks do at the moment, as of one moment; the pace only of productions at work. */
export const stepsInWork = (db: Db, productionIds: readonly number[]): Promise<StepInWork[]> =>
  rows(
    db,
    sql<StepInWork>`
      select s.id, s.production_id as "productionId", s.n, s.name, s.kind, s.tasks, s.verified, s.failed, s.jobs,
        s.jobs_failed as "jobsFailed", s.events_verified as "eventsVerified", s.inputs, s.inputs_taken as "inputsTaken",
        s.looked_at as "lookedAt",
        (select count(*) from production_task t where t.step_id = s.id and t.state = 'submitted') as submitted,
        l.tasks as lately, l.since as "latelySince", l.events as "latelyEvents"
      from production_step s join production p on p.id = s.production_id
      cross join lateral (
        select count(*)::int as tasks, min(t.updated_at) as since, sum(t.events)::bigint as events from (
          select updated_at, events from production_task
          where step_id = s.id and state = 'verified' and p.life in ('active', 'finishing')
          order by updated_at desc limit ${LATELY}) t) l
      where s.production_id = any(${productionIds}::int[]) order by s.production_id, s.n`,
  )

export interface CellsOfProduction extends CellTotals {
  readonly productionId: number
  /** Tasks that will be cut from them. */
  readonly uncut: bigint
}

/** What the cells of productions come to, in one question; a production without cells has no line. */
export const cellsOfProductions = (db: Db, productionIds: readonly number[]): Promise<CellsOfProduction[]> =>
  rows(
    db,
    sql<CellsOfProduction>`
      with sized as materialized (
        select p.id, (p.definition #>> '{steps,0,eventsPerJob}')::bigint as size from production p
        where p.id = any(${productionIds}::int[]))
      select c.production_id as "productionId", count(*) as cells, sum(c.events)::bigint as events,
        sum(c.events_cut)::bigint as cut, sum((c.events - c.events_cut + s.size - 1) / s.size)::bigint as uncut
      from sized s join production_cell c on c.production_id = s.id group by 1`,
  )
