import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { Messages } from '../language/en.ts'
import { call, getJson, segment } from './http.ts'

export type JobState = keyof Messages['jobs']['state']

export interface JobLine {
  id: number
  name: string
  owner: string
  group: string
  jobType: string
  status: JobState
  minor: string
  site: string | null
  attempt: number
  submittedAt: string
  startedAt: string | null
  endedAt: string | null
}
export interface Job extends JobLine {
  jobGroup: string
  application: string
  priority: number
  losses: number
  failures: number
  updatedAt: string
  deadline: string | null
}
export interface Attempt {
  n: number
  pilot: string | null
  site: string
  resource: string
  leasedAt: string
  startedAt: string | null
  endedAt: string | null
  outcome: keyof Messages['jobs']['outcomes'] | null
  reason: string | null
  exitCode: number | null
}
export interface Name {
  scope: string
  name: string
}
export interface JobShown {
  job: Job
  executable: string
  arguments: string[]
  inputs: Name[]
  outputs: { pattern: string; dataset: string }[]
  made: (Name & { bytes: number; attempt: number })[]
  attempts: Attempt[]
  history: {
    at: string
    attempt: number
    status: JobState
    minor: string
    application: string
    source: string
  }[]
}
export interface Explained {
  job: Job
  dataSites: string[] | null
  owner: string | null
  places: {
    resource: string
    site: string
    obstacles: { kind: string; text: string }[]
    paused: string | null
  }[]
  ahead: number
  share: { group: number; owner: number; usedGroup: number } | null
  limits: string[]
  because: string
}
export interface LogPart {
  attempt: number
  text: string
  /** Where it begins, in bytes. */
  from: number
  next: number
  over: boolean
}
export type JobFilter = Partial<Record<'owner' | 'group' | 'site' | 'name' | 'hours', string>>

const MINUTE_MS = 60_000
/** The words of a filter as the door takes them; a time is that of the present minute. */
function words({ hours, ...rest }: JobFilter): URLSearchParams {
  const query = new URLSearchParams(Object.entries(rest).filter(([, value]) => value))
  const minute = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS
  if (hours) query.set('since', new Date(minute - Number(hours) * 60 * MINUTE_MS).toISOString())
  return query
}
const PAGE = 100
const OVER: readonly string[] = ['Done', 'Failed', 'Killed', 'Deleted']
export const isOver = (status: string): boolean => OVER.includes(status)

export const jobsQuery = (filter: JobFilter, status: string | undefined, before: string | undefined) =>
  queryOptions({
    queryKey: ['jobs', filter, status ?? '', before ?? ''],
    queryFn: ({ signal }) => {
      const query = words(filter)
      if (status) query.set('status', status)
      if (before) query.set('before', before)
      query.set('limit', String(PAGE))
      return getJson<{ jobs: JobLine[]; next: number | null; looked: number }>(
        `/kumi/v1/jobs?${query}`,
        signal,
      )
    },
    placeholderData: keepPreviousData,
    // States change without an event for each job.
    refetchInterval: 5000,
  })
