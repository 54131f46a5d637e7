import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, denied } from '../../identity/index.ts'
import type { X509DoorDeps } from './deps.ts'

const Vo = Type.Object({ vo: Type.String({ maxLength: 32 }) })
const Whose = Type.Object({ account: Type.Optional(Type.String({ maxLength: 64 })) })
const Wish = Type.Object({
  csr: Type.String({ maxLength: 16_384 }),
  hours: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 8784 })),
})
const Serial = Type.Object({
  vo: Type.String({ maxLength: 32 }),
  serial: Type.String({ pattern: '^[0-9a-fA-F]{2,64}$' }),
})
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1024 }) })

/** Short-lived certificates for whoever is logged in. */
export function registerIssuing(app: FastifyInstance, { identity }: X509DoorDeps): void {
  route(app, {
    method: 'POST',
    url: '/iam/:vo/certificates/issue',
    action: 'identity.certificate.write',
    schema: { params: Vo, body: Wish },
    resource: ({ params, principal }) => ({ vo: params.vo, owner: principal.accountId }),
    handler: async ({ principal, body }, reply) => {
      // A certificate that could get its successor would never end.
      if (principal.method === 'x509' || principal.accountId === null)
        throw denied('Log in with a token to get a certificate; a certificate cannot get another one.')
      const { pem, ...issued } = await identity.issueCertificate(
        { accountId: principal.accountId, csr: body.csr, ...(body.hours && { hours: body.hours }) },
        actorOf(principal),
      )
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...issued, certificate: pem })
    },
  })

  route(app, {
    method: 'GET',
    url: '/iam/:vo/certificates/issued',
    action: 'identity.certificate.read',
    schema: { params: Vo, querystring: Whose },
    resource: ({ params, query, principal }) => ({
      vo: params.vo,
      owner: query.account ?? principal.account,
    }),
    handler: async ({ params, query, principal }) => {
      const account = await identity.account(params.vo, query.account ?? principal.account ?? '')
      const issued = await identity.issuedCertificates([account.id])
      return { certificates: issued.map(({ accountId: _id, ...one }) => ({ ...one, account: account.name })) }
    },
  })

  route(app, {
    method: 'POST',
    url: '/iam/:vo/certificates/issued/:serial/revoke',
    action: 'identity.certificate.write',
    schema: { params: Serial, body: Reason },
    resource: async ({ params }) => ({
      vo: params.vo,
      owner: await identity.holderOfIssued(params.vo, params.serial),
    }),
    handler: async ({ params, body, principal }, reply) => {
      const by = actorOf(principal)
      await identity.revokeIssuedCertificate(params.vo, params.serial, body.reason, by)
      return reply.code(204).send()
    },
  })
}
