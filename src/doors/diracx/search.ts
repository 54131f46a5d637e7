import { type Static, Type } from 'typebox'
import { type JobCondition, kindOfColumn } from '../../workload/index.ts'
import { wireError } from './errors.ts'
import { COLUMNS, CONSTANT, isColumn } from './job-view.ts'
import { periodOf, precisionOf } from './time.ts'

const Value = Type.Union([Type.String({ maxLength: 4096 }), Type.Number(), Type.Boolean()])
export const Specs = Type.Array(
  Type.Object({
    parameter: Type.String({ maxLength: 64 }),
    operator: Type.String({ maxLength: 16 }),
    value: Type.Optional(Value),
    values: Type.Optional(Type.Array(Value, { maxItems: 10_000 })),
  }),
  { maxItems: 64 },
)
type Spec = Static<typeof Specs>[number]

const OPERATORS: Readonly<Record<string, JobCondition['operator']>> = {
  eq: 'eq',
  neq: 'neq',
  gt: 'gt',
  lt: 'lt',
  like: 'like',
  // Older clients send it; names are compared with their case all the same.
  ilike: 'like',
  'not like': 'not like',
  regex: 'regex',
  in: 'in',
  'not in': 'not in',
}

/** Conditions in the words of the jobs' room; `never` when one of them can hold for no job. Errors: 400. */
export function conditionsOf(specs: readonly Spec[]): { conditions: JobCondition[]; never: boolean } {
  const conditions: JobCondition[] = []
  let never = false
  for (const spec of specs) {
    const { parameter } = spec
    const operator = OPERATORS[spec.operator]
    if (!operator) throw wireError(400, `Unknown operator ${spec.operator}`)
    const values = valuesOf(spec, operator)
    if (parameter === 'PilotStamp') {
      if (!['eq', 'in'].includes(operator))
        throw wireError(400, 'PilotStamp can be compared by eq and in only')
      if (specs.some((other) => other.parameter === 'JobID'))
        throw wireError(400, 'PilotStamp and JobID cannot be asked for together')
      conditions.push({ column: 'pilot', operator, values })
    } else if (Object.hasOwn(CONSTANT, parameter)) {
      const fits = values.some((value) => ['true', '1'].includes(value.toLowerCase()) === CONSTANT[parameter])
      if (fits === ['neq', 'not in'].includes(operator)) never = true
    } else if (!isColumn(parameter)) throw wireError(400, `Unknown column ${parameter}`)
    else conditions.push(conditionOf(parameter, operator, values))
  }
  return { conditions, never }
}

function valuesOf({ parameter, value, values }: Spec, operator: JobCondition['operator']): string[] {
  const list = operator === 'in' || operator === 'not in'
  if (list ? values === undefined : value === undefined)
    throw wireError(400, `The condition on ${parameter} needs ${list ? 'values' : 'a value'}`)
  return (list ? values! : [value!]).map(String)
}

function conditionOf(parameter: string, operator: JobCondition['operator'], values: string[]): JobCondition {
  const column = COLUMNS[parameter]!
  const kind = kindOfColumn(column)
  if (kind === 'number' && ['eq', 'neq', 'gt', 'lt', 'in', 'not in'].includes(operator)) {
    const bad = values.find((value) => !/^-?\d{1,18}$/.test(value))
    if (bad !== undefined) throw wireError(400, `${parameter} is a number, not "${bad}"`)
  }
  if (operator === 'regex') checkRegex(values[0]!)
  if (kind !== 'time') return { column, operator, values }
  if (['like', 'not like', 'regex'].includes(operator)) throw wireError(400, `${parameter} is a time`)
  if (new Set(values.map(precisionOf)).size > 1)
    throw wireError(400, 'Times of one list must have the same precision')
  if (values.length === 0) return { column: 'id', operator: operator === 'in' ? 'in' : 'not in', values: [] }
  return { column, operator, values, periods: values.map(periodOf) }
}

function checkRegex(text: string): void {
  try {
    new RegExp(text)
  } catch {
    throw wireError(400, `"${text}" is no regular expression`)
  }
}
