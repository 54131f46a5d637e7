import { isPlainText } from '../kernel/plain-text.ts'
import { invalidFilter } from './errors.ts'
import { parseDate, valueProblem } from './metadata.ts'
import * as store from './search.store.ts'
import type { DidFilter, FilterTerm, MetadataValue } from './types.ts'

type Condition = ReturnType<typeof store.all>
const OPERATORS = new Set(['=', '!=', '<', '>', '<=', '>=', 'in', 'contains'])
const MAX_TERMS = 200
const MAX_LIST = 1000
const NUMBER = /^[+-]?\d{1,100}(\.\d{1,100})?([eE][+-]?\d{1,2})?$/

/** What a name must fulfil. Throws invalid_filter. */
export function conditionOf(filter: DidFilter, scope: string): Condition {
  if (filter.reduce((n, group) => n + group.length, filter.length) > MAX_TERMS) {
    throw invalidFilter(`The filter has more than ${MAX_TERMS} terms.`)
  }
  if (filter.length === 0) return store.all([])
  return store.any(filter.map((group) => store.all(group.map((term) => termOf(term, scope)))))
}

function termOf(term: FilterTerm, scope: string): Condition {
  const { key, operator, value } = term
  if (!OPERATORS.has(operator)) throw invalidFilter(`"${operator}" is no operator of a filter.`)
  if (key === '' || key.length > 255 || !isPlainText(key))
    throw invalidFilter('A filter key has 1 to 255 characters.')
  const problem = valueProblem(value)
  if (problem) throw invalidFilter(`Filter on "${key}": ${problem}.`)
  if (operator === 'in') {
    if (!Array.isArray(value) || value.length > MAX_LIST) {
      throw bad(term, `"in" wants a list of at most ${MAX_LIST} values`)
    }
    return store.any(value.map((item) => termOf({ key, operator: '=', value: item }, scope)))
  }
  if (key === 'scope') return scopeTerm(term, scope)
  if (key === 'created_after') return dateTerm({ ...term, operator: '>=' }, store.DATES.created_at!)
  if (key === 'created_before') return dateTerm({ ...term, operator: '<=' }, store.DATES.created_at!)
  for (const [columns, read] of TABLES) {
    if (Object.hasOwn(columns, key)) return columnTerm(term, columns[key]!, read)
  }
  return documentTerm(term)
}

const TABLES = [
  [store.TEXTS, textTerm],
  [store.NUMBERS, numberTerm],
  [store.DATES, dateTerm],
  [store.FLAGS, flagTerm],
] as const

const bad = (term: FilterTerm, problem: string) =>
  invalidFilter(`Filter on "${term.key}" with "${term.operator}": ${problem}.`, {
    key: term.key,
    operator: term.operator,
  })

function columnTerm(
  term: FilterTerm,
  column: Condition,
  read: (term: FilterTerm, column: Condition) => Condition,
): Condition {
  if (term.value !== null) return read(term, column)
  if (term.operator === '=') return store.unset(column)
  if (term.operator === '!=') return store.isSet(column)
  throw bad(term, 'null can only be compared by "=" and "!="')
}

/** The search is in one scope; a term about it is decided here. */
function scopeTerm(term: FilterTerm, scope: string): Condition {
  if (term.operator !== '=' && term.operator !== '!=')
    throw bad(term, 'a scope is compared by "=", "!=" or "in"')
  return (term.value === scope) === (term.operator === '=') ? store.all([]) : store.never
}

function textTerm(term: FilterTerm, column: Condition): Condition {
  const { key, operator, value } = term
  if (typeof value !== 'string' && typeof value !== 'number') throw bad(term, 'the value must be text')
  const text = spelled(key, String(value))
  switch (operator) {
    case '=': {
      if (!text.includes('*')) return store.textEquals(column, text)
      const prefix = text.slice(0, text.indexOf('*'))
      const like = store.textLike(column, text)
      return key === 'name' && prefix !== '' ? store.all([store.nameBegins(prefix), like]) : like
    }
    case '!=':
      return text.includes('*') ? store.textUnlike(column, text) : store.textDiffers(column, text)
    case 'contains':
      return store.textHolds(column, text)
    default:
      return store.textOrder(column, operator as store.Order, text)
  }
}

