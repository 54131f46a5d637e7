import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import {
  audienceOfPlace,
  completeStart,
  heartbeat,
  inputAddresses,
  isFinal,
  jobDetails,
  jobsByIds,
  type Lease,
  leaseJobs,
  noteStorages,
  ownPilot,
  pilotAccount,
  pilotEnds,
  promiseOutputs,
  reportPilots,
  requireGatewayPilot,
  STATES,
  sandboxesOfJobs,
  workloadErrors,
} from '../../workload/index.ts'
import { awaited } from './awaited.ts'
import { own } from './gateways.ts'
import type { JobDoorDeps } from './job-deps.ts'
import { literals } from './literals.ts'

const Stamp = Type.Object({ stamp: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,32}$' }) })
const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const Held = { jobId: Id, attempt: Type.Integer({ minimum: 1 }) }
const HeldStart = Type.Object(Held)
const Text = Type.String({ maxLength: 500 })
const Stream = literals('out', 'err')
const LogPart = Type.Object({
  ...Held,
  stream: Stream,
  at: Type.Integer({ minimum: 0 }),
  text: Type.String({ maxLength: 300_000 }),
})
const LogParts = Type.Array(LogPart, { maxItems: 256 })
const LeaseAsked = Type.Object({
  free: Type.Object({
    cores: Type.Integer({ minimum: 0 }),
    memoryMb: Type.Integer({ minimum: 0 }),
    diskMb: Type.Integer({ minimum: 0 }),
    seconds: Type.Integer({ minimum: 0 }),
    platform: Type.String({ maxLength: 64 }),
    tags: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 100 }),
  }),
  most: Type.Integer({ minimum: 1, maximum: 100 }),
  holding: Type.Array(Type.Object(Held), { maxItems: 1000 }),
  /** The machine on which the pilot runs. */
  node: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9._:-]+$' })),
  /** The answer may take so many seconds, should there be no work before. */
  wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 25 })),
})
const Heartbeat = Type.Object({
  jobs: Type.Array(
    Type.Object({
      ...Held,
      completing: Type.Boolean(),
      minor: Text,
      application: Type.Optional(Text),
      figures: Type.Record(Type.String({ maxLength: 64 }), Type.Union([Type.Number(), Text])),
    }),
    { maxItems: 1000 },
  ),
  logs: LogParts,
})
const Inputs = Type.Object({
  ...Held,
  from: Type.Integer({ minimum: 0 }),
  count: Type.Integer({ minimum: 1, maximum: 100 }),
})
const Outputs = Type.Object({
  ...Held,
  files: Type.Array(
    Type.Object({ output: Type.Integer({ minimum: 0 }), file: Type.String({ maxLength: 1024 }) }),
    { minItems: 1, maxItems: 1000 },
  ),
})
const Completion = Type.Object({
  ...Held,
  outcome: literals('done', 'failed', 'site_fault', 'returned'),
  minor: Text,
  application: Text,
  exitCode: Type.Union([Type.Integer(), Type.Null()]),
  files: Type.Array(
    Type.Object({
      output: Type.Integer({ minimum: 0 }),
      scope: Type.String(),
      name: Type.String(),
      rse: Type.String(),
      bytes: Type.Integer({ minimum: 0 }),
      adler32: Type.String({ pattern: '^[0-9a-f]{8}$' }),
      md5: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    }),
    { maxItems: 1000 },
  ),
  metadata: Type.Record(
    Type.String({ maxLength: 255 }),
    Type.Union([Type.Number(), Type.Boolean(), Type.String({ maxLength: 4096 })]),
  ),
  logs: LogParts,
  sandbox: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()])),
})
const Sandbox = Type.Object({
  ...Held,
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  bytes: Type.Integer({ minimum: 1 }),
})
const Report = Type.Object({
  pilots: Type.Array(
    Type.Object({
      stamp: Stamp.properties.stamp,
      state: literals('Waiting', 'Running', 'Done', 'Failed', 'Aborted'),
      reason: Text,
      reference: Type.Union([Text, Type.Null()]),
    }),
    { maxItems: 1000 },
  ),
})
/** More pilots do not wait at one process; the others ask again later. */
const MOST_WAITING = 100
/** Jobs come and end many at a time, and each may be one for a pilot that waits. */
const LEASE_WAIT = { topics: ['job', 'workload'], restMs: 250 }
/** Logs of several megabytes come with the end of a start. */
const LOG_BODY = 8 << 20
const TOKEN_SECONDS = 6 * 3600
/** What a gateway does at a computing element, in the words of the WLCG profile. */
const PLACE_SCOPES = ['compute.create', 'compute.read', 'compute.modify', 'compute.cancel']
const PLACE_SECONDS = 3600

