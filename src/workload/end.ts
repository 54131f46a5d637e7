import { type Db, publish, type Tx, transaction, type Worker, wake } from '../kernel/index.ts'
import * as store from './end.store.ts'
import { type Move, moveJobs } from './move.store.ts'
import { ensureQueues, queuesByIds } from './queue.store.ts'
import { BEFORE_PILOT, ENDS, isWithPilot, STATES, type StateEnd, WITH_PILOT } from './states.ts'
import type { Held } from './types.ts'

export type { EndedStart, Outcome } from './end.store.ts'

/** Starts that may end by no fault of the job before it is given up: something about it kills pilots. */
export const MOST_LOSSES = 10

/** Before the next start, by how many were lost: a place that spoils all it gets must not use up a job in a moment. */
const PAUSES_MS = [0, 0, 0, 30_000, 60_000, 180_000, 300_000]
const LONGEST_PAUSE_MS = 600_000

/**
 * What becomes of jobs whose starts ended without success. Lost starts and faults of a site cost the job nothing but
 * the site: it waits again, elsewhere if there is an elsewhere. Its own failures are counted against its tries.
 */
export async function afterStarts(
  tx: Tx,
  now: Date,
  ended: readonly { job: store.JobAtEnd; start: store.EndedStart; site: string; application?: string }[],
): Promise<void> {
  const queues = new Map(
    (
      await queuesByIds(
        tx,
        ended.map(({ job }) => job.queueId),
      )
    ).map((q) => [q.id, q]),
  )
  const elsewhere = await ensureQueues(
    tx,
    now,
    ended.map(({ job, start, site }) => {
      const { id: _, ...queue } = queues.get(job.queueId)!
      if (start.outcome !== 'site_fault') return queue
      return { ...queue, spoiltAt: [...new Set([...queue.spoiltAt, site])].sort() }
    }),
  )
  const moves = ended.map(({ job, start, application }, i): Move => {
    const { id, attempt } = job
    const told = application === undefined ? {} : { application }
    const again = (more: Partial<Move>): Move => ({
      ...{ id, attempt, to: STATES.Waiting, minor: 'Job Rescheduled', queueId: elsewhere[i]!, ...told },
      ...(job.needsInputs && { lookAt: now }),
      ...more,
    })
    if (start.outcome === 'returned') return again({})
    if (start.outcome === 'failed') {
      if (job.failures + 1 < job.tries) return again({ failures: 1 })
      return { id, attempt, to: STATES.Failed, minor: start.reason, failures: 1, ...told }
    }
    const losses = job.losses + 1
    const pause = PAUSES_MS[losses] ?? LONGEST_PAUSE_MS
    if (losses < MOST_LOSSES && pause === 0) return again({ losses: 1 })
    if (losses < MOST_LOSSES)
      return again({ losses: 1, to: STATES.Rescheduled, lookAt: new Date(now.getTime() + pause) })
    return {
      ...{ id, attempt, to: STATES.Failed, minor: 'Maximum of reschedulings reached', losses: 1 },
      application: start.reason,
    }
  })
  await moveJobs(tx, { now, from: [...WITH_PILOT], source: 'JobManager', moves })
  await announce(
    tx,
    now,
    ended.map(({ job }, i) => ({ vo: job.vo, to: moves[i]!.to })),
  )
}

/** Tells in one event for each VO how many jobs ended. */
export async function announce(
  tx: Tx,
  now: Date,
  moved: readonly { vo: string; to: number }[],
): Promise<void> {
  const over = moved.filter(({ to }) => to >= STATES.Done)
  await publish(
    tx,
    now,
    [...new Set(over.map(({ vo }) => vo))].map((vo) => {
      const own = over.filter((job) => job.vo === vo)
      const failed = own.filter(({ to }) => to === STATES.Failed).length
      return { vo, kind: 'job.ended', subject: vo, payload: { jobs: own.length, failed } }
    }),
  )
  if (moved.some(({ to }) => to === STATES.Waiting)) await wake(tx, 'workload')
}

/** Starts whose pilot is gone: infrastructure failed, not the job. */
export async function loseStarts(
  tx: Tx,
  now: Date,
  starts: readonly Held[],
  reason: string,
): Promise<number> {
  const wanted = new Map(starts.map((start) => [start.jobId, start.attempt]))
  const jobs = (await store.lockJobs(tx, null, [...wanted.keys()])).filter(
    (job) => wanted.get(job.id) === job.attempt && isWithPilot(job.state),
  )
  const ended = jobs.map((job) => ({
    job,
    start: { jobId: job.id, attempt: job.attempt, outcome: 'lost' as const, reason },
  }))
  const over = new Map(
    (
      await store.endStarts(
        tx,
        now,
        ended.map(({ start }) => start),
      )
    ).map((start) => [start.jobId, start.site]),
  )
  await afterStarts(
    tx,
    now,
    ended.map((one) => ({ ...one, site: over.get(one.job.id) ?? '', application: reason })),
  )
  return jobs.length
}

const BATCH = 1000

/** The one sweeper of states: whatever outlives its end is moved on as `ENDS` says. */
export function deadlineWorker({ db }: { db: Db }): Worker {
  return {
    name: 'job-deadlines',
    wakeOn: [],
    async tick(now) {
      const changed = await transaction(db, async (tx) => {
        const jobs = await store.lockOverdue(tx, now, BATCH)
        const by = (action: StateEnd['action']) => jobs.filter((job) => ENDS[job.state]?.action === action)
        await moveJobs(tx, {
          ...{ now, source: 'StalledJobAgent', from: [...WITH_PILOT] },
          moves: by('stall').map(({ id, state, attempt }) => ({
            ...{ id, attempt, to: STATES.Stalled, minor: ENDS[state]!.minor },
          })),
        })
        await loseStarts(
          tx,
          now,
          by('lose').map(({ id, attempt }) => ({ jobId: id, attempt })),
          ENDS[STATES.Stalled]!.minor,
        )
        const failed = by('fail').map(({ id, state }) => ({
          ...{ id, to: STATES.Failed, minor: ENDS[state]!.minor },
        }))
        await moveJobs(tx, { now, source: 'JobManager', from: [...BEFORE_PILOT], moves: failed })
        await announce(
          tx,
          now,
          by('fail').map(({ vo }) => ({ vo, to: STATES.Failed })),
        )
        return jobs.length
      })
      return { changed: changed === BATCH ? changed : 0, nextWake: await store.nextOverdue(db) }
    },
  }
}
