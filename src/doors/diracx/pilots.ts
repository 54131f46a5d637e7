import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import {
  addPilots,
  countPilots,
  kindOfPilotColumn,
  type PilotColumn,
  type PilotRecord,
  searchPilots,
  summarisePilots,
  tellOfPilots,
} from '../../workload/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { literals } from '../kumi/literals.ts'
import { vosOf } from './client.ts'
import { wireError } from './errors.ts'
import { idOf } from './job-ids.ts'
import { answerList, answerSummary, Page, SearchBody, SummaryBody } from './listing.ts'
import type { Conditions, Vocabulary } from './search.ts'

const Status = literals('Submitted', 'Waiting', 'Running', 'Done', 'Failed', 'Deleted', 'Aborted', 'Unknown')
const text = (maxLength: number) => Type.Optional(Type.String({ maxLength }))
const Registration = Type.Object(
  {
    pilot_stamp: Type.String({ minLength: 1, maxLength: 32 }),
    vo: Type.String({ minLength: 1, maxLength: 128 }),
    ...{ grid_type: text(32), grid_site: text(128), destination_site: text(128) },
    pilot_reference: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
    pilot_status: Type.Optional(Status),
  },
  { additionalProperties: false },
)
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Optional(Type.Union([type, Type.Null()]))
const Told = Type.Object(
  {
    StatusReason: orNull(Type.String({ maxLength: 255 })),
    Status: orNull(Status),
    BenchMark: orNull(Type.Number({ minimum: 0 })),
    DestinationSite: orNull(Type.String({ maxLength: 128 })),
    Queue: orNull(Type.String({ maxLength: 128 })),
    GridSite: orNull(Type.String({ maxLength: 128 })),
    GridType: orNull(Type.String({ maxLength: 32 })),
    AccountingSent: orNull(Type.Boolean()),
    CurrentJobID: orNull(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
)

const WORDS: Vocabulary<PilotColumn> = {
  columns: {
    ...{ PilotID: 'id', CurrentJobID: 'jobId', PilotJobReference: 'reference', PilotStamp: 'stamp' },
    ...{ DestinationSite: 'resource', Queue: 'queue', GridSite: 'site', VO: 'vo', GridType: 'gridType' },
    ...{ BenchMark: 'benchmark', SubmissionTime: 'createdAt', LastUpdateTime: 'updatedAt' },
    ...{ Status: 'state', StatusReason: 'reason', AccountingSent: 'accountingSent' },
  },
  kindOf: kindOfPilotColumn,
  constants: {},
  related: { name: 'JobID', notWith: 'PilotID' },
}

const recordOf = (pilot: PilotRecord) => ({
  ...{ PilotID: Number(pilot.id), CurrentJobID: pilot.jobId === null ? null : Number(pilot.jobId) },
  ...{ PilotJobReference: pilot.reference, PilotStamp: pilot.stamp, DestinationSite: pilot.resource },
  ...{ Queue: pilot.queue, GridSite: pilot.site, VO: pilot.vo, GridType: pilot.gridType },
  ...{ BenchMark: pilot.benchmark, SubmissionTime: pilot.createdAt.toISOString() },
  ...{ LastUpdateTime: pilot.updatedAt.toISOString(), Status: pilot.state, StatusReason: pilot.reason },
  AccountingSent: pilot.accountingSent,
})

/** Pilots: those that the grid started, and those that others start and register. */
export function registerDiracPilotRoutes(app: FastifyInstance, { db, clock, identity }: JobDoorDeps): void {
  const base = '/diracx/api/pilots'

  route(app, {
    ...{ method: 'POST', url: `${base}/`, action: 'workload.admin' },
    resource: async ({ body }) => {
      if (!(await vosOf(identity)).includes(body.vo)) throw wireError(400, `The vo ${body.vo} is not known`)
      return { vo: body.vo }
    },
    schema: { body: Registration },
    handler: async ({ body }, reply) => {
      const pilot = {
        ...{ stamp: body.pilot_stamp, vo: body.vo, state: body.pilot_status ?? 'Submitted' },
        ...{ site: body.grid_site ?? 'Unknown', resource: body.destination_site ?? 'NotAssigned' },
        ...{ reference: body.pilot_reference ?? body.pilot_stamp, gridType: body.grid_type ?? 'DIRAC' },
      }
      await addPilots(db, clock.now(), [pilot])
      return reply.code(201).send(null)
    },
  })

  route(app, {
    ...{ method: 'PATCH', url: `${base}/metadata`, action: 'workload.pilot' },
    // A pilot's own token opens one stamp; of several only an administrator may tell.
    resource: ({ principal, body }: { principal: RouteRequest['principal']; body: unknown }) => {
      const stamps = Object.keys(body as object)
      return { vo: principal.vo, path: stamps.length === 1 ? `/${stamps[0]}` : '/' }
    },
    schema: { body: Type.Record(Type.String({ maxLength: 32 }), Told, { maxProperties: 1000 }) },
    handler: async ({ principal: { vo }, body }, reply) => {
      const told = Object.entries(body)
      await checkCurrentJobs(vo, told)
      await tellOfPilots(db, {
        ...{ vo, now: clock.now() },
        told: told.map(([stamp, facts]) => ({
          ...{ stamp, state: facts.Status ?? null, reason: facts.StatusReason ?? null },
          ...{ benchmark: facts.BenchMark ?? null, resource: facts.DestinationSite ?? null },
          ...{ queue: facts.Queue ?? null, site: facts.GridSite ?? null, gridType: facts.GridType ?? null },
          accountingSent: facts.AccountingSent ?? null,
        })),
      })
      return reply.code(204).send()
    },
  })

  /** Which job a pilot has follows from its leases; whoever says so must be right. */
  async function checkCurrentJobs(vo: string, told: readonly [string, Static<typeof Told>][]) {
    for (const [stamp, { CurrentJobID: job }] of told) {
      if (job == null) continue
      const asked = {
        vo,
        jobs: [BigInt(job)],
        conditions: [{ column: 'stamp', operator: 'eq', values: [stamp] }],
      } as const
      if ((await countPilots(db, asked)) === 0)
        throw wireError(400, `The pilot ${stamp} never had the job ${job}`)
    }
  }

  const searchOf = (vo: string, { conditions, related }: Conditions<PilotColumn>) => ({
    ...{ vo, conditions },
    jobs: related === null ? null : related.map(idOf),
  })

  route(app, {
    ...{ method: 'POST', url: `${base}/search`, action: 'workload.read' },
    schema: { body: SearchBody, querystring: Page },
    handler: async (request, reply) => {
      const { vo } = request.principal
      return answerList(reply, request, {
        ...{ unit: 'pilots', words: WORDS },
        count: (asked) => countPilots(db, searchOf(vo, asked)),
        find: async (asked, { sort, offset, limit }) =>
          (await searchPilots(db, { ...searchOf(vo, asked), sort, offset, limit })).map(recordOf),
      })
    },
  })

  route(app, {
    ...{ method: 'POST', url: `${base}/summary`, action: 'workload.read' },
    schema: { body: SummaryBody },
    handler: async ({ principal: { vo }, body }) =>
      answerSummary(body, WORDS, (asked, grouping) =>
        summarisePilots(db, { ...searchOf(vo, asked), grouping }),
      ),
  })
}
