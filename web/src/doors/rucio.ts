import { queryOptions } from '@tanstack/react-query'
import { call, getJson, getLines, segment } from './http.ts'

export interface Found {
  scope: string
  name: string
  did_type: 'DATASET' | 'CONTAINER' | 'FILE'
  bytes: number | null
  length: number | null
}
export interface Did {
  scope: string
  name: string
  type: 'DATASET' | 'CONTAINER' | 'FILE'
  account: string
  open?: boolean
  length?: number | null
  bytes: number | null
  adler32?: string
}
export interface Copy {
  rse: string
  length: number | null
  available_length: number | null
  available_bytes: number | null
  state: string
}
export interface DidRule {
  id: string
  scope: string
  name: string
  account: string
  rse_expression: string
  copies: number
  state: 'OK' | 'REPLICATING' | 'STUCK' | 'SUSPENDED' | 'INJECT'
}

const did = (scope: string, name: string) => `/rucio/dids/${segment(scope)}/${segment(name)}`

export const scopesQuery = queryOptions({
  queryKey: ['data', 'scopes'],
  queryFn: ({ signal }) => getJson<string[]>('/rucio/scopes/', signal),
})
export const searchQuery = (
  scope: string,
  type: string,
  filters: Record<string, string | number>,
  most: number,
) =>
  queryOptions({
    queryKey: ['data', 'search', scope, type, filters, most],
    queryFn: ({ signal }) => {
      const literal = Object.entries(filters).map(
        ([key, value]) => `${quote(key)}: ${typeof value === 'number' ? value : quote(value)}`,
      )
      const query = new URLSearchParams({
        type: type.toLowerCase(),
        filters: `[{${literal.join(', ')}}]`,
        long: 'True',
        recursive: 'False',
      })
      return getLines<Found>(`/rucio/dids/${segment(scope)}/dids/search?${query}`, most, signal)
    },
    enabled: scope !== '',
  })
const quote = (text: string) => `'${text.replace(/[\\']/g, (c) => `\\${c}`)}'`

export const didQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['data', 'did', scope, name],
    queryFn: ({ signal }) => getJson<Did>(`${did(scope, name)}?dynamic_depth=FILE`, signal),
  })
export const metaQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['data', 'meta', scope, name],
    queryFn: ({ signal }) => getJson<Record<string, unknown>>(`${did(scope, name)}/meta?plugin=ALL`, signal),
  })
export const contentQuery = (scope: string, name: string, most: number) =>
  queryOptions({
    queryKey: ['data', 'content', scope, name, most],
    queryFn: ({ signal }) =>
      getLines<{ scope: string; name: string; type: string; bytes: number | null; adler32: string | null }>(
        `${did(scope, name)}/dids`,
        most,
        signal,
      ),
  })
export const copiesQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['data', 'copies', scope, name],
    queryFn: async ({ signal }) =>
      (await getLines<Copy>(`/rucio/replicas/${segment(scope)}/${segment(name)}/datasets`, 500, signal))
        .lines,
  })
export const fileCopiesQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['data', 'copies', scope, name, 'file'],
    queryFn: async () => {
      const text = await (
        await call('POST', '/rucio/replicas/list', { dids: [{ scope, name }], all_states: true })
      ).text()
      const [line] = text.trim().split('\n')
      const { states = {} } = line ? (JSON.parse(line) as { states?: Record<string, string> }) : {}
      return Object.entries(states).map(
        ([rse, state]): Copy => ({
          rse,
          length: 1,
          available_length: state === 'AVAILABLE' ? 1 : 0,
          available_bytes: null,
          state,
        }),
      )
    },
  })
/** Rules on this name and on every collection that holds it. */
export const didRulesQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['data', 'rules', scope, name],
    queryFn: async ({ signal }) =>
      (await getLines<DidRule>(`${did(scope, name)}/associated_rules`, 200, signal)).lines,
  })
export const storagesQuery = (expression: string) =>
  queryOptions({
    queryKey: ['data', 'storages', expression],
    queryFn: async ({ signal }) =>
      (
        await getLines<{ rse: string }>(`/rucio/rses/?${new URLSearchParams({ expression })}`, 500, signal)
      ).lines.map((line) => line.rse),
    enabled: expression.trim() !== '',
    retry: false,
  })

export interface NewRule {
  scope: string
  name: string
  expression: string
  copies: number
  lifetimeSeconds: number | null
  comment: string | null
}
export async function createRule(rule: NewRule): Promise<string> {
  const answer = await call('POST', '/rucio/rules/', {
    dids: [{ scope: rule.scope, name: rule.name }],
    copies: rule.copies,
    rse_expression: rule.expression,
    lifetime: rule.lifetimeSeconds,
    grouping: 'DATASET',
    account: null,
    weight: null,
    locked: false,
    comment: rule.comment,
  })
  const [id] = (await answer.json()) as string[]
  return dashed(id ?? '')
}
/** The data door writes ids as 32 hexadecimal digits, the rest of the grid with dashes. */
export const dashed = (id: string) => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
export const deleteRule = (id: string) => call('DELETE', `/rucio/rules/${id}`, { purge_replicas: null })
