import type { Rng } from '../kernel/index.ts'
import { type Downtime, nextOutage, secondsUntil } from '../sites/index.ts'
import type { Demand, JobLimit, Offer, Queue } from './types.ts'

/** Why a queue's jobs cannot run on an offer, in words. */
export interface Obstacle {
  readonly kind:
    | 'site'
    | 'banned'
    | 'spoilt'
    | 'data'
    | 'platform'
    | 'tags'
    | 'cores'
    | 'memory'
    | 'disk'
    | 'time'
    | 'limit'
  readonly text: string
}

/**
 * Everything that keeps a queue's jobs from an offer. The matcher, the number of pilots to start and the explanation of
 * a job all ask here, so that they cannot disagree.
 */
export function obstacles(queue: Queue, offer: Offer): Obstacle[] {
  const { demand, dataSites, spoiltAt } = queue
  const found: Obstacle[] = []
  const add = (kind: Obstacle['kind'], text: string) => found.push({ kind, text })
  if (demand.sites && !demand.sites.includes(offer.site))
    add('site', `the job asks for ${demand.sites.join(', ')}`)
  if (demand.banned.includes(offer.site)) add('banned', `the job is not to run at ${offer.site}`)
  if (spoiltAt.includes(offer.site))
    add('spoilt', `${offer.site} spoilt a start of it; it goes back there when no other place is left`)
  if (dataSites && !dataSites.includes(offer.site))
    add('data', `its inputs are at ${dataSites.join(', ') || 'no site'}`)
  if (demand.platform !== null && demand.platform !== offer.platform)
    add('platform', `it needs ${demand.platform}, here is ${offer.platform}`)
  const lacking = demand.tags.filter((tag) => !offer.tags.includes(tag))
  if (lacking.length > 0) add('tags', `it needs ${lacking.join(', ')}`)
  tooLittle(found, demand, offer)
  return found
}

function tooLittle(found: Obstacle[], demand: Demand, offer: Offer): void {
  const compare = [
    ['cores', demand.cores, offer.cores, 'cores'],
    ['memory', demand.memoryMb, offer.memoryMb, 'MB of memory'],
    ['disk', demand.diskMb, offer.diskMb, 'MB of disk'],
    ['time', demand.seconds, offer.seconds, 'seconds'],
  ] as const
  for (const [kind, needs, has, unit] of compare)
    if (needs > has) found.push({ kind, text: `it needs ${needs} ${unit}, there are ${has}` })
}

/** What an offer is worth when work has to end before the next outage there: nothing within one. */
export function beforeOutage<T extends Offer>(offer: T, downtimes: readonly Downtime[], now: Date): T {
  const seconds = secondsUntil(nextOutage(downtimes, offer, now), now)
  return seconds < offer.seconds ? { ...offer, seconds } : offer
}

/** Whether a limit counts the jobs of a queue at a site. `storages`: RSEs at the site that its inputs are read from. */
export function limitConcerns(
  limit: JobLimit,
  queue: Queue,
  at: { site: string; storages: readonly string[] },
): boolean {
  if (limit.vo !== queue.vo || (limit.site !== null && limit.site !== at.site)) return false
  switch (limit.key) {
    case 'any':
      return true
    case 'owner':
      return limit.value === queue.owner
    case 'group':
      return limit.value === queue.group
    case 'type':
      return limit.value === queue.jobType
    case 'storage':
      return queue.dataSites !== null && at.storages.includes(limit.value)
  }
}

/** How many more starts a limit lets through now. */
export function roomOf(limit: JobLimit, now: Date): number {
  if (limit.intervalMs > 0) {
    if (limit.nextAt && limit.nextAt > now) return 0
    return Math.min(1, roomLeft(limit))
  }
  return roomLeft(limit)
}

const roomLeft = (limit: JobLimit): number =>
  limit.maxRunning === null ? Number.POSITIVE_INFINITY : Math.max(0, limit.maxRunning - limit.used)

export function describeLimit({ site, key, value, maxRunning, intervalMs }: JobLimit): string {
  const what = key === 'any' ? 'jobs' : `jobs of ${key} ${value}`
  const where = site === null ? 'at all sites together' : `at ${site}`
  const count =
    maxRunning === null ? `one start every ${intervalMs / 1000} s` : `at most ${maxRunning} at once`
  return `${what} ${where}: ${count}`
}

export interface Usage {
  readonly group: string
  readonly owner: string
  /** Halved with every half-life that passed. */
  readonly coreSeconds: number
}

/** Nobody's turn comes more than a hundred times as often as an equal share would have it, or less than a hundredth. */
const MOST_CORRECTION = 100

/**
 * How often each queue shall be taken, relative to the others. A group's weight is divided by the part of the recent
 * use that it already had, then shared equally among its owners (corrected in the same way), then among an owner's queues:
 * who has many queues gains nothing by it.
 */
