import type { RseTable } from '../catalog/index.ts'
import { type Db, type Tx, transaction, type Worker, wake } from '../kernel/index.ts'
import { sitesOfInputs } from './inputs.ts'
import { LOOKING, type Looking, lockLooking, nextLook } from './locate.store.ts'
import { type Move, moveJobs, setLookAt } from './move.store.ts'
import { ensureQueues, queuesByIds } from './queue.store.ts'
import { STATES } from './states.ts'

const BATCH = 500
/** Copies come and go: so often is looked where the inputs of a waiting job are now. */
const LOOK_AGAIN_MS = 600_000
const MISSING_LOOK_AGAIN_MS = 30_000

/** Puts jobs with inputs into the queue of the sites that hold them, and moves them when the copies move. */
export function locateWorker({ db, rses }: { db: Db; rses: RseTable }): Worker {
  return {
    name: 'job-inputs',
    wakeOn: ['job'],
    async tick(now) {
      const changed = await transaction(db, async (tx) => {
        const jobs = await lockLooking(tx, now, BATCH)
        for (const vo of new Set(jobs.map((job) => job.vo))) {
          const own = jobs.filter((job) => job.vo === vo)
          await place(
            tx,
            vo,
            own.filter((job) => job.needsInputs),
          )
        }
        // Their pause is over.
        const rested = jobs.filter((job) => !job.needsInputs)
        await moveJobs(tx, {
          ...{ now, from: [STATES.Rescheduled], source: 'JobManager' },
          moves: rested.map(({ id }) => ({ id, to: STATES.Waiting, minor: 'Job Rescheduled', lookAt: null })),
        })
        if (jobs.length > 0) await wake(tx, 'workload')
        return jobs.length
      })
      return { changed: changed === BATCH ? changed : 0, nextWake: await nextLook(db) }

      async function place(tx: Tx, vo: string, jobs: readonly Looking[]): Promise<void> {
        const sites = await sitesOfInputs(
          tx,
          vo,
          rses,
          jobs.map((job) => job.item.inputs),
        )
        const queues = new Map(
          (await queuesByIds(tx, [...new Set(jobs.map((job) => job.queueId))])).map((q) => [q.id, q]),
        )
        const found = jobs.flatMap((job, i) => (sites[i]?.length ? [{ job, sites: sites[i]! }] : []))
        const wanted = await ensureQueues(
          tx,
          now,
          found.map(({ job, sites: dataSites }) => {
            const { id: _, ...queue } = queues.get(job.queueId)!
            return { ...queue, dataSites }
          }),
        )
        const again = new Date(now.getTime() + LOOK_AGAIN_MS)
        const moves: Move[] = []
        const stay: bigint[] = []
        found.forEach(({ job }, i) => {
          const queueId = wanted[i]!
          if (job.state === STATES.Waiting && queueId === job.queueId) stay.push(job.id)
          else {
            const minor = 'Pilot Agent Submission'
            moves.push({ id: job.id, to: STATES.Waiting, minor, queueId, lookAt: again })
          }
        })
        await setLookAt(tx, stay, again)
        const soon = new Date(now.getTime() + MISSING_LOOK_AGAIN_MS)
        const there = new Set(found.map(({ job }) => job.id))
        const missing = jobs.filter((job) => !there.has(job.id))
        const still = missing.filter((job) => job.state === STATES.Checking)
        await setLookAt(
          tx,
          still.map((job) => job.id),
          soon,
        )
        for (const { id, state } of missing) {
          if (state === STATES.Checking) continue
          moves.push({ id, to: STATES.Checking, minor: 'Input Data Not Available', lookAt: soon })
        }
        await moveJobs(tx, { now, from: LOOKING, source: 'InputData', moves })
      }
    },
  }
}
