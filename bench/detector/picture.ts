import type {
  Consumption,
  Downtime,
  JobFact,
  LinkCounts,
  Picture,
  Trend,
  UserJobs,
} from '../../src/operations/detection/index.ts'
import { BIN_MS, linkName } from '../../src/operations/detection/index.ts'
import type { Party } from '../../src/transfer/classify.ts'
import type { Incident } from './incidents.ts'
import { loadOf, type Slice } from './traffic.ts'
import { JOBS_PER_SLOT_AND_BIN, startOf, USER_SHARE, type World } from './world.ts'

const WINDOW_BINS = 6
const DAY_BINS = 144

/** Makes the picture of each moment from what happened, as the tables of a grid would. */
export interface Pictures {
  take(slice: Slice, throttled: ReadonlySet<string>): Picture
}

export function makePictures(world: World, incidents: readonly Incident[]): Pictures {
  const window: Slice[] = []
  const running = new Map<string, number[]>()
  const clocks = new Map<string, number>()
  const submissions = new Map<string, { at: Date; ok: boolean }[]>()
  const users = new Map<string, UserDay>()
  const day: (readonly JobFact[])[] = []
  const downtimes = incidents.flatMap(({ kind, sites, from, to }): Downtime[] =>
    kind === 'downtime'
      ? [
          {
            entity: { kind: 'site', name: sites[0]! },
            severity: 'outage',
            from: startOf(from),
            to: startOf(to),
          },
        ]
      : [],
  )

  return {
    take(slice, throttled) {
      window.push(slice)
      if (window.length > WINDOW_BINS) window.shift()
      const own = slice.jobs.filter(({ attributes }) => attributes.user !== undefined)
      count(users, own, 1)
      day.push(own)
      if (day.length > DAY_BINS) count(users, day.shift()!, -1)
      const now = startOf(slice.bin + 1).getTime()
      for (const [resource, tries] of slice.submitted) {
        submissions.set(resource, [...(submissions.get(resource) ?? []), ...tries].slice(-20))
      }
      for (const [site, offsetMs] of slice.clocks) clocks.set(site, offsetMs)
      const idle = slice.harm.active.some(({ kind }) => kind === 'idle')
      const jobs = window.flatMap((one) => one.jobs)
      return {
        bins: slice.bins,
        jobs,
        transfers: window.flatMap((one) => one.transfers),
        downtimes: downtimes.filter(
          ({ from, to }) => from.getTime() - now < 72 * BIN_MS && now < to.getTime() + 6 * BIN_MS,
        ),
        resources: world.sites.flatMap(({ name, resources }) =>
          resources.map((resource) => ({
            ...{ resource, site: name, waiting: 0, running: 0, oldestWaitingSince: null, usualWaitMs: null },
            ...{ freeSlots: null, demand: idle ? 0 : 100, ended: 0, empty: 0 },
            submissions: submissions.get(resource) ?? [],
          })),
        ),
        trends: trendsOf(world, slice, running, (site) => !idle && !throttled.has(site)),
        consumption: consumptionOf(world, jobs, holesOf(slice)),
        users: userFacts(users),
        central: { clocks: [...clocks].map(([site, offsetMs]) => ({ site, offsetMs })) },
        storages: world.storages.map(({ name, site, fill }) => {
          const full = slice.harm.active.some((one) => one.kind === 'storage full' && one.storage === name)
          const usedBytes = Math.round(1e12 * (full ? 0.965 : fill))
          return {
            ...{ storage: name, site, usedBytes, totalBytes: 1e12 },
            catalogueBytes: null,
            history: [],
          }
        }),
        links: linksOf(window, slice.slowLinks),
      }
    },
  }
}

interface UserDay {
  n: number
  failed: number
  /** Failures by site. */
  readonly sites: Map<string, number>
}

