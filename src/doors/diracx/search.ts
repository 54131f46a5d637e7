import { type Static, Type } from 'typebox'
import type { Condition } from '../../workload/index.ts'
import { wireError } from './errors.ts'
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

type Operator = Condition<string>['operator']

/** What one list of the field can be asked for. */
export interface Vocabulary<C extends string> {
  /** Columns of the field, and where we keep them. */
  readonly columns: Readonly<Record<string, C>>
  readonly kindOf: (column: C) => 'number' | 'text' | 'state' | 'time'
  /** Columns that are the same for all. */
  readonly constants: Readonly<Record<string, boolean>>
  /** What another list names; compared by eq and in only, and not together with its own number. */
  readonly related: { readonly name: string; readonly notWith: string }
}

export const isColumn = <C extends string>({ columns, constants }: Vocabulary<C>, name: string): boolean =>
  Object.hasOwn(columns, name) || Object.hasOwn(constants, name)

const OPERATORS: Readonly<Record<string, Operator>> = {
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

export interface Conditions<C extends string> {
  readonly conditions: readonly Condition<C>[]
  /** Values of the related list; null: it was not asked for. */
  readonly related: readonly string[] | null
  /** One of the conditions can hold for nothing. */
  readonly never: boolean
}

/** Conditions in the words of the room. Errors: 400. */
export function conditionsOf<C extends string>(specs: readonly Spec[], words: Vocabulary<C>): Conditions<C> {
  const conditions: Condition<C>[] = []
  const { constants } = words
  const related: Set<string>[] = []
  let never = false
  for (const spec of specs) {
    const { parameter } = spec
    const operator = OPERATORS[spec.operator]
    if (!operator) throw wireError(400, `Unknown operator ${spec.operator}`)
    const values = valuesOf(spec, operator)
    if (parameter === words.related.name) {
      const { notWith } = words.related
      if (!['eq', 'in'].includes(operator))
        throw wireError(400, `${parameter} can be compared by eq and in only`)
      if (specs.some((other) => other.parameter === notWith))
        throw wireError(400, `${parameter} and ${notWith} cannot be asked for together`)
      related.push(new Set(values))
    } else if (Object.hasOwn(constants, parameter)) {
      const fits = values.some(
        (value) => ['true', '1'].includes(value.toLowerCase()) === constants[parameter],
      )
      if (fits === ['neq', 'not in'].includes(operator)) never = true
    } else if (!Object.hasOwn(words.columns, parameter)) throw wireError(400, `Unknown column ${parameter}`)
    else conditions.push(conditionOf(parameter, words, operator, values))
  }
  const [first, ...more] = related
  const all = first && [...first].filter((value) => more.every((set) => set.has(value)))
  return { conditions, related: all ?? null, never }
}

function valuesOf({ parameter, value, values }: Spec, operator: Operator): string[] {
  const list = operator === 'in' || operator === 'not in'
  if (list ? values === undefined : value === undefined)
    throw wireError(400, `The condition on ${parameter} needs ${list ? 'values' : 'a value'}`)
  return (list ? values! : [value!]).map(String)
}

function conditionOf<C extends string>(
  parameter: string,
  { columns, kindOf }: Vocabulary<C>,
  operator: Operator,
  values: string[],
): Condition<C> {
  const column = columns[parameter]!
  const kind = kindOf(column)
  if (kind === 'number' && ['eq', 'neq', 'gt', 'lt', 'in', 'not in'].includes(operator)) {
    const bad = values.find((value) => !/^-?\d{1,18}$/.test(value))
    if (bad !== undefined) throw wireError(400, `${parameter} is a number, not "${bad}"`)
  }
  if (operator === 'regex') checkRegex(values[0]!)
  if (kind !== 'time') return { column, operator, values }
  if (['like', 'not like', 'regex'].includes(operator)) throw wireError(400, `${parameter} is a time`)
  if (new Set(values.map(precisionOf)).size > 1)
    throw wireError(400, 'Times of one list must have the same precision')
  return { column, operator, values, periods: values.map(periodOf) }
}

function checkRegex(text: string): void {
  try {
    new RegExp(text)
  } catch {
    throw wireError(400, `"${text}" is no regular expression`)
  }
}
