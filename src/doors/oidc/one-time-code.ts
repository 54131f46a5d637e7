import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { anyCovers, denied } from '../../identity/index.ts'
import { BASE, type OidcDoorDeps, unstored, VoParams } from './door.ts'

/** POST /one-time-code: a code that logs the caller's own account in once, e.g. from a terminal into a browser. */
export function oneTimeCode(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url: `${BASE}/one-time-code`,
    action: 'identity.login',
    schema: { params: VoParams },
    resource: ({ params, principal }) => ({ vo: params.vo, owner: principal.accountId }),
    handler: async ({ principal }, reply) => {
      // The code leads to a full login; a narrowed token must not grow that way.
      if (principal.accountId === null) throw denied('The token belongs to nobody who could log in.')
      const { scopes } = await identity.asAfterLogin(principal.accountId)
      if (!scopes.every((scope) => anyCovers(principal.scopes, scope))) {
        throw denied('Only the full token of a login gives a login code; log in again.')
      }
      const { code, expiresAt } = await identity.createLoginCode(principal.accountId)
      return unstored(reply).send({ code, expires_at: expiresAt.toISOString() })
    },
  })
}
