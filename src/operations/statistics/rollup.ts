import { type Db, transaction } from '../../kernel/database.ts'
import type { Worker } from '../../kernel/workers.ts'
import { BIN_MS } from '../detection/types.ts'
import { forgetLevels, noteLevels } from './levels.store.ts'
import * as store from './rollup.store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const EVERY_MS = 60_000
/** How far back a grid that never counted begins. */
const FIRST_MS = DAY_MS
/** Bins that are counted in one transaction. */
const AT_ONCE = 6
/** A bin may still change so long after its end: a transaction writes the time at which it began. */
const LATE_MS = BIN_MS
const KEEP_MS = { bins: 29 * DAY_MS, facts: 90 * DAY_MS, ends: 3 * DAY_MS, tests: 90 * DAY_MS }

/** Begin of the step of `ms` that holds a time. */
export const floorTo = (at: Date, ms: number): Date => new Date(Math.floor(at.getTime() / ms) * ms)

/**
 * Rolls up what ended: bins of ten minutes every minute, the cube of starts every ten. Each span is counted anew as a
 * whole until it is old enough to be final, so a kill at any point, or two servers, change nothing.
 */
export function rollupWorker({ db }: { db: Db }): Worker {
  let nextAt = 0
  let forgetAt = 0
  return {
    name: 'statistics',
    wakeOn: [],
    async tick(now) {
      if (now.getTime() < nextAt) return { changed: 0, nextWake: new Date(nextAt) }
      const behind = await transaction(db, async (tx) => {
        if (!(await store.takeTurn(tx))) return false
        const bins = await span(tx, now, { name: 'bins', step: BIN_MS, most: AT_ONCE })
        await store.countJobs(tx, bins.from, bins.to)
        await store.countEnds(tx, bins.from, bins.to)
        await store.countPilots(tx, bins.from, bins.to)
        await store.countTransfers(tx, bins.from, bins.to)
        await store.countTests(tx, bins.from, bins.to)
        await noteLevels(tx, now, floorTo(now, BIN_MS))
        await store.setMark(tx, 'bins counted', bins.to < now ? bins.to : now)
        const facts = await factSpan(tx, now)
        if (facts) await store.countFacts(tx, facts.from, facts.to)
        if (now.getTime() >= forgetAt) {
          const before = (ms: number): Date => new Date(now.getTime() - ms)
          const { bins: b, facts: f, ends: e, tests: t } = KEEP_MS
          await store.forgetOld(tx, { bins: before(b), facts: before(f), ends: before(e), tests: before(t) })
          await forgetLevels(tx, before(b))
          forgetAt = now.getTime() + HOUR_MS
        }
        return bins.to < now || (facts !== undefined && facts.to < now)
      })
      if (behind) return { changed: 1, nextWake: null }
      nextAt = now.getTime() + EVERY_MS
      return { changed: 0, nextWake: new Date(nextAt) }
    },
  }
}

/** What is to be counted now: from the first span that is not final, at most so many. Moves the mark on. */
async function span(
  tx: Db,
  now: Date,
  { name, step, most }: { name: string; step: number; most: number },
): Promise<{ from: Date; to: Date }> {
  const mark = await store.markOf(tx, name)
  const from = floorTo(mark ?? new Date(now.getTime() - FIRST_MS), step)
  const present = floorTo(now, step).getTime() + step
  const to = new Date(Math.min(from.getTime() + most * step, present))
  const final = floorTo(new Date(now.getTime() - LATE_MS), step)
  await store.setMark(tx, name, to < final ? to : final)
  return { from, to }
}

/** An hour is long: it is counted when ten minutes more of it are over. */
async function factSpan(tx: Db, now: Date): Promise<{ from: Date; to: Date } | undefined> {
  const counted = await store.markOf(tx, 'facts counted')
  if (counted && counted >= floorTo(now, BIN_MS)) return undefined
  const hours = await span(tx, now, { name: 'facts', step: HOUR_MS, most: 2 })
  await store.setMark(tx, 'facts counted', hours.to < now ? hours.to : now)
  return hours
}
