import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { denied } from '../../identity/index.ts'
import { ClientWire, clientAnswer, secretAnswer } from './client-wire.ts'
import { BASE, type OidcDoorDeps, own, unstored, VoParams } from './door.ts'

/** POST /register (RFC 7591), also at IAM's place: a client of one's own, where the grid allows it and for people who logged in. */
export function registration(app: FastifyInstance, { identity, clientRegistration }: OidcDoorDeps): void {
  for (const url of [`${BASE}/register`, `${BASE}/api/client-registration`]) {
    route(app, {
      method: 'POST',
      url,
      action: 'identity.login',
      resource: own,
      schema: { params: VoParams, body: ClientWire },
      handler: async ({ params: { vo }, principal, body }, reply) => {
        if (!clientRegistration || principal.kind !== 'user') {
          throw denied('Clients are made by an administrator here; ask one for yours.')
        }
        const { client, secret } = await identity.registerClient({
          ...{ vo, owner: principal.accountId!, name: body.client_name ?? '' },
          description: body.client_description ?? '',
          redirectUris: body.redirect_uris ?? [],
          grants: body.grant_types ?? ['authorization_code', 'refresh_token'],
          scopes: (body.scope ?? '').split(' ').filter(Boolean),
          auth: body.token_endpoint_auth_method === 'none' ? 'none' : 'secret',
        })
        return unstored(reply)
          .code(201)
          .send({ ...clientAnswer(client), ...secretAnswer(secret) })
      },
    })
  }
}
