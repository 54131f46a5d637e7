import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { Client, Identity, Issued, Principal } from '../../identity/index.ts'
import { isGridError } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/ports.ts'
import { wireError } from './errors.ts'
import { ADMINISTRATOR, groupName, MEMBER, readScopes } from './scopes.ts'
import { unwrapCode, unwrapRefresh, wrapCode, wrapRefresh } from './tokens.ts'

export interface AuthDeps {
  readonly identity: Identity
  readonly clock: Clock
  /** Address of this server, without a path. */
  readonly address: string
}

/** The one public client of the field. */
const CLIENT = 'myDIRACClientID'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
/** The client renews when less than five minutes are left. */
const ACCESS_SECONDS = 1200
const REFRESH_SECONDS = 12 * 3600
const BASE = '/diracx/api/auth'

export function registerAuthRoutes(app: FastifyInstance, deps: AuthDeps): void {
  registerWellKnown(app, deps)
  const { identity, clock } = deps

  route(app, {
    method: 'POST',
    url: `${BASE}/device`,
    action: 'public',
    schema: {
      querystring: Type.Object({ client_id: Type.String(), scope: Type.String({ maxLength: 2000 }) }),
    },
    handler: async ({ query, ip }) => {
      if (query.client_id !== CLIENT) throw wireError(400, 'Invalid client id')
      const { vo, group } = readScopes(query.scope, await vosOf(identity))
      const client = await clientOf(identity, vo)
      const scopes = ['grid', 'offline_access', group ? `wlcg.groups:${group}` : 'wlcg.groups']
      const codes = await identity.startDevice({ client, scopes, audience: [], address: ip })
      const page = `${identity.issuer(vo)}/device`
      return {
        user_code: codes.userCode,
        device_code: wrapCode(vo, codes.deviceCode),
        verification_uri: page,
        verification_uri_complete: `${page}?user_code=${codes.userCode}`,
        expires_in: Math.floor((codes.expiresAt.getTime() - clock.now().getTime()) / 1000),
      }
    },
  })

  route(app, {
    method: 'POST',
    url: `${BASE}/token`,
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
          return answerOf(await identity.redeemDevice(client, asked.code), asked.vo)
        } catch (error) {
          // Asked less often it would not be: its client takes any other word for the end.
          if (isGridError(error, 'authorization_pending') || isGridError(error, 'slow_down'))
            return reply.code(400).send({ error: 'authorization_pending' })
          if (isGridError(error, 'access_denied') || isGridError(error, 'expired_token'))
            return reply.code(400).send({ error: error.code })
          throw error
        }
      }
      if (type === 'refresh_token') {
        const asked = unwrapRefresh(form.get('refresh_token') ?? '')
        if (!asked) throw wireError(401, 'Invalid JWT')
        const client = await clientOf(identity, asked.vo)
        const request = { client, token: asked.token, scopes: [], audience: [] }
        const issued = await identity.refresh(request).catch((error) => {
          if (isGridError(error, 'invalid_grant')) throw wireError(401, error.message)
          throw error
        })
        return answerOf(issued, asked.vo)
      }
      throw wireError(400, `Grant type ${type} is not supported here`)
    },
  })

  function answerOf(issued: Issued, vo: string) {
    const now = Math.floor(clock.now().getTime() / 1000)
    const refresh = issued.refreshToken
    return {
      access_token: issued.token,
      expires_in: Math.floor(issued.expiresAt.getTime() / 1000) - now,
      token_type: 'Bearer',
      ...(refresh !== undefined && {
        refresh_token: wrapRefresh(refresh, { vo, exp: now + REFRESH_SECONDS, jti: issued.tokenId }),
      }),
    }
  }

  route(app, {
    method: 'POST',
    url: `${BASE}/revoke`,
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
    url: `${BASE}/userinfo`,
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

const propertiesOf = ({ attributes }: Principal): string[] =>
  attributes.admin?.toLowerCase() === 'true' ? ADMINISTRATOR : MEMBER

const vosOf = async (identity: Identity): Promise<string[]> => (await identity.listVos()).map(({ id }) => id)

/** Groups of a VO from its root downwards; the root is there also before anybody made it. */
async function groupsOf(identity: Identity, vo: string): Promise<string[]> {
  const root = `/${vo}`
  const found = [root]
  const below = async (path: string): Promise<void> => {
    const group = await identity.group(vo, path).catch((error) => {
      if (isGridError(error) && error.kind === 'missing') return undefined
      throw error
    })
    for (const child of group ? await identity.subgroups(group) : []) {
      found.push(child.path)
      await below(child.path)
    }
  }
  await below(root)
  return found
}

/** The client of the field in a VO; made on first use. */
async function clientOf(identity: Identity, vo: string): Promise<Client> {
  if (!(await vosOf(identity)).includes(vo)) throw wireError(400, `The vo ${vo} is not known`)
  try {
    return await identity.client(vo, CLIENT)
  } catch (error) {
    if (!isGridError(error) || error.kind !== 'missing') throw error
  }
  await identity.putClient({
    ...{ id: CLIENT, vo, accountId: null, auth: 'none', origin: 'grid' },
    ...{ name: 'DiracX client', description: 'The dirac command and the libraries of DiracX' },
    grants: [DEVICE, 'refresh_token'],
    scopes: ['grid', 'offline_access', 'wlcg.groups'],
    ...{ accessSeconds: ACCESS_SECONDS, refreshSeconds: REFRESH_SECONDS },
  })
  return identity.client(vo, CLIENT)
}

function registerWellKnown(app: FastifyInstance, { identity, address }: AuthDeps): void {
  const known = '/diracx/.well-known'
  const api = `${address}${BASE}`

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
        grant_types_supported: [DEVICE, 'refresh_token'],
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
}
