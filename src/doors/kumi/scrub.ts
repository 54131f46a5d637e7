import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { Clock, Db, Ids } from '../../kernel/index.ts'
import { commandSite } from '../../sites/index.ts'

const EVERYTHING = 1_000_000_000
const Order = Type.Object(
  {
    /** Below the VO's area. */
    path: Type.Optional(Type.String({ pattern: '^/', maxLength: 4096 })),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)

/** Lets the gateways of a site read their files again and compare checksums. */
export function registerScrub(
  app: FastifyInstance,
  { db, clock, ids }: { db: Db; clock: Clock; ids: Ids },
): void {
  route(app, {
    method: 'POST',
    url: '/kumi/v1/sites/:name/scrub',
    action: 'sites.admin',
    schema: { params: Type.Object({ name: Type.String({ maxLength: 63 }) }), body: Order },
    handler: async (request, reply) => {
      const { path = '/', limit = EVERYTHING } = request.body
      const order = {
        vo: request.principal.vo,
        site: request.params.name,
        kind: 'scrub',
        payload: { path, limit },
      }
      const commands = await commandSite(db, clock.now(), ids, order)
      return reply.code(202).send({ commands })
    },
  })
}
