import { type Db, type Tx, transaction, type Worker, wake } from '../kernel/index.ts'
import { type JobAtEnd, lockJobs } from './end.store.ts'
import { foreignSites, stuckJobs } from './forgive.store.ts'
import { type Move, moveJobs } from './move.store.ts'
import { type ResourceRow, resourcesOf } from './pilots.store.ts'
import { mayStartAt, mayStartWith } from './provision.ts'
import { ensureQueues, queuesByIds } from './queue.store.ts'
import type { Markets } from './queues.ts'
import { STATES } from './states.ts'

/** A job that its sites spoilt waits at most so long, and as a rule half of it, before it may go back. */
const EVERY_MS = 10_000
const BATCH = 1000

/** Lets jobs go back to sites that spoilt a start of them when they could start nowhere else now. */
export function forgiveWorker({ db, markets }: { db: Db; markets: Markets }): Worker {
  return {
    name: 'job-forgiveness',
    wakeOn: [],
    async tick(now) {
      const [resources, foreign] = await Promise.all([resourcesOf(db, null), foreignSites(db)])
      let changed = 0
      for (const vo of new Set([...resources, ...foreign].map((place) => place.vo))) {
        const own = <T extends { vo: string }>(all: readonly T[]) => all.filter((place) => place.vo === vo)
        changed += await forgive(
          vo,
          own(resources),
          own(foreign).map(({ site }) => site),
          now,
        )
      }
      return { changed: changed === BATCH ? changed : 0, nextWake: new Date(now.getTime() + EVERY_MS) }
    },
  }

  async function forgive(
    vo: string,
    resources: readonly ResourceRow[],
    foreign: readonly string[],
    now: Date,
  ): Promise<number> {
    const market = await markets.of(vo, now, true)
    const stuck = market.waiting.filter(
      ({ queue }) =>
        queue.spoiltAt.length > 0 &&
        !resources.some((resource) => mayStartAt(queue, resource, market, now)) &&
        !foreign.some((site) => mayStartWith(queue, site)),
    )
    if (stuck.length === 0) return 0
    return transaction(db, async (tx) => {
      const ids = await stuckJobs(
        tx,
        stuck.map(({ queue }) => queue.id),
        BATCH,
      )
      const jobs = await lockJobs(tx, vo, ids)
      const queues = await anywhere(tx, now, jobs)
      const moves = jobs.map(({ id, needsInputs }, i): Move => {
        const look = needsInputs ? { lookAt: now } : {}
        return { id, to: STATES.Waiting, minor: 'Job Rescheduled', queueId: queues[i]!, ...look }
      })
      await moveJobs(tx, { now, from: [STATES.Waiting], source: 'JobManager', moves })
      await wake(tx, 'workload')
      return ids.length
    })
  }
}

/** The queues of jobs without regard to what sites did to them; in the order asked. */
export async function anywhere(
  tx: Tx,
  now: Date,
  jobs: readonly Pick<JobAtEnd, 'queueId'>[],
): Promise<number[]> {
  const ids = [...new Set(jobs.map(({ queueId }) => queueId))]
  const queues = new Map((await queuesByIds(tx, ids)).map((queue) => [queue.id, queue]))
  return ensureQueues(
    tx,
    now,
    jobs.map(({ queueId }) => {
      const { id: _, ...queue } = queues.get(queueId)!
      return { ...queue, spoiltAt: [] }
    }),
  )
}
