import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { GRANTS, SCOPES_OFFERED } from '../../identity/index.ts'
import { BASE, type OidcDoorDeps, VoParams } from './door.ts'

const PROOFS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
const ALGORITHMS = ['ES256', 'RS256']

/** What this issuer offers, at all places where clients look (OpenID Connect Discovery §4, RFC 8414 §3). */
export function discovery(app: FastifyInstance, deps: OidcDoorDeps): void {
  for (const url of [
    `${BASE}/.well-known/openid-configuration`,
    `${BASE}/.well-known/oauth-authorization-server`,
    `/.well-known/openid-configuration${BASE}`,
    `/.well-known/oauth-authorization-server${BASE}`,
  ]) {
    route(app, {
      method: 'GET',
      url,
      action: 'public',
      schema: { params: VoParams },
      handler: async ({ params: { vo } }, reply) => {
        const { keys } = await deps.identity.jwks(vo)
        const signing = [...new Set(keys.map(({ alg }) => alg))]
        return reply
          .header('cache-control', 'public, max-age=300')
          .send(described(deps.identity.issuer(vo), signing, deps.clientRegistration))
      },
    })
  }
}

function described(issuer: string, signing: unknown[], registration: boolean): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    device_authorization_endpoint: `${issuer}/devicecode`,
    userinfo_endpoint: `${issuer}/userinfo`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    ...(registration && { registration_endpoint: `${issuer}/register` }),
    scim_endpoint: `${issuer}/scim`,
    grant_types_supported: GRANTS,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    prompt_values_supported: ['none', 'login', 'consent'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: signing,
    token_endpoint_auth_methods_supported: [...PROOFS, 'none'],
    token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
    introspection_endpoint_auth_methods_supported: PROOFS,
    introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
    revocation_endpoint_auth_methods_supported: [...PROOFS, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    scopes_supported: SCOPES_OFFERED,
    claims_supported: [
      ...['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'scope', 'client_id', 'act', 'auth_time'],
      ...['wlcg.ver', 'wlcg.groups', 'nonce', 'at_hash', 'preferred_username', 'name', 'email'],
      ...['eduperson_entitlement', 'eduperson_scoped_affiliation'],
    ],
  }
}
