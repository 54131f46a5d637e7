import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { anyCovers, type Principal, parseScope } from '../../identity/index.ts'
import { BASE, callerOf, type OidcDoorDeps, unstored, VoParams } from './door.ts'

/** GET and POST /userinfo (OpenID Connect Core §5.3): the person or service behind the token, as far as its scopes reach. */
export function userinfo(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: ['GET', 'POST'],
    url: `${BASE}/userinfo`,
    action: 'public',
    schema: { params: VoParams },
    handler: async ({ params: { vo }, principal }, reply) => {
      const { subject, accountId, groups } = callerOf(principal, vo)
      const [account] = accountId === null ? [] : await identity.accountsById([accountId])
      const issuer = new URL(identity.issuer(vo))
      return unstored(reply).send({
        sub: subject,
        organisation_name: vo,
        groups,
        ...(account && has(principal, 'profile') && { preferred_username: account.name, name: account.name }),
        ...(account?.email && has(principal, 'email') && { email: account.email }),
        ...(has(principal, 'eduperson_entitlement') && {
          eduperson_entitlement: groups.map((path) => entitlement(path, issuer.hostname)),
        }),
        ...(has(principal, 'eduperson_scoped_affiliation') && {
          eduperson_scoped_affiliation: [`member@${vo}.${issuer.hostname}`],
        }),
      })
    },
  })
}

/** The token of a login at the grid itself (`grid`) knows its owner; others need the scope. */
function has({ scopes }: Principal, word: string): boolean {
  return anyCovers(scopes, parseScope(word)) || anyCovers(scopes, parseScope('grid'))
}

/** A group in the form of AARC-G069. */
function entitlement(path: string, authority: string): string {
  return `urn:kumihimo:group:${path.slice(1).split('/').map(encodeURIComponent).join(':')}#${authority}`
}
