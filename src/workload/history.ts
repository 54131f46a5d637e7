import type { Db, Worker } from '../kernel/index.ts'
import { forgetHistory, noteCounts, thinHistory } from './history.store.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** What is older is kept only once in so many seconds. */
const THINNER = [
  { afterMs: 2 * DAY_MS, seconds: 600 },
  { afterMs: 14 * DAY_MS, seconds: 3600 },
  { afterMs: 90 * DAY_MS, seconds: 86_400 },
]
const KEEP_MS = 3 * 365 * DAY_MS

/** Notes once a minute how many jobs are in each state. It reads counts, not jobs: what it costs does not grow with them. */
export function historyWorker(db: Db): Worker {
  let [noted, thinned] = [0, 0]
  return {
    name: 'job-history',
    wakeOn: [],
    async tick(now) {
      const minute = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS
      if (minute > noted) await noteCounts(db, new Date(minute))
      noted = minute
      if (minute >= thinned + HOUR_MS) {
        for (const { afterMs, seconds } of THINNER) await thinHistory(db, new Date(minute - afterMs), seconds)
        await forgetHistory(db, new Date(minute - KEEP_MS))
        thinned = minute
      }
      return { changed: 0, nextWake: new Date(minute + MINUTE_MS) }
    },
  }
}
