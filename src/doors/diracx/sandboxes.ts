import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import type { Principal } from '../../identity/index.ts'
import { isGridError, transaction } from '../../kernel/index.ts'
import {
  assignOutput,
  dropSandboxesOfJobs,
  type JobView,
  jobsByIds,
  parseSandbox,
  pfnOfSandbox,
  SANDBOX_BYTES,
  SANDBOX_FORMATS,
  sandboxesOfJobs,
  sandboxOf,
  TICKET_SECONDS,
} from '../../workload/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { submitterOf } from '../kumi/job-request.ts'
import { literals } from '../kumi/literals.ts'
import { wireError } from './errors.ts'
import { readUploadForm } from './form.ts'
import { idOf, JobIds, ownerOf } from './job-ids.ts'

const JobId = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) })
const Pfn = Type.String({
  maxLength: 256,
  pattern: '^(SB:[A-Za-z]+\\|)?/S3/[a-z0-9.-]{3,63}(/[^/]+){3}/[a-z0-9]{3,10}:[0-9a-f]{64}\\.[a-z0-9.]+$',
})
/** The form around an archive. */
const BODY = SANDBOX_BYTES + (1 << 20)

/** Sandboxes: announced and asked for at the API, sent to and read from an address that is signed for a few minutes. */
export function registerSandboxRoutes(app: FastifyInstance, deps: JobDoorDeps): void {
  const { db, clock, sandboxes } = deps
  const base = '/diracx/api/jobs'
  const store = '/diracx/sandboxes'

  route(app, {
    ...{ method: 'POST', url: `${base}/sandbox`, action: 'workload.submit' },
    resource: ({ principal }: { principal: Principal }) => ({
      vo: principal.vo,
      owner: principal.accountId,
    }),
    schema: {
      body: Type.Object(
        {
          checksum_algorithm: Type.Literal('sha256'),
          checksum: Type.String({ pattern: '^[0-9a-fA-F]{64}$' }),
          size: Type.Integer({ minimum: 1 }),
          format: literals(...SANDBOX_FORMATS),
        },
        { additionalProperties: false },
      ),
    },
    handler: async ({ principal, body }) => {
      const { vo, accountId, account, group } = submitterOf(principal)
      const facts = { sha256: body.checksum.toLowerCase(), bytes: body.size, format: body.format }
      const { pfn, ticket } = await sandboxes.announce({ vo, accountId, account, group }, facts, clock.now())
      return { pfn, url: ticket && `${deps.audience}${store}`, fields: ticket?.fields ?? {} }
    },
  })

  route(app, {
    ...{ method: 'GET', url: `${base}/sandbox`, action: 'workload.control' },
    schema: { querystring: Type.Object({ pfn: Pfn }) },
    resource: async ({ principal, query }) => {
      const { vo } = principal
      const row = await found(query.pfn)
      // Of one's own name it may be said that there is nothing.
      const name = parseSandbox(query.pfn)
      const own = name?.vo === vo && name.owner === principal.account
      return { vo: row?.vo ?? vo, owner: row?.ownerId ?? (own ? principal.accountId : null) }
    },
    handler: async ({ query }) => {
      const { fields } = sandboxes.ticketToRead(await sandboxOf(db, query.pfn), clock.now())
      return {
        url: `${deps.audience}${store}?${new URLSearchParams(fields)}`,
        expires_in: TICKET_SECONDS,
      }
    },
  })

  const found = (pfn: string) =>
    sandboxOf(db, pfn).catch((error) => {
      if (isGridError(error, 'sandbox_not_found')) return undefined
      throw error
    })

  const ofJob = {
    action: 'workload.control',
    resource: ({ principal, params }: Pick<RouteRequest, 'principal' | 'params'>) =>
      ownerOf(db, principal, [BigInt((params as { id: number }).id)]),
  } as const

  async function jobOf(vo: string, id: number): Promise<JobView> {
    const [job] = await jobsByIds(db, vo, [BigInt(id)])
    if (!job) throw wireError(404, `Job ${id} not found`)
    return job
  }
  /** The field's server answers `[null]` where there is none; its clients count on a list with one entry. */
  async function pfnsOf(vo: string, id: number, kind: 'input' | 'output'): Promise<(string | null)[]> {
    const job = await jobOf(vo, id)
    const rows = (await sandboxesOfJobs(db, [job.id])).filter((row) => row.kind === kind)
    return rows.length > 0 ? rows.map(pfnOfSandbox) : [null]
  }

  route(app, {
    ...{ ...ofJob, method: 'GET', url: `${base}/:id/sandbox` },
    schema: { params: JobId },
    handler: async ({ principal: { vo }, params }) => ({
      Input: await pfnsOf(vo, params.id, 'input'),
      Output: await pfnsOf(vo, params.id, 'output'),
    }),
  })
  for (const kind of ['input', 'output'] as const) {
    route(app, {
      ...{ ...ofJob, method: 'GET', url: `${base}/:id/sandbox/${kind}` },
      schema: { params: JobId },
      handler: async ({ principal: { vo }, params }) => pfnsOf(vo, params.id, kind),
    })
  }

  route(app, {
    ...{ ...ofJob, method: 'PATCH', url: `${base}/:id/sandbox/output` },
    schema: { params: JobId, body: Pfn },
    handler: async ({ principal: { vo }, params, body }) => {
      const job = await jobOf(vo, params.id)
      const present = await pfnsOf(vo, params.id, 'output')
      if (present[0] !== null) throw wireError(400, `Job ${job.id} has an output sandbox already`)
      await transaction(db, (tx) => assignOutput(tx, clock.now(), job, body)).catch((error) => {
        if (isGridError(error, 'sandbox_not_found')) throw wireError(400, error.message)
        throw error
      })
      return null
    },
  })

  route(app, {
    ...{ ...ofJob, method: 'DELETE', url: `${base}/:id/sandbox` },
    schema: { params: JobId },
    handler: async ({ principal: { vo }, params }) => {
      const job = await jobOf(vo, params.id)
      await dropSandboxesOfJobs(db, [job.id])
      return null
    },
  })

  route(app, {
    ...{ method: 'POST', url: `${base}/sandbox/unassign`, action: 'workload.control' },
    resource: ({ principal, body }) => ownerOf(db, principal, body.job_ids.map(idOf)),
    schema: { body: JobIds },
    handler: async ({ principal: { vo }, body }, reply) => {
      const own = await jobsByIds(db, vo, body.job_ids.map(idOf))
      await dropSandboxesOfJobs(
        db,
        own.map(({ id }) => id),
      )
      return reply.code(204).send()
    },
  })

  // Whoever holds a ticket was authorised when it was signed; no token goes where the archives lie.
  app.addContentTypeParser('multipart/form-data', (_request, payload, done) => done(null, payload))
  route(app, {
    ...{ method: 'POST', url: store, action: 'public', bodyLimit: BODY },
    handler: async ({ body, headers }, reply) => {
      if (!(body instanceof Readable)) throw wireError(400, 'A form with a file is expected')
      const form = await readUploadForm(body, headers['content-type'] ?? '')
      await sandboxes.accept(form.fields, form.file, clock.now())
      return reply.code(204).send()
    },
  })
  route(app, {
    ...{ method: 'GET', url: store, action: 'public' },
    schema: {
      querystring: Type.Object({
        pfn: Pfn,
        size: Type.String(),
        expires: Type.String(),
        signature: Type.String(),
      }),
    },
    handler: async ({ query }, reply) => {
      const { bytes, body } = await sandboxes.open(query, clock.now())
      reply.header('content-length', String(bytes)).header('cache-control', 'no-store')
      return reply.type('application/octet-stream').send(Readable.from(body))
    },
  })
}
