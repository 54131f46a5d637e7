import type { Db } from '../../kernel/database.ts'
import { type Downtime, downtimesBetween, listSites } from '../../sites/index.ts'
import { type Markets, matchable, resourcesOf } from '../../workload/index.ts'
import {
  BIN_MS,
  type Bin,
  type Entity,
  type JobFact,
  linkEnds,
  linkName,
  type Picture,
  WINDOW_MS,
} from '../detection/index.ts'
import { storageLevels } from '../statistics/levels.store.ts'
import { type BinRow, binsBetween } from '../statistics/rollup.store.ts'
import * as backlogs from './backlogs.ts'
import * as services from './services.store.ts'
import { fullLinks, usualJobs, usualWaits } from './usual.store.ts'
import * as work from './work.store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A detector that never looked begins with the bins of one day. */
const FIRST_MS = DAY_MS
const AHEAD_MS = 12 * HOUR_MS

export interface PictureDeps {
  readonly markets: Markets
  /** What this process knows of itself and its machine: workers, certificates that end, disks. */
  readonly local: () => Promise<Pick<NonNullable<Picture['central']>, 'expiries' | 'disks' | 'workers'>>
}

/** All that the detector reads, from bins and rows; `upTo`: the first bin that it has not read. */
export async function pictureOf(
  db: Db,
  deps: PictureDeps,
  { vo, now, upTo }: { vo: string; now: Date; upTo: number },
): Promise<Picture> {
  const ago = (ms: number): Date => new Date(now.getTime() - ms)
  const since = new Date(Math.max(upTo, now.getTime() - FIRST_MS))
  const [sites, storages, places, market] = await Promise.all([
    listSites(db, now, vo),
    services.storageFacts(db, vo),
    resourcesOf(db, vo),
    deps.markets.of(vo, now),
  ])
  const siteOf = new Map([
    ...storages.map(({ storage, site }) => [`storage ${storage}`, site] as const),
    ...places.map(({ name, site }) => [`resource ${name}`, site] as const),
  ])
  const starts = await work.startFacts(db, vo, ago(WINDOW_MS), now)
  const transfers = await work.transferFacts(db, vo, ago(WINDOW_MS), now)
  const downtimes = await downtimesBetween(db, vo, ago(HOUR_MS), new Date(now.getTime() + AHEAD_MS))
  const pilots = await work.pilotFacts(db, vo, ago(HOUR_MS))
  const bins = await binsBetween(db, vo, since, now)
  const queued = await work.queuedTransfers(db, vo)
  const levels = await storageLevels(db, vo, ago(14 * DAY_MS))
  const waits = await usualWaits(db, vo, ago(14 * DAY_MS))
  const wallTimes = await usualJobs(db, vo, ago(14 * DAY_MS))
  const full = await fullLinks(db, vo, { from: ago(28 * DAY_MS), now: ago(WINDOW_MS) })
  const demandOf = (resource: string): number => {
    const place = places.find(({ name }) => name === resource)
    return place ? matchable(market, place, now) : 0
  }
  const demandAt = (site: string): number =>
    Math.max(0, ...places.filter((place) => place.site === site).map(({ name }) => demandOf(name)))
  return {
    bins: bins.flatMap((row) => binOf(row, siteOf)),
    jobs: starts.map(jobFact),
    transfers: transfers.map(transferFact),
    downtimes: downtimes.filter(({ cancelledAt }) => cancelledAt === null).map(downtimeOf),
    gateways: sites.flatMap(({ name, gateways }) => {
      const seen = gateways.flatMap(({ lastSeenAt }) => (lastSeenAt ? [lastSeenAt.getTime()] : []))
      return gateways.length === 0
        ? []
        : [{ site: name, lastSeen: seen.length > 0 ? new Date(Math.max(...seen)) : null }]
    }),
    resources: pilots.map(({ submissions, maxPilots, ...one }) => ({
      ...one,
      submissions: submissions.map(({ at, ok }) => ({ at: new Date(at), ok })),
      usualWaitMs: waits.find(({ resource }) => resource === one.resource)?.ms ?? null,
      freeSlots: Math.max(0, maxPilots - one.running - one.waiting),
      demand: demandOf(one.resource),
    })),
    trends: await backlogs.trends(db, vo, now, demandAt),
    stuckJobs: await backlogs.stuckJobs(db, vo, now),
    consumption: await consumption(db, vo, now),
    users: await backlogs.users(db, vo, now, market),
    central: {
      queues: await backlogs.queues(db, vo, now, queued),
      database: await services.databaseFacts(db),
      clocks: await services.clockFacts(db, vo, ago(2 * HOUR_MS)),
      ...(await deps.local()),
    },
    storages: storages.map((one) => ({
      ...one,
      history: levels.filter(({ storage }) => storage === one.storage),
    })),
    rawInputs: await backlogs.rawInputs(db, vo, now),
    rawLatencies: await backlogs.rawLatencies(db, vo, now),
    transformations: (await services.stepFacts(db, vo, ago(DAY_MS))).map((one) => ({
      ...one,
      usualJobMs: wallTimes.find(({ transformation }) => transformation === one.transformation)?.ms ?? null,
    })),
    links: linksOf(transfers, full),
    rules: {
      ...(await services.ruleFacts(db, vo)),
      ...(await backlogs.ruleBacklog(db, vo, now)),
    },
    suspicious: await services.suspiciousFacts(db, vo, ago(5 * DAY_MS)),
  }
}

