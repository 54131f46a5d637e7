import { invalidExpression, noRseMatches } from './errors.ts'
import type { Rse } from './types.ts'

/** `a|b&c\d` is `((a|b)&c)\d`: strictly left to right, as users of this grammar expect. */
export type RseExpression =
  | { readonly kind: 'all' }
  | { readonly kind: 'name'; readonly name: string }
  | {
      readonly kind: 'compare'
      readonly key: string
      readonly operator: '=' | '<' | '>'
      readonly value: string
    }
  | {
      readonly kind: 'union' | 'intersection' | 'complement'
      readonly left: RseExpression
      readonly right: RseExpression
    }

const TOKEN = /\s*(?:([|&\\()=<>*])|([A-Za-z0-9_.:/@+-]+))/y
const COMBINE = { '|': 'union', '&': 'intersection', '\\': 'complement' } as const
const MAX_LENGTH = 3000
const MAX_DEPTH = 100

interface Token {
  readonly text: string
  readonly at: number
  readonly word: boolean
}

/** Reads an expression. Throws invalid_rse_expression with the position (from 1) of what is wrong. */
export function parseRseExpression(text: string): RseExpression {
  const fail = (at: number, problem: string) =>
    invalidExpression(`RSE expression, position ${at + 1}: ${problem}.`, {
      expression: text.slice(0, MAX_LENGTH),
      position: at + 1,
    })
  if (text.length > MAX_LENGTH) throw fail(MAX_LENGTH, `longer than ${MAX_LENGTH} characters`)
  const tokens: Token[] = []
  const end = text.trimEnd().length
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < end; ) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (!match) {
      const bad = at + (text.slice(at).match(/^\s*/)?.[0].length ?? 0)
      throw fail(bad, `"${text[bad]}" has no meaning here`)
    }
    const word = match[2]
    tokens.push({ text: (word ?? match[1])!, at: TOKEN.lastIndex - (word ?? match[1])!.length, word: !!word })
  }

  let next = 0
  const peek = (): Token | undefined => tokens[next]
  const found = (token: Token | undefined): string =>
    token ? `found "${token.text}"` : 'the expression ends'

  function primary(depth: number): RseExpression {
    const token = tokens[next++]
    if (depth > MAX_DEPTH) throw fail(token?.at ?? end, `nested deeper than ${MAX_DEPTH}`)
    if (token?.text === '(' && !token.word) {
      const inner = chain(depth + 1)
      const close = tokens[next++]
      if (close?.text !== ')') throw fail(close?.at ?? end, `expected ")", but ${found(close)}`)
      return inner
    }
    if (token?.text === '*' && !token.word) return { kind: 'all' }
    if (!token?.word) {
      throw fail(token?.at ?? end, `expected an RSE name, key=value, "*" or "(", but ${found(token)}`)
    }
    const operator = peek()
    if (
      operator &&
      !operator.word &&
      (operator.text === '=' || operator.text === '<' || operator.text === '>')
    ) {
      next++
      const value = tokens[next++]
      if (!value?.word)
        throw fail(value?.at ?? end, `expected a value after "${operator.text}", but ${found(value)}`)
      if (operator.text !== '=' && !Number.isFinite(Number(value.text))) {
        throw fail(value.at, `"${operator.text}" compares numbers, and "${value.text}" is none`)
      }
      return { kind: 'compare', key: token.text, operator: operator.text, value: value.text }
    }
    return { kind: 'name', name: token.text }
  }

  function chain(depth: number): RseExpression {
    let left = primary(depth)
    for (let token = peek(); token && !token.word && token.text in COMBINE; token = peek()) {
      next++
      left = { kind: COMBINE[token.text as keyof typeof COMBINE], left, right: primary(depth) }
    }
    return left
  }

  const expression = chain(0)
  const rest = peek()
  if (rest) throw fail(rest.at, `expected "|", "&", "\\" or the end, but ${found(rest)}`)
  return expression
}

/** The ids an expression means among the given RSEs. */
export function evaluateRseExpression(rses: readonly Rse[], expression: RseExpression): Set<number> {
  switch (expression.kind) {
    case 'all':
      return new Set(rses.map((rse) => rse.id))
    case 'name':
      return new Set(rses.filter((rse) => rse.name === expression.name).map((rse) => rse.id))
    case 'compare':
      return new Set(rses.filter((rse) => compares(rse, expression)).map((rse) => rse.id))
    default: {
      const left = evaluateRseExpression(rses, expression.left)
      const right = evaluateRseExpression(rses, expression.right)
      if (expression.kind === 'union') return new Set([...left, ...right])
      const keep = expression.kind === 'intersection'
      return new Set([...left].filter((id) => right.has(id) === keep))
    }
  }
}

function compares(
  rse: Rse,
  { key, operator, value }: { key: string; operator: string; value: string },
): boolean {
  const actual = Object.hasOwn(rse.attributes, key) ? rse.attributes[key] : undefined
  if (actual === undefined) return false
  if (operator === '=') {
    if (typeof actual === 'number' && value.trim() !== '') return actual === Number(value)
    if (typeof actual === 'boolean') return String(actual) === value.toLowerCase()
    return actual === value
  }
  const number = typeof actual === 'number' ? actual : Number.parseFloat(String(actual))
  return operator === '<' ? number < Number(value) : number > Number(value)
}

/** The RSEs an expression means. Throws invalid_rse_expression (with position) or no_rse_matches. */
export function matchRses(rses: readonly Rse[], expression: string): Rse[] {
  const ids = evaluateRseExpression(rses, parseRseExpression(expression))
  if (ids.size === 0) {
    throw noRseMatches(`No RSE matches "${expression}"; check names and attributes of the RSEs.`, {
      expression,
    })
  }
  return rses.filter((rse) => ids.has(rse.id))
}
