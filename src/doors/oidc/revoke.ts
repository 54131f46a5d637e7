import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { isGridError } from '../../kernel/index.ts'
import { callerOfForm } from './client.ts'
import { BASE, type OidcDoorDeps, unstored, VoParams } from './door.ts'
import { oauthError } from './errors.ts'
import { formOf } from './form.ts'

/** POST /revoke (RFC 7009): a client gives back its own token, a program that of its user. */
export function revoke(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url: `${BASE}/revoke`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const { vo } = request.params
      const form = formOf(request.body)
      const caller = await callerOfForm(identity, vo, request, form)
      const principal = await identity.inspect(form.need('token')).catch((error) => {
        // A token that is of no use already is as good as revoked.
        if (isGridError(error) && (error.kind === 'unauthenticated' || error.kind === 'denied')) return null
        throw error
      })
      if (principal) {
        const own = 'client' in caller ? principal.subject === caller.client.id : principal.kind === 'user'
        if (!own || principal.vo !== vo) {
          throw oauthError('invalid_grant', 'The token was not issued to this client.')
        }
        await identity.revoke(principal.tokenId, principal.expiresAt)
      }
      return unstored(reply).code(200).send({})
    },
  })
}
