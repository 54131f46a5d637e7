import { Type } from 'typebox'
import { findDids, getDidsByIds, resolveDids } from '../../catalog/index.ts'
import { actorOf } from '../../identity/index.ts'
import { transaction } from '../../kernel/index.ts'
import { fileOnceRead, makingOf } from '../../production/index.ts'
import {
  attemptsOf,
  deleteJobs,
  dropLimit,
  eventsOf,
  explainJob,
  filled,
  holdJobs,
  isFinal,
  type JobItem,
  type JobSpec,
  type JobView,
  jobDetails,
  jobsByIds,
  killJobs,
  limitsOf,
  logParts,
  logStart,
  makersOfFiles,
  type Ordered,
  outputsOfJobs,
  parametersOf,
  pilotsOf,
  putLimit,
  putResource,
  putShare,
  releaseJobs,
  rescheduleJobs,
  resourcesOf,
  submitJobs,
  workloadErrors,
} from '../../workload/index.ts'
import {
  attemptAnswer,
  Compute,
  Explained,
  eventAnswer,
  JobShown,
  jobAnswer,
  Lineage,
  Log,
  makingAnswer,
  Pilot,
  pinnedAnswer,
} from './job-answers.ts'
import type { JobDoorDeps } from './job-deps.ts'
import { checkData, JobRequest, jobsOfRequest, submitterOf } from './job-request.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'
import { small } from './whole.ts'

const JobId = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) })
const Name = Type.Object({ name: Type.String({ maxLength: 64 }) })
const Ids = Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 10_000 })
const Done = Type.Object({ done: Type.Boolean() })

const ORDERS = {
  hold: holdJobs,
  release: releaseJobs,
  kill: killJobs,
  rerun: rescheduleJobs,
  delete: deleteJobs,
} as const
const Order = literals('hold', 'release', 'kill', 'rerun', 'delete')

/** So much of a log is sent at once; the rest follows when it is asked for. */
const LOG_ANSWER_BYTES = 200_000

/** As the job really gets them. */
const argumentsOf = ({ spec, item }: { spec: JobSpec; item: JobItem | null }, id: bigint): string[] =>
  spec.arguments.map((word) => (item ? filled(word, item, id) : word))

