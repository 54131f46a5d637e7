import { sql } from '../kernel/index.ts'

export type Comparison = 'eq' | 'neq' | 'gt' | 'lt' | 'like' | 'not like' | 'regex' | 'in' | 'not in'

/** One condition; times come as half-open periods `[from, to)`, of which a moment is the shortest. */
export interface Condition<C extends string> {
  readonly column: C
  readonly operator: Comparison
  readonly values: readonly string[]
  readonly periods?: readonly (readonly [Date, Date])[]
}

/** A condition on an expression: `text` ones compare as texts, `number` ones as numbers, `time` ones by their periods. */
export function conditionSql(
  expression: ReturnType<typeof sql>,
  kind: 'number' | 'text' | 'time',
  { operator, values, periods }: Omit<Condition<string>, 'column'>,
) {
  // An empty list holds nothing.
  if (values.length === 0) return operator === 'not in' ? sql`true` : sql`false`
  if (kind === 'time') return timeSql(expression, operator, periods ?? [])
  const cast = kind === 'number' ? sql`bigint` : sql`text`
  const list = sql`${values}::text[]::${cast}[]`
  const one = sql`${values[0] ?? ''}::text::${cast}`
  switch (operator) {
    case 'eq':
      return sql`${expression} = ${one}`
    case 'neq':
      return sql`${expression} is distinct from ${one}`
    case 'gt':
      return sql`${expression} > ${one}`
    case 'lt':
      return sql`${expression} < ${one}`
    case 'in':
      return sql`${expression} = any(${list})`
    case 'not in':
      return sql`(${expression} = any(${list})) is not true`
    case 'like':
      return sql`${expression}::text like ${values[0] ?? ''}`
    case 'not like':
      return sql`(${expression}::text like ${values[0] ?? ''}) is not true`
    case 'regex':
      return sql`${expression}::text ~ ${values[0] ?? ''}`
  }
}

function timeSql(
  expression: ReturnType<typeof sql>,
  operator: Comparison,
  periods: readonly (readonly [Date, Date])[],
) {
  const inside = sql`(${sql.join(
    periods.map(([from, to]) => sql`(${expression} >= ${from} and ${expression} < ${to})`),
    sql` or `,
  )})`
  const [from, to] = periods[0]!
  switch (operator) {
    case 'gt':
      return sql`${expression} >= ${to}`
    case 'lt':
      return sql`${expression} < ${from}`
    case 'neq':
    case 'not in':
      return sql`${inside} is not true`
    default:
      return inside
  }
}
