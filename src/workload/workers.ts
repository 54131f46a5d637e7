import type { RseTable } from '../catalog/index.ts'
import type { Identity } from '../identity/index.ts'
import type { Db, Ids, Logger, Worker } from '../kernel/index.ts'
import { deadlineWorker } from './end.ts'
import { forgiveWorker } from './forgive.ts'
import { historyWorker } from './history.ts'
import { locateWorker } from './locate.ts'
import { leftoverWorker } from './outputs.ts'
import { pilotDeadlineWorker, provisionWorker } from './pilots.ts'
import { foldJobCounts } from './queue.store.ts'
import { HALF_LIFE_MS, type Markets } from './queues.ts'
import type { Sandboxes } from './sandboxes.ts'
import { forgetRequests } from './submit.store.ts'

export interface WorkloadDeps {
  readonly db: Db
  readonly ids: Ids
  readonly log: Logger
  readonly rses: RseTable
  readonly markets: Markets
  readonly identity: Pick<Identity, 'mint'>
  /** Removes a file from a storage; false when there was none. */
  readonly remove: (url: string, token: string) => Promise<boolean>
  readonly sandboxes: Sandboxes
}

const FOLD_EVERY_MS = 1_000
const FULL_BATCH = 50_000
const KEEP_REQUESTS_MS = 7 * 86_400_000

export function workloadWorkers(deps: WorkloadDeps): Worker[] {
  const { db } = deps
  return [
    {
      name: 'job-counts',
      wakeOn: [],
      async tick(now) {
        const folded = await foldJobCounts(db, now, HALF_LIFE_MS)
        const nextWake = new Date(now.getTime() + FOLD_EVERY_MS)
        return { changed: folded === FULL_BATCH ? folded : 0, nextWake }
      },
    },
    {
      name: 'job-requests',
      wakeOn: [],
      async tick(now) {
        await forgetRequests(db, new Date(now.getTime() - KEEP_REQUESTS_MS))
        return { changed: 0, nextWake: null }
      },
    },
    historyWorker(db),
    locateWorker(deps),
    deadlineWorker(deps),
    leftoverWorker(deps),
    pilotDeadlineWorker(deps),
    provisionWorker(deps),
    forgiveWorker(deps),
    deps.sandboxes.worker,
  ]
}
