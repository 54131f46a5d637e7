import { type Db, type Tx, transaction, wake } from '../kernel/index.ts'
import * as store from './end.store.ts'
import { announce } from './end.ts'
import { jobInState, jobMissing } from './errors.ts'
import { anywhere } from './forgive.ts'
import { type Move, moveJobs } from './move.store.ts'
import { dropSandboxesOfJobs } from './sandboxes.ts'
import { BEFORE_PILOT, HELD, isWithPilot, STATES, stateName, WITH_PILOT } from './states.ts'

export interface Order {
  readonly vo: string
  readonly now: Date
  readonly ids: readonly bigint[]
  /** Who orders it, as the history of the job shall say. */
  readonly source: string
}

/** Ids that changed, and why the others did not. */
export interface Ordered {
  readonly changed: readonly bigint[]
  readonly refused: ReadonlyMap<bigint, Error>
}

/** Keeps waiting jobs from being started. */
export const holdJobs = (db: Db, order: Order): Promise<Ordered> =>
  change(db, order, BEFORE_PILOT, 'can be held', ({ id }) => ({
    ...{ id, to: HELD, minor: `Held by ${order.source}`, lookAt: null },
  }))

/** Lets held jobs wait again; their inputs are looked for anew. */
export const releaseJobs = (db: Db, order: Order): Promise<Ordered> =>
  change(db, order, [HELD], 'can be released', (job) => entry(job, order.now, 'Released'))

/** Kills jobs, wherever they are; a running start is told to stop, and what it still reports is refused. */
export const killJobs = (db: Db, order: Order, minor = 'Marked for termination'): Promise<Ordered> =>
  change(db, order, [...BEFORE_PILOT, ...WITH_PILOT], 'can be killed', ({ id }) => ({
    ...{ id, to: STATES.Killed, minor, lookAt: null },
  }))

/** Takes jobs out of sight; what still runs of them is stopped. */
export const deleteJobs = (db: Db, order: Order): Promise<Ordered> => {
  const { Done, Failed, Killed, Deleted } = STATES
  const from = [...BEFORE_PILOT, ...WITH_PILOT, Done, Failed, Killed]
  const move = ({ id }: store.JobAtEnd): Move => ({
    ...{ id, to: Deleted, minor: 'Marked for deletion', lookAt: null },
  })
  return change(db, order, from, 'can be deleted', move, (tx, ids) => dropSandboxesOfJobs(tx, ids))
}

/** Runs jobs again from the beginning, under the same id. Done ones stay: their files are in the catalogue. */
export const rescheduleJobs = (db: Db, order: Order): Promise<Ordered> => {
  const { Failed, Killed } = STATES
  const from = [...BEFORE_PILOT, ...WITH_PILOT, Failed, Killed]
  const move = (job: store.JobAtEnd): Move => ({
    ...entry(job, order.now, 'Job Rescheduled'),
    ...{ application: 'Unknown', afresh: true },
  })
  return change(db, order, from, 'can be rescheduled', move, (tx, ids) =>
    dropSandboxesOfJobs(tx, ids, 'output'),
  )
}

const entry = (job: store.JobAtEnd, now: Date, minor: string): Move =>
  job.needsInputs
    ? { id: job.id, to: STATES.Received, minor, lookAt: now }
    : { id: job.id, to: STATES.Waiting, minor }

async function change(
  db: Db,
  order: Order,
  from: readonly number[],
  what: string,
  moveOf: (job: store.JobAtEnd) => Move,
  also?: (tx: Tx, ids: readonly bigint[]) => Promise<void>,
): Promise<Ordered> {
  const { vo, now, source } = order
  const ids = [...new Set(order.ids)]
  return transaction(db, async (tx) => {
    const jobs = await store.lockJobs(tx, vo, ids)
    const refused = new Map<bigint, Error>()
    const known = new Map(jobs.map((job) => [job.id, job]))
    for (const id of ids) {
      const job = known.get(id)
      if (!job) refused.set(id, jobMissing(`There is no job ${id}.`))
      else if (!from.includes(job.state))
        refused.set(id, jobInState(`Job ${id} is ${stateName(job.state)}; it ${cannot(what)} now.`))
    }
    const chosen = jobs.filter(({ id }) => !refused.has(id))
    await stopStarts(tx, now, chosen, source)
    const planned = chosen.map(moveOf)
    // Who begins anew may go to every site again.
    const fresh = planned.some(({ afresh }) => afresh)
    const queues = fresh ? await anywhere(tx, now, chosen) : []
    const moves = fresh ? planned.map((move, i) => ({ ...move, queueId: queues[i]! })) : planned
    await moveJobs(tx, { now, from, source, moves })
    await announce(
      tx,
      now,
      moves.map(({ to }) => ({ vo, to })),
    )
    if (moves.some(({ to }) => to === STATES.Received)) await wake(tx, 'job')
    const changed = chosen.map(({ id }) => id)
    await also?.(tx, changed)
    return { changed, refused }
  })
}

const cannot = (what: string): string => what.replace(/^can /, 'cannot ')

/** Ends what runs of jobs, and orders it to stop. */
async function stopStarts(tx: Tx, now: Date, jobs: readonly store.JobAtEnd[], source: string): Promise<void> {
  const running = jobs.filter((job) => isWithPilot(job.state))
  const starts = running.map(({ id, attempt }) => ({ jobId: id, attempt }))
  await store.endStarts(
    tx,
    now,
    starts.map((start) => ({ ...start, outcome: 'killed', reason: `Stopped by ${source}` })),
  )
  await store.orderKills(tx, now, starts)
}
