import type { Db } from '../kernel/index.ts'
import { type Downtime, downtimesAhead, type Exclusion, exclusionsNow } from '../sites/index.ts'
import type { Usage } from './match.ts'
import * as store from './queue.store.ts'
import type { JobLimit, Queue } from './types.ts'

export interface WaitingQueue {
  readonly queue: Queue
  readonly waiting: bigint
}

/** What the matcher must know of a VO, read anew when it is old. */
export interface Market {
  readonly waiting: readonly WaitingQueue[]
  readonly shares: ReadonlyMap<string, number>
  readonly usage: readonly Usage[]
  readonly limits: readonly JobLimit[]
  /** Present ones and those to come. */
  readonly downtimes: readonly Downtime[]
  /** Places where fewer pilots are to be started, or none. */
  readonly exclusions: readonly Exclusion[]
  /** Of the queues above those that were found empty since. */
  readonly empty: Set<number>
}

export interface Markets {
  /** As it was a moment ago; `fresh` is read after it was asked for, once for all who ask meanwhile. */
  of(vo: string, now: Date, fresh?: boolean): Promise<Market>
}

/** Queues never change, so they are read once; which of them have jobs is at most so old. */
const OLDEST_MS = 250
export const HALF_LIFE_MS = 3 * 86_400_000

export function createMarkets(db: Db): Markets {
  const known = new Map<number, Queue>()
  const kept = new Map<string, { at: number; market: Promise<Market> }>()
  const reading = new Map<string, Promise<Market>>()
  const next = new Map<string, Promise<Market>>()

  async function read(vo: string, now: Date): Promise<Market> {
    const [counts, shares, usage, limits, downtimes, exclusions] = await Promise.all([
      store.waitingCounts(db, vo),
      store.shareWeights(db, vo),
      store.recentUsage(db, vo, now, HALF_LIFE_MS),
      store.limitsOf(db, vo),
      downtimesAhead(db, now, vo),
      exclusionsNow(db, now, vo),
    ])
    const missing = counts.map(({ id }) => id).filter((id) => !known.has(id))
    if (known.size > 50_000) known.clear()
    if (missing.length > 0)
      for (const queue of await store.queuesByIds(db, missing)) known.set(queue.id, queue)
    const waiting = counts.flatMap(({ id, waiting }) => {
      const queue = known.get(id)
      return queue ? [{ queue, waiting }] : []
    })
    return { waiting, shares, usage, limits, downtimes, exclusions, empty: new Set() }
  }

  function begin(vo: string, now: Date): Promise<Market> {
    const market = read(vo, now)
    const entry = { at: performance.now(), market }
    kept.set(vo, entry)
    reading.set(vo, market)
    const over = () => reading.get(vo) === market && reading.delete(vo)
    market.then(over, () => {
      over()
      if (kept.get(vo) === entry) kept.delete(vo)
    })
    return market
  }

  /** What is being read may be older than the question: the next reading answers all who ask while it lasts. */
  function afresh(vo: string, now: Date): Promise<Market> {
    const present = reading.get(vo)
    if (!present) return begin(vo, now)
    const known = next.get(vo)
    if (known) return known
    const turn = present
      .catch(() => undefined)
      .then(() => {
        next.delete(vo)
        return begin(vo, now)
      })
    next.set(vo, turn)
    return turn
  }

  return {
    async of(vo, now, fresh = false) {
      if (fresh) return afresh(vo, now)
      const have = kept.get(vo)
      return have && performance.now() - have.at < OLDEST_MS ? have.market : begin(vo, now)
    },
  }
}
