import type { Worker } from '../kernel/index.ts'
import { lookForArrivals } from './arrive.ts'
import { completeCountedRuns, followCopies } from './copies.ts'
import type { RawDeps } from './deps.ts'
import { nextLook } from './file.store.ts'
import { settleRuns } from './run.store.ts'

export function rawWorkers(deps: RawDeps): Worker[] {
  const { db } = deps
  return [
    {
      name: 'raw-arrivals',
      wakeOn: ['raw'],
      async tick(now) {
        const looked = await lookForArrivals(deps, now)
        return { changed: looked, nextWake: await nextLook(db) }
      },
    },
    {
      name: 'raw-copies',
      wakeOn: ['raw', 'catalog'],
      async tick(now) {
        return {
          changed:
            (await completeCountedRuns(db, now)) + (await followCopies(db, now)) + (await settleRuns(db)),
          nextWake: null,
        }
      },
    },
  ]
}
