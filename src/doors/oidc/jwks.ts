import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { BASE, type OidcDoorDeps, VoParams } from './door.ts'

/** The public keys, also at the name other issuers of the field use. New ones appear days before they sign, so caches of minutes do no harm. */
export function jwks(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  for (const url of [`${BASE}/jwks`, `${BASE}/jwk`]) {
    route(app, {
      method: 'GET',
      url,
      action: 'public',
      schema: { params: VoParams },
      handler: async ({ params: { vo } }, reply) => {
        const keys = await identity.jwks(vo)
        return reply
          .header('cache-control', 'public, max-age=300')
          .header('content-type', 'application/jwk-set+json')
          .send(keys)
      },
    })
  }
}