export const jobCountsQuery = (filter: JobFilter) =>
  queryOptions({
    queryKey: ['jobs', 'counts', filter],
    queryFn: ({ signal }) =>
      getJson<{ counts: { status: JobState; count: number }[]; among: number | null }>(
        `/kumi/v1/jobs/counts?${words(filter)}`,
        signal,
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 5000,
  })
export interface TimelinePoint {
  at: string
  /** At the end of the interval. */
  counts: Partial<Record<JobState, number>>
  ended: { Done: number; Failed: number; Killed: number }
}
export interface JobTimeline {
  /** Length of an interval. */
  seconds: number
  points: TimelinePoint[]
}
export const jobTimelineQuery = (hours: number) =>
  queryOptions({
    queryKey: ['jobs', 'timeline', hours],
    queryFn: ({ signal }) => getJson<JobTimeline>(`/kumi/v1/jobs/timeline?hours=${hours}`, signal),
    placeholderData: keepPreviousData,
    // It is counted once a minute.
    staleTime: 30_000,
    refetchInterval: 60_000,
  })
export const jobScriptQuery = (id: number) =>
  queryOptions({
    queryKey: ['jobs', 'script', id],
    queryFn: async ({ signal }) =>
      (await getJson<{ script: string }>(`/kumi/v1/jobs/${id}/script`, signal)).script,
    staleTime: Number.POSITIVE_INFINITY,
  })
export interface Making {
  madeBy: {
    job: number
    owner: string
    attempt: number
    site: string
    endedAt: string | null
    executable: string
    arguments: string[]
    software: { release: string } | null
    inputs: Name[]
  } | null
  production: {
    name: string
    step: string
    task: number
    experiment: number | null
    run: number | null
    release: string
    conditions: string
  } | null
}
export const lineageQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['data', 'lineage', scope, name],
    queryFn: ({ signal }) =>
      getJson<Making>(`/kumi/v1/files/${segment(scope)}/${segment(name)}/lineage`, signal),
  })
export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', 'one', id],
    queryFn: ({ signal }) => getJson<JobShown>(`/kumi/v1/jobs/${id}`, signal),
    refetchInterval: (query) => (query.state.data && isOver(query.state.data.job.status) ? false : 2000),
  })
export const jobReasonQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', 'reason', id],
    queryFn: ({ signal }) => getJson<Explained>(`/kumi/v1/jobs/${id}/explain`, signal),
    refetchInterval: (query) => (query.state.data && isOver(query.state.data.job.status) ? false : 5000),
  })
export const jobLog = (
  id: number,
  of: { stream: 'out' | 'err'; attempt: number } & ({ from: number } | { last: number }),
  signal: AbortSignal,
) =>
  getJson<LogPart>(
    `/kumi/v1/jobs/${id}/log?stream=${of.stream}&${'last' in of ? `last=${of.last}` : `from=${of.from}`}${of.attempt > 0 ? `&attempt=${of.attempt}` : ''}`,
    signal,
  )

export type JobOrder = 'kill' | 'rerun' | 'hold' | 'release'
export async function orderJobs(order: JobOrder, jobs: readonly number[]) {
  const answer = await call('POST', '/kumi/v1/jobs/orders', { order, jobs })
  return (await answer.json()) as { changed: number[]; refused: { id: number; message: string }[] }
}
export async function submitAgain(id: number): Promise<number> {
  const { jobs } = (await (await call('POST', `/kumi/v1/jobs/${id}/again`, {})).json()) as { jobs: number[] }
  return jobs[0]!
}

export interface NewJob {
  name: string
  script: string
  arguments: string[]
  inputs: string[]
  perJob: number | undefined
  count: number
  pattern: string
  dataset: string
  site: string
  hours: number
}
const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
export async function submitJob(job: NewJob): Promise<number[]> {
  const script = `${job.name.replace(/[^A-Za-z0-9._-]/g, '_') || 'job'}.sh`
  const content = base64(job.script.replaceAll('\r\n', '\n'))
  const answer = await call('POST', '/kumi/v1/jobs', {
    executable: script,
    files: [{ name: script, executable: true, content }],
    arguments: job.arguments,
    ...(job.name && { name: job.name }),
    ...(job.inputs.length > 0 && { inputs: job.inputs }),
    ...(job.perJob && job.inputs.length > 0 && { perJob: job.perJob }),
    ...(job.count > 1 && { count: job.count }),
    ...(job.pattern && job.dataset && { outputs: [{ pattern: job.pattern, dataset: job.dataset }] }),
    demand: { seconds: Math.round(job.hours * 3600), ...(job.site && { sites: [job.site] }) },
  })
  return ((await answer.json()) as { jobs: number[] }).jobs
}
