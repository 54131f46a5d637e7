import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { formatScopes, type Grant, type Principal } from '../../identity/index.ts'
import { isGridError } from '../../kernel/index.ts'
import { provenClientOf } from './client.ts'
import { BASE, type OidcDoorDeps, unstored, VoParams } from './door.ts'
import { formOf } from './form.ts'

/** POST /introspect (RFC 7662): what a token of this VO means right now, for clients that prove themselves. */
export function introspect(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url: `${BASE}/introspect`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const { vo } = request.params
      const form = formOf(request.body)
      const client = await provenClientOf(identity, vo, request, form)
      const token = form.need('token')
      const grant = await identity.inspectRefreshToken(client, token)
      if (grant) return unstored(reply).send(lasting(grant, identity.issuer(vo)))
      const principal = await identity.inspect(token).catch((error) => {
        if (isGridError(error) && (error.kind === 'unauthenticated' || error.kind === 'denied')) return null
        throw error
      })
      return unstored(reply).send(principal?.vo === vo ? meaning(principal) : { active: false })
    },
  })
}

const seconds = (at: Date) => Math.floor(at.getTime() / 1000)

function meaning(principal: Principal): Record<string, unknown> {
  const { actors } = principal
  return {
    active: true,
    token_type: 'Bearer',
    iss: principal.issuer,
    sub: principal.subject,
    aud: principal.audience,
    scope: formatScopes(principal.scopes),
    exp: seconds(principal.expiresAt),
    jti: principal.tokenId,
    ...(principal.clientId !== null && { client_id: principal.clientId }),
    ...(principal.authenticatedAt && { auth_time: seconds(principal.authenticatedAt) }),
    ...(principal.account !== null && { username: principal.account }),
    ...(principal.groups.length > 0 && { 'wlcg.groups': principal.groups }),
    ...(actors.length > 0 && {
      act: actors.reduceRight<unknown>((act, sub) => ({ sub, ...(act ? { act } : {}) }), undefined),
    }),
  }
}

function lasting(grant: Grant, issuer: string): Record<string, unknown> {
  return {
    active: true,
    token_type: 'refresh_token',
    iss: issuer,
    sub: grant.subject,
    client_id: grant.clientId,
    scope: grant.scopes.join(' '),
    iat: seconds(grant.createdAt),
    exp: seconds(grant.expiresAt),
  }
}
