import type { Db } from '../kernel/index.ts'
import { jobMissing } from './errors.ts'
import { queuesByIds } from './queue.store.ts'
import { jobDetails, jobsByIds } from './read.store.ts'
import type { NewJobs } from './types.ts'

/** What a job was submitted as, to be submitted once more as another one. Throws job_missing. */
export async function jobsAgain(db: Db, vo: string, id: bigint): Promise<NewJobs> {
  const [[job], details] = await Promise.all([jobsByIds(db, vo, [id]), jobDetails(db, vo, id)])
  if (!job || !details) throw jobMissing(`There is no job ${id}.`)
  const [queue] = await queuesByIds(db, [details.queueId])
  const { name, jobGroup, jobType, priority } = job
  return {
    ...{ name, jobGroup, jobType, priority, demand: queue!.demand, spec: details.spec },
    items: [details.item ?? { n: 0, parameters: {}, inputs: [] }],
  }
}
