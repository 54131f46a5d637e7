import { Type } from 'typebox'
import { jobCounts, jobLines, jobTimeline } from '../../operations/index.ts'
import {
  jobsAgain,
  jobsByIds,
  recipeOf,
  STATES,
  type StateName,
  scriptOf,
  submitJobs,
} from '../../workload/index.ts'
import { JobCountsShown, JobPageShown, JobTimelineShown } from './job-answers.ts'
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

  door.get({
    url: '/kumi/v1/jobs/timeline',
    action: 'workload.read',
    summary: 'How many jobs of the VO were in each state over time, and how many ended',
    schema: {
      querystring: Type.Object({ hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 2160 })) }),
    },
    answer: JobTimelineShown,
    handler: ({ principal, query }) => jobTimeline(db, clock.now(), principal.vo, query.hours ?? 24),
  })

  door.get({
    url: '/kumi/v1/jobs/:id/script',
    // What was sent along may be meant for its owner only.
    action: 'workload.control',
    summary: 'A shell script that runs the job anywhere: its files, inputs, environment and command',
    schema: { params: JobId },
    resource: async ({ principal: { vo, accountId }, params }) => {
      const [job] = await jobsByIds(db, vo, [BigInt(params.id)])
      return { vo, owner: job?.ownerId ?? accountId }
    },
    answer: Type.Object({ script: Type.String() }),
    handler: async ({ principal, params }) => ({
      script: scriptOf(await recipeOf(db, principal.vo, BigInt(params.id))),
    }),
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
