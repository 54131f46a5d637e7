import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { Messages } from '../language/en.ts'
import { call, getJson } from './http.ts'

export type RawState = keyof Messages['raw']['state']
export type RunState = keyof Messages['raw']['runState']

export interface RawFlow {
  name: string
  owner: string
  scope: string
  landing: string
  archive: string
  centres: { storages: string; share: number; bytes: number }[]
  /** In the order in which files go through them. */
  states: { state: RawState; files: number; bytes: number }[]
  /** From recording on, 95th percentile in seconds, of the last day. */
  latency:
    | ({ files: number } & Record<
        'verified' | 'registered' | 'archived' | 'secondCopy' | 'releasable',
        number | null
      >)
    | null
}
export interface RawRun {
  id: number
  flow: string
  experiment: number
  run: number
  dataset: string
  state: RunState
  filesExpected: number | null
  files: number
  bytes: number
  events: number
  states: { state: RawState; files: number }[]
  problems: number
  centre: string
  openedAt: string
  closedAt: string | null
  completedAt: string | null
  releasedAt: string | null
  unsafeSince: string | null
}
export interface RawFile {
  name: string
  stream: string
  bytes: number
  events: number
  adler32: string
  state: RawState
  problem: string
  times: { state: RawState; at: string }[]
  copies: { rse: string; site: string; tape: boolean; available: boolean; verifiedAt: string | null }[]
}

export const flowsQuery = queryOptions({
  queryKey: ['raw', 'flows'],
  queryFn: async ({ signal }) => (await getJson<{ flows: RawFlow[] }>('/kumi/v1/raw/flows', signal)).flows,
  refetchInterval: 5000,
})
export const RUNS = 50
export const runsQuery = (flow: string | undefined, before: string | undefined) =>
  queryOptions({
    queryKey: ['raw', 'runs', flow ?? '', before ?? ''],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({
        limit: String(RUNS),
        ...(flow && { flow }),
        ...(before && { before }),
      })
      return getJson<{ runs: RawRun[]; next: number | null }>(`/kumi/v1/raw/runs?${query}`, signal)
    },
    placeholderData: keepPreviousData,
    refetchInterval: 5000,
  })
const path = (experiment: string, run: string) => `/kumi/v1/raw/runs/${experiment}/${run}`
export const runQuery = (experiment: string, run: string) =>
  queryOptions({
    queryKey: ['raw', 'run', experiment, run],
    queryFn: ({ signal }) => getJson<RawRun>(path(experiment, run), signal),
    refetchInterval: (query) => (query.state.data?.state === 'released' ? false : 5000),
  })
export const MOST_FILES = 100
export const rawFilesQuery = (experiment: string, run: string, state: RawState | undefined, after: string) =>
  queryOptions({
    queryKey: ['raw', 'files', experiment, run, state ?? '', after],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ limit: String(MOST_FILES), after, ...(state && { state }) })
      return (await getJson<{ files: RawFile[] }>(`${path(experiment, run)}/files?${query}`, signal)).files
    },
    placeholderData: keepPreviousData,
    refetchInterval: 5000,
  })

export interface Released {
  released: string[]
  kept: { name: string; state: RawState; why: string }[]
}
/** Asks which files of a run may be deleted from the detector's disk; what may is written down as released. */
export const releaseRun = async (experiment: string, run: string): Promise<Released> =>
  (await (await call('POST', `${path(experiment, run)}/release`, {})).json()) as Released
