import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GridError } from '../kernel/index.ts'
import {
  type AttributeValue,
  evaluateRseExpression,
  matchRses,
  parseRseExpression,
  type Rse,
  type RseExpression,
} from './index.ts'

const NAMES = ['KEK', 'OSAKA-DISK', 'CHICAGO_TAPE', 'A1']

function rse(id: number, name: string, attributes: Record<string, AttributeValue>): Rse {
  const none = { city: null, regionCode: null, countryName: null, continent: null, timeZone: null, isp: null }
  const more = { asn: null, latitude: null, longitude: null, qosClass: null }
  const flags = { deterministic: true, volatile: false, stagingArea: false }
  const can = { canRead: true, canWrite: true, canDelete: true }
  const at = new Date(0)
  const parts = { protocols: [], limits: {}, createdAt: at, updatedAt: at }
  const own = { ...attributes, [name]: true }
  return {
    id,
    uuid: '',
    vo: 'demo',
    name,
    kind: 'DISK',
    attributes: own,
    ...none,
    ...more,
    ...flags,
    ...can,
    ...parts,
  }
}

const grids = fc
  .array(
    fc.record({
      tier: fc.option(fc.integer({ min: -2, max: 4 }), { nil: undefined }),
      country: fc.option(fc.constantFrom('JP', 'US', '7'), { nil: undefined }),
      tape: fc.option(fc.boolean(), { nil: undefined }),
    }),
    { minLength: NAMES.length, maxLength: NAMES.length },
  )
  .map((list) =>
    list.map((attributes, i) => {
      const set = Object.entries(attributes).filter(([, value]) => value !== undefined)
      return rse(i + 1, NAMES[i]!, Object.fromEntries(set) as Record<string, AttributeValue>)
    }),
  )

const atoms = fc.oneof(
  fc.constant('*'),
  fc.constantFrom(...NAMES, 'NOWHERE'),
  fc.constantFrom(
    'tier=1',
    'tier=2',
    'tier<2',
    'tier>0',
    'tier>-1',
    'country=JP',
    'country=7',
    'tape=true',
    'tape=False',
    'KEK=true',
    'none=1',
  ),
)
type Chain = { first: Part; rest: { sign: '|' | '&' | '\\'; part: Part }[] }
type Part = string | Chain
const { chain: chains } = fc.letrec<{ chain: Chain; part: Part }>((tie) => ({
  chain: fc.record({
    first: tie('part'),
    rest: fc.array(fc.record({ sign: fc.constantFrom('|', '&', '\\'), part: tie('part') }), { maxLength: 4 }),
  }),
  part: fc.oneof({ depthSize: 'small', withCrossShrink: true }, atoms, tie('chain')),
}))

const write = (part: Part, spaced: boolean): string => {
  if (typeof part === 'string') return part
  const gap = spaced ? ' ' : ''
  const side = (p: Part) => (typeof p === 'string' ? p : `(${gap}${write(p, spaced)}${gap})`)
  return part.rest.reduce(
    (text, { sign, part: p }) => `${text}${gap}${sign}${gap}${side(p)}`,
    side(part.first),
  )
}

/** The meaning told again in the plainest way: for one RSE, from left to right. */
function holds(part: Part, r: Rse): boolean {
  if (typeof part === 'string') {
    if (part === '*') return true
    const [, key, operator, value] = /^([^=<>]+)([=<>])(.+)$/.exec(part) ?? []
    if (key === undefined) return part === r.name
    const actual = r.attributes[key]
    if (actual === undefined) return false
    if (operator === '=') return String(actual).toLowerCase() === value!.toLowerCase()
    return operator === '<' ? Number(actual) < Number(value) : Number(actual) > Number(value)
  }
  let answer = holds(part.first, r)
  for (const { sign, part: next } of part.rest) {
    const there = holds(next, r)
    answer = sign === '|' ? answer || there : sign === '&' ? answer && there : answer && !there
  }
  return answer
}

/** An expression tree as text, every combination in brackets. */
function print(e: RseExpression): string {
  switch (e.kind) {
    case 'all':
      return '*'
    case 'name':
      return e.name
    case 'compare':
      return `${e.key}${e.operator}${e.value}`
    default: {
      const sign = { union: '|', intersection: '&', complement: '\\' }[e.kind]
      return `(${print(e.left)}${sign}${print(e.right)})`
    }
  }
}

const ids = (rses: readonly Rse[], text: string) =>
  [...evaluateRseExpression(rses, parseRseExpression(text))].sort()

test('an expression means what reading it from left to right means', () => {
  fc.assert(
    fc.property(grids, chains, fc.boolean(), (rses, chain, spaced) => {
      const expected = rses.filter((r) => holds(chain, r)).map((r) => r.id)
      expect(ids(rses, write(chain, spaced))).toEqual(expected)
    }),
    { numRuns: 500 },
  )
})

test('an expression printed and read again means the same', () => {
  fc.assert(
    fc.property(grids, chains, (rses, chain) => {
      const tree = parseRseExpression(write(chain, false))
      expect(parseRseExpression(print(tree))).toEqual(tree)
      expect(ids(rses, print(tree))).toEqual(ids(rses, write(chain, true)))
    }),
    { numRuns: 300 },
  )
})

test('text of any kind is either understood or refused with a position', () => {
  const soup = fc
    .array(fc.oneof(atoms, fc.constantFrom('|', '&', '\\', '(', ')', '=', '<', '>', ' ', '')), {
      maxLength: 30,
    })
    .map((list) => list.join(''))
  const rses = NAMES.map((name, i) => rse(i + 1, name, {}))
  fc.assert(
    fc.property(
      fc.oneof(soup, fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 4000 })),
      (text) => {
        try {
          matchRses(rses, text)
        } catch (error) {
          if (!(error instanceof GridError)) throw error
          if (error.code === 'invalid_rse_expression') expect(error.details.position).toBeGreaterThan(0)
          else expect(error.code).toBe('no_rse_matches')
        }
      },
    ),
    { numRuns: 1000 },
  )
})

test('what is too long or too deep is refused, not fallen over', () => {
  for (const text of ['('.repeat(2900), `${'('.repeat(500)}*${')'.repeat(500)}`, 'A|'.repeat(3000)]) {
    expect(() => parseRseExpression(text)).toThrow(
      expect.objectContaining({ code: 'invalid_rse_expression' }),
    )
  }
  const long = Array(1400).fill('A1').join('|').slice(0, 2999)
  expect(ids([rse(1, 'A1', {})], long)).toEqual([1])
})

test('attributes of the language itself are no attributes of an RSE', () => {
  expect(ids([rse(1, 'A1', {})], 'constructor=x|toString=x|__proto__=x')).toEqual([])
})