/** Values as the columns spell them. */
function spelled(key: string, text: string): string {
  if (key === 'did_type' || key === 'type' || key === 'availability') return text.toUpperCase()
  if (key === 'guid' && /^[0-9a-f]{32}$/i.test(text)) {
    return text.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }
  if (key === 'adler32' && /^[0-9a-f]{1,8}$/i.test(text)) return text.toLowerCase().padStart(8, '0')
  return key === 'adler32' || key === 'md5' || key === 'guid' ? text.toLowerCase() : text
}

function numberTerm(term: FilterTerm, column: Condition): Condition {
  const { operator, value } = term
  const text = String(value)
  if (
    (typeof value !== 'number' && typeof value !== 'string') ||
    !Number.isFinite(Number(value)) ||
    text.trim() === ''
  ) {
    throw bad(term, 'the value must be a number')
  }
  const number = NUMBER.test(text) ? text : String(Number(text))
  if (operator === '=') return store.numberEquals(column, number)
  if (operator === '!=') return store.numberDiffers(column, number)
  if (operator === 'contains') throw bad(term, 'a number contains nothing')
  return store.numberOrder(column, operator as store.Order, number)
}

function dateTerm(term: FilterTerm, column: Condition): Condition {
  const { operator, value } = term
  const date = typeof value === 'string' ? parseDate(value) : undefined
  if (!date) throw bad(term, 'the value must be a date like 2027-01-31T00:00:00Z')
  if (operator === '=') return store.dateEquals(column, date)
  if (operator === '!=') return store.dateDiffers(column, date)
  if (operator === 'contains') throw bad(term, 'a date contains nothing')
  return store.dateOrder(column, operator as store.Order, date)
}

function flagTerm(term: FilterTerm, column: Condition): Condition {
  const text = String(term.value).toLowerCase()
  const value = text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined
  if (value === undefined) throw bad(term, 'the value must be true or false')
  if (term.operator !== '=' && term.operator !== '!=')
    throw bad(term, 'true and false are compared by "=" and "!="')
  return store.flagIs(column, value === (term.operator === '='))
}

function documentTerm(term: FilterTerm): Condition {
  const { key, operator, value } = term
  if (value === null) {
    if (operator === '=') return store.metaUnset(key)
    if (operator === '!=') return store.metaIsSet(key)
    throw bad(term, 'null can only be compared by "=" and "!="')
  }
  const wild = typeof value === 'string' && value.includes('*')
  switch (operator) {
    case '=':
      return wild
        ? store.metaLike(key, value)
        : store.any(readings(value).map((v) => store.metaEquals(key, v)))
    case '!=':
      return wild ? store.metaUnlike(key, value) : store.metaDiffers(key, readings(value))
    case 'contains':
      return store.any(readings(value).map((v) => store.metaContains(key, v)))
    default: {
      if (typeof value !== 'string' && typeof value !== 'number')
        throw bad(term, 'only text, numbers and dates have an order')
      const order = operator as store.Order
      const date = typeof value === 'string' ? parseDate(value) : undefined
      if (date) return store.metaDateOrder(key, order, date)
      const numbers = readings(value).filter((v) => typeof v === 'number')
      return store.any((numbers.length > 0 ? numbers : [value]).map((v) => store.metaOrder(key, order, v)))
    }
  }
}

/** A value and what else it may have been meant as: command lines and URLs know text only. */
function readings(value: MetadataValue): MetadataValue[] {
  if (typeof value === 'number' || typeof value === 'boolean') return [value, String(value)]
  if (typeof value !== 'string') return [value]
  if (NUMBER.test(value) && Number.isFinite(Number(value))) return [value, Number(value)]
  if (/^(true|false)$/i.test(value)) return [value, value.toLowerCase() === 'true']
  return [value]
}
