import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { LOGIN_SCOPES } from '../../identity/index.ts'
import { BASE, type OidcDoorDeps, VoParams } from './door.ts'
import { GRANTS } from './token.ts'

const AUTHENTICATION = ['client_secret_basic', 'client_secret_post']

/** What this issuer offers, at both places where clients look. */
export function discovery(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  for (const url of [
    `${BASE}/.well-known/openid-configuration`,
    `/.well-known/oauth-authorization-server${BASE}`,
  ]) {
    route(app, {
      method: 'GET',
      url,
      action: 'public',
      schema: { params: VoParams },
      handler: async ({ params: { vo } }, reply) => {
        await identity.jwks(vo)
        return reply.header('cache-control', 'public, max-age=300').send(described(identity.issuer(vo)))
      },
    })
  }
}

function described(issuer: string): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    grant_types_supported: Object.keys(GRANTS),
    // There is no authorization endpoint, so no response type.
    response_types_supported: [],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    token_endpoint_auth_methods_supported: [...AUTHENTICATION, 'none'],
    introspection_endpoint_auth_methods_supported: AUTHENTICATION,
    revocation_endpoint_auth_methods_supported: [...AUTHENTICATION, 'none'],
    scopes_supported: [...LOGIN_SCOPES, 'storage.create:/', 'storage.poll:/', 'wlcg.groups'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'scope', 'wlcg.ver', 'wlcg.groups'],
  }
}
