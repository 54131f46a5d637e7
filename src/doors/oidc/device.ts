import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { clientOf } from './client.ts'
import { BASE, type OidcDoorDeps, unstored, VoParams } from './door.ts'
import { oauthError } from './errors.ts'
import { formOf, queryOf } from './form.ts'
import { audienceOf } from './token.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'

/** POST /devicecode (RFC 8628 §3.1): a program without a browser asks for a pair of codes. */
export function deviceCodes(app: FastifyInstance, { identity, clock }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url: `${BASE}/devicecode`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const { vo } = request.params
      const form = formOf(request.body)
      const client = await clientOf(identity, vo, request, form)
      if (!client.grants.includes(DEVICE)) {
        throw oauthError('unauthorized_client', 'The client may not use the device flow.')
      }
      const codes = await identity.startDevice({
        ...{ client, scopes: form.list('scope'), audience: audienceOf(form), address: request.ip },
      })
      const page = `${identity.issuer(vo)}/device`
      return unstored(reply).send({
        device_code: codes.deviceCode,
        user_code: codes.userCode,
        verification_uri: page,
        verification_uri_complete: `${page}?user_code=${codes.userCode}`,
        expires_in: Math.floor((codes.expiresAt.getTime() - clock.now().getTime()) / 1000),
        interval: codes.intervalSeconds,
      })
    },
  })
}

/** GET /device: where people enter their code. It leads to the console's page and decides nothing. */
export function devicePage(app: FastifyInstance): void {
  route(app, {
    method: 'GET',
    url: `${BASE}/device`,
    action: 'public',
    schema: { params: VoParams },
    handler: async (request, reply) => {
      const code = /^[A-Za-z-]{1,20}$/.exec(queryOf(request.url).get('user_code') ?? '')?.[0]
      const search = new URLSearchParams({ vo: request.params.vo, ...(code && { code }) })
      return unstored(reply).redirect(`/#/device?${search}`, 303)
    },
  })
}
