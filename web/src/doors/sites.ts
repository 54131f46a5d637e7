import { queryOptions } from '@tanstack/react-query'
import type { Messages } from '../language/en.ts'
import { getJson, segment } from './http.ts'
import type { Site } from './kumi.ts'

export interface Resource {
  name: string
  site: string
  kind: string
  cores: number
  memoryMb: number
  seconds: number
  maxPilots: number
  maxWaiting: number
  pausedUntil: string | null
  pauseReason: string | null
  pilotsWaiting: number
  pilotsRunning: number
  jobsWaiting: number
}
export interface Storage {
  name: string
  kind: string
  read: boolean
  write: boolean
  delete: boolean
  faults: { side: 'source' | 'destination'; since: string; until: string; reason: string }[]
}
export interface SiteWork extends Site {
  jobsRunning: number
  resources: Resource[]
  storage: Storage[]
}
export interface Ends {
  at: string
  done: number
  failed: number
  spoilt: number
  other: number
}
export interface Outcomes {
  hours: string[]
  sites: { site: string; outcomes: Ends[] }[]
}
export interface Gateway {
  name: string
  endpoint: string
  version: string
  lastSeenAt: string | null
  rssBytes: number | null
  areas: { path: string; totalBytes: number; usedBytes: number; files: number }[]
}
export interface SitePilot {
  stamp: string
  resource: string
  state: keyof Messages['sites']['pilotState']
  reason: string
  jobs: number
  createdAt: string
  seenAt: string | null
  endedAt: string | null
}
export interface SiteDetails {
  site: SiteWork
  gateways: Gateway[]
  pilots: SitePilot[]
  reasons: { outcome: keyof Messages['jobs']['outcomes']; reason: string; count: number; last: string }[]
}

/** Names and states only, for choices. */
export const sitesQuery = queryOptions({
  queryKey: ['sites'],
  queryFn: async ({ signal }) => (await getJson<{ sites: Site[] }>('/kumi/v1/sites', signal)).sites,
  staleTime: 60_000,
})
export const siteWorkQuery = queryOptions({
  queryKey: ['sites', 'work'],
  queryFn: async ({ signal }) => (await getJson<{ sites: SiteWork[] }>('/kumi/v1/sites/work', signal)).sites,
  refetchInterval: 5000,
})
export const outcomesQuery = (hours: number) =>
  queryOptions({
    queryKey: ['sites', 'outcomes', hours],
    queryFn: ({ signal }) => getJson<Outcomes>(`/kumi/v1/sites/outcomes?hours=${hours}`, signal),
    refetchInterval: 15_000,
  })
export const siteQuery = (name: string) =>
  queryOptions({
    queryKey: ['sites', 'one', name],
    queryFn: ({ signal }) => getJson<SiteDetails>(`/kumi/v1/sites/${segment(name)}/work`, signal),
    refetchInterval: 5000,
  })
