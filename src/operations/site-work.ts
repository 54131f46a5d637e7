import type { Db } from '../kernel/database.ts'
import { listSites } from '../sites/index.ts'
import {
  type Markets,
  matchable,
  pilotCounts,
  type ResourceRow,
  resourcesOf,
  stateName,
  summariseJobs,
  WITH_PILOT,
} from '../workload/index.ts'
import { siteMissing } from './errors.ts'
import * as store from './site-work.store.ts'
import { type SiteLine, siteLines } from './sites.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const REASONS = 10
const PILOTS = 50
/** Pilots of other sites that are looked through to find those of one. */
const LOOK = 10_000

export interface ResourceLine
  extends Pick<
    ResourceRow,
    | 'name'
    | 'site'
    | 'kind'
    | 'cores'
    | 'memoryMb'
    | 'seconds'
    | 'maxPilots'
    | 'maxWaiting'
    | 'pausedUntil'
    | 'pauseReason'
  > {
  /** Pilots that were asked for and have not reported yet. */
  readonly pilotsWaiting: number
  readonly pilotsRunning: number
  /** Waiting jobs that it could take, by the matcher's own predicate. */
  readonly jobsWaiting: number
}
export type StorageLine = Omit<store.StorageRow, 'site'>
export interface SiteWorkLine extends SiteLine {
  readonly jobsRunning: number
  readonly resources: readonly ResourceLine[]
  readonly storage: readonly StorageLine[]
}
export interface Outcomes {
  readonly hours: readonly Date[]
  readonly sites: readonly {
    readonly site: string
    readonly outcomes: readonly Omit<store.OutcomeRow, 'site'>[]
  }[]
}

interface Deps {
  readonly db: Db
  readonly markets: Markets
}

/** Every site with what it computes and stores at the moment. */
export async function siteWork({ db, markets }: Deps, now: Date, vo: string): Promise<SiteWorkLine[]> {
  const [sites, running, storages, resources, counts, market] = await Promise.all([
    siteLines(db, now, vo),
    runningBySite(db, vo),
    store.storagesBySite(db, vo),
    resourcesOf(db, vo),
    pilotCounts(db),
    markets.of(vo, now),
  ])
  const pilots = new Map(counts.map((one) => [one.resourceId, one]))
  const lines = resources.map((resource): ResourceLine => {
    const { name, site, kind, cores, memoryMb, seconds, maxPilots, maxWaiting, pausedUntil, pauseReason } =
      resource
    const paused = pausedUntil !== null && pausedUntil > now
    return {
      ...{ name, site, kind, cores, memoryMb, seconds, maxPilots, maxWaiting },
      pausedUntil: paused ? pausedUntil : null,
      pauseReason: paused ? pauseReason : null,
      pilotsWaiting: pilots.get(resource.id)?.waiting ?? 0,
      pilotsRunning: pilots.get(resource.id)?.running ?? 0,
      jobsWaiting: matchable(market, resource, now),
    }
  })
  return sites.map((site) => ({
    ...site,
    jobsRunning: running.get(site.name) ?? 0,
    resources: lines.filter((line) => line.site === site.name),
    storage: storages.filter((line) => line.site === site.name).map(({ site: _, ...line }) => line),
  }))
}

/** Jobs that are with pilots now. */
async function runningBySite(db: Db, vo: string): Promise<Map<string, number>> {
  const conditions = [{ column: 'state', operator: 'in', values: WITH_PILOT.map(stateName) }] as const
  const lines = await summariseJobs(db, { vo, conditions, grouping: ['site'] })
  return new Map(lines.map(({ values: [site], count }) => [site ?? '', Number(count)]))
}

/** How jobs ended at each site in each of the last hours, the present one last. */
export async function siteOutcomes(db: Db, now: Date, vo: string, hours: number): Promise<Outcomes> {
  const to = new Date((Math.floor(now.getTime() / HOUR_MS) + 1) * HOUR_MS)
  const from = new Date(to.getTime() - hours * HOUR_MS)
  const sites = (await siteLines(db, now, vo)).map(({ name }) => name)
  const found = await store.outcomesByHour(db, vo, { sites, from, to })
  return {
    hours: Array.from({ length: hours }, (_, i) => new Date(from.getTime() + i * HOUR_MS)),
    sites: sites.map((site) => ({
      site,
      outcomes: found.filter((one) => one.site === site).map(({ site: _, ...one }) => one),
    })),
  }
}

export interface SiteDetails {
  readonly site: SiteWorkLine
  readonly gateways: readonly {
    readonly name: string
    readonly endpoint: string
    readonly version: string
    readonly lastSeenAt: Date | null
    readonly rssBytes: number | null
    readonly areas: readonly { path: string; totalBytes: number; usedBytes: number; files: number }[]
  }[]
  readonly pilots: readonly store.SitePilotRow[]
  readonly reasons: readonly store.ReasonRow[]
}

/** One site: its gateways, its newest pilots, and what went wrong there in the last day. Throws operations.site_missing. */
export async function siteDetails(deps: Deps, now: Date, vo: string, name: string): Promise<SiteDetails> {
  const { db } = deps
  const [work, known, pilots, reasons] = await Promise.all([
    siteWork(deps, now, vo),
    listSites(db, now, vo),
    store.pilotsAt(db, vo, name, PILOTS, LOOK),
    store.reasonsAt(db, vo, name, new Date(now.getTime() - DAY_MS), REASONS),
  ])
  const site = work.find((line) => line.name === name)
  if (!site) throw siteMissing(`There is no site ${name}.`)
  const gateways = known.find((one) => one.name === name)?.gateways ?? []
  return {
    site,
    gateways: gateways.map(({ name: gateway, endpoint, version, lastSeenAt, report }) => ({
      ...{ name: gateway, endpoint, version, lastSeenAt, rssBytes: report.rssBytes ?? null },
      areas: report.areas ?? [],
    })),
    pilots,
    reasons,
  }
}
