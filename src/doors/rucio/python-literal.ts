import { invalidFilter } from './errors.ts'

/** What a Python literal can hold once read; dictionaries have string keys only. */
export type PythonValue =
  | string
  | number
  | boolean
  | null
  | readonly PythonValue[]
  | { readonly [key: string]: PythonValue }

export interface LiteralBounds {
  readonly maxLength: number
  readonly maxDepth: number
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '0': '\0',
  '\\': '\\',
  "'": "'",
  '"': '"',
}
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const WORD = /[A-Za-z]+/y
const HEX: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/**
 * Reads one Python literal: str, int, float, True, False, None, list, tuple, dict. The field's client sends search
 * filters in this form. Bounded in length and depth and evaluates nothing.
 */
export function parsePythonLiteral(
  text: string,
  bounds: LiteralBounds = { maxLength: 64 * 1024, maxDepth: 20 },
): PythonValue {
  if (text.length > bounds.maxLength) throw invalidFilter('The filter is too long; at most 64 KiB are read.')
  let at = 0

  const fail = (wanted: string): Error =>
    invalidFilter(`Not a Python literal: expected ${wanted} at character ${at + 1} of the filter.`)
  const space = (): void => {
    while (at < text.length && /\s/.test(text[at]!)) at++
  }
  const take = (character: string): boolean => {
    space()
    if (text[at] !== character) return false
    at++
    return true
  }
  const matched = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) at += found.length
    return found
  }

  const string = (quote: string): string => {
    let value = ''
    for (;;) {
      const character = text[at++]
      if (character === undefined || character === '\n') throw fail('the end of a string')
      if (character === quote) return value
      value += character === '\\' ? escaped() : character
    }
  }
  const escaped = (): string => {
    const kind = text[at++]
    if (kind === undefined) throw fail('a character after the backslash')
    const digits = HEX[kind]
    if (digits === undefined) return ESCAPES[kind] ?? `\\${kind}`
    const code = text.slice(at, at + digits)
    if (!/^[0-9a-fA-F]+$/.test(code) || code.length !== digits) throw fail(`${digits} hexadecimal digits`)
    const point = Number.parseInt(code, 16)
    if (point > 0x10ffff) throw fail('a Unicode code point')
    at += digits
    return String.fromCodePoint(point)
  }

  const items = (close: string, depth: number): { values: PythonValue[]; comma: boolean } => {
    const values: PythonValue[] = []
    let comma = false
    for (;;) {
      if (take(close)) return { values, comma }
      values.push(value(depth + 1))
      comma = take(',')
      if (!comma) {
        if (!take(close)) throw fail(`"," or "${close}"`)
        return { values, comma }
      }
    }
  }
  const dictionary = (depth: number): PythonValue => {
    const entries: [string, PythonValue][] = []
    for (;;) {
      if (take('}')) return Object.fromEntries(entries)
      const key = value(depth + 1)
      if (typeof key === 'object' && key !== null) throw fail('a plain key')
      if (!take(':')) throw fail('":"')
      entries.push([String(key), value(depth + 1)])
      if (!take(',')) {
        if (!take('}')) throw fail('"," or "}"')
        return Object.fromEntries(entries)
      }
    }
  }
  const word = (): PythonValue => {
    const found = matched(WORD)
    if (found === 'True') return true
    if (found === 'False') return false
    if (found === 'None') return null
    throw fail('True, False or None')
  }

  const value = (depth: number): PythonValue => {
    if (depth > bounds.maxDepth) throw invalidFilter('The filter is nested too deeply.')
    space()
    const first = text[at]
    if (first === undefined) throw fail('a value')
    if (first === "'" || first === '"') {
      at++
      let whole = string(first)
      // Neighbouring strings are one string, as in Python.
      for (;;) {
        space()
        const quote = text[at]
        if (quote !== "'" && quote !== '"') return whole
        at++
        whole += string(quote)
      }
    }
    if (take('[')) return items(']', depth).values
    if (take('{')) return dictionary(depth)
    if (take('(')) {
      const { values, comma } = items(')', depth)
      return values.length === 1 && !comma ? values[0]! : values
    }
    const number = matched(NUMBER)
    if (number !== undefined) return Number(number)
    return word()
  }

  const result = value(0)
  space()
  if (at !== text.length) throw fail('the end')
  return result
}
