import { type Db, row, rows, sql } from '../kernel/index.ts'
import { type Condition, conditionSql } from './condition.ts'

const JOB = sql`(select min(j.id) from job j where j.pilot_id = p.id and j.state in (6, 8, 9, 10))`

/** What can be asked of pilots. */
const COLUMNS = {
  id: { sql: sql`p.id`, kind: 'number' },
  stamp: { sql: sql`p.stamp`, kind: 'text' },
  vo: { sql: sql`p.vo`, kind: 'text' },
  reference: { sql: sql`coalesce(p.reference, p.stamp)`, kind: 'text' },
  resource: { sql: sql`p.resource`, kind: 'text' },
  site: { sql: sql`p.site`, kind: 'text' },
  gridType: { sql: sql`p.grid_type`, kind: 'text' },
  queue: { sql: sql`p.queue`, kind: 'text' },
  benchmark: { sql: sql`p.benchmark`, kind: 'number' },
  accountingSent: { sql: sql`p.accounting_sent`, kind: 'text' },
  state: { sql: sql`p.state`, kind: 'text' },
  reason: { sql: sql`p.reason`, kind: 'text' },
  jobId: { sql: JOB, kind: 'number' },
  createdAt: { sql: sql`p.created_at`, kind: 'time' },
  updatedAt: { sql: sql`coalesce(p.ended_at, p.seen_at, p.created_at)`, kind: 'time' },
} as const
export type PilotColumn = keyof typeof COLUMNS
export type PilotCondition = Condition<PilotColumn>
export const kindOfPilotColumn = (column: PilotColumn): 'number' | 'text' | 'time' => COLUMNS[column].kind

export interface PilotSearch {
  readonly vo: string
  readonly conditions: readonly PilotCondition[]
  /** Only pilots that had a start of one of these jobs. */
  readonly jobs: readonly bigint[] | null
}

/** A pilot with all that is known of it. */
export interface PilotRecord {
  readonly id: bigint
  readonly stamp: string
  readonly vo: string
  readonly reference: string
  readonly resource: string
  readonly site: string
  readonly gridType: string
  readonly queue: string
  readonly benchmark: number
  readonly accountingSent: boolean
  readonly state: string
  readonly reason: string
  readonly jobId: bigint | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

const VIEW = sql.join(
  Object.entries(COLUMNS).map(([name, { sql: expression }]) => sql`${expression} as ${sql.ref(name)}`),
)

const whereOf = ({ vo, conditions, jobs }: PilotSearch) =>
  sql`where ${sql.join(
    [
      sql`p.vo = ${vo}`,
      ...(jobs === null
        ? []
        : [
            sql`p.id in (select a.pilot_id from job_attempt a join job j on j.id = a.job_id
              where j.vo = ${vo} and a.job_id = any(${jobs}::bigint[]))`,
          ]),
      ...conditions.map((condition) => {
        const { sql: expression, kind } = COLUMNS[condition.column]
        return conditionSql(kind === 'text' ? sql`${expression}::text` : expression, kind, condition)
      }),
    ],
    sql` and `,
  )}`

export const searchPilots = (
  db: Db,
  search: PilotSearch & {
    readonly sort: readonly { readonly column: PilotColumn; readonly descending: boolean }[]
    readonly offset: number
    readonly limit: number
  },
): Promise<PilotRecord[]> => {
  const order = [
    ...search.sort.map(({ column, descending }) =>
      descending ? sql`${COLUMNS[column].sql} desc nulls last` : sql`${COLUMNS[column].sql} nulls first`,
    ),
    ...(search.sort.some(({ column }) => column === 'id') ? [] : [sql`p.id`]),
  ]
  return rows(
    db,
    sql<PilotRecord>`select ${VIEW} from pilot p ${whereOf(search)}
      order by ${sql.join(order)} limit ${search.limit} offset ${search.offset}`,
  )
}

export async function countPilots(db: Db, search: PilotSearch): Promise<number> {
  const found = await row(db, sql<{ n: number }>`select count(*)::int as n from pilot p ${whereOf(search)}`)
  return found!.n
}

export const summarisePilots = (
  db: Db,
  search: PilotSearch & { readonly grouping: readonly PilotColumn[] },
): Promise<{ values: (string | null)[]; count: number }[]> => {
  const columns =
    search.grouping.length > 0
      ? sql.join(search.grouping.map((column) => sql`(${COLUMNS[column].sql})::text`))
      : sql`null::text`
  return rows(
    db,
    sql<{
      values: (string | null)[]
      count: number
    }>`select array[${columns}] as values, count(*)::int as count
      from pilot p ${whereOf(search)} group by 1 order by 1`,
  )
}

export interface PilotChange {
  readonly stamp: string
  readonly reason: string | null
  readonly benchmark: number | null
  readonly resource: string | null
  readonly queue: string | null
  readonly site: string | null
  readonly gridType: string | null
  readonly accountingSent: boolean | null
}

/** Changes what is told of pilots that the grid did not start itself, and only the words of those it did; answers the stamps it knows. */
export async function changePilots(db: Db, vo: string, changes: readonly PilotChange[]): Promise<string[]> {
  const changed = await rows(
    db,
    sql<{ stamp: string }>`update pilot p set reason = left(coalesce(c.reason, p.reason), 500),
        benchmark = coalesce(c.benchmark, p.benchmark), queue = coalesce(c.queue, p.queue),
        grid_type = coalesce(c."gridType", p.grid_type),
        accounting_sent = coalesce(c."accountingSent", p.accounting_sent),
        resource = case when p.resource_id is null then coalesce(c.resource, p.resource) else p.resource end,
        site = case when p.resource_id is null then coalesce(c.site, p.site) else p.site end
      from jsonb_to_recordset(${JSON.stringify(changes)}::jsonb) as c(stamp text, reason text,
        benchmark double precision, resource text, queue text, site text, "gridType" text, "accountingSent" boolean)
      where p.vo = ${vo} and p.stamp = c.stamp returning p.stamp`,
  )
  return changed.map(({ stamp }) => stamp)
}
