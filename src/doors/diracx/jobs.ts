import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import type { Principal } from '../../identity/index.ts'
import type { PinnedRelease } from '../../software/index.ts'
import {
  countJobs,
  type DescribedJobs,
  eventsOf,
  type JobColumn,
  type JobCondition,
  type JobEvent,
  jobsByIds,
  jobsOfJdl,
  type NewJobs,
  rescheduleJobs,
  type Submitter,
  searchJobs,
  stateName,
  submitJobs,
  summariseJobs,
} from '../../workload/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { checkData, submitterOf } from '../kumi/job-request.ts'
import { wireError } from './errors.ts'
import { idOf, JobIds, ownerOf } from './job-ids.ts'
import { JOB_WORDS, jobRecord, logRecord } from './job-view.ts'
import { answerList, answerSummary, Page, SearchBody, SummaryBody } from './listing.ts'
import type { Conditions } from './search.ts'
import { changeStatus } from './status.ts'

/** The field's own server takes 20; nothing here asks for so few. */
const MOST_DESCRIPTIONS = 1000
const BODY = 16 << 20

/** Submission, search and orders for jobs, as DiracX has them. */
export function registerJobRoutes(app: FastifyInstance, deps: JobDoorDeps): void {
  const { db, clock } = deps
  const base = '/diracx/api/jobs'
  const submits = {
    method: 'POST',
    action: 'workload.submit',
    resource: ({ principal }: Pick<RouteRequest, 'principal'>) => ({
      vo: principal.vo,
      owner: principal.accountId,
    }),
  } as const

  route(app, {
    ...submits,
    url: `${base}/jdl`,
    bodyLimit: BODY,
    schema: {
      body: Type.Array(Type.String({ maxLength: 1 << 20 }), { minItems: 1, maxItems: MOST_DESCRIPTIONS }),
    },
    handler: async (request, reply) => {
      const { principal, body } = request
      const by = submitterOf(principal)
      const described = body.map((text) => ({ jobs: described1(text, by) }))
      if (described.length > 1 && described.some(({ jobs }) => jobs.expansion.parametric))
        throw wireError(400, 'A parametric job must be submitted alone')
      const jobs = await withSoftware(
        deps,
        by.vo,
        described.map(({ jobs }) => jobs),
      )
      await checkData(deps, principal, jobs)
      const now = clock.now()
      const ids = await submitJobs(db, { now, by, jobs })
      return reply.code(201).send(
        ids.map((id) => ({
          ...{ JobID: Number(id), Status: 'Received', MinorStatus: 'Job accepted' },
          TimeStamp: now.toISOString(),
        })),
      )
    },
  })

  const conditionsOn = ({ conditions, related }: Conditions<JobColumn>): readonly JobCondition[] =>
    related === null ? conditions : [...conditions, { column: 'pilot', operator: 'in', values: related }]

  route(app, {
    ...{ method: 'POST', url: `${base}/search`, action: 'workload.read' },
    schema: { body: SearchBody, querystring: Page },
    handler: async (request, reply) => {
      const { vo } = request.principal
      return answerList(reply, request, {
        ...{ unit: 'jobs', words: JOB_WORDS, extra: 'LoggingInfo' },
        count: async (asked) => Number(await countJobs(db, { vo, conditions: conditionsOn(asked) })),
        async find(asked, { extra, ...order }) {
          const found = await searchJobs(db, { vo, conditions: conditionsOn(asked), ...order })
          const ids = found.map(({ id }) => id)
          const history = extra ? await eventsOf(db, ids) : []
          const ofJob = new Map<bigint, JobEvent[]>()
          for (const event of history) ofJob.set(event.jobId, [...(ofJob.get(event.jobId) ?? []), event])
          return found.map((job) => ({
            ...jobRecord(job),
            ...(extra && { LoggingInfo: (ofJob.get(job.id) ?? []).map(logRecord) }),
          }))
        },
      })
    },
  })

  route(app, {
    ...{ method: 'POST', url: `${base}/summary`, action: 'workload.read' },
    schema: { body: SummaryBody },
    handler: async ({ principal: { vo }, body }) =>
      answerSummary(body, JOB_WORDS, (asked, grouping) =>
        summariseJobs(db, { vo, conditions: conditionsOn(asked), grouping }),
      ),
  })

  const controls = {
    action: 'workload.control',
    resource: async ({ principal, body }: { principal: Principal; body: unknown }) => {
      const ids =
        'job_ids' in (body as object) ? (body as { job_ids: number[] }).job_ids : Object.keys(body as object)
      return ownerOf(db, principal, ids.map(idOf))
    },
  } as const

  const Update = Type.Object({
    Status: Type.Optional(Type.String()),
    MinorStatus: Type.Optional(Type.String({ maxLength: 128 })),
    ApplicationStatus: Type.Optional(Type.String({ maxLength: 255 })),
    Source: Type.Optional(Type.String({ maxLength: 64 })),
  })
  route(app, {
    ...{ ...controls, method: 'PATCH', url: `${base}/status` },
    schema: {
      body: Type.Record(Type.String(), Type.Record(Type.String(), Update)),
      querystring: Type.Object({ force: Type.Optional(Type.Boolean()) }),
    },
    handler: async ({ principal, body }) => {
      const updates = Object.entries(body).map(([id, list]) => ({ id: idOf(id), list }))
      const answer = await changeStatus(db, { principal, now: clock.now(), updates })
      if (Object.keys(answer.success).length === 0 && updates.length > 0)
        throw wireError(404, 'No such jobs', answer)
      return answer
    },
  })

  route(app, {
    ...{ ...controls, method: 'POST', url: `${base}/reschedule` },
    schema: { body: JobIds, querystring: Type.Object({ reset_jobs: Type.Optional(Type.Boolean()) }) },
    handler: async ({ principal, body }) => {
      const source = `User: ${principal.account}`
      const order = { vo: principal.vo, now: clock.now(), ids: body.job_ids.map(idOf), source }
      const { changed, refused } = await rescheduleJobs(db, order)
      const jobs = new Map((await jobsByIds(db, principal.vo, changed)).map((job) => [job.id, job]))
      const answer = {
        failed: Object.fromEntries([...refused].map(([id, error]) => [id, { detail: error.message }])),
        success: Object.fromEntries(
          changed.map((id) => {
            const job = jobs.get(id)!
            const facts = { InputData: null, Status: stateName(job.state), MinorStatus: job.minor }
            return [id, { JobID: Number(id), RescheduleCounter: job.attempt, ...facts }]
          }),
        ),
      }
      if (changed.length === 0) throw wireError(400, 'Nothing could be rescheduled', answer)
      return answer
    },
  })
}

/** Each release is looked up once, however many jobs name it. */
async function withSoftware(
  { software }: JobDoorDeps,
  vo: string,
  described: readonly DescribedJobs[],
): Promise<NewJobs[]> {
  const names = [...new Set(described.map((jobs) => jobs.software).filter(Boolean))]
  const pinned = new Map<string, PinnedRelease>()
  for (const name of names) pinned.set(name, await software.pin(vo, name))
  return described.map(({ expansion: _, software: name, ...jobs }) => {
    const release = pinned.get(name)
    return release ? { ...jobs, spec: { ...jobs.spec, software: release } } : jobs
  })
}

const described1 = (text: string, by: Submitter) =>
  jobsOfJdl(text, {
    outputDataset: (name) => ({
      scope: `user.${by.account}`,
      name: name.replace(/[^A-Za-z0-9._-]/g, '_'),
    }),
  })
