import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { Messages } from '../language/en.ts'
import { call, getJson, segment } from './http.ts'
import type { SiteState } from './kumi.ts'

export interface Entity {
  kind: string
  name: string
}
export type Severity = keyof Messages['cards']['severity']
export type CardState = keyof Messages['cards']['state']
export interface Finding {
  rule: string
  code: string
  entity: Entity
  within: Entity[]
  severity: Severity
  since: string
  facts: Record<string, number | string>
}
export interface Card {
  id: number
  title: string
  state: CardState
  severity: Severity
  /** What is held to be ill; null where many fell ill at once and nobody knows why. */
  entity: Entity | null
  cause: {
    entity: Entity
    of: 'jobs' | 'transfers'
    n: number
    failed: number
    sites: string[]
    templates: { text: string; n: number }[]
  } | null
  entities: Entity[]
  findings: Finding[]
  firstSeen: string
  lastSeen: string
  acknowledgedAt: string | null
  owner: string | null
  expires: string | null
  escalation: keyof Messages['cards']['escalation']
  stale: boolean
  openedAt: string
  closedAt: string | null
  closedBy: string | null
}
export interface CardShown {
  card: Card
  changes: { at: string; author: string | null; kind: string; text: string }[]
}
export const isCardOpen = ({ state }: Pick<Card, 'state'>): boolean => state !== 'CLOSED'

export const cardsQuery = (all = false) =>
  queryOptions({
    queryKey: ['cards', all ? 'all' : 'open'],
    queryFn: async ({ signal }) =>
      (await getJson<{ cards: Card[] }>(`/kumi/v1/operations/cards?state=${all ? 'all' : 'open'}`, signal))
        .cards,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
export const cardQuery = (id: string) =>
  queryOptions({
    queryKey: ['cards', 'one', id],
    queryFn: ({ signal }) => getJson<CardShown>(`/kumi/v1/operations/cards/${segment(id)}`, signal),
    refetchInterval: 10_000,
  })
export type CardOrder = keyof Messages['cards']['order']
export const orderCard = (id: number, order: CardOrder, more: { text?: string; until?: string } = {}) =>
  call('POST', `/kumi/v1/operations/cards/${id}`, { order, ...more })

export interface HourOfSite {
  at: string
  state: SiteState | null
  /** Ends of jobs, and how many of them failed. */
  n: number
  failed: number
  downtime: 'OUTAGE' | 'WARNING' | null
  excluded: boolean
}
export interface SiteMatrix {
  hours: string[]
  sites: { site: string; title: string; state: SiteState; reason: string | null; cells: HourOfSite[] }[]
}
/** As the door sends it: of each site a list for each property, with an element for each hour. */
interface MatrixShown {
  hours: string[]
  sites: (Omit<SiteMatrix['sites'][number], 'cells'> & {
    states: HourOfSite['state'][]
    n: number[]
    failed: number[]
    downtimes: HourOfSite['downtime'][]
    excluded: boolean[]
  })[]
}
const cellsOf = ({ hours, sites }: MatrixShown): SiteMatrix => ({
  hours,
  sites: sites.map(({ states, n, failed, downtimes, excluded, ...site }) => ({
    ...site,
    cells: hours.map((at, i) => ({
      ...{ at, state: states[i] ?? null, n: n[i] ?? 0, failed: failed[i] ?? 0 },
      ...{ downtime: downtimes[i] ?? null, excluded: excluded[i] ?? false },
    })),
  })),
})
export const siteMatrixQuery = (hours: number) =>
  queryOptions({
    queryKey: ['sites', 'matrix', hours],
    queryFn: async ({ signal }) =>
      cellsOf(await getJson<MatrixShown>(`/kumi/v1/operations/matrix?hours=${hours}`, signal)),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  })

export interface ActiveTest {
  site: string
  kind: 'site' | 'storage'
  name: string
  test: keyof Messages['sites']['test']
  at: string
  ok: boolean
  ms: number
  message: string
}
export const siteTestsQuery = (site: string) =>
  queryOptions({
    queryKey: ['sites', 'tests', site],
    queryFn: async ({ signal }) =>
      (await getJson<{ tests: ActiveTest[] }>('/kumi/v1/operations/tests', signal)).tests.filter(
        (one) => one.site === site,
      ),
    refetchInterval: 10_000,
  })
export const testNow = (site: string) => call('POST', '/kumi/v1/operations/tests', { site })

export interface Downtime {
  id: number
  site: string
  storage: string | null
  resource: string | null
  severity: 'OUTAGE' | 'WARNING'
  startsAt: string
  endsAt: string
  reason: string
  madeBy: string
  state: 'announced' | 'present' | 'over' | 'cancelled'
}
/** Present ones and those to come. */
export const downtimesQuery = queryOptions({
  queryKey: ['sites', 'downtimes'],
  queryFn: async ({ signal }) =>
    (await getJson<{ downtimes: Downtime[] }>('/kumi/v1/downtimes', signal)).downtimes,
  refetchInterval: 30_000,
})
export interface NewDowntime {
  site: string
  storage?: string
  resource?: string
  severity: Downtime['severity']
  startsAt?: string
  endsAt: string
  reason: string
}
export const announceDowntime = (downtime: NewDowntime) => call('POST', '/kumi/v1/downtimes', downtime)
export const endDowntime = (id: number) => call('POST', `/kumi/v1/downtimes/${id}/end`, {})
