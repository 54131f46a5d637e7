import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { Principal } from '../../identity/index.ts'
import { changeJobs, hearJobs, type JobChange, jobsByIds } from '../../workload/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { wireError } from './errors.ts'
import { idOf, ownerOf } from './job-ids.ts'
import { JOB_WORDS } from './job-view.ts'
import { isColumn } from './search.ts'

const Figure = Type.Optional(Type.Union([Type.Number(), Type.Null()]))
const Heartbeat = Type.Object(
  {
    ...{ LoadAverage: Figure, MemoryUsed: Figure, Vsize: Figure, AvailableDiskSpace: Figure },
    ...{ CPUConsumed: Figure, WallClockTime: Figure },
    StandardOutput: Type.Optional(Type.Union([Type.String({ maxLength: 65_536 }), Type.Null()])),
  },
  { additionalProperties: false },
)
const Value = Type.Union([Type.String({ maxLength: 4096 }), Type.Number(), Type.Boolean(), Type.Null()])

/** What programs beside a job tell of it: that it is alive, and facts to be kept. */
export function registerJobReportRoutes(app: FastifyInstance, { db, clock }: JobDoorDeps): void {
  const owned = {
    method: 'PATCH',
    action: 'workload.control',
    resource: ({ principal, body }: { principal: Principal; body: unknown }) =>
      ownerOf(db, principal, Object.keys(body as object).map(idOf)),
  } as const

  async function known(vo: string, body: object): Promise<void> {
    const ids = Object.keys(body).map(idOf)
    const found = new Set((await jobsByIds(db, vo, ids)).map(({ id }) => id))
    const missing = ids.filter((id) => !found.has(id))
    if (missing.length > 0) throw wireError(404, `Job ${missing.join(', ')} not found`)
  }

  route(app, {
    ...{ ...owned, url: '/diracx/api/jobs/heartbeat' },
    schema: { body: Type.Record(Type.String(), Heartbeat, { maxProperties: 10_000 }) },
    handler: async ({ principal, body }) => {
      await known(principal.vo, body)
      const told = Object.entries(body).map(([id, figures]) => ({ id: idOf(id), figures: present(figures) }))
      const commands = await hearJobs(db, clock.now(), told)
      return commands.map(({ jobId, command }) => ({ job_id: Number(jobId), command, arguments: null }))
    },
  })

  route(app, {
    ...{ ...owned, url: '/diracx/api/jobs/metadata' },
    schema: { body: Type.Record(Type.String(), Type.Record(Type.String(), Value), { maxProperties: 1000 }) },
    handler: async ({ principal, body }, reply) => {
      await known(principal.vo, body)
      const changes = Object.entries(body).map(([id, facts]) => changeOf(idOf(id), facts))
      await changeJobs(db, clock.now(), changes)
      return reply.code(204).send()
    },
  })
}

const present = (figures: Static<typeof Heartbeat>): Record<string, number | string> =>
  Object.fromEntries(
    Object.entries(figures).filter((entry): entry is [string, number | string] => entry[1] != null),
  )

/** Names of columns are what a job is; of these an owner may change few. All other names are kept as parameters. */
function changeOf(id: bigint, facts: Readonly<Record<string, Static<typeof Value>>>): JobChange {
  const { JobName, UserPriority, ApplicationStatus, ...rest } = facts
  const fixed = Object.keys(rest).filter((name) => isColumn(JOB_WORDS, name))
  if (fixed.length > 0) throw wireError(400, `${fixed.join(', ')} cannot be changed by hand`)
  const text = (value: Static<typeof Value> | undefined) => (value == null ? null : String(value))
  return {
    ...{ id, name: text(JobName), application: text(ApplicationStatus) },
    priority: UserPriority == null ? null : Number(UserPriority),
    parameters: Object.fromEntries(
      Object.entries(rest).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]])),
    ),
  }
}
