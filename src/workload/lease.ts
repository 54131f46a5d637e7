import { type Db, type Rng, transaction } from '../kernel/index.ts'
import { loseStarts } from './end.ts'
import { pilotMissing, pilotOver } from './errors.ts'
import * as store from './lease.store.ts'
import {
  beforeOutage,
  drawQueues,
  howMany,
  type Lottery,
  limitConcerns,
  lotteryOf,
  obstacles,
  queueWeights,
  roomOf,
  without,
} from './match.ts'
import { chargeLimits, lockLimits, queuesByIds } from './queue.store.ts'
import type { Market, Markets } from './queues.ts'
import { concrete } from './spec.ts'
import { STATES } from './states.ts'
import type { Demand, Held, JobItem, JobLimit, JobSpec, Offer, Queue } from './types.ts'

export interface LeaseDeps {
  readonly db: Db
  readonly rng: Rng
  readonly markets: Markets
  /** RSEs of a site, for limits of storages. */
  readonly storagesAt: (vo: string, site: string) => Promise<readonly string[]>
}

/** A start that a pilot received: everything it needs to run the job. */
export interface LeasedJob {
  readonly jobId: bigint
  readonly attempt: number
  readonly vo: string
  readonly ownerId: number
  readonly owner: string
  readonly name: string
  readonly demand: Demand
  readonly spec: JobSpec
  readonly item: JobItem | null
}

export interface Lease {
  readonly jobs: readonly LeasedJob[]
  /** Nothing fitted: the pilot asks again after so long. */
  readonly retryAfterMs: number
  /** The pilot shall take nothing more and end. */
  readonly drain: boolean
}

/** A pilot that is silent for so long is given up. */
export const PILOT_SILENT_MS = 45 * 60_000
const RETRY_MS = 5_000
/** Queues tried before a pilot is sent away: others may have emptied the first ones. */
const TRIES = 24
/** Jobs of one queue in one match, so that a large pilot does not take all its work from one owner. */
const AT_ONCE = 16
/** After so many starts in a row that a site spoilt, a pilot there is asked to end. */
export const SPOILT_MOST = 3

/**
 * Takes jobs for a pilot: queues whose demands fit, in an order drawn by fair share, each job locked, numbered and
 * leased in one transaction. No job is ever given twice: rows that another matcher holds are passed over.
 */
export async function leaseJobs(
  deps: LeaseDeps,
  input: {
    vo: string
    stamp: string
    now: Date
    free: Omit<Offer, 'vo' | 'site' | 'resource'>
    most: number
    /** Starts the pilot has in hand. */
    holding: readonly Held[]
    /** The machine on which it runs. */
    node?: string | undefined
  },
): Promise<Lease> {
  const { db, markets, rng } = deps
  const { vo, stamp, now, free, most, holding, node } = input
  const until = new Date(now.getTime() + PILOT_SILENT_MS)
  const pilot = await store.pilotAsks(db, now, { vo, stamp, until, node })
  if (!pilot) throw pilotMissing(`There is no pilot ${stamp}.`)
  if (!pilot.alive) throw pilotOver(`The pilot ${stamp} was given up; end it.`)
  const given = await givenBefore(db, now, pilot, holding)
  if (given.length > 0) return { jobs: given, retryAfterMs: 0, drain: false }
  if (pilot.draining || pilot.spoilt >= SPOILT_MOST) return { jobs: [], retryAfterMs: RETRY_MS, drain: true }
  const asked: Offer = { ...free, vo, site: pilot.site, resource: pilot.resource }
  const storages = await deps.storagesAt(vo, pilot.site)
  for (const fresh of [false, true]) {
    const market = await markets.of(vo, now, fresh)
    const offer = beforeOutage(asked, market.downtimes, now)
    const order = candidates(market, offer, storages, now, rng)
    if (order.length === 0) continue
    const started = await take(db, {
      market,
      order,
      offer,
      storages,
      pilot,
      now,
      most: Math.min(most, AT_ONCE),
    })
    if (started.length > 0) {
      const queues = new Map(order.map((queue) => [queue.id, queue]))
      return { jobs: await described(db, started, queues), retryAfterMs: 0, drain: false }
    }
  }
  return { jobs: [], retryAfterMs: RETRY_MS, drain: false }
}

/** What was found out for one reading of the market; it goes with it. */
const lotteries = new WeakMap<Market, { steps: Steps; byOffer: Map<string, Lottery> }>()

type Amount = 'cores' | 'memoryMb' | 'diskMb' | 'seconds'
/** All that is asked of each amount, ascending. */
type Steps = Readonly<Record<Amount, readonly number[]>>

/**
 * Queues that fit an offer and no full limit keeps back, the first of an order drawn by fair share. Which fit is worked
 * out once for all offers between which no queue sees a difference.
 */