const firstPlace = (files: readonly { readonly places: readonly { readonly rse: string }[] }[]) =>
  files.find(({ places }) => places.length > 0)?.places[0]?.rse ?? null

const partOf = ({ jobId, attempt, stream, at, text }: Static<typeof LogPart>) => ({
  ...{ jobId: BigInt(jobId), attempt, stream, at: BigInt(at) },
  // PostgreSQL keeps no NUL.
  text: text.replaceAll('\0', '\u2400'),
})

/** What pilots and the batch systems of gateways say to the server. A token opens the routes of one pilot only. */
export function registerPilotRoutes(app: FastifyInstance, deps: JobDoorDeps): void {
  const { db, clock, identity } = deps
  const base = '/kumi/v1/pilots/:stamp'
  const pilot = {
    method: 'POST',
    action: 'workload.pilot',
    resource: ({ principal, params }: Pick<RouteRequest, 'principal' | 'params'>) => ({
      vo: principal.vo,
      path: `/${(params as { stamp: string }).stamp}`,
    }),
  } as const

  let waiting = 0

  const tokenFor = async (vo: string, stamp: string) => {
    const accountId = await pilotAccount(identity, vo)
    const { token, expiresAt } = await identity.mint({
      ...{ vo, accountId, audience: [deps.audience], lifetimeSeconds: TOKEN_SECONDS },
      scopes: [`grid.workload.pilot:/${stamp}`],
    })
    return { token, expiresAt }
  }

  route(app, {
    ...{ ...pilot, url: `${base}/lease` },
    schema: { params: Stamp, body: LeaseAsked },
    handler: async (request) => {
      const { free, most, holding: held, node, wait = 0 } = request.body
      const holding = held.map(({ jobId, attempt }) => ({ jobId: BigInt(jobId), attempt }))
      const asked = { vo: request.principal.vo, stamp: request.params.stamp, free, most, holding, node }
      let lease: Lease
      const look = async () => {
        lease = await leaseJobs(deps, { ...asked, now: clock.now() })
        return lease.jobs.length > 0 || lease.drain ? lease : undefined
      }
      const seconds = waiting < MOST_WAITING ? wait : 0
      waiting++
      try {
        return (await awaited(request, deps, { ...LEASE_WAIT, seconds, look })) ?? lease!
      } finally {
        waiting--
      }
    },
  })

  route(app, {
    ...{ ...pilot, url: `${base}/heartbeat`, bodyLimit: LOG_BODY, anyText: true },
    schema: { params: Stamp, body: Heartbeat },
    handler: async ({ principal, params, body }) =>
      heartbeat(db, {
        ...{ vo: principal.vo, stamp: params.stamp, now: clock.now(), logs: body.logs.map(partOf) },
        reports: body.jobs.map(({ jobId, completing, ...job }) => ({
          ...{ ...job, jobId: BigInt(jobId) },
          state: completing ? STATES.Completing : STATES.Running,
        })),
      }),
  })

  route(app, {
    ...{ ...pilot, url: `${base}/inputs` },
    schema: { params: Stamp, body: Inputs },
    handler: async ({ principal, params, body }) => {
      const { vo } = principal
      const { site, id } = await ownPilot(db, vo, params.stamp)
      const details = await jobDetails(db, vo, BigInt(body.jobId))
      if (details?.pilotId !== id)
        throw workloadErrors.attemptOver(`Job ${body.jobId} is not yours any more.`)
      const dids = (details.item?.inputs ?? []).slice(body.from, body.from + body.count)
      if (dids.length === 0) return { files: [] }
      const files = await inputAddresses(deps, { vo, site, dids })
      await noteStorages(db, { ...body, jobId: BigInt(body.jobId) }, { input: firstPlace(files) })
      return { files }
    },
  })

  route(app, {
    ...{ ...pilot, url: `${base}/outputs` },
    schema: { params: Stamp, body: Outputs },
    handler: async ({ principal, params, body }) => {
      const { vo } = principal
      const { site, id: pilotId } = await ownPilot(db, vo, params.stamp)
      const { jobId, attempt, files } = body
      const wished = { jobId: BigInt(jobId), attempt, vo, pilotId, site, now: clock.now(), files }
      const promised = await promiseOutputs(deps, wished)
      await noteStorages(db, wished, { output: firstPlace(promised) })
      return { files: promised }
    },
  })

  route(app, {
    ...{ ...pilot, url: `${base}/complete`, bodyLimit: LOG_BODY, anyText: true },
    schema: { params: Stamp, body: Completion },
    handler: async ({ principal, params, body }, reply) => {
      const { vo } = principal
      const { id: pilotId } = await ownPilot(db, vo, params.stamp)
      const completion = {
        ...body,
        jobId: BigInt(body.jobId),
        files: body.files.map((file) => ({ ...file, bytes: BigInt(file.bytes) })),
        logs: body.logs.map(partOf),
        sandbox: body.sandbox ?? null,
      }
      await completeStart(deps, { vo, pilotId, now: clock.now(), completion })
      return reply.code(204).send()
    },
  })

  /** The job of a start, while the pilot has it. Throws attempt_over. */
  const heldJob = async (vo: string, stamp: string, { jobId, attempt }: Static<typeof HeldStart>) => {
    const { id } = await ownPilot(db, vo, stamp)
    const [job] = await jobsByIds(db, vo, [BigInt(jobId)])
    const details = job && (await jobDetails(db, vo, job.id))
    if (details?.pilotId !== id || job?.attempt !== attempt || isFinal(job.state))
      throw workloadErrors.attemptOver(`Start ${attempt} of job ${jobId} is not yours any more.`)
    return job
  }

  route(app, {
    ...{ ...pilot, url: `${base}/sandboxes` },
    schema: { params: Stamp, body: HeldStart },
    handler: async ({ principal, params, body }) => {
      const job = await heldJob(principal.vo, params.stamp, body)
      const rows = (await sandboxesOfJobs(db, [job.id])).filter(({ kind }) => kind === 'input')
      return {
        sandboxes: rows.map((row) => ({
          ...{ format: row.format, sha256: row.sha256 },
          fields: deps.sandboxes.ticketToRead(row, clock.now()).fields,
        })),
      }
    },
  })

  route(app, {
    ...{ ...pilot, url: `${base}/sandbox` },
    schema: { params: Stamp, body: Sandbox },
    handler: async ({ principal, params, body }) => {
      const job = await heldJob(principal.vo, params.stamp, body)
      const owner = { vo: job.vo, accountId: job.ownerId, account: job.owner, group: job.group }
      const { sha256, bytes } = body
      const facts = { sha256, bytes, format: 'tar.gz' }
      const { pfn, ticket } = await deps.sandboxes.announce(owner, facts, clock.now())
      return { pfn, fields: ticket?.fields ?? null }
    },
  })

  route(app, {
    ...{ ...pilot, url: `${base}/end` },
    schema: { params: Stamp, body: Type.Object({ reason: Text }) },
    handler: async ({ principal, params, body }, reply) => {
      await pilotEnds(db, { vo: principal.vo, stamp: params.stamp, now: clock.now(), reason: body.reason })
      return reply.code(204).send()
    },
  })

  route(app, {
    ...{ ...pilot, url: `${base}/token` },
    schema: { params: Stamp },
    handler: async ({ principal, params }) => {
      await ownPilot(db, principal.vo, params.stamp)
      return tokenFor(principal.vo, params.stamp)
    },
  })

  const gateway = '/kumi/v1/gateways/:name'
  const Name = Type.Object({ name: Type.String({ maxLength: 63 }) })
  route(app, {
    ...{ method: 'POST', url: `${gateway}/pilots`, action: 'gateway.report' },
    schema: { params: Name, body: Report },
    handler: async (request, reply) => {
      const { vo, name } = await own(db, request, request.params.name)
      await reportPilots(db, { vo, gateway: name, now: clock.now(), reports: request.body.pilots })
      return reply.code(204).send()
    },
  })

  route(app, {
    ...{ method: 'POST', url: `${gateway}/compute/:place/token`, action: 'gateway.report' },
    schema: { params: Type.Object({ ...Name.properties, place: Name.properties.name }) },
    handler: async (request) => {
      const { vo, name } = await own(db, request, request.params.name)
      const audience = await audienceOfPlace(db, { vo, gateway: name, place: request.params.place })
      const { token, expiresAt } = await identity.mint({
        ...{ vo, accountId: request.principal.accountId, audience: [audience] },
        ...{ scopes: PLACE_SCOPES, lifetimeSeconds: PLACE_SECONDS },
      })
      return { token, expiresAt }
    },
  })

  route(app, {
    ...{ method: 'POST', url: `${gateway}/pilots/:stamp/token`, action: 'gateway.report' },
    schema: { params: Type.Object({ ...Name.properties, ...Stamp.properties }) },
    handler: async (request) => {
      const { vo, name } = await own(db, request, request.params.name)
      const { stamp } = request.params
      await requireGatewayPilot(db, { vo, gateway: name, stamp })
      return tokenFor(vo, stamp)
    },
  })
}
