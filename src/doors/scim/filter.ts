import { badFilter, badPath } from './errors.ts'
import { schemaNamed } from './schemas.ts'

/** A filter of RFC 7644 §3.4.2.2. Attribute paths are in lower case: they do not distinguish it. */
export type Filter =
  | { readonly op: 'and'; readonly of: readonly Filter[] }
  | { readonly op: 'or'; readonly of: readonly Filter[] }
  | { readonly op: 'not'; readonly of: Filter }
  | { readonly op: 'pr'; readonly path: string }
  | { readonly op: CompareOp; readonly path: string; readonly value: Value }
  /** `emails[type eq "work"]` */
  | { readonly op: 'some'; readonly path: string; readonly of: Filter }

export type Value = string | number | boolean | null
export type CompareOp = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le'

/** Where a patch operation works: `emails[type eq "work"].value`. */
export interface PatchPath {
  /** Without the name of the schema. */
  readonly attribute: string
  readonly schema: string | null
  readonly filter: Filter | null
  readonly sub: string | null
}

const LONGEST = 8192
const DEEPEST = 20
const COMPARE = new Set(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'])
// A JSON string, one of the marks, or a run of anything else that is no blank.
const TOKEN = /"(?:[^"\\]|\\.)*"|[()[\]]|[^\s()[\]"]+/suy
const ATTRIBUTE = /^(?:urn:[A-Za-z0-9.:_-]+:)?[A-Za-z$][A-Za-z0-9_$-]*(?:\.[A-Za-z$][A-Za-z0-9_$-]*)?$/
const SCHEMA = /^(urn:.+):([^:]*)$/s

/** Reads a filter; throws invalid_filter. */
export function parseFilter(text: string): Filter {
  const reader = tokens(text)
  const filter = disjunction(reader, 0)
  if (reader.peek() !== undefined) throw unexpected(reader)
  return filter
}

/** Reads the path of a patch operation; throws scim_invalid_path. */
export function parsePatchPath(text: string): PatchPath {
  try {
    const open = text.indexOf('[')
    const close = text.lastIndexOf(']')
    if (open < 0 !== close < 0 || close < open) throw badFilter('The brackets do not match.')
    const head = open < 0 ? text : text.slice(0, open)
    const tail = open < 0 ? '' : text.slice(close + 1)
    if (!ATTRIBUTE.test(head) || !/^(?:\.[A-Za-z$][A-Za-z0-9_$-]*)?$/.test(tail)) {
      throw badFilter('It should be like name.givenName or emails[type eq "work"].value.')
    }
    const { schema, path } = withoutSchema(head)
    const [attribute = '', sub = null] = path.split('.')
    if (open >= 0 && sub !== null) throw badFilter('A part of an attribute has no elements to choose from.')
    const filter = open < 0 ? null : parseFilter(text.slice(open + 1, close))
    return { attribute, schema, filter, sub: open < 0 ? sub : tail.slice(1).toLowerCase() || null }
  } catch (error) {
    throw badPath(`The path "${text.slice(0, 100)}" is not understood: ${(error as Error).message}`)
  }
}

/** Splits `urn:…:User:userName`; everything in lower case. The name of a schema alone has an empty path. */
export function withoutSchema(attribute: string): { schema: string | null; path: string } {
  const whole = schemaNamed(attribute)
  if (whole) return { schema: whole.id, path: '' }
  const [, schema, path = attribute] = SCHEMA.exec(attribute) ?? []
  if (schema === undefined) return { schema: null, path: path.toLowerCase() }
  return { schema: schemaNamed(schema)?.id ?? schema, path: path.toLowerCase() }
}

interface Reader {
  peek(): string | undefined
  next(): string
}

function tokens(text: string): Reader {
  if (text.length > LONGEST) throw badFilter(`A filter has at most ${LONGEST} characters.`)
  const found: string[] = []
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text[at]!)) {
      at++
      continue
    }
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)?.[0]
    if (token === undefined) throw badFilter(`The filter is not understood at "${text.slice(at, at + 20)}".`)
    found.push(token)
    at += token.length
  }
  let i = 0
  return {
    peek: () => found[i],
    next() {
      const token = found[i++]
      if (token === undefined) throw badFilter('The filter ends too early.')
      return token
    },
  }
}

function disjunction(reader: Reader, depth: number): Filter {
  return chain(reader, 'or', () => chain(reader, 'and', () => factor(reader, depth)))
}

function chain(reader: Reader, op: 'and' | 'or', part: () => Filter): Filter {
  const of = [part()]
  while (reader.peek()?.toLowerCase() === op) {
    reader.next()
    of.push(part())
  }
  return of.length === 1 ? of[0]! : { op, of }
}

function factor(reader: Reader, depth: number): Filter {
  if (depth > DEEPEST) throw badFilter('The filter is nested too deeply.')
  const token = reader.next()
  if (token === '(') return closed(reader, ')', depth)
  if (token.toLowerCase() === 'not' && reader.peek() === '(') {
    reader.next()
    return { op: 'not', of: closed(reader, ')', depth) }
  }
  if (!ATTRIBUTE.test(token)) throw badFilter(`"${token.slice(0, 60)}" is no attribute.`)
  const path = token.toLowerCase()
  if (reader.peek() === '[') {
    reader.next()
    return { op: 'some', path, of: closed(reader, ']', depth) }
  }
  const op = reader.next().toLowerCase()
  if (op === 'pr') return { op, path }
  if (!COMPARE.has(op))
    throw badFilter(`"${op.slice(0, 60)}" is no comparison; use eq, co, sw, gt, pr and the like.`)
  return { op: op as CompareOp, path, value: value(reader.next()) }
}

function closed(reader: Reader, end: ')' | ']', depth: number): Filter {
  const inner = disjunction(reader, depth + 1)
  if (reader.next() !== end) throw badFilter(`A "${end}" is missing.`)
  return inner
}

function value(token: string): Value {
  const known = { true: true, false: false, null: null }[token.toLowerCase()]
  if (known !== undefined) return known
  if (token.startsWith('"')) {
    try {
      return JSON.parse(token)
    } catch (cause) {
      throw badFilter(`${token.slice(0, 60)} is no text as JSON writes it.`, undefined, cause)
    }
  }
  if (/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(token)) return Number(token)
  throw badFilter(`"${token.slice(0, 60)}" is no value; texts are written in quotation marks.`)
}

const unexpected = (reader: Reader) =>
  badFilter(`The filter is not understood at "${reader.next().slice(0, 20)}".`)
