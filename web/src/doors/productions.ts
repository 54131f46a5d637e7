import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { Messages } from '../language/en.ts'
import { call, getJson, segment } from './http.ts'

export type Life = keyof Messages['productions']['life']
export type TaskState = keyof Messages['productions']['taskState']
export const TASK_STATES = ['failed', 'submitted', 'ready', 'verified'] as const satisfies TaskState[]

interface Pace {
  /** Of tasks: their last attempts. */
  failRate: number | null
  /** Of jobs: every attempt. */
  jobFailRate: number | null
  secondsLeft: number | null
}
/** One step as the table of transformations shows it. */
export interface StepLine extends Pace {
  id: number
  name: string
  kind: keyof Messages['productions']['kind']
  progress: number
  tasks: number
  verified: number
  failed: number
  /** In the hands of jobs. */
  waiting: number
  notSubmitted: number
  jobs: number
  jobsFailed: number
  eventsVerified: number
  inputs: number
  inputsTaken: number
}
interface Facts extends Pace {
  id: number
  name: string
  owner: string
  group: string
  life: Life
  validation: keyof Messages['productions']['validation']
  operation: keyof Messages['productions']['operation']
  reason: string
  checkedBy: string | null
  scouted: boolean
  createdAt: string
  startedAt: string | null
  endedAt: string | null
  description: string
  release: string
  conditions: string
  campaign: string
  energy: string
  progress: number
  eventsVerified: number
  eventsWanted: number | null
  tasks: number
  verified: number
  failed: number
}
export interface ProductionLine extends Facts {
  steps: StepLine[]
}
export interface StepShown extends StepLine {
  dataset: string
  blocks: { name: string; destination: number; files: number }[]
  failures: { failure: string; tasks: number; reason: string }[]
}
export interface ProductionShown extends Facts {
  cells: number
  scope: string
  destinations: { storages: string; share: number; copies: number }[]
  steps: StepShown[]
  source: string
}
export interface Task {
  id: number
  step: string
  experiment: number | null
  run: number | null
  events: number | null
  scout: boolean
  state: TaskState
  job: number | null
  tries: number
  failure: string | null
  reason: string
}

export const isAtWork = (life: Life): boolean => life === 'active' || life === 'finishing'
/** Seconds that it has been at work. */
export const tookSeconds = ({ startedAt, endedAt }: Pick<Facts, 'startedAt' | 'endedAt'>): number | null =>
  startedAt === null ? null : ((endedAt ? Date.parse(endedAt) : Date.now()) - Date.parse(startedAt)) / 1000

export const productionsQuery = queryOptions({
  queryKey: ['productions'],
  queryFn: async ({ signal }) =>
    (await getJson<{ productions: ProductionLine[] }>('/kumi/v1/productions?limit=200', signal)).productions,
  placeholderData: keepPreviousData,
  // Tasks move without an event for each.
  refetchInterval: 5000,
})
const path = (name: string) => `/kumi/v1/productions/${segment(name)}`
export const productionQuery = (name: string) =>
  queryOptions({
    queryKey: ['productions', 'one', name],
    queryFn: ({ signal }) => getJson<ProductionShown>(path(name), signal),
    refetchInterval: (query) => (query.state.data && !isAtWork(query.state.data.life) ? false : 3000),
  })
export const MOST_TASKS = 100
export const tasksQuery = (name: string, state: TaskState) =>
  queryOptions({
    queryKey: ['productions', 'tasks', name, state],
    queryFn: async ({ signal }) =>
      (await getJson<{ tasks: Task[] }>(`${path(name)}/tasks?state=${state}&limit=${MOST_TASKS}`, signal))
        .tasks,
    placeholderData: keepPreviousData,
    refetchInterval: 5000,
  })

export type ProductionOrder = keyof Messages['productions']['order']
export const orderProduction = (name: string, order: ProductionOrder, reason = '') =>
  call('POST', `${path(name)}/orders`, { order, ...(reason && { reason }) })
export const judgeProduction = (name: string, accept: boolean, reason = '') =>
  call('POST', `${path(name)}/validation`, { accept, ...(reason && { reason }) })
/** New totals for cells, or new cells; answers how many changed. */
export async function extendProduction(name: string, cells: string): Promise<number> {
  const answer = await call('POST', `${path(name)}/extension`, { cells })
  return ((await answer.json()) as { changed: number }).changed
}