/** Jobs as people see and order them, where no standard has a word for it. */
export function registerJobs(door: Operations, deps: JobDoorDeps): void {
  const { db, clock } = deps
  const one = async (vo: string, id: number): Promise<JobView> => {
    const [job] = await jobsByIds(db, vo, [BigInt(id)])
    if (!job) throw workloadErrors.jobMissing(`There is no job ${id}.`)
    return job
  }

  door.post({
    url: '/kumi/v1/jobs',
    action: 'workload.submit',
    summary: 'Submit jobs; an Idempotency-Key makes sending twice harmless',
    schema: { body: JobRequest },
    resource: ({ principal }) => ({ vo: principal.vo, owner: principal.accountId }),
    answer: Type.Object({ jobs: Type.Array(Type.Integer()) }),
    handler: async ({ principal, body, headers }) => {
      const by = submitterOf(principal, body.group)
      const jobs = [await jobsOfRequest(deps, by.vo, body)]
      await checkData(deps, principal, jobs)
      const key = headers['idempotency-key']
      const given = typeof key === 'string' && key !== '' ? key.slice(0, 255) : undefined
      return { jobs: await submitJobs(db, { now: clock.now(), by, jobs, key: given }) }
    },
  })

  door.post({
    url: '/kumi/v1/jobs/orders',
    action: 'workload.control',
    summary: 'Hold, release, kill, run again or delete jobs; all are of one owner',
    schema: {
      body: Type.Object({
        order: Order,
        jobs: Ids,
      }),
    },
    resource: async ({ principal, body }) => {
      const found = await jobsByIds(db, principal.vo, body.jobs.map(BigInt))
      const owners = new Set(found.map(({ ownerId }) => ownerId))
      // Of several owners none is the owner: that takes leave for everybody's jobs.
      const [owner] = owners
      return { vo: principal.vo, owner: owners.size <= 1 ? (owner ?? principal.accountId) : null }
    },
    answer: Type.Object({
      changed: Type.Array(Type.Integer()),
      refused: Type.Array(Type.Object({ id: Type.Integer(), message: Type.String() })),
    }),
    handler: async ({ principal, body }) => {
      const order = {
        ...{ vo: principal.vo, now: clock.now(), ids: body.jobs.map(BigInt), source: actorOf(principal) },
      }
      const done: Ordered = await ORDERS[body.order](db, order)
      return {
        changed: done.changed,
        refused: [...done.refused].map(([id, error]) => ({ id, message: error.message })),
      }
    },
  })

  door.get({
    url: '/kumi/v1/jobs/:id',
    action: 'workload.read',
    summary: 'A job: what it runs, its starts, its history, the files it made',
    schema: { params: JobId },
    answer: JobShown,
    handler: async ({ principal, params }) => {
      const job = await one(principal.vo, params.id)
      const [details, attempts, history, outputs, parameters] = await Promise.all([
        jobDetails(db, principal.vo, job.id),
        attemptsOf(db, [job.id]),
        eventsOf(db, [job.id]),
        outputsOfJobs(db, [job.id]),
        parametersOf(db, job.id),
      ])
      const files = new Map(
        (
          await getDidsByIds(
            db,
            outputs.map(({ fileId }) => fileId),
          )
        ).map((did) => [did.id, did]),
      )
      const { spec, item } = details!
      return {
        job: jobAnswer(job),
        executable: spec.executable,
        arguments: argumentsOf(details!, job.id),
        software: pinnedAnswer(spec),
        inputs: [...(item?.inputs ?? [])],
        outputs: spec.outputs.map(({ pattern, dataset }) => ({
          pattern,
          dataset: `${dataset.scope}:${dataset.name}`,
        })),
        made: outputs.flatMap(({ fileId, attempt }) => {
          const did = files.get(fileId)
          return did ? [{ scope: did.scope, name: did.name, bytes: did.bytes, attempt }] : []
        }),
        parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, value])),
        attempts: attempts.map(attemptAnswer),
        history: history.map(eventAnswer),
      }
    },
  })

  door.get({
    url: '/kumi/v1/jobs/:id/explain',
    action: 'workload.read',
    summary: 'Why a job is in its present state, and what would change it',
    schema: { params: JobId },
    answer: Explained,
    handler: async ({ principal, params }) => {
      const input = { vo: principal.vo, id: BigInt(params.id), now: clock.now() }
      const { job, attempts, ...rest } = await explainJob(deps, input)
      return { job: jobAnswer(job), attempts: attempts.map(attemptAnswer), ...rest }
    },
  })

  door.get({
    url: '/kumi/v1/jobs/:id/log',
    action: 'workload.read',
    summary: 'What a job wrote so far, from a position on',
    schema: {
      params: JobId,
      querystring: Type.Object({
        stream: Type.Optional(literals('out', 'err')),
        from: Type.Optional(Type.Integer({ minimum: 0 })),
        /** Instead of `from`: about so many bytes before the end. */
        last: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 30 })),
        attempt: Type.Optional(Type.Integer({ minimum: 1 })),
      }),
    },
    answer: Log,
    handler: async ({ principal, params, query }) => {
      const job = await one(principal.vo, params.id)
      const attempt = query.attempt ?? job.attempt
      const held = { jobId: job.id, attempt, stream: query.stream ?? ('out' as const) }
      const from =
        query.last === undefined ? BigInt(query.from ?? 0) : await logStart(db, { ...held, last: query.last })
      const parts = await logParts(db, { ...held, from, bytes: LOG_ANSWER_BYTES })
      const last = parts.at(-1)
      return {
        attempt,
        text: parts.map((part) => part.text).join(''),
        from: parts[0]?.at ?? from,
        next: last ? last.at + BigInt(Buffer.byteLength(last.text)) : from,
        over: isFinal(job.state) || attempt < job.attempt,
      }
    },
  })

  door.get({
    url: '/kumi/v1/files/:scope/:name/lineage',
    action: 'catalog.read',
    summary: 'Which start of which job made a file, from what',
    schema: { params: Type.Object({ scope: Type.String(), name: Type.String() }) },
    answer: Lineage,
    handler: async ({ principal, params }) => {
      const { vo } = principal
      const [known] = await findDids(db, { vo, dids: [params] })
      const { id } =
        known ?? (await fileOnceRead(db, vo, params)) ?? (await resolveDids(db, { vo, dids: [params] }))[0]!
      const file = { scope: params.scope, name: params.name }
      const kept = known !== undefined
      const [made] = await makersOfFiles(db, [id])
      if (!made) return { file, kept, madeBy: null, production: null }
      const [making] = await makingOf(db, [id])
      const job = await one(vo, Number(made.jobId))
      const details = (await jobDetails(db, vo, job.id))!
      const attempt = (await attemptsOf(db, [job.id])).find(({ n }) => n === made.attempt)
      return {
        file,
        kept,
        madeBy: {
          ...{ job: job.id, name: job.name, owner: job.owner, attempt: made.attempt },
          ...{ site: attempt?.site ?? '', endedAt: attempt?.endedAt ?? null },
          ...{ executable: details.spec.executable, arguments: argumentsOf(details, job.id) },
          software: pinnedAnswer(details.spec),
          inputs: [...(details.item?.inputs ?? [])],
        },
        production: making ? makingAnswer(making) : null,
      }
    },
  })
  registerCompute(door, deps)
}

