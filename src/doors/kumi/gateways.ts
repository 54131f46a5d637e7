import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import { denied } from '../../identity/index.ts'
import { type Db, type Tx, transaction } from '../../kernel/database.ts'
import type { Wakeups } from '../../kernel/events.ts'
import { type Clock, type Ids, systemPorts } from '../../kernel/ports.ts'
import {
  acceptReport,
  commandSite,
  finishCommand,
  type GatewayRow,
  gatewayOf,
  getCommand,
  takeCommands,
} from '../../sites/index.ts'
import { awaited } from './awaited.ts'

export interface ScrubFinding {
  readonly path: string
  readonly kind: 'mismatch' | 'unrecorded'
  readonly size: number
  readonly adler32: string
  readonly expected?: string
}

export interface ScrubFindings {
  readonly gateway: GatewayRow
  readonly area: string
  readonly findings: readonly ScrubFinding[]
}

export type AreaReport = Static<typeof Area>

export interface GatewayRouteDeps {
  readonly db: Db
  readonly clock: Clock
  readonly wakeups: Wakeups
  readonly ids?: Ids
  /** How full its areas are; the catalogue notes it for the storages there. */
  readonly onReport: (report: { gateway: GatewayRow; areas: readonly AreaReport[] }) => Promise<void>
  /** Called inside one transaction per batch; the catalogue declares the copies bad there. */
  readonly onScrubFindings: (tx: Tx, batch: ScrubFindings) => Promise<void>
}

const Name = Type.Object({ name: Type.String({ maxLength: 63 }) })
const Area = Type.Object({
  path: Type.String(),
  totalBytes: Type.Number(),
  usedBytes: Type.Number(),
  files: Type.Number(),
})
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Report = Type.Object({
  version: Type.String({ maxLength: 64 }),
  areas: Type.Array(Area, { maxItems: 100 }),
  rssBytes: Type.Optional(Type.Number()),
  software: Type.Optional(
    Type.Object({
      hits: Count,
      misses: Count,
      evictions: Count,
      bytes: Count,
      mostBytes: Count,
      revisions: Type.Record(Type.String({ maxLength: 60 }), Count, { maxProperties: 2_000 }),
    }),
  ),
})
const Wait = Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 25 })) })
const CommandId = Type.Object({ name: Type.String({ maxLength: 63 }), id: Type.String({ format: 'uuid' }) })
const AnyCommandId = Type.Object({ id: Type.String({ format: 'uuid' }) })
const ScrubOrder = Type.Object({
  path: Type.Optional(Type.String({ pattern: '^/', maxLength: 4096 })),
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
})
const Outcome = Type.Object({ ok: Type.Boolean(), result: Type.Unknown() })
const Finding = Type.Object({
  path: Type.String({ maxLength: 4096 }),
  kind: Type.Union([Type.Literal('mismatch'), Type.Literal('unrecorded')]),
  size: Type.Number(),
  adler32: Type.String({ maxLength: 8 }),
  expected: Type.Optional(Type.String({ maxLength: 8 })),
})
const Scrub = Type.Object({ area: Type.String(), findings: Type.Array(Finding, { maxItems: 1000 }) })

/** What a gateway says to the server and fetches from it. */
export function registerGatewayRoutes(app: FastifyInstance, deps: GatewayRouteDeps): void {
  const { db, clock } = deps
  registerOrderRoutes(app, deps)
  const base = '/kumi/v1/gateways/:name'
  const action = 'gateway.report'

  route(app, {
    method: 'POST',
    url: `${base}/report`,
    action,
    schema: { params: Name, body: Report },
    handler: async (request, reply) => {
      const gateway = await own(db, request, request.params.name)
      await acceptReport(db, clock.now(), gateway.name, request.body)
      await deps.onReport({ gateway, areas: request.body.areas })
      return reply.code(204).send()
    },
  })

  route(app, {
    method: 'GET',
    url: `${base}/commands`,
    action,
    schema: { params: Name, querystring: Wait },
    handler: async (request) => {
      const gateway = await own(db, request, request.params.name)
      const commands = await awaited(request, deps, {
        ...{ topics: ['gateway'], seconds: request.query.wait ?? 0 },
        look: async () => {
          const taken = await takeCommands(db, clock.now(), gateway.id)
          return taken.length > 0 ? taken : undefined
        },
      })
      return { commands: commands ?? [] }
    },
  })

  route(app, {
    method: 'POST',
    url: `${base}/commands/:id/result`,
    action,
    schema: { params: CommandId, body: Outcome },
    handler: async (request, reply) => {
      const gateway = await own(db, request, request.params.name)
      await finishCommand(db, clock.now(), gateway.id, request.params.id, request.body)
      return reply.code(204).send()
    },
  })

  route(app, {
    method: 'POST',
    url: `${base}/scrub-report`,
    action,
    schema: { params: Name, body: Scrub },
    handler: async (request, reply) => {
      const gateway = await own(db, request, request.params.name)
      await transaction(db, (tx) => deps.onScrubFindings(tx, { gateway, ...request.body }))
      return reply.code(204).send()
    },
  })
}

/** What an operator asks of the gateways of a site. */
function registerOrderRoutes(
  app: FastifyInstance,
  { db, clock, ids = systemPorts.ids }: GatewayRouteDeps,
): void {
  route(app, {
    method: 'POST',
    url: '/kumi/v1/sites/:name/scrub',
    action: 'sites.admin',
    schema: { params: Name, body: ScrubOrder },
    handler: async (request, reply) => {
      const { vo } = request.principal
      const order = { vo, site: request.params.name, kind: 'scrub', payload: request.body }
      return reply.code(202).send({ commands: await commandSite(db, clock.now(), ids, order) })
    },
  })

  route(app, {
    method: 'GET',
    url: '/kumi/v1/commands/:id',
    action: 'sites.read',
    schema: { params: AnyCommandId },
    handler: (request) => getCommand(db, request.principal.vo, request.params.id),
  })
}

/** A gateway speaks for itself only: the token's subject is its service client. */
export async function own(
  db: Db,
  request: Pick<RouteRequest, 'principal'>,
  name: string,
): Promise<GatewayRow> {
  const gateway = await gatewayOf(db, name)
  const { subject, vo } = request.principal
  if (vo !== gateway.vo || subject !== gateway.clientId) throw denied('A gateway may speak only for itself.')
  return gateway
}
