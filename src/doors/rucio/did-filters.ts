import type { DidFilter, FilterOperator, FilterTerm, MetadataValue } from '../../catalog/index.ts'
import { invalidFilter } from './errors.ts'
import { type PythonValue, parsePythonLiteral } from './python-literal.ts'

const OPERATORS: Readonly<Record<string, FilterOperator>> = {
  gt: '>',
  lt: '<',
  gte: '>=',
  lte: '<=',
  ne: '!=',
  in: 'in',
  contains: 'contains',
}
/** Values that say nothing: the command line sends `name: '*'` to mean everything. */
const ANYTHING = (key: string, value: PythonValue): boolean => key === 'name' && value === '*'

/** The client's `filters` (a list of dictionaries: OR of ANDs, operator as the key's ending) as our filter. */
export function readDidFilters(text: string | undefined): DidFilter {
  if (text === undefined || text === '') return []
  const literal = parsePythonLiteral(text)
  const groups = Array.isArray(literal) ? (literal as readonly PythonValue[]) : [literal]
  const terms = groups.map(readGroup)
  // A group without a condition matches everything, and so does the whole.
  return terms.some((group) => group.length === 0) ? [] : terms
}

function readGroup(group: PythonValue): FilterTerm[] {
  if (typeof group !== 'object' || group === null || Array.isArray(group)) {
    throw invalidFilter('Filters are a list of dictionaries, for example [{"name": "run*"}].')
  }
  return Object.entries(group as { readonly [key: string]: PythonValue })
    .filter(([key, value]) => key !== 'type' && !ANYTHING(key, value))
    .map(([key, value]) => readTerm(key, value))
}

function readTerm(key: string, value: PythonValue): FilterTerm {
  if (key === 'created_after') return { key: 'created_at', operator: '>=', value: value as MetadataValue }
  if (key === 'created_before') return { key: 'created_at', operator: '<=', value: value as MetadataValue }
  const dot = key.lastIndexOf('.')
  const ending = dot > 0 ? key.slice(dot + 1) : ''
  if (ending === '') return { key, operator: '=', value: value as MetadataValue }
  const operator = OPERATORS[ending]
  if (!operator)
    throw invalidFilter(`"${ending}" is not an operator; use one of ${Object.keys(OPERATORS).join(', ')}.`)
  return { key: key.slice(0, dot), operator, value: value as MetadataValue }
}
