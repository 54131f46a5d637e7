import { type Static, Type } from 'typebox'
import type { Client, ClientChange } from '../../identity/index.ts'

/** A client as the field writes it (RFC 7591 §2, and the names of IAM for what that leaves out). */
export const ClientWire = Type.Object(
  {
    client_name: Type.Optional(Type.String()),
    client_description: Type.Optional(Type.String()),
    redirect_uris: Type.Optional(Type.Array(Type.String())),
    grant_types: Type.Optional(Type.Array(Type.String())),
    scope: Type.Optional(Type.String()),
    token_endpoint_auth_method: Type.Optional(
      Type.Union(
        ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'].map((method) =>
          Type.Literal(method),
        ),
      ),
    ),
    jwks: Type.Optional(Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) })),
    access_token_validity_seconds: Type.Optional(Type.Integer()),
    refresh_token_validity_seconds: Type.Optional(Type.Integer()),
    reuse_refresh_tokens: Type.Optional(Type.Boolean()),
    refresh_token_grace_seconds: Type.Optional(Type.Integer()),
    audiences: Type.Optional(Type.Array(Type.String())),
    /** Name of the account the client acts as in its own name. */
    account: Type.Optional(Type.String()),
  },
  { additionalProperties: true },
)
export type ClientWire = Static<typeof ClientWire>

/** What the wire says of a client; the account by its name is the caller's to look up. */
export function clientChange(w: ClientWire): ClientChange {
  const method = w.token_endpoint_auth_method
  const auth = method === 'none' ? 'none' : method === 'private_key_jwt' ? 'key' : 'secret'
  return {
    ...(w.client_name !== undefined && { name: w.client_name }),
    ...(w.client_description !== undefined && { description: w.client_description }),
    ...(w.redirect_uris && { redirectUris: w.redirect_uris }),
    // Names that are no grant are refused where clients are checked.
    ...(w.grant_types && { grants: w.grant_types as Client['grants'] }),
    ...(w.scope !== undefined && { scopes: w.scope.split(' ').filter(Boolean) }),
    ...(method !== undefined && { auth, ...(auth !== 'key' && { jwks: null }) }),
    ...(w.jwks && { jwks: w.jwks }),
    ...(w.access_token_validity_seconds !== undefined && { accessSeconds: w.access_token_validity_seconds }),
    ...(w.refresh_token_validity_seconds !== undefined && {
      refreshSeconds: w.refresh_token_validity_seconds,
    }),
    ...(w.reuse_refresh_tokens !== undefined && {
      refreshUse: w.reuse_refresh_tokens ? ('reuse' as const) : ('rotate' as const),
    }),
    ...(w.refresh_token_grace_seconds !== undefined && { graceSeconds: w.refresh_token_grace_seconds }),
    ...(w.audiences && { audiences: w.audiences }),
  }
}

const METHOD = { secret: 'client_secret_basic', key: 'private_key_jwt', none: 'none' } as const

export function clientAnswer(
  client: Client,
  more: { account?: string | null; owners?: readonly string[] } = {},
) {
  return {
    client_id: client.id,
    client_name: client.name,
    client_description: client.description,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    origin: client.origin,
    enabled: client.enabled,
    redirect_uris: client.redirectUris,
    grant_types: client.grants,
    response_types: client.grants.includes('authorization_code') ? ['code'] : [],
    scope: client.scopes.join(' '),
    token_endpoint_auth_method: METHOD[client.auth],
    ...(client.jwks && { jwks: client.jwks }),
    access_token_validity_seconds: client.accessSeconds,
    refresh_token_validity_seconds: client.refreshSeconds,
    reuse_refresh_tokens: client.refreshUse === 'reuse',
    refresh_token_grace_seconds: client.graceSeconds,
    audiences: client.audiences,
    last_used: client.lastUsedAt?.toISOString() ?? null,
    ...more,
  }
}

/** RFC 7591 §3.2.1: the secret is shown once; it does not end by itself. */
export const secretAnswer = (secret: string | null) =>
  secret === null ? {} : { client_secret: secret, client_secret_expires_at: 0 }