/** Places that run jobs, shares and limits. */
function registerCompute(door: Operations, { db }: JobDoorDeps): void {
  const { name: _, ...offered } = Compute.properties
  const { pausedUntil: _p, pauseReason: _r, cluster, ...settable } = offered
  door.get({
    url: '/kumi/v1/compute',
    action: 'sites.read',
    summary: 'Places that run jobs',
    answer: Type.Object({ compute: Type.Array(Compute) }),
    handler: async ({ principal }) => ({
      compute: (await resourcesOf(db, principal.vo)).map(({ id: _i, vo: _v, pauseMs: _m, ...resource }) => ({
        ...resource,
        tags: [...resource.tags],
      })),
    }),
  })
  door.put({
    url: '/kumi/v1/compute/:name',
    action: 'workload.admin',
    summary: 'Add a place that runs jobs, or change what it offers',
    schema: { params: Name, body: Type.Object({ ...settable, cluster: Type.Optional(cluster) }) },
    answer: Done,
    handler: async ({ principal, params, body }) => {
      await putResource(db, { ...body, cluster: body.cluster ?? null, vo: principal.vo, name: params.name })
      return { done: true }
    },
  })
  door.get({
    url: '/kumi/v1/pilots',
    action: 'workload.read',
    summary: 'The newest pilots',
    schema: {
      querystring: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })) }),
    },
    answer: Type.Object({ pilots: Type.Array(Pilot) }),
    handler: async ({ principal, query }) => ({
      pilots: await pilotsOf(db, principal.vo, query.limit ?? 100),
    }),
  })
  door.put({
    url: '/kumi/v1/shares',
    action: 'workload.admin',
    summary: 'Set the weight of a group; groups without one have 1',
    schema: {
      body: Type.Object({
        group: Type.String({ maxLength: 255 }),
        weight: Type.Number({ exclusiveMinimum: 0, maximum: 1e6 }),
      }),
    },
    answer: Done,
    handler: async ({ principal, body }) => {
      await putShare(db, principal.vo, body.group, body.weight)
      return { done: true }
    },
  })
  const Limit = Type.Object({
    site: Type.Union([Type.String(), Type.Null()]),
    key: literals('any', 'owner', 'group', 'type', 'storage'),
    value: Type.String({ maxLength: 255 }),
    maxRunning: Type.Union([small(0), Type.Null()]),
    intervalMs: small(0),
  })
  const LimitShown = Type.Object({ id: Type.Integer(), used: Type.Integer(), ...Limit.properties })
  door.get({
    url: '/kumi/v1/limits',
    action: 'workload.read',
    summary: 'How many jobs of a kind may run at once, and how quickly they start',
    answer: Type.Object({ limits: Type.Array(LimitShown) }),
    handler: async ({ principal }) => ({
      limits: (await limitsOf(db, principal.vo)).map(({ vo: _v, nextAt: _n, ...limit }) => limit),
    }),
  })
  door.put({
    url: '/kumi/v1/limits',
    action: 'workload.admin',
    summary: 'Set a limit; there is one for each site, key and value',
    schema: { body: Limit },
    answer: Type.Object({ id: Type.Integer() }),
    handler: async ({ principal, body }) => {
      const made = await transaction(db, (tx) => putLimit(tx, { ...body, vo: principal.vo }))
      return { id: made.id }
    },
  })
  door.delete({
    url: '/kumi/v1/limits/:id',
    action: 'workload.admin',
    summary: 'Remove a limit',
    schema: { params: Type.Object({ id: small(1) }) },
    answer: Done,
    handler: async ({ principal, params }) => {
      if (!(await dropLimit(db, principal.vo, params.id)))
        throw workloadErrors.limitMissing(`There is no limit ${params.id}.`)
      return { done: true }
    },
  })
}
