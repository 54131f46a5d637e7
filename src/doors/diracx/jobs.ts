import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { bigintSafeJson, type RouteRequest, route } from '../../http/index.ts'
import type { Principal } from '../../identity/index.ts'
import {
  countJobs,
  eventsOf,
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
import { COLUMNS, CONSTANT, isColumn, jobRecord, logRecord } from './job-view.ts'
import { conditionsOf, Specs } from './search.ts'
import { changeStatus } from './status.ts'

const Search = Type.Object({
  parameters: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  search: Type.Optional(Specs),
  sort: Type.Optional(
    Type.Array(
      Type.Object({
        parameter: Type.String(),
        direction: Type.Union([Type.Literal('asc'), Type.Literal('desc')]),
      }),
    ),
  ),
  distinct: Type.Optional(Type.Boolean()),
})
const Page = Type.Object({
  page: Type.Optional(Type.Integer({ minimum: 1 })),
  per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
})
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
      const jobs: NewJobs[] = described.map(({ jobs: { expansion: _, ...rest } }) => rest)
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

  route(app, {
    ...{ method: 'POST', url: `${base}/search`, action: 'workload.read' },
    schema: { body: Type.Optional(Type.Union([Search, Type.Null()])), querystring: Page },
    handler: async ({ principal, body, query }, reply) => {
      const { page = 1, per_page: limit = 100 } = query
      const { parameters, search = [], sort = [], distinct = false } = body ?? {}
      const wanted = parameters?.filter((name) => name !== 'LoggingInfo') ?? null
      for (const name of [...(wanted ?? []), ...sort.map(({ parameter }) => parameter)])
        if (!isColumn(name)) throw wireError(400, `Unknown column ${name}`)
      const { conditions, never } = conditionsOf(search)
      const { vo } = principal
      const total = never ? 0 : Number(await countJobs(db, { vo, conditions }))
      const offset = (page - 1) * limit
      if (offset > 0 && offset >= total) {
        return reply.code(416).header('content-range', `jobs */${total}`).send([])
      }
      const order = sort.flatMap(({ parameter, direction }) => {
        const column = COLUMNS[parameter]
        return column ? [{ column, descending: direction === 'desc' }] : []
      })
      const found = never ? [] : await searchJobs(db, { vo, conditions, sort: order, offset, limit })
      const history = parameters?.includes('LoggingInfo')
        ? await eventsOf(
            db,
            found.map(({ id }) => id),
          )
        : undefined
      const records = found.map((job) => {
        const record = jobRecord(job)
        const shown = wanted?.length
          ? Object.fromEntries(wanted.map((name) => [name, record[name] ?? CONSTANT[name]]))
          : record
        const own = history?.filter(({ jobId }) => jobId === job.id).map(logRecord)
        return own ? { ...shown, LoggingInfo: own } : shown
      })
      const rows = distinct ? unique(records) : records
      if (found.length < total) {
        reply.header('content-range', `jobs ${offset}-${offset + found.length - 1}/${total}`).code(206)
      }
      return reply.type('application/json').send(bigintSafeJson(rows))
    },
  })

  route(app, {
    ...{ method: 'POST', url: `${base}/summary`, action: 'workload.read' },
    schema: { body: Type.Object({ grouping: Type.Array(Type.String()), search: Type.Optional(Specs) }) },
    handler: async ({ principal, body }) => {
      const bad = body.grouping.find((name) => !COLUMNS[name])
      if (bad !== undefined) throw wireError(400, `Unknown column ${bad}`)
      const { conditions, never } = conditionsOf(body.search ?? [])
      if (never) return []
      const grouping = body.grouping.map((name) => COLUMNS[name]!)
      const lines = await summariseJobs(db, { vo: principal.vo, conditions, grouping })
      return lines.map(({ values, count }) => ({
        ...Object.fromEntries(body.grouping.map((name, i) => [name, values[i]])),
        count: Number(count),
      }))
    },
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

const described1 = (text: string, by: Submitter) =>
  jobsOfJdl(text, {
    outputDataset: (name) => ({
      scope: `user.${by.account}`,
      name: name.replace(/[^A-Za-z0-9._-]/g, '_'),
    }),
  })

function unique<T>(records: readonly T[]): T[] {
  return [...new Map(records.map((record) => [JSON.stringify(record), record])).values()]
}
