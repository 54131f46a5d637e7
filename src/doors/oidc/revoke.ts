import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import type { Client, Identity, Principal } from '../../identity/index.ts'
import { isGridError } from '../../kernel/index.ts'
import { clientOf } from './client.ts'
import { BASE, type OidcDoorDeps, unstored, VoParams } from './door.ts'
import { oauthError } from './errors.ts'
import { formOf } from './form.ts'

/** POST /revoke (RFC 7009): a client gives back an access token, or a refresh token with all its family. */
export function revoke(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url: `${BASE}/revoke`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const { vo } = request.params
      const form = formOf(request.body)
      const client = await clientOf(identity, vo, request, form)
      const token = form.need('token')
      if (!(await identity.revokeRefreshToken(client, token))) await giveBack(identity, client, token)
      return unstored(reply).code(200).send({})
    },
  })
}

async function giveBack(identity: Identity, client: Client, token: string): Promise<void> {
  const principal = await identity.inspect(token).catch((error) => {
    // A token that is of no use already is as good as revoked.
    if (isGridError(error) && (error.kind === 'unauthenticated' || error.kind === 'denied')) return null
    throw error
  })
  if (!principal) return
  if (principal.vo !== client.vo || !isOf(principal, client)) {
    throw oauthError('invalid_grant', 'The token was not issued to this client.')
  }
  await identity.revoke(principal.tokenId, principal.expiresAt)
}

/** The token of a login at another door has no client; whoever holds it may give it back. */
function isOf({ clientId, subject, kind }: Principal, { id, origin }: Client): boolean {
  return clientId === null ? subject === id || (kind === 'user' && origin === 'grid') : clientId === id
}
