import { type Db, row, rows, sql } from '../kernel/index.ts'
import { COLUMNS, FROM, type JobColumn, type JobSearch, whereOf } from './read.store.ts'
import { codesOf, stateName } from './states.ts'

type Which = Pick<JobSearch, 'vo' | 'ownerId' | 'conditions'>

/** Jobs by what their queue and state say, from the kept counts: the cost does not grow with the number of jobs. */
const BY_QUEUE = sql`select q.vo, q.owner_id, q.owner, q.group_name, q.job_type, c.state, c.n
  from (select queue_id, state, n from job_count union all select queue_id, state, n from job_delta) c
  join job_queue q on q.id = c.queue_id`

const AT_SITES = sql`select vo, site, state, n from job_site_count
  union all select q.vo, d.site, d.state, d.n from job_delta d join job_queue q on q.id = d.queue_id where d.site is not null`

/** The same by site; jobs at none are all but those at one. */
const BY_SITE = sql`${AT_SITES}
  union all select vo, 'ANY', state, -n from (${AT_SITES}) s
  union all select vo, 'ANY', state, n from (${BY_QUEUE}) q`

/** Columns of both kinds of counts. */
const IN_QUEUE: Partial<Record<JobColumn, string>> = {
  ...{ owner: 'owner', group: 'group_name', jobType: 'job_type', vo: 'vo', state: 'state' },
}
const IN_SITE: Partial<Record<JobColumn, string>> = { site: 'site', vo: 'vo', state: 'state' }

/** The kept counts that answer a question about these columns: which, what they are called there, and the condition. */
function keptCounts({ vo, ownerId, conditions }: Which, grouping: readonly JobColumn[]) {
  if (conditions.some(({ operator }) => !['eq', 'in'].includes(operator))) return undefined
  const asked = [...grouping, ...conditions.map(({ column }) => column)]
  const kept = [
    { from: BY_QUEUE, names: IN_QUEUE, owners: true },
    { from: BY_SITE, names: IN_SITE, owners: false },
  ].find(({ names, owners }) => (owners || ownerId === undefined) && asked.every((column) => names[column]))
  if (!kept) return undefined
  const { from, names } = kept
  const parts = [
    sql`c.vo = ${vo}`,
    ...(ownerId === undefined ? [] : [sql`c.owner_id = ${ownerId}`]),
    ...conditions.map(({ column, values }) =>
      column === 'state'
        ? sql`c.state = any(${values.flatMap(codesOf)}::smallint[])`
        : sql`c.${sql.ref(names[column]!)} = any(${values}::text[])`,
    ),
  ]
  return { from, names, where: sql.join(parts, sql` and `) }
}

export async function countJobs(db: Db, search: Which): Promise<bigint> {
  const kept = keptCounts(search, [])
  const found = kept
    ? await row(
        db,
        sql<{
          n: bigint
        }>`select coalesce(sum(n), 0)::bigint as n from (${kept.from}) c where ${kept.where}`,
      )
    : await row(db, sql<{ n: bigint }>`select count(*) as n ${FROM} ${whereOf(search)}`)
  return found?.n ?? 0n
}

export interface SummaryLine {
  readonly values: readonly (string | null)[]
  readonly count: bigint
}

/** How many jobs there are of each combination of values. */
export async function summariseJobs(
  db: Db,
  search: Which & { grouping: readonly JobColumn[] },
): Promise<SummaryLine[]> {
  const { grouping } = search
  const kept = keptCounts(search, grouping)
  const value = (column: JobColumn) =>
    kept ? sql`c.${sql.ref(kept.names[column]!)}::text` : sql`(${COLUMNS[column].sql})::text`
  const columns = grouping.length > 0 ? sql.join(grouping.map(value)) : sql`null::text`
  const found = await rows(
    db,
    kept
      ? sql<SummaryLine>`select array[${columns}] as values, sum(c.n)::bigint as count from (${kept.from}) c where ${kept.where}
          group by 1 having sum(c.n) <> 0`
      : sql<SummaryLine>`select array[${columns}] as values, count(*) as count ${FROM} ${whereOf(search)} group by 1`,
  )
  return merged(found, grouping)
}

/** Codes become names, and codes of the same name one line. */
function merged(found: readonly SummaryLine[], grouping: readonly JobColumn[]): SummaryLine[] {
  const lines = new Map<string, { values: (string | null)[]; count: bigint }>()
  for (const { values, count } of found) {
    const named = values
      .slice(0, grouping.length)
      .map((value, i) => (grouping[i] === 'state' && value !== null ? stateName(Number(value)) : value))
    const key = JSON.stringify(named)
    const known = lines.get(key)
    if (known) known.count += count
    else lines.set(key, { values: named, count })
  }
  return [...lines.values()].sort((a, b) => (JSON.stringify(a.values) < JSON.stringify(b.values) ? -1 : 1))
}
