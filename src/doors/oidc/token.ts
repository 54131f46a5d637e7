import type { FastifyInstance, FastifyRequest } from 'fastify'
import { route } from '../../http/index.ts'
import { type Client, checkResource, GRANTS, type Identity, type Issued } from '../../identity/index.ts'
import { clientOf } from './client.ts'
import { BASE, type OidcDoorDeps, unstored, VoParams } from './door.ts'
import { oauthError } from './errors.ts'
import { type Form, formOf } from './form.ts'

interface GrantRequest {
  readonly identity: Identity
  readonly vo: string
  readonly form: Form
  readonly client: Client
  readonly request: Pick<FastifyRequest, 'ip'>
}

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'

const HOW: Readonly<Record<(typeof GRANTS)[number], (asked: GrantRequest) => Promise<Issued>>> = {
  authorization_code: ({ identity, client, form }) =>
    identity.redeemCode({
      client,
      code: form.need('code'),
      redirectUri: form.need('redirect_uri'),
      verifier: form.need('code_verifier'),
    }),
  'urn:ietf:params:oauth:grant-type:device_code': ({ identity, client, form }) =>
    identity.redeemDevice(client, form.need('device_code')),
  refresh_token: ({ identity, client, form }) =>
    identity.refresh({
      ...{ client, token: form.need('refresh_token') },
      ...{ scopes: form.list('scope'), audience: audienceOf(form) },
    }),
  client_credentials: ({ identity, client, form }) =>
    identity.clientToken({ client, scopes: form.list('scope'), audience: audienceOf(form) }),
  'urn:ietf:params:oauth:grant-type:token-exchange': byExchange,
  password: byPassword,
  'urn:kumihimo:grant:one-time-code': byCode,
}

/** POST /token: a grant against tokens. */
export function token(app: FastifyInstance, { identity, clock }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url: `${BASE}/token`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const { vo } = request.params
      const form = formOf(request.body)
      const type = form.need('grant_type')
      const grant = GRANTS.find((name) => name === type)
      if (!grant) throw oauthError('unsupported_grant_type', `The grant type "${type}" is not offered here.`)
      const client = await clientOf(identity, vo, request, form)
      if (!client.grants.includes(grant)) {
        throw oauthError('unauthorized_client', `The client may not use the grant ${type}.`)
      }
      const issued = await HOW[grant]({ identity, vo, form, client, request })
      return unstored(reply).send({
        access_token: issued.token,
        token_type: 'Bearer',
        expires_in: Math.max(0, Math.floor((issued.expiresAt.getTime() - clock.now().getTime()) / 1000)),
        scope: issued.scopes.join(' '),
        ...(issued.refreshToken !== undefined && { refresh_token: issued.refreshToken }),
        ...(issued.idToken !== undefined && { id_token: issued.idToken }),
        ...(type.endsWith(':token-exchange') && { issued_token_type: `${TOKEN_TYPE}access_token` }),
      })
    },
  })
}

/** `audience` as the field writes it, and the resource indicators of RFC 8707. */
export function audienceOf(form: Form): string[] {
  const resources = form.list('resource')
  for (const resource of resources) checkResource(resource)
  return [...form.list('audience'), ...form.list('aud'), ...resources]
}

async function byExchange({ identity, client, form }: GrantRequest): Promise<Issued> {
  const kinds = [`${TOKEN_TYPE}access_token`, `${TOKEN_TYPE}jwt`]
  if (!kinds.includes(form.need('subject_token_type'))) {
    throw oauthError('invalid_request', 'Only access tokens are exchanged.')
  }
  if (form.get('actor_token')) {
    throw oauthError('invalid_request', 'The client itself becomes the actor; no actor_token is taken.')
  }
  const wanted = form.get('requested_token_type') ?? kinds[0]!
  const refresh = wanted === `${TOKEN_TYPE}refresh_token`
  if (!refresh && !kinds.includes(wanted)) {
    throw oauthError('invalid_request', `There is no token of the type ${wanted} here.`)
  }
  return identity.exchange({
    ...{ client, refresh, subjectToken: form.need('subject_token') },
    ...{ scopes: form.list('scope'), audience: audienceOf(form) },
  })
}

async function byPassword({ identity, vo, client, form, request }: GrantRequest): Promise<Issued> {
  const account = form.get('account')
  const { accountId } = await identity.checkPassword({
    ...{ vo, username: form.need('username'), password: form.need('password'), peer: request.ip },
    ...(account && { account }),
  })
  return identity.loginTokens({ client, accountId, scopes: form.list('scope'), audience: audienceOf(form) })
}

async function byCode({ identity, vo, client, form }: GrantRequest): Promise<Issued> {
  const { accountId } = await identity.takeLoginCode(vo, form.need('code'))
  return identity.loginTokens({ client, accountId, scopes: form.list('scope'), audience: audienceOf(form) })
}
