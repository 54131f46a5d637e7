import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { BASE, callerOf, type OidcDoorDeps, unstored, VoParams } from './door.ts'

/** GET /userinfo: the person or service behind the token. */
export function userinfo(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: 'GET',
    url: `${BASE}/userinfo`,
    action: 'public',
    schema: { params: VoParams },
    handler: async ({ params: { vo }, principal }, reply) => {
      const { subject, accountId, groups } = callerOf(principal, vo)
      const [account] = accountId === null ? [] : await identity.accountsById([accountId])
      return unstored(reply).send({
        sub: subject,
        organisation_name: vo,
        groups,
        ...(account && { preferred_username: account.name, name: account.name }),
        ...(account?.email && { email: account.email }),
      })
    },
  })
}