export function queueWeights(
  queues: readonly Queue[],
  shares: ReadonlyMap<string, number>,
  usage: readonly Usage[],
): Map<number, number> {
  const used = new Map<string, number>()
  const add = (key: string, value: number) => used.set(key, (used.get(key) ?? 0) + value)
  for (const { group, owner, coreSeconds } of usage) {
    add(group, coreSeconds)
    add(`${group}\n${owner}`, coreSeconds)
  }
  const tree = new Map<string, Map<string, Queue[]>>()
  for (const queue of queues) {
    const owners = tree.get(queue.group) ?? new Map<string, Queue[]>()
    tree.set(queue.group, owners)
    const own = owners.get(queue.owner) ?? []
    own.push(queue)
    owners.set(queue.owner, own)
  }
  const groups = corrected(
    [...tree.keys()].map((key) => ({ key, weight: shares.get(key) ?? 1 })),
    used,
  )
  const weights = new Map<number, number>()
  for (const [group, owners] of tree) {
    const parts = corrected(
      [...owners.keys()].map((owner) => ({ key: `${group}\n${owner}`, weight: 1 })),
      used,
    )
    for (const [owner, own] of owners) {
      const part = groups.get(group)! * parts.get(`${group}\n${owner}`)!
      for (const queue of own) weights.set(queue.id, part / own.length)
    }
  }
  return weights
}

/** Fractions that sum to 1: what each may expect, corrected by what it had. */
function corrected(
  all: readonly { key: string; weight: number }[],
  used: ReadonlyMap<string, number>,
): Map<string, number> {
  const weights = all.reduce((sum, { weight }) => sum + weight, 0)
  const total = all.reduce((sum, { key }) => sum + (used.get(key) ?? 0), 0)
  const wanted = all.map(({ key, weight }) => {
    const expected = weight / weights
    const had = total > 0 ? (used.get(key) ?? 0) / total : expected
    const factor = Math.min(MOST_CORRECTION, Math.max(1 / MOST_CORRECTION, expected / Math.max(had, 1e-9)))
    return { key, value: expected * factor }
  })
  const sum = wanted.reduce((so, { value }) => so + value, 0)
  return new Map(wanted.map(({ key, value }) => [key, value / sum]))
}

/**
 * A random order in which each queue comes first with the probability of its weight (Efraimidis and Spirakis, 2006):
 * nobody starves, whatever the weights.
 */
export function sampleOrder(
  queues: readonly Queue[],
  weights: ReadonlyMap<number, number>,
  rng: Rng,
): Queue[] {
  return queues
    .map((queue) => ({ queue, key: -Math.log(1 - rng.next()) / Math.max(weights.get(queue.id) ?? 0, 1e-12) }))
    .sort((a, b) => a.key - b.key)
    .map(({ queue }) => queue)
}

/** Queues with their weights as running sums, so that a draw from thousands of them looks at a few. */
export interface Lottery {
  readonly queues: readonly Queue[]
  readonly weights: ReadonlyMap<number, number>
  readonly sums: Float64Array
}

export function lotteryOf(queues: readonly Queue[], weights: ReadonlyMap<number, number>): Lottery {
  const sums = new Float64Array(queues.length)
  let sum = 0
  for (const [i, { id }] of queues.entries()) {
    sum += weights.get(id) ?? 0
    sums[i] = sum
  }
  return { queues, weights, sums }
}

/** Draws that came to nothing, after which the rest is put in order at once: few queues may have nearly all weight. */
const VAIN_MOST = 32

/**
 * The first queues of `sampleOrder` without those that are to be left out: drawn one after the other, again when one was
 * drawn before, which gives the same probabilities.
 */
export function drawQueues(lottery: Lottery, count: number, out: ReadonlySet<number>, rng: Rng): Queue[] {
  const { queues, weights, sums } = lottery
  const total = sums.at(-1) ?? 0
  const drawn = new Set<Queue>()
  for (let vain = 0; total > 0 && drawn.size < count && vain < VAIN_MOST; ) {
    const queue = queues[firstAbove(sums, rng.next() * total)]!
    if (drawn.has(queue) || out.has(queue.id)) vain++
    else drawn.add(queue)
  }
  if (drawn.size === count) return [...drawn]
  const rest = queues.filter((queue) => !drawn.has(queue) && !out.has(queue.id))
  return [...drawn, ...sampleOrder(rest, weights, rng).slice(0, count - drawn.size)]
}

/** Index of the first sum above a value; the last one when rounding left none. */
function firstAbove(sums: Float64Array, value: number): number {
  let [low, high] = [0, sums.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sums[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}

/** How many jobs with equal demands fit into what is free. */
export function howMany(demand: Demand, free: Pick<Offer, 'cores' | 'memoryMb' | 'diskMb'>): number {
  return Math.floor(
    Math.min(free.cores / demand.cores, free.memoryMb / demand.memoryMb, free.diskMb / demand.diskMb),
  )
}

export const without = <T extends Offer>(offer: T, demand: Demand): T => ({
  ...offer,
  cores: offer.cores - demand.cores,
  memoryMb: offer.memoryMb - demand.memoryMb,
  diskMb: offer.diskMb - demand.diskMb,
})
