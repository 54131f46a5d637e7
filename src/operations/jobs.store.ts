import { type Db, row, rows, sql } from '../kernel/database.ts'
import { STATES } from '../workload/index.ts'

export interface JobFilter {
  readonly vo: string
  /** Codes of states. */
  readonly states: readonly number[]
  /** Codes that are left out. */
  readonly hidden: readonly number[]
  readonly ownerId?: number | undefined
  readonly group?: string | undefined
  readonly site?: string | undefined
  /** Pattern of `like`. */
  readonly name?: string | undefined
  readonly since?: Date | undefined
}

export interface JobLineRow {
  readonly id: bigint
  readonly name: string
  readonly owner: string
  readonly group: string
  readonly jobType: string
  readonly state: number
  readonly minor: string
  readonly site: string | null
  readonly attempt: number
  readonly submittedAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
}

/** Who has jobs under a name; undefined: nobody. */
export const ownerIdOf = async (db: Db, vo: string, owner: string): Promise<number | undefined> =>
  (
    await row(
      db,
      sql<{ id: number }>`select owner_id as id from job_queue where vo = ${vo} and owner = ${owner} limit 1`,
    )
  )?.id

const { Matched, Running, Stalled, Completing, Done, Failed, Killed } = STATES
/** States of jobs that somebody has, or had: only they have a site. */
const PLACED = [Matched, Running, Stalled, Completing, Done, Failed, Killed]

const LOOKED = sql`j.id, j.state, j.owner_id, j.queue_id, j.site, j.name, j.submitted_at`

/**
 * The newest jobs before an id, at most `look` of them, along the index that leaves out most: of a site, of states, of an
 * owner, of all. What a question costs is bounded by this number, not by the number of jobs.
 */
function looked(filter: JobFilter, before: bigint, look: number) {
  const { vo, ownerId, site } = filter
  // Each state of a site has its own part of the index.
  const states = filter.states.length === 0 && site !== undefined ? PLACED : filter.states
  if (site !== undefined)
    return along(vo, { site: ['text', states.map(() => site)], state: ['smallint', states] }, before, look)
  if (states.length > 0) return along(vo, { state: ['smallint', states] }, before, look)
  if (ownerId !== undefined) return along(vo, { owner_id: ['int', [ownerId]] }, before, look)
  return sql`select ${LOOKED} from job j where j.vo = ${vo} and j.id < ${before} order by j.id desc limit ${look}`
}

type Keys = Readonly<Record<string, readonly [type: 'text' | 'smallint' | 'int', values: readonly unknown[]]>>

/**
 * The newest jobs under each of some keys, along the one index that has these columns between the VO and the id: they
 * are compared and ordered as rows, which no other index can do. From equalities the planner would conclude, while nearly
 * all jobs are in one state, that another state is found as soon along the ids alone: among millions, if nobody is in it.
 */
function along(vo: string, keys: Keys, before: bigint, look: number) {
  const names = Object.keys(keys)
  const columns = (table: string, order = sql``) =>
    sql.join(names.map((name) => sql`${sql.ref(`${table}.${name}`)}${order}`))
  const there = names.map((name) => sql`and ${sql.ref(`j.${name}`)} is not null`)
  const lists = Object.values(keys).map(([type, values]) => sql`${values}::${sql.raw(type)}[]`)
  return sql`select j.* from unnest(${sql.join(lists)}) k(${sql.join(names.map((name) => sql.ref(name)))})
    cross join lateral (
      select ${LOOKED} from job j
      where j.vo = ${vo} and (${columns('j')}, j.id) < (${columns('k')}, ${before}::bigint)
        and (${columns('j')}) >= (${columns('k')}) ${sql.join(there, sql` `)}
      order by ${columns('j', sql` desc`)}, j.id desc limit ${look}) j
    order by j.id desc limit ${look}`
}

function fits(filter: JobFilter) {
  const { vo, states, hidden, ownerId, group, site, name, since } = filter
  const conditions = [
    ...(states.length === 0 ? [sql`l.state <> all(${hidden}::smallint[])`] : []),
    ...(ownerId === undefined ? [] : [sql`l.owner_id = ${ownerId}`]),
    ...(group === undefined
      ? []
      : [sql`l.queue_id = any(array(select id from job_queue where vo = ${vo} and group_name = ${group}))`]),
    ...(site === undefined ? [] : [sql`l.site = ${site}`]),
    ...(name === undefined ? [] : [sql`l.name like ${name}`]),
    ...(since === undefined ? [] : [sql`l.submitted_at >= ${since}`]),
  ]
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)
}

export interface JobLook {
  readonly jobs: JobLineRow[]
  /** How many jobs were looked at, and the last of them. */
  readonly looked: number
  readonly furthest: bigint | null
  readonly oldest: Date | null
}

export async function lookForJobs(
  db: Db,
  filter: JobFilter,
  page: { before: bigint; look: number; limit: number },
): Promise<JobLook> {
  const found = await rows(
    db,
    sql<Partial<JobLineRow> & Omit<JobLook, 'jobs'>>`
      with l as materialized (${looked(filter, page.before, page.look)}),
      hit as (select l.id from l where ${fits(filter)} order by l.id desc limit ${page.limit}),
      line as (
        select j.id, j.name, q.owner, q.group_name as "group", q.job_type as "jobType", j.state, j.minor, j.site,
          j.attempt, j.submitted_at as "submittedAt", j.started_at as "startedAt", j.ended_at as "endedAt"
        from hit join job j on j.id = hit.id join job_queue q on q.id = j.queue_id)
      select f.*, line.* from (select count(*)::int as looked, min(id) as furthest, min(submitted_at) as oldest from l) f
      left join line on true order by line.id desc`,
  )
  const { looked: n, furthest, oldest } = found[0]!
  return {
    jobs: found.filter(({ id }) => id !== null) as JobLineRow[],
    ...{ looked: n, furthest, oldest },
  }
}

/** Jobs by state among the newest; `looked`: how many those are. */
export const countNewest = (db: Db, filter: JobFilter, look: number) =>
  row(
    db,
    sql<{ looked: number; counts: Record<string, number> }>`
      with l as materialized (${looked({ ...filter, states: [] }, BigInt(Number.MAX_SAFE_INTEGER), look)}),
      n as (select l.state, count(*)::int as n from l where ${fits({ ...filter, states: [] })} group by 1)
      select (select count(*)::int from l) as looked, coalesce((select jsonb_object_agg(state, n) from n), '{}') as counts`,
  )
