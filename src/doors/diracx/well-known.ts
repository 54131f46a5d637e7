import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { API, type AuthDeps } from './auth.ts'
import { DEVICE, groupsOf, vosOf } from './client.ts'
import { ADMINISTRATOR, groupName, MEMBER } from './scopes.ts'

/** Where to log in, and which collaborations and groups there are. */
export function registerWellKnown(app: FastifyInstance, { identity, clock, address }: AuthDeps): void {
  const known = '/diracx/.well-known'
  const api = `${address}${API}`

  route(app, {
    method: 'GET',
    url: `${known}/openid-configuration`,
    action: 'public',
    handler: async () => {
      const vos = await vosOf(identity)
      const groups = await Promise.all(vos.map((vo) => groupsOf(identity, vo)))
      return {
        issuer: `${address}/diracx`,
        token_endpoint: `${api}/token`,
        userinfo_endpoint: `${api}/userinfo`,
        authorization_endpoint: `${api}/authorize`,
        device_authorization_endpoint: `${api}/device`,
        revocation_endpoint: `${api}/revoke`,
        jwks_uri: `${address}${known}/jwks.json`,
        grant_types_supported: ['authorization_code', DEVICE, 'refresh_token'],
        scopes_supported: [
          ...vos.map((vo) => `vo:${vo}`),
          ...groups.flat().map((path) => `group:${groupName(path)}`),
          ...ADMINISTRATOR.map((property) => `property:${property}`),
        ],
        response_types_supported: ['code'],
        token_endpoint_auth_signing_alg_values_supported: ['RS256', 'ES256'],
        token_endpoint_auth_methods_supported: ['none'],
        code_challenge_methods_supported: ['S256'],
      }
    },
  })

  route(app, {
    method: 'GET',
    url: `${known}/jwks.json`,
    action: 'public',
    handler: async () => {
      const all = await Promise.all((await vosOf(identity)).map((vo) => identity.jwks(vo)))
      return { keys: all.flatMap(({ keys }) => keys) }
    },
  })

  route(app, {
    method: 'GET',
    url: `${known}/dirac-metadata`,
    action: 'public',
    handler: async () => {
      const vos = await vosOf(identity)
      const entries = vos.map(async (vo) => {
        const paths = await groupsOf(identity, vo)
        const groups = Object.fromEntries(paths.map((path) => [groupName(path), { properties: MEMBER }]))
        const support = { message: 'Ask an administrator of your collaboration', webpage: null, email: null }
        return [vo, { groups, support, default_group: groupName(`/${vo}`) }] as const
      })
      return { virtual_organizations: Object.fromEntries(await Promise.all(entries)) }
    },
  })

  // RFC 9116. Who answers is written where everybody logs in; it is valid for as long as somebody serves it.
  route(app, {
    method: 'GET',
    url: `${known}/security.txt`,
    action: 'public',
    handler: async (_request, reply) => {
      const expires = new Date(clock.now().getTime() + 30 * 86_400_000)
      reply.type('text/plain; charset=utf-8')
      return `Contact: ${address}/\nExpires: ${expires.toISOString()}\nPreferred-Languages: en, ja\n`
    },
  })
}
