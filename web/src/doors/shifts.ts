import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { Messages } from '../language/en.ts'
import { call, getJson } from './http.ts'

export type ShiftKind = keyof Messages['shift']['kind']
export interface Shift {
  id: number
  kind: ShiftKind
  person: string
  startsAt: string
  endsAt: string
  startedAt: string | null
  handover: string | null
  endedAt: string | null
}
export interface Entry {
  id: number
  shift: number | null
  at: string
  /** null: written by the grid itself. */
  author: string | null
  kind: string
  text: string
  card: number | null
  site: string | null
}

export const shiftsNowQuery = queryOptions({
  queryKey: ['shifts', 'now'],
  queryFn: ({ signal }) =>
    getJson<{ running: Shift[]; before: Shift | null; draft: string }>(
      '/kumi/v1/operations/shifts/now',
      signal,
    ),
  refetchInterval: 30_000,
})
export const rosterQuery = queryOptions({
  queryKey: ['shifts', 'roster'],
  queryFn: async ({ signal }) =>
    (await getJson<{ shifts: Shift[] }>('/kumi/v1/operations/shifts?days=28', signal)).shifts,
})
export const logQuery = queryOptions({
  queryKey: ['shifts', 'log'],
  queryFn: async ({ signal }) =>
    (await getJson<{ entries: Entry[] }>('/kumi/v1/operations/log?limit=200', signal)).entries,
  placeholderData: keepPreviousData,
  refetchInterval: 15_000,
})
export const startShift = (kind: ShiftKind) => call('POST', '/kumi/v1/operations/shifts/start', { kind })
export const endShift = (handover: string) => call('POST', '/kumi/v1/operations/shifts/end', { handover })
export const planShift = (shift: Pick<Shift, 'kind' | 'person' | 'startsAt' | 'endsAt'>) =>
  call('POST', '/kumi/v1/operations/shifts', shift)
export const unplanShift = (id: number) => call('DELETE', `/kumi/v1/operations/shifts/${id}`)
export const writeLog = (text: string) => call('POST', '/kumi/v1/operations/log', { text })
