import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import type { Grant, Session } from '../../identity/index.ts'
import { actorOf, BASE, type OidcDoorDeps, own, unstored, VoParams } from './door.ts'

const Params = Type.Object({ ...VoParams.properties, id: Type.String({ format: 'uuid' }) })
const OfAccount = Type.Object({ account: Type.Optional(Type.String()) })

/** What somebody is logged in with: their sessions, and the lasting permissions they gave to programs. */
export function mine(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  /** One's own; with `?account=` somebody else's, for administrators. */
  const accountOf = async (
    request: RouteRequest<{ params: typeof VoParams; querystring: typeof OfAccount }>,
  ) => {
    const { vo } = request.params
    const { account } = request.query
    const { accountId } = request.principal
    if (account === undefined || account === request.principal.account) return accountId!
    identity.authorize(request.principal, 'identity.write', { vo })
    return (await identity.account(vo, account)).id
  }
  const common = { action: 'identity.login', resource: own } as const

  route(app, {
    ...{ ...common, method: 'GET', url: `${BASE}/api/me/sessions` },
    schema: { params: VoParams, querystring: OfAccount },
    handler: async (request, reply) => {
      const sessions = await identity.sessionsOf(request.params.vo, await accountOf(request))
      const here = request.principal.tokenId
      return unstored(reply).send({ sessions: sessions.map((one) => sessionAnswer(one, here)) })
    },
  })
  route(app, {
    ...{ ...common, method: 'DELETE', url: `${BASE}/api/me/sessions/:id` },
    schema: { params: Params, querystring: OfAccount },
    handler: async (request, reply) => {
      const { vo, id } = request.params
      await identity.endSession(vo, await accountOf(request), id, actorOf(request.principal))
      return reply.code(204).send()
    },
  })
  route(app, {
    ...{ ...common, method: 'GET', url: `${BASE}/api/me/tokens` },
    schema: { params: VoParams, querystring: OfAccount },
    handler: async (request, reply) => {
      const grants = await identity.grantsOf(request.params.vo, await accountOf(request))
      return unstored(reply).send({ tokens: grants.map(grantAnswer) })
    },
  })
  route(app, {
    ...{ ...common, method: 'DELETE', url: `${BASE}/api/me/tokens/:id` },
    schema: { params: Params, querystring: OfAccount },
    handler: async (request, reply) => {
      const { vo, id } = request.params
      await identity.revokeGrant(vo, await accountOf(request), id, actorOf(request.principal))
      return reply.code(204).send()
    },
  })
  route(app, {
    ...{ ...common, method: 'DELETE', url: `${BASE}/api/me/tokens` },
    schema: { params: VoParams, querystring: OfAccount },
    handler: async (request) => {
      const accountId = await accountOf(request)
      const { vo } = request.params
      return { revoked: await identity.revokeGrants({ vo, accountId }, actorOf(request.principal)) }
    },
  })
}

function sessionAnswer(session: Session, here: string) {
  return {
    id: session.id,
    address: session.address,
    user_agent: session.userAgent,
    created: session.createdAt.toISOString(),
    last_seen: session.seenAt.toISOString(),
    expires: session.expiresAt.toISOString(),
    here: session.id === here,
  }
}

function grantAnswer(grant: Grant) {
  return {
    id: grant.id,
    client_id: grant.clientId,
    client_name: grant.clientName || grant.clientId,
    scopes: grant.scopes,
    audience: grant.audience,
    actors: grant.actors,
    created: grant.createdAt.toISOString(),
    last_used: grant.usedAt.toISOString(),
    expires: grant.expiresAt.toISOString(),
  }
}
