import { Type } from 'typebox'
import { jobCounts, jobLines } from '../../operations/index.ts'
import { jobsAgain, STATES, type StateName, submitJobs } from '../../workload/index.ts'
import { JobCountsShown, JobPageShown } from './job-answers.ts'
import type { JobDoorDeps } from './job-deps.ts'
import { checkData, submitterOf } from './job-request.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'

const text = Type.String({ minLength: 1, maxLength: 255 })
const Question = {
  owner: Type.Optional(text),
  group: Type.Optional(text),
  site: Type.Optional(text),
  /** `*` stands for anything. */
  name: Type.Optional(text),
  since: Type.Optional(Type.String({ format: 'date-time' })),
}
const JobId = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) })

/** Jobs as lists for a screen: what they cost does not grow with the number of jobs. */
export function registerJobLists(door: Operations, deps: JobDoorDeps): void {
  const { db, clock } = deps
  door.get({
    url: '/kumi/v1/jobs',
    action: 'workload.read',
    summary:
      'Jobs, newest first; `next` is where the following page begins, also after one on which none fitted',
    schema: {
      querystring: Type.Object({
        ...Question,
        status: Type.Optional(literals(...(Object.keys(STATES) as StateName[]))),
        before: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      }),
    },
    answer: JobPageShown,
    handler: ({ principal, query }) => {
      const { before, limit = 100, since, ...rest } = query
      const question = { vo: principal.vo, ...rest, ...(since && { since: new Date(since) }) }
      return jobLines(db, question, { limit, ...(before !== undefined && { before: BigInt(before) }) })
    },
  })

  door.get({
    url: '/kumi/v1/jobs/counts',
    action: 'workload.read',
    summary: 'How many jobs there are in each state; with a site, a name or a time only of the newest',
    schema: { querystring: Type.Object(Question) },
    answer: JobCountsShown,
    handler: ({ principal, query }) => {
      const { since, ...rest } = query
      return jobCounts(db, { vo: principal.vo, ...rest, ...(since && { since: new Date(since) }) })
    },
  })

  door.post({
    url: '/kumi/v1/jobs/:id/again',
    action: 'workload.submit',
    summary: 'Submit a job once more, as a new job of the caller',
    schema: { params: JobId },
    resource: ({ principal }) => ({ vo: principal.vo, owner: principal.accountId }),
    answer: Type.Object({ jobs: Type.Array(Type.Integer()) }),
    handler: async ({ principal, params }) => {
      const by = submitterOf(principal)
      const jobs = [await jobsAgain(db, by.vo, BigInt(params.id))]
      await checkData(deps, principal, jobs)
      return { jobs: await submitJobs(db, { now: clock.now(), by, jobs }) }
    },
  })
}
