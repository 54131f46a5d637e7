import { transaction } from '../kernel/index.ts'
import { isFinal, jobsByIds, jobsStanding, STATES } from '../workload/index.ts'
import type { ProductionDeps } from './deps.ts'
import { againAt, failureOf } from './failure.ts'
import { countStep } from './production.store.ts'
import * as store from './task.store.ts'
import type { Production, StepRow } from './types.ts'

const PAGE = 5000

export interface InHand {
  readonly waiting: number
  readonly running: number
  readonly changed: number
}

/** Looks at the jobs of a step's tasks: those that failed are tried again or given up; counts the others. */
export async function followJobs(
  { db }: Pick<ProductionDeps, 'db'>,
  { vo }: Pick<Production, 'vo'>,
  step: StepRow,
  now: Date,
): Promise<InHand> {
  let [waiting, running, changed] = [0, 0, 0]
  for (let after = -1n; ; ) {
    const page = await store.submittedTasks(db, step.id, after, PAGE)
    if (page.length === 0) break
    const standing = await jobsStanding(
      db,
      vo,
      page.map(({ jobId }) => jobId),
    )
    waiting += standing.waiting
    running += standing.running
    after = page.at(-1)!.id
    // Of most pages nothing more needs to be known.
    if (standing.over.length === 0) continue
    const over = new Set(standing.over)
    const jobs = new Map((await jobsByIds(db, vo, standing.over)).map((job) => [job.id, job]))
    const ended = page.flatMap((task): store.EndedTask[] => {
      const job = jobs.get(task.jobId)
      // One that is Done was verified in the same transaction; another may have been submitted again since.
      if (!over.has(task.jobId) || (job && (!isFinal(job.state) || job.state === STATES.Done))) return []
      const failure = job ? failureOf(job) : 'killed'
      const reason = job ? `job ${job.id}: ${job.minor} (${job.application})` : `job ${task.jobId} is gone`
      return [{ ...task, failure, reason, again: againAt(failure, task.tries, now) }]
    })
    if (ended.length > 0) {
      changed += await transaction(db, async (tx) => {
        const { again, failed } = await store.endTries(tx, now, ended)
        await countStep(tx, step.id, { failed, jobsFailed: again + failed })
        return again + failed
      })
    }
  }
  return { waiting, running, changed }
}
