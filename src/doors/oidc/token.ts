import type { FastifyInstance, FastifyRequest } from 'fastify'
import { route } from '../../http/index.ts'
import type { Identity, MintedToken } from '../../identity/index.ts'
import { clientOf } from './client.ts'
import { BASE, type OidcDoorDeps, OWN_PROGRAMS, unstored, VoParams } from './door.ts'
import { oauthError } from './errors.ts'
import { type Form, formOf } from './form.ts'

interface GrantRequest {
  readonly identity: Identity
  readonly vo: string
  readonly form: Form
  readonly request: Pick<FastifyRequest, 'headers' | 'ip'>
}

/** The grants this issuer knows, by the name on the wire. */
export const GRANTS: Readonly<Record<string, (asked: GrantRequest) => Promise<MintedToken>>> = {
  password: byPassword,
  client_credentials: byClient,
  'urn:kumihimo:grant:one-time-code': byCode,
}

/** POST /token: a grant against a token. */
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
      const grant = Object.hasOwn(GRANTS, type) ? GRANTS[type] : undefined
      if (!grant) throw oauthError('unsupported_grant_type', `The grant type "${type}" is not offered here.`)
      const minted = await grant({ identity, vo, form, request })
      return unstored(reply).send({
        access_token: minted.token,
        token_type: 'Bearer',
        expires_in: Math.max(0, Math.floor((minted.expiresAt.getTime() - clock.now().getTime()) / 1000)),
        scope: minted.scopes.join(' '),
      })
    },
  })
}

function byPassword({ identity, vo, form, request }: GrantRequest): Promise<MintedToken> {
  ownProgram(form)
  const account = form.get('account')
  return identity.login({
    vo,
    username: form.need('username'),
    password: form.need('password'),
    peer: request.ip,
    scopes: form.list('scope'),
    ...(account && { account }),
  })
}

async function byClient({ identity, vo, form, request }: GrantRequest): Promise<MintedToken> {
  const client = await clientOf(identity, vo, request, form)
  if (!client.grants.includes('client_credentials')) {
    throw oauthError('unauthorized_client', 'The client may not use client_credentials.')
  }
  return identity.clientToken({
    client,
    scopes: form.list('scope'),
    audience: [...form.list('audience'), ...form.list('resource')],
  })
}

function byCode({ identity, vo, form }: GrantRequest): Promise<MintedToken> {
  ownProgram(form)
  return identity.redeemLoginCode(vo, form.need('code'), { scopes: form.list('scope') })
}

/** Passwords and codes of people are for the grid's own programs only; others must not ask for them. */
function ownProgram(form: Form): void {
  if (!OWN_PROGRAMS.includes(form.need('client_id'))) {
    throw oauthError('unauthorized_client', `Only ${OWN_PROGRAMS.join(' and ')} may use this grant.`)
  }
}