function candidates(market: Market, offer: Offer, storages: readonly string[], now: Date, rng: Rng): Queue[] {
  const known = lotteries.get(market) ?? { steps: stepsOf(market), byOffer: new Map<string, Lottery>() }
  lotteries.set(market, known)
  const full = market.limits.filter((limit) => roomOf(limit, now) < 1)
  const { site, platform, tags } = offer
  const amounts = Object.entries(known.steps).map(([amount, steps]) => {
    const above = steps.findIndex((step) => step > offer[amount as Amount])
    return above === -1 ? steps.length : above
  })
  const key = JSON.stringify([site, platform, tags, amounts, storages, full.map(({ id }) => id)])
  let lottery = known.byOffer.get(key)
  if (!lottery) {
    const at = { site, storages }
    const fitting = market.waiting
      .map(({ queue }) => queue)
      .filter(
        (queue) =>
          obstacles(queue, offer).length === 0 && !full.some((limit) => limitConcerns(limit, queue, at)),
      )
    lottery = lotteryOf(fitting, queueWeights(fitting, market.shares, market.usage))
    known.byOffer.set(key, lottery)
  }
  return drawQueues(lottery, TRIES, market.empty, rng)
}

function stepsOf({ waiting }: Market): Steps {
  const of = (amount: Amount) =>
    [...new Set(waiting.map(({ queue }) => queue.demand[amount]))].sort((a, b) => a - b)
  return { cores: of('cores'), memoryMb: of('memoryMb'), diskMb: of('diskMb'), seconds: of('seconds') }
}

interface Taking {
  readonly market: Market
  readonly order: readonly Queue[]
  readonly offer: Offer
  readonly storages: readonly string[]
  readonly pilot: store.PilotRow
  readonly now: Date
  readonly most: number
}

/** Takes jobs of queues in their order; in one transaction where a limit has to be kept. */
async function take(db: Db, taking: Taking): Promise<store.StartedJob[]> {
  const { market, order, storages, pilot, now } = taking
  const at = { site: pilot.site, storages }
  const concerned = market.limits.filter((limit) => order.some((queue) => limitConcerns(limit, queue, at)))
  if (concerned.length === 0) return (await takeFrom(db, taking, [])).started
  return transaction(db, async (tx) => {
    // Limits are locked before any job, and all at once, so that two matchers cannot wait for each other.
    const locked = await lockLimits(
      tx,
      concerned.map(({ id }) => id),
    )
    const { started, used } = await takeFrom(tx, taking, locked)
    await chargeLimits(tx, now, used)
    return started
  })
}

/** Also answers with the limits that the starts count for, once for each. */
async function takeFrom(db: Db, taking: Taking, locked: readonly JobLimit[]) {
  const { market, order, storages, pilot, now, most } = taking
  const at = { site: pilot.site, storages }
  const room = new Map(locked.map((limit) => [limit.id, roomOf(limit, now)]))
  const used: number[] = []
  const started: store.StartedJob[] = []
  let free = taking.offer
  for (const queue of order) {
    const limits = locked.filter((limit) => limitConcerns(limit, queue, at)).map(({ id }) => id)
    const allowed = limits.map((id) => room.get(id)!)
    const count = Math.min(most - started.length, howMany(queue.demand, free), ...allowed)
    if (count < 1) continue
    const charged = queue.demand.cores * queue.demand.seconds
    const taken = await store.startJobs(db, { now, pilot, queueId: queue.id, most: count, charged, limits })
    if (taken.length === 0) market.empty.add(queue.id)
    for (const job of taken) {
      started.push(job)
      free = without(free, queue.demand)
      for (const id of limits) {
        room.set(id, room.get(id)! - 1)
        used.push(id)
      }
    }
    if (started.length >= most || free.cores < 1) break
  }
  return { started, used }
}

async function described(
  db: Db,
  started: readonly store.StartedJob[],
  queues: ReadonlyMap<number, Queue>,
): Promise<LeasedJob[]> {
  const bodies = await store.bodiesOf(db, [...new Set(started.map((job) => job.bodyId))])
  return started.map((job) => {
    const queue = queues.get(job.queueId)!
    return {
      ...{ jobId: job.id, attempt: job.attempt, vo: job.vo, ownerId: job.ownerId, owner: queue.owner },
      ...{ name: job.name, demand: queue.demand, item: job.item },
      spec: concrete(bodies.get(job.bodyId)!, job),
    }
  })
}

/**
 * Starts that a pilot was given and knows nothing of. One that it never began is given again: the answer was lost. One
 * that it had begun died with it.
 */
async function givenBefore(
  db: Db,
  now: Date,
  pilot: store.AskingPilot,
  holding: readonly Held[],
): Promise<LeasedJob[]> {
  const held = new Set(holding.map(({ jobId, attempt }) => `${jobId} ${attempt}`))
  if (pilot.starts.every((start) => held.has(start))) return []
  const strange = (await store.startsOfPilot(db, pilot.id)).filter(
    ({ id, attempt }) => !held.has(`${id} ${attempt}`),
  )
  const died = strange.filter(({ state }) => state !== STATES.Matched)
  if (died.length > 0) {
    const starts = died.map(({ id, attempt }) => ({ jobId: id, attempt }))
    await transaction(db, (tx) => loseStarts(tx, now, starts, 'The pilot does not know of it any more'))
  }
  const again = strange.filter(({ state }) => state === STATES.Matched)
  if (again.length === 0) return []
  const queues = await queuesByIds(db, [...new Set(again.map((job) => job.queueId))])
  return described(db, again, new Map(queues.map((queue) => [queue.id, queue])))
}

/** Throws pilot_not_found. */
export async function ownPilot(db: Db, vo: string, stamp: string): Promise<store.PilotRow> {
  const pilot = await store.pilotByStamp(db, vo, stamp)
  if (!pilot) throw pilotMissing(`There is no pilot ${stamp}.`)
  return pilot
}