/** Adds what users' jobs did to the sums of a day, or takes it away again. */
function count(sums: Map<string, UserDay>, jobs: readonly JobFact[], sign: 1 | -1): void {
  for (const { attributes, n, failed } of jobs) {
    if (attributes.user === undefined) continue
    const known = sums.get(attributes.user) ?? { n: 0, failed: 0, sites: new Map() }
    sums.set(attributes.user, known)
    known.n += sign * n
    known.failed += sign * failed
    if (failed === 0) continue
    const left = (known.sites.get(attributes.site!) ?? 0) + sign * failed
    if (left > 0) known.sites.set(attributes.site!, left)
    else known.sites.delete(attributes.site!)
  }
}

const userFacts = (sums: ReadonlyMap<string, UserDay>): UserJobs[] =>
  [...sums].map(([user, { n, failed, sites }]) => ({
    ...{ user, n, failed, sites: sites.size, waiting: 0, fairShare: 0 },
  }))

function trendsOf(
  world: World,
  { bin, running }: Slice,
  last: Map<string, number[]>,
  wanted: (site: string) => boolean,
): Trend[] {
  const { production, user } = loadOf(bin)
  const level = (1 - USER_SHARE) * production + USER_SHARE * user
  return world.sites.map(({ name, slots }) => {
    const values = [...(last.get(name) ?? []), running.get(name)!].slice(-WINDOW_BINS)
    last.set(name, values)
    const middle = 0.9 * slots * level
    const usual = [0.93, 0.97, 0.99, 1, 1.01, 1.03, 1.05, 1.08].map((factor) => factor * middle)
    const entity = { kind: 'site', name } as const
    return { entity, what: 'running pilots', last: values, usual, demand: wanted(name) ? 100 : 0 }
  })
}

const holesOf = ({ harm }: Slice): ReadonlySet<string> =>
  new Set(harm.active.flatMap(({ kind, nodes }) => (kind === 'black hole' ? nodes : [])))

function consumptionOf(world: World, jobs: readonly JobFact[], holes: ReadonlySet<string>): Consumption[] {
  const counts = new Map<string, { n: number; failed: number }>()
  for (const { attributes, n, failed } of jobs) {
    const known = counts.get(attributes.node!) ?? { n: 0, failed: 0 }
    known.n += n
    known.failed += failed
    counts.set(attributes.node!, known)
  }
  return world.sites.flatMap(({ name, slots, nodes }) =>
    nodes.flatMap((node): Consumption[] => {
      const { n, failed } = counts.get(node) ?? { n: 0, failed: 0 }
      const usualPerHour = (6 * slots * JOBS_PER_SLOT_AND_BIN) / nodes.length
      if (n < 10) return []
      // Jobs that a black hole swallows last two minutes.
      const medianWallMs = holes.has(node) ? 120_000 : 8 * 3_600_000
      return [
        { site: name, node, n, failed, perHour: n, usualPerHour, medianWallMs, usualWallMs: 8 * 3_600_000 },
      ]
    }),
  )
}

const USUAL_RATE = 50e6

function linksOf(window: readonly Slice[], slow: ReadonlySet<string>): LinkCounts[] {
  const failedAt = (link: string) => {
    const all = window.map((one) => one.failedAt.get(link))
    const sum = (party: Party) => all.reduce((total, one) => total + (one?.[party] ?? 0), 0)
    return { source: sum('source'), destination: sum('destination'), transfer: sum('transfer') }
  }
  const counts = new Map<string, { source: string; destination: string; attempts: number; failed: number }>()
  for (const { transfers } of window) {
    for (const { attributes, n, failed } of transfers) {
      const source = attributes.source!
      const destination = attributes.destination!
      const key = linkName(source, destination)
      const known = counts.get(key) ?? { source, destination, attempts: 0, failed: 0 }
      known.attempts += n
      known.failed += failed
      counts.set(key, known)
    }
  }
  return [...counts].map(([key, one]) => ({
    ...one,
    failedAt: failedAt(key),
    full: {
      // Half of the slow links are slow, the others only fail.
      bytesPerSecond: slow.has(key) && one.source < one.destination ? 0.3 * USUAL_RATE : 0.9 * USUAL_RATE,
      usualBytesPerSecond: USUAL_RATE,
    },
  }))
}
