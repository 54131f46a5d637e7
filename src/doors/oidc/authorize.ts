import type { FastifyInstance } from 'fastify'
import { asGridError, route, STATUS_OF_KIND } from '../../http/index.ts'
import { BASE, type OidcDoorDeps, personOf, unstored, VoParams } from './door.ts'
import { formOf, queryOf } from './form.ts'

/**
 * GET or POST /authorize (RFC 6749 §4.1, with PKCE): sends the browser to the console's page for login and consent. A
 * request whose client or redirect URI is wrong is answered here, in words, and nothing is sent anywhere.
 */
export function authorize(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: ['GET', 'POST'],
    url: `${BASE}/authorize`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const { vo } = request.params
      unstored(reply).header('referrer-policy', 'no-referrer')
      try {
        const { get, list } = request.method === 'POST' ? formOf(request.body) : queryOf(request.url)
        const person = personOf(request.principal, vo) ?? null
        const next = await identity.beginAuthorization({ vo, get, list, person })
        if ('redirect' in next) return reply.redirect(next.redirect, 303)
        return reply.redirect(`/#/authorize?${new URLSearchParams({ vo, request: next.interaction })}`, 303)
      } catch (thrown) {
        const error = asGridError(thrown)
        if (error.kind === 'fatal') throw thrown
        return reply
          .code(STATUS_OF_KIND[error.kind])
          .header('content-type', 'text/plain; charset=utf-8')
          .send(
            `${error.message}\n\nこの要求には応答できません。使っているプログラムの提供者に知らせてください。\n`,
          )
      }
    },
  })
}
