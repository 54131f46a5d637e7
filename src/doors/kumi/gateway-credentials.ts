import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { Identity } from '../../identity/index.ts'
import type { Db } from '../../kernel/database.ts'
import type { Wakeups } from '../../kernel/events.ts'
import type { Clock } from '../../kernel/ports.ts'
import { awaited } from './awaited.ts'
import { own } from './gateways.ts'

const Name = Type.Object({ name: Type.String({ maxLength: 63 }) })
const Known = Type.Object({
  wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 25 })),
  /** Version of what the gateway has. */
  known: Type.Optional(Type.String({ maxLength: 64 })),
})
const Missing = Type.Object({ issuer: Type.String({ maxLength: 500 }), kid: Type.String({ maxLength: 500 }) })

/**
 * Whose credentials count: issuers of others that the VO trusts, with their keys, because gateways fetch nothing from
 * strangers themselves; and accounts, clients and tokens to refuse, because they know none.
 */
export function registerGatewayCredentials(
  app: FastifyInstance,
  deps: { db: Db; clock: Clock; identity: Identity; wakeups: Wakeups },
): void {
  const { db, identity } = deps
  const base = '/kumi/v1/gateways/:name/credentials'
  const action = 'gateway.report'

  route(app, {
    method: 'GET',
    url: base,
    action,
    schema: { params: Name, querystring: Known },
    handler: async (request) => {
      const { vo } = await own(db, request, request.params.name)
      const present = async () => {
        const said = { issuers: await identity.trustsForGateways(vo), refused: await identity.refusedIn(vo) }
        const version = createHash('sha256').update(JSON.stringify(said)).digest('base64url')
        return { version, ...said }
      }
      const changed = await awaited(request, deps, {
        ...{ topics: ['identity'], seconds: request.query.wait ?? 0 },
        look: async () => {
          const now = await present()
          return now.version === request.query.known ? undefined : now
        },
      })
      return changed ?? { version: request.query.known }
    },
  })

  route(app, {
    method: 'POST',
    url: `${base}/look`,
    action,
    schema: { params: Name, body: Missing },
    handler: async (request, reply) => {
      const { vo } = await own(db, request, request.params.name)
      await identity.lookForKey(vo, request.body.issuer, request.body.kid)
      return reply.code(204).send()
    },
  })
}
