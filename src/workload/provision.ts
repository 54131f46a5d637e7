import { type Downtime, type Exclusion, exclusionOf, THROTTLED } from '../sites/index.ts'
import { beforeOutage, obstacles } from './match.ts'
import type { PilotCounts, PilotEnd, ResourceRow } from './pilots.store.ts'
import type { Market } from './queues.ts'
import type { Offer, Queue } from './types.ts'

/** What a new pilot of a resource would offer. */
export const offerOf = (resource: ResourceRow): Offer => ({
  vo: resource.vo,
  site: resource.site,
  resource: resource.name,
  cores: resource.cores,
  memoryMb: resource.memoryMb,
  diskMb: resource.diskMb,
  seconds: resource.seconds,
  platform: resource.platform,
  tags: resource.tags,
})

/** Waiting jobs that a pilot of a resource could take now, by the matcher's own predicate. */
export function matchable(
  { waiting, downtimes }: { waiting: Market['waiting']; downtimes: readonly Downtime[] },
  resource: ResourceRow,
  now: Date,
): number {
  const offer = beforeOutage(offerOf(resource), downtimes, now)
  const fitting = waiting.filter(
    ({ queue }) => queue.vo === resource.vo && obstacles(queue, offer).length === 0,
  )
  return fitting.reduce((sum, { waiting }) => sum + Number(waiting), 0)
}

/** So many pilots a place may have: none while it is shut out, a tenth, but one, while it is throttled. */
export function allowedPilots({ maxPilots }: ResourceRow, exclusion: Exclusion | undefined): number {
  if (exclusion?.action === 'exclude') return 0
  return exclusion?.action === 'throttle' ? Math.min(maxPilots, Math.ceil(maxPilots * THROTTLED)) : maxPilots
}

/** Whether jobs of a queue could start at a place that is open now. */
export function mayStartAt(
  queue: Queue,
  resource: ResourceRow,
  { downtimes, exclusions }: Pick<Market, 'downtimes' | 'exclusions'>,
  now: Date,
): boolean {
  const place = { site: resource.site, resource: resource.name }
  if (allowedPilots(resource, exclusionOf(exclusions, place, now)) === 0) return false
  return obstacles(queue, beforeOutage(offerOf(resource), downtimes, now)).length === 0
}

/** Whether jobs of a queue could start at a site with pilots of which nothing is known but that they are there. */
export function mayStartWith(queue: Queue, site: string): boolean {
  const { vo, demand } = queue
  const { cores, memoryMb, diskMb, seconds, platform, tags } = demand
  const most = { cores, memoryMb, diskMb, seconds, platform: platform ?? '', tags }
  return obstacles(queue, { vo, site, resource: '', ...most }).length === 0
}

/**
 * How many pilots to start at a resource now: for the waiting jobs that fit and that no pilot already on its way will
 * take, at most as many as may wait there, and none while it is paused. Pure.
 */
export function pilotsToStart(
  resource: ResourceRow,
  counts: Pick<PilotCounts, 'waiting' | 'running'>,
  jobs: number,
  now: Date,
): number {
  if (resource.pausedUntil && resource.pausedUntil > now) return 0
  const wanted = Math.ceil(jobs / resource.cores) - counts.waiting
  const mayWait = resource.maxWaiting - counts.waiting
  const mayBe = resource.maxPilots - counts.waiting - counts.running
  // After a pause one pilot finds out whether the place works again.
  const careful = resource.pauseMs > 0 ? Math.max(0, 1 - counts.waiting - counts.running) : Infinity
  return Math.max(0, Math.min(wanted, mayWait, mayBe, careful))
}

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3_600_000
const ENDS_NEEDED = 3

export interface Pause {
  readonly until: Date | null
  readonly pauseMs: number
  readonly reason: string | null
}

/**
 * Protection against a black hole: a place whose pilots never come to anything would swallow every job sent to it.
 * When the last three pilots there all failed to start, or ended with jobs that the site spoilt, nothing is started for a
 * minute, and twice as long each time; one good pilot opens the place again. Pure; undefined: nothing changes.
 */
export function judgePlace(
  resource: ResourceRow,
  lastEnds: readonly PilotEnd[],
  now: Date,
): Pause | undefined {
  const bad = ({ jobs, spoilt, state }: PilotEnd) =>
    spoilt > 0 || (jobs === 0 && (state === 'Failed' || state === 'Aborted'))
  const newest = lastEnds[0]
  if (!newest) return undefined
  if (!bad(newest)) {
    return resource.pauseMs > 0 ? { until: null, pauseMs: 0, reason: null } : undefined
  }
  const paused = resource.pausedUntil
  if (paused && (paused > now || newest.endedAt <= paused)) return undefined
  const needed = resource.pauseMs > 0 ? 1 : ENDS_NEEDED
  if (lastEnds.length < needed || !lastEnds.slice(0, needed).every(bad)) return undefined
  const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, resource.pauseMs * 2))
  const reason = newest.reason || `The last ${needed} pilots came to nothing.`
  return { until: new Date(now.getTime() + pauseMs), pauseMs, reason }
}
