import { type Db, type Rng, transaction } from '../kernel/index.ts'
import { loseStarts } from './end.ts'
import { pilotMissing, pilotOver } from './errors.ts'
import { filled } from './jdl.ts'
import * as store from './lease.store.ts'
import { howMany, limitConcerns, obstacles, queueWeights, roomOf, sampleOrder, without } from './match.ts'
import { chargeLimits, lockLimits, queuesByIds } from './queue.store.ts'
import type { Market, Markets } from './queues.ts'
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
  },
): Promise<Lease> {
  const { db, markets, rng } = deps
  const { vo, stamp, now, free, most, holding } = input
  const pilot = await ownPilot(db, vo, stamp)
  const until = new Date(now.getTime() + PILOT_SILENT_MS)
  const alive = await store.touchPilot(db, now, { id: pilot.id, until, offer: free })
  if (!alive) throw pilotOver(`The pilot ${stamp} was given up; end it.`)
  const given = await givenBefore(db, now, pilot, holding)
  if (given.length > 0) return { jobs: given, retryAfterMs: 0, drain: false }
  if (alive.draining || alive.spoilt >= SPOILT_MOST) return { jobs: [], retryAfterMs: RETRY_MS, drain: true }
  const offer: Offer = { ...free, vo, site: pilot.site, resource: pilot.resource }
  const storages = await deps.storagesAt(vo, pilot.site)
  for (const fresh of [false, true]) {
    const market = await markets.of(vo, now, fresh)
    const order = candidates(market, offer, storages, now, rng)
    if (order.length === 0) continue
    const { started, queues, emptied } = await take(db, {
      ...{ market, order, offer, storages, pilot, now, most: Math.min(most, AT_ONCE) },
    })
    for (const id of emptied) markets.empty(vo, id)
    if (started.length > 0) {
      return { jobs: await described(db, started, queues), retryAfterMs: 0, drain: false }
    }
  }
  return { jobs: [], retryAfterMs: RETRY_MS, drain: false }
}

/** Queues that fit an offer and no full limit keeps back, in an order drawn by fair share. Pure but for the generator. */
export function candidates(
  market: Market,
  offer: Offer,
  storages: readonly string[],
  now: Date,
  rng: Rng,
): Queue[] {
  const at = { site: offer.site, storages }
  const full = market.limits.filter((limit) => roomOf(limit, now) < 1)
  const fitting = market.waiting
    .map(({ queue }) => queue)
    .filter(
      (queue) =>
        obstacles(queue, offer).length === 0 && !full.some((limit) => limitConcerns(limit, queue, at)),
    )
  return sampleOrder(fitting, queueWeights(fitting, market.shares, market.usage), rng)
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

async function take(db: Db, taking: Taking) {
  const { market, order, storages, pilot, now } = taking
  const at = { site: pilot.site, storages }
  return transaction(db, async (tx) => {
    const starts: store.Start[] = []
    const emptied: number[] = []
    const queues = new Map<number, Queue>()
    let free = taking.offer
    // Limits are locked before any job, and all at once, so that two matchers cannot wait for each other.
    const tried = order.slice(0, TRIES)
    const concerned = market.limits.filter((limit) => tried.some((queue) => limitConcerns(limit, queue, at)))
    const locked =
      concerned.length > 0
        ? await lockLimits(
            tx,
            concerned.map(({ id }) => id),
          )
        : []
    const room = new Map(locked.map((limit) => [limit.id, roomOf(limit, now)]))
    for (const queue of tried) {
      const limits = locked.filter((limit) => limitConcerns(limit, queue, at))
      const allowed = limits.map((limit: JobLimit) => room.get(limit.id)!)
      const count = Math.min(taking.most - starts.length, howMany(queue.demand, free), ...allowed)
      if (count < 1) continue
      const jobs = await store.lockWaiting(tx, queue.id, count)
      if (jobs.length === 0) emptied.push(queue.id)
      queues.set(queue.id, queue)
      for (const { id } of jobs) {
        free = without(free, queue.demand)
        const charged = queue.demand.cores * queue.demand.seconds
        starts.push({ id, charged, limits: limits.map((limit) => limit.id) })
        for (const limit of limits) room.set(limit.id, room.get(limit.id)! - 1)
      }
      if (starts.length >= taking.most || free.cores < 1) break
    }
    if (starts.length === 0) return { started: [], queues, emptied }
    const started = await store.startJobs(tx, { now, pilot, starts })
    await chargeLimits(
      tx,
      now,
      starts.flatMap((start) => [...start.limits]),
    )
    return { started, queues, emptied }
  })
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

/** The spec of one job: what is different for each is filled in, so that a pilot need know nothing of parameters. */
function concrete(spec: JobSpec, job: store.StartedJob): JobSpec {
  const item = job.item ?? { n: 0, parameters: {} }
  const fill = (text: string) => filled(text, item, job.id)
  return {
    ...spec,
    executable: fill(spec.executable),
    arguments: spec.arguments.map(fill),
    environment: Object.fromEntries(
      Object.entries(spec.environment).map(([key, value]) => [key, fill(value)]),
    ),
    outputSandbox: spec.outputSandbox.map(fill),
    standardOutput: fill(spec.standardOutput),
    standardError: fill(spec.standardError),
    outputs: spec.outputs.map((output) => ({ ...output, pattern: fill(output.pattern) })),
    jdl: null,
  }
}

/**
 * Starts that a pilot was given and knows nothing of. One that it never began is given again: the answer was lost. One
 * that it had begun died with it.
 */
async function givenBefore(
  db: Db,
  now: Date,
  pilot: store.PilotRow,
  holding: readonly Held[],
): Promise<LeasedJob[]> {
  const held = new Set(holding.map(({ jobId, attempt }) => `${jobId} ${attempt}`))
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
