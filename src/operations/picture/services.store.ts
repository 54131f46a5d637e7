import { type Db, row, rows, sql } from '../../kernel/database.ts'
import { storageSite } from '../sites.store.ts'

export interface StorageFacts {
  readonly storage: string
  readonly site: string | null
  readonly usedBytes: number
  readonly totalBytes: number
  /** null: the catalogue has not counted there. */
  readonly catalogueBytes: number | null
}

export const storageFacts = (db: Db, vo: string): Promise<StorageFacts[]> =>
  rows(
    db,
    sql<StorageFacts>`with home as (${storageSite})
      select h.rse as storage, h.site, coalesce(u.used, 0)::float8 as "usedBytes",
        coalesce(u.used + u.free, 0)::float8 as "totalBytes", c.used::float8 as "catalogueBytes"
      from home h left join rse_usage u on u.rse_id = h.rse_id and u.source = 'storage'
      left join rse_usage c on c.rse_id = h.rse_id and c.source = 'rucio'
      where h.vo = ${vo} order by h.rse`,
  )

export interface DatabaseFacts {
  readonly oldestTransactionMs: number
  readonly connections: number
  readonly maxConnections: number
  readonly replicationLagMs: number | null
}

/** The database as it sees itself. */
export async function databaseFacts(db: Db): Promise<DatabaseFacts> {
  const found = await row(
    db,
    sql<DatabaseFacts>`select
        coalesce(max(extract(epoch from clock_timestamp() - xact_start)) filter (where datname = current_database()
          and backend_type = 'client backend'), 0)::float8 * 1000 as "oldestTransactionMs",
        (count(*) filter (where backend_type = 'client backend'))::int as connections,
        current_setting('max_connections')::int as "maxConnections",
        (select max(extract(epoch from replay_lag))::float8 * 1000 from pg_stat_replication) as "replicationLagMs"
      from pg_stat_activity`,
  )
  return found!
}

/** What the last tests found of the clocks at the sites. */
export const clockFacts = (db: Db, vo: string, since: Date): Promise<{ name: string; offsetMs: number }[]> =>
  rows(
    db,
    sql<{
      name: string
      offsetMs: number
    }>`select distinct on (site) 'clock of ' || site as name, offset_ms as "offsetMs"
      from active_test where vo = ${vo} and at >= ${since} and test = 'clock' and offset_ms is not null
      order by site, at desc`,
  )

export interface StepFacts {
  readonly transformation: string
  readonly production: string
  readonly done: number
  readonly failed: number
  readonly waiting: number
  readonly held: boolean
  readonly startedAt: Date
  readonly lastDoneAt: Date | null
  readonly donePerDay: number
  readonly remaining: number
}

/** Steps of productions at work. */
export const stepFacts = (db: Db, vo: string, dayAgo: Date): Promise<StepFacts[]> =>
  rows(
    db,
    sql<StepFacts>`select p.name || '/' || s.name as transformation, p.name as production, s.verified::int as done,
        s.failed::int as failed, greatest(s.tasks - s.verified - s.failed, 0)::int as waiting, p.operation <> 'normal' as held,
        p.started_at as "startedAt", l.last as "lastDoneAt", l.n::int as "donePerDay",
        greatest(s.tasks - s.verified - s.failed, 0)::int as remaining
      from production p join production_step s on s.production_id = p.id
      cross join lateral (
        select (select max(t.updated_at) from production_task t where t.step_id = s.id and t.state = 'verified') as last,
          (select count(*) from production_task t where t.step_id = s.id and t.state = 'verified' and t.updated_at >= ${dayAgo}) as n) l
      where p.vo = ${vo} and p.life in ('active', 'finishing') and p.started_at is not null order by p.id, s.n`,
  )

export interface RuleFacts {
  readonly stuckWithoutSource: number
  readonly stuckOtherwise: number
}

export async function ruleFacts(db: Db, vo: string): Promise<RuleFacts> {
  const found = await row(
    db,
    sql<RuleFacts>`with stuck as (select r.id, exists (select from placement_gap g where g.rule_id = r.id
          and g.last_error ->> 'code' = 'no_source') as sourceless from rule r where r.vo = ${vo} and r.state = 'STUCK')
      select (count(*) filter (where sourceless))::int as "stuckWithoutSource",
        (count(*) filter (where not sourceless))::int as "stuckOtherwise" from stuck`,
  )
  return found!
}

export interface SuspiciousFacts {
  readonly storage: string
  readonly file: string
  readonly reports: number
}

export const suspiciousFacts = (db: Db, vo: string, since: Date): Promise<SuspiciousFacts[]> =>
  rows(
    db,
    sql<SuspiciousFacts>`select e.name as storage, s.name || ':' || f.name as file, count(*)::int as reports
      from rse e join bad_replica b on b.rse_id = e.id and b.at >= ${since} and b.state = 'SUSPICIOUS'
      join file f on f.id = b.file_id join scope s on s.id = f.scope_id
      where e.vo = ${vo} group by 1, 2 having count(*) >= 5`,
  )