/** Which bins the detector counts; the others are for people. */
const COUNTED: Readonly<Record<string, readonly Entity['kind'][]>> = {
  jobs: ['site'],
  pilots: ['site', 'resource'],
  tests: ['site', 'storage'],
  transfers: ['storage', 'link'],
}

function binOf(
  { measure, kind, name, start, n, failed }: BinRow,
  siteOf: ReadonlyMap<string, string | null>,
): Bin[] {
  const entity = { kind: kind as Entity['kind'], name }
  if (!COUNTED[measure]?.includes(entity.kind)) return []
  const site = siteOf.get(`${kind} ${name}`)
  const within: readonly Entity[] =
    kind === 'link'
      ? linkEnds(name).map((end) => ({ kind: 'storage', name: end }))
      : site
        ? [{ kind: 'site', name: site }]
        : []
  return [{ entity, within, start, measure, n, failed }]
}

const given = (attributes: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''))

const jobFact = (one: work.StartFacts): JobFact => ({
  attributes: given({
    ...{ site: one.site, resource: one.resource, user: one.owner, production: one.production },
    ...{ release: one.release, 'output storage': one.outputStorage, 'input storage': one.inputStorage },
    // Names of machines are unique at a site only.
    node: one.node === '' ? '' : `${one.site}/${one.node}`,
  }),
  ...{ start: one.start, n: one.n, failed: one.failed, errors: one.errors },
})

const transferFact = (one: work.TransferFacts): JobFact => ({
  attributes: { source: one.source, destination: one.destination, activity: one.activity },
  ...{ start: one.start, n: one.n, failed: one.failed, errors: one.errors },
})

function downtimeOf({ site, storage, resource, severity, startsAt, endsAt }: Downtime) {
  const entity: Entity = storage
    ? { kind: 'storage', name: storage }
    : resource
      ? { kind: 'resource', name: resource }
      : { kind: 'site', name: site }
  const how = severity === 'OUTAGE' ? ('outage' as const) : ('warning' as const)
  return { entity, severity: how, from: startsAt, to: endsAt }
}

async function consumption(db: Db, vo: string, now: Date): Promise<NonNullable<Picture['consumption']>> {
  const from = new Date(now.getTime() - HOUR_MS)
  const walls = await work.wallsOfSites(db, vo, from, now)
  const usual = new Map(
    (await work.usualEating(db, vo, new Date(now.getTime() - 7 * DAY_MS), from)).map((one) => [
      one.site,
      one,
    ]),
  )
  const nodesOf = new Map(walls.filter(({ node }) => node === null).map(({ site, nodes }) => [site, nodes]))
  return walls.flatMap(({ site, node, n, failed, medianMs, elsewhereMs }) => {
    const whole = usual.get(site)?.usualPerHour
    // Of one among many the usual part.
    const before = node === null || whole === undefined ? whole : whole / Math.max(1, nodesOf.get(site) ?? 1)
    // Nobody knows what is usual at a new site, or how long these jobs take elsewhere.
    if (before === undefined || elsewhereMs === null) return []
    const rates = { perHour: n, usualPerHour: before, medianWallMs: medianMs, usualWallMs: elsewhereMs }
    return [{ site, node: node && `${site}/${node}`, n, failed, ...rates }]
  })
}

function linksOf(
  facts: readonly work.TransferFacts[],
  full: Awaited<ReturnType<typeof fullLinks>>,
): NonNullable<Picture['links']> {
  const names = new Map([...facts, ...full].map((one) => [linkName(one.source, one.destination), one]))
  return [...names].map(([name, { source, destination }]) => {
    const own = facts.filter((one) => linkName(one.source, one.destination) === name)
    const sum = (of: (one: work.TransferFacts) => number) => own.reduce((all, one) => all + of(one), 0)
    const carried = full.find((one) => one.destination === destination && one.source === source)
    const failed = sum((one) => one.failed)
    const [atSource, atDestination] = [sum((one) => one.failedSource), sum((one) => one.failedDestination)]
    return {
      ...{ source, destination, attempts: sum((one) => one.n), failed },
      failedAt: {
        ...{ source: atSource, destination: atDestination },
        transfer: Math.max(0, failed - atSource - atDestination),
      },
      full: carried ? { bytesPerSecond: carried.rate, usualBytesPerSecond: carried.usual } : null,
    }
  })
}

/** The newest moment up to which all bins are counted. */
export const lastBinEnd = (now: Date): Date => new Date(Math.floor(now.getTime() / BIN_MS) * BIN_MS)
