import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import { bigintSafeJson } from '../../http/index.ts'
import { wireError } from './errors.ts'
import { type Conditions, conditionsOf, isColumn, Specs, type Vocabulary } from './search.ts'

const Direction = Type.Union([Type.Literal('asc'), Type.Literal('desc')])
const Search = Type.Object({
  parameters: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  search: Type.Optional(Specs),
  sort: Type.Optional(Type.Array(Type.Object({ parameter: Type.String(), direction: Direction }))),
  distinct: Type.Optional(Type.Boolean()),
})
export const SearchBody = Type.Optional(Type.Union([Search, Type.Null()]))
export const Page = Type.Object({
  page: Type.Optional(Type.Integer({ minimum: 1 })),
  per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
})
export const SummaryBody = Type.Object({ grouping: Type.Array(Type.String()), search: Type.Optional(Specs) })

type Row = Record<string, unknown>

/** One page of a list as DiracX gives it: the whole is 200, a part 206 with its range, past the end 416. */
export async function answerList<C extends string>(
  reply: FastifyReply,
  request: { readonly body: Static<typeof SearchBody>; readonly query: Static<typeof Page> },
  list: {
    readonly unit: string
    readonly words: Vocabulary<C>
    /** Asked for like a column, but made by `find`. */
    readonly extra?: string
    count(conditions: Conditions<C>): Promise<number>
    find(
      conditions: Conditions<C>,
      order: {
        sort: { column: C; descending: boolean }[]
        offset: number
        limit: number
        extra: boolean
      },
    ): Promise<Row[]>
  },
): Promise<FastifyReply> {
  const { unit, words, extra } = list
  const { page = 1, per_page: limit = 100 } = request.query
  const { parameters, search = [], sort = [], distinct = false } = request.body ?? {}
  for (const name of [...(parameters ?? []), ...sort.map(({ parameter }) => parameter)])
    if (!isColumn(words, name) && name !== extra) throw wireError(400, `Unknown column ${name}`)
  const conditions = conditionsOf(search, words)
  const total = conditions.never ? 0 : await list.count(conditions)
  const offset = (page - 1) * limit
  if (offset > 0 && offset >= total)
    return reply.code(416).header('content-range', `${unit} */${total}`).send([])
  const order = sort.flatMap(({ parameter, direction }) => {
    const column = words.columns[parameter]
    return column ? [{ column, descending: direction === 'desc' }] : []
  })
  const wantsExtra = extra !== undefined && parameters?.includes(extra) === true
  const found =
    total === 0 ? [] : await list.find(conditions, { sort: order, offset, limit, extra: wantsExtra })
  const records = parameters?.length
    ? found.map((record) => Object.fromEntries(parameters.map((name) => [name, record[name]])))
    : found
  if (found.length < total)
    reply.header('content-range', `${unit} ${offset}-${offset + found.length - 1}/${total}`).code(206)
  const rows = distinct ? unique(records) : records
  return reply.type('application/json').send(bigintSafeJson(rows))
}

/** How many there are of each combination of columns. Errors: 400. */
export async function answerSummary<C extends string>(
  { grouping, search = [] }: Static<typeof SummaryBody>,
  words: Vocabulary<C>,
  summarise: (
    conditions: Conditions<C>,
    grouping: C[],
  ) => Promise<readonly { readonly values: readonly (string | null)[]; readonly count: bigint | number }[]>,
): Promise<Row[]> {
  const bad = grouping.find((name) => !Object.hasOwn(words.columns, name))
  if (bad !== undefined) throw wireError(400, `Unknown column ${bad}`)
  const conditions = conditionsOf(search, words)
  if (conditions.never) return []
  const lines = await summarise(
    conditions,
    grouping.map((name) => words.columns[name]!),
  )
  return lines.map(({ values, count }) => ({
    ...Object.fromEntries(grouping.map((name, i) => [name, values[i]])),
    count: Number(count),
  }))
}

const unique = (records: readonly Row[]): Row[] => [
  ...new Map(records.map((record) => [JSON.stringify(record), record])).values(),
]
