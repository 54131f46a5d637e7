import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import {
  formatScope,
  type Identity,
  readCertificate,
  type TrustDirectory,
  verifyChain,
} from '../../identity/index.ts'
import type { Db } from '../../kernel/database.ts'
import { isGridError } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/ports.ts'
import { own } from './gateways.ts'

const Name = Type.Object({ name: Type.String({ maxLength: 63 }) })
const Shown = Type.Object({
  /** The end-entity certificate, DER in base64. */
  certificate: Type.String({ maxLength: 20_000 }),
  limited: Type.Boolean(),
  /** What VOMS put into the proxy, in base64. */
  attributes: Type.Optional(Type.String({ maxLength: 90_000 })),
})

/** A gateway may act on an answer for so long: so much later a suspended person loses access there. */
const VALID_SECONDS = 60

/**
 * What somebody may do at a gateway who came with a certificate: gateways know no accounts and ask. Refusals are
 * answers too, because the gateway passes them on.
 */
export function registerGatewayBearers(
  app: FastifyInstance,
  deps: { db: Db; clock: Clock; identity: Identity; trust: TrustDirectory },
): void {
  const { db, clock, identity, trust } = deps
  route(app, {
    method: 'POST',
    url: '/kumi/v1/gateways/:name/bearers',
    action: 'gateway.report',
    schema: { params: Name, body: Shown },
    handler: async (request) => {
      const gateway = await own(db, request, request.params.name)
      const { certificate, limited, attributes } = request.body
      try {
        // Judged anew: a gateway's word alone must not bind a name to an authority.
        const shown = readCertificate(Buffer.from(certificate, 'base64'))
        const chain = verifyChain([shown], { trust: await trust.current(), now: clock.now() })
        const presented = {
          ...{ ...chain, limited },
          attributes: attributes === undefined ? null : Buffer.from(attributes, 'base64'),
        }
        const { hostname: host } = new URL(gateway.endpoint)
        const bearer = await identity.verifyCertificate(presented, { vo: gateway.vo, host })
        return {
          ...{ account: bearer.account, kind: bearer.kind, vo: bearer.vo, groups: bearer.groups },
          scopes: bearer.scopes.map(formatScope).filter((scope) => scope.startsWith('storage.')),
          validSeconds: VALID_SECONDS,
        }
      } catch (error) {
        if (!isGridError(error) || !['unauthenticated', 'denied', 'invalid'].includes(error.kind)) throw error
        return { refused: { code: error.code, message: error.message } }
      }
    },
  })
}
