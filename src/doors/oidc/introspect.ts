import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { formatScopes, type Principal } from '../../identity/index.ts'
import { isGridError } from '../../kernel/index.ts'
import { clientOf } from './client.ts'
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
      await clientOf(identity, vo, request, form)
      const principal = await identity.inspect(form.need('token')).catch((error) => {
        if (isGridError(error) && (error.kind === 'unauthenticated' || error.kind === 'denied')) return null
        throw error
      })
      return unstored(reply).send(principal?.vo === vo ? meaning(principal) : { active: false })
    },
  })
}

function meaning(principal: Principal): Record<string, unknown> {
  return {
    active: true,
    token_type: 'Bearer',
    iss: principal.issuer,
    sub: principal.subject,
    aud: principal.audience,
    scope: formatScopes(principal.scopes),
    exp: Math.floor(principal.expiresAt.getTime() / 1000),
    jti: principal.tokenId,
    ...(principal.account !== null && { username: principal.account }),
    ...(principal.groups.length > 0 && { 'wlcg.groups': principal.groups }),
  }
}
