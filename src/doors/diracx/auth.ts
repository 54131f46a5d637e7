import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import { ANY_AUDIENCE, actorOf, type Client, type Identity, type Issued } from '../../identity/index.ts'
import { isGridError } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/ports.ts'
import { CLIENT, clientOf, DEVICE, propertiesOf, vosOf } from './client.ts'
import { wireError } from './errors.ts'
import { groupName, readScopes } from './scopes.ts'
import { unwrapCode, unwrapRefresh, wrapCode, wrapRefresh } from './tokens.ts'

export interface AuthDeps {
  readonly identity: Identity
  readonly clock: Clock
  /** Address of this server, without a path. */
  readonly address: string
}

export const API = '/diracx/api/auth'

export function registerAuthRoutes(app: FastifyInstance, deps: AuthDeps): void {
  const { identity, clock, address } = deps
  const scopesFor = (group: string | null) => [
    ...['grid', 'offline_access', group ? `wlcg.groups:${group}` : 'wlcg.groups'],
  ]

  route(app, {
    method: 'POST',
    url: `${API}/device`,
    action: 'public',
    schema: {
      querystring: Type.Object({ client_id: Type.String(), scope: Type.String({ maxLength: 2000 }) }),
    },
    handler: async ({ query, ip }) => {
      if (query.client_id !== CLIENT) throw wireError(400, 'Invalid client id')
      const { vo, group, properties } = readScopes(query.scope, await vosOf(identity))
      const client = await clientOf(identity, vo)
      const scopes = scopesFor(group)
      const codes = await identity.startDevice({ client, scopes, audience: [], address: ip })
      const page = `${address}${API}/device`
      return {
        user_code: codes.userCode,
        device_code: wrapCode({ vo, properties }, codes.deviceCode),
        verification_uri: page,
        verification_uri_complete: `${page}?user_code=${codes.userCode}&vo=${vo}`,
        expires_in: Math.floor((codes.expiresAt.getTime() - clock.now().getTime()) / 1000),
      }
    },
  })

  // The field's server sends people on to a provider elsewhere; here the provider is in the same house.
  route(app, {
    method: 'GET',
    url: `${API}/device`,
    action: 'public',
    schema: {
      querystring: Type.Object({
        user_code: Type.String({ pattern: '^[A-Za-z]{4}-?[A-Za-z]{4}$' }),
        vo: Type.Optional(Type.String({ maxLength: 64 })),
      }),
    },
    handler: async ({ query }, reply) => {
      const vos = await vosOf(identity)
      const vo = query.vo ?? (vos.length === 1 ? vos[0]! : '')
      if (!vos.includes(vo)) throw wireError(400, 'Name your collaboration: add &vo=NAME')
      return reply.redirect(`${identity.issuer(vo)}/device?user_code=${query.user_code}`, 307)
    },
  })

  route(app, {
    method: 'GET',
    url: `${API}/authorize`,
    action: 'public',
    schema: {
      querystring: Type.Object({
        response_type: Type.Literal('code'),
        code_challenge: Type.String({ maxLength: 128 }),
        code_challenge_method: Type.Literal('S256'),
        client_id: Type.String(),
        redirect_uri: Type.String({ maxLength: 2000 }),
        scope: Type.String({ maxLength: 2000 }),
        state: Type.String({ maxLength: 2000 }),
      }),
    },
    handler: async ({ query }, reply) => {
      if (query.client_id !== CLIENT) throw wireError(400, 'Invalid client id')
      const { vo, group } = readScopes(query.scope, await vosOf(identity))
      await clientOf(identity, vo)
      // Whether the redirect address is one of the client's is looked at there.
      const asked = new URLSearchParams({ ...query, scope: scopesFor(group).join(' ') })
      return reply.redirect(`${identity.issuer(vo)}/authorize?${asked}`, 307)
    },
  })

  route(app, {
    method: 'POST',
    url: `${API}/token`,
    action: 'public',
    handler: async ({ body }, reply) => {
      const form = body instanceof URLSearchParams ? body : new URLSearchParams()
      if (form.get('client_id') !== CLIENT) throw wireError(400, 'Invalid client id')
      const type = form.get('grant_type')
      reply.header('cache-control', 'no-store')
      if (type === DEVICE) {
        const asked = unwrapCode(form.get('device_code') ?? '')
        if (!asked) throw wireError(400, 'Invalid device code')
        const client = await clientOf(identity, asked.vo)
        try {
          const issued = await identity.redeemDevice(client, asked.code)
          await requireProperties(issued, client, asked.properties)
          return await answerOf(issued, client)
        } catch (error) {
          // Asked less often it would not be: its client takes any other word for the end.
          if (isGridError(error, 'authorization_pending') || isGridError(error, 'slow_down'))
            return reply.code(400).send({ error: 'authorization_pending' })
          if (isGridError(error, 'access_denied') || isGridError(error, 'expired_token'))
            return reply.code(400).send({ error: error.code })
          throw error
        }
      }
      if (type === 'authorization_code') {
        const vo = await identity.voOfCode(form.get('code') ?? '')
        if (vo === undefined) throw wireError(401, 'Invalid code')
        const client = await clientOf(identity, vo)
        const redirectUri = form.get('redirect_uri') ?? ''
        const verifier = form.get('code_verifier') ?? ''
        const redeemed = { client, code: form.get('code')!, redirectUri, verifier }
        return answerOf(await identity.redeemCode(redeemed).catch(unauthorized), client)
      }
      if (type === 'refresh_token') {
        const asked = unwrapRefresh(form.get('refresh_token') ?? '')
        if (!asked) throw wireError(401, 'Invalid JWT')
        const client = await clientOf(identity, asked.vo)
        const request = { client, token: asked.token, scopes: [], audience: [] }
        return answerOf(await identity.refresh(request).catch(unauthorized), client)
      }
      throw wireError(400, `Grant type ${type} is not supported here`)
    },
  })

  const unauthorized = (error: unknown): never => {
    if (isGridError(error, 'invalid_grant')) throw wireError(401, error.message)
    throw error
  }

  /** Somebody who asked for more than they have gets nothing. */
  async function requireProperties(issued: Issued, client: Client, properties: readonly string[]) {
    if (properties.length === 0) return
    const own = propertiesOf(await identity.verify(issued.token, { audience: [address, ANY_AUDIENCE] }))
    const missing = properties.filter((property) => !own.includes(property))
    if (missing.length === 0) return
    if (issued.refreshToken !== undefined) await identity.revokeRefreshToken(client, issued.refreshToken)
    throw wireError(403, `You do not have the properties ${missing.join(', ')}`)
  }

  async function answerOf(issued: Issued, client: Client) {
    const now = Math.floor(clock.now().getTime() / 1000)
    const refresh = issued.refreshToken
    const grant = refresh === undefined ? undefined : await identity.inspectRefreshToken(client, refresh)
    return {
      access_token: issued.token,
      expires_in: Math.floor(issued.expiresAt.getTime() / 1000) - now,
      token_type: 'Bearer',
      ...(refresh !== undefined &&
        grant && {
          refresh_token: wrapRefresh(refresh, {
            ...{ vo: client.vo, jti: grant.id },
            exp: Math.floor(grant.expiresAt.getTime() / 1000),
          }),
        }),
    }
  }

  const owned = {
    action: 'identity.login',
    resource: ({ principal }: Pick<RouteRequest, 'principal'>) => ({
      vo: principal.vo,
      owner: principal.accountId,
    }),
  } as const

  route(app, {
    ...{ ...owned, method: 'GET', url: `${API}/refresh-tokens` },
    handler: async ({ principal }) => {
      const grants =
        principal.accountId === null ? [] : await identity.grantsOf(principal.vo, principal.accountId)
      return grants
        .filter(({ clientId }) => clientId === CLIENT)
        .map(({ id, scopes, createdAt, expiresAt }) => ({
          ...{
            JTI: id,
            Status: 'CREATED',
            Scope: scopes.join(' '),
            Sub: `${principal.vo}:${principal.subject}`,
          },
          ...{ CreationTime: createdAt.toISOString(), ExpiresAt: expiresAt.toISOString() },
        }))
    },
  })

  route(app, {
    ...{ ...owned, method: 'DELETE', url: `${API}/refresh-tokens/:jti` },
    schema: { params: Type.Object({ jti: Type.String({ pattern: '^[0-9a-fA-F-]{36}$' }) }) },
    handler: async ({ principal, params }) => {
      const { vo, accountId } = principal
      const own = accountId === null ? [] : await identity.grantsOf(vo, accountId)
      if (!own.some(({ id, clientId }) => id === params.jti && clientId === CLIENT))
        throw wireError(404, 'The refresh token is not one of yours, or is over')
      await identity.revokeGrant(vo, accountId!, params.jti, actorOf(principal))
      return 'Refresh token revoked'
    },
  })

  route(app, {
    method: 'POST',
    url: `${API}/revoke`,
    action: 'public',
    handler: async ({ body }) => {
      const form = body instanceof URLSearchParams ? body : new URLSearchParams()
      if (form.get('client_id') !== CLIENT) throw wireError(401, 'Invalid client id')
      if (form.get('token_type_hint') === 'access_token') throw wireError(400, 'unsupported_token_type')
      const asked = unwrapRefresh(form.get('token') ?? '')
      if (asked) await identity.revokeRefreshToken(await clientOf(identity, asked.vo), asked.token)
      return 'Refresh token revoked'
    },
  })

  route(app, {
    method: 'GET',
    url: `${API}/userinfo`,
    action: 'workload.read',
    handler: async ({ principal }) => ({
      sub: `${principal.vo}:${principal.subject}`,
      vo: principal.vo,
      dirac_group: groupName(principal.groups[0] ?? principal.vo),
      policies: {},
      properties: propertiesOf(principal),
      preferred_username: principal.account ?? principal.subject,
    }),
  })
}
