import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import {
  actorOf,
  type CertificateRecord,
  certificateMissing,
  certificateNeeded,
  denied,
  nameFromSlash,
  nameFromText,
  readCertificates,
  sameName,
} from '../../identity/index.ts'
import type { X509DoorDeps } from './deps.ts'

const text = Type.String({ maxLength: 1024 })
const Vo = Type.Object({ vo: Type.String({ maxLength: 32 }) })
const OfVo = Type.Object({ vo: Type.String({ maxLength: 32 }), id: Type.String({ format: 'uuid' }) })
const Whose = Type.Object({ account: Type.Optional(text) })
const Linked = Type.Union([
  Type.Null(),
  Type.Object({
    label: Type.Optional(text),
    account: Type.Optional(text),
    pem: Type.Optional(Type.String({ maxLength: 65_536 })),
  }),
])
const Names = Type.Object({ certificateSubject: text, certificateIssuer: Type.Optional(text) })
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1024 }) })

/** A record as clients read it; its names in both forms, its times as ISO texts. */
export function certificateView(record: CertificateRecord, account: string): Record<string, unknown> {
  const { accountId: _id, createdAt, updatedAt, seenAt, notAfter, ...rest } = record
  return {
    ...rest,
    ...{ account, createdAt, updatedAt, seenAt, notAfter },
    state: record.state.toLowerCase(),
  }
}

/** The certificates of people: those who hold them link and unlink, managers may do it for everybody. */
export function registerCertificates(app: FastifyInstance, { identity }: X509DoorDeps): void {
  const accountNamed = (vo: string, name: string) => identity.account(vo, name)
  const actor = ({ principal }: Pick<RouteRequest, 'principal'>): string => actorOf(principal)
  const recordOf = async (request: { params: { vo: string; id: string } }) => {
    const record = await identity.certificate(request.params.vo, request.params.id)
    return { record, owner: record.accountId }
  }

  route(app, {
    method: 'GET',
    url: '/iam/:vo/certificates',
    action: 'identity.certificate.read',
    schema: { params: Vo, querystring: Whose },
    resource: ({ params, query, principal }) => ({
      vo: params.vo,
      owner: query.account ?? principal.account,
    }),
    handler: async ({ params, query, principal }) => {
      const account = await accountNamed(params.vo, query.account ?? principal.account ?? '')
      const own = (await identity.certificatesOf([account.id])).get(account.id) ?? []
      return { certificates: own.map((record) => certificateView(record, account.name)) }
    },
  })

  // The certificate of this very connection; a manager may give one for somebody else.
  route(app, {
    method: 'POST',
    url: '/iam/:vo/account-linking/X509',
    action: 'identity.certificate.write',
    schema: { params: Vo, body: Linked },
    resource: ({ params, body, principal }) => ({
      vo: params.vo,
      // To say that a certificate is somebody's without showing it is for managers.
      owner: body?.pem === undefined && body?.account === undefined ? principal.accountId : null,
    }),
    handler: async (request, reply) => {
      const { params, body, principal } = request
      const name = body?.account ?? principal.account ?? ''
      const account = await accountNamed(params.vo, name)
      const certificate = body?.pem === undefined ? await presented(request) : certificateIn(body.pem)
      const origin = body?.pem === undefined ? 'presented' : 'administrator'
      const label = body?.label ?? ''
      const record = await identity.linkCertificate(
        { accountId: account.id, certificate, origin, label },
        actor(request),
      )
      return reply.code(201).send(certificateView(record, account.name))
    },
  })

  route(app, {
    method: 'DELETE',
    url: '/iam/:vo/account-linking/X509',
    action: 'identity.certificate.write',
    schema: { params: Vo, querystring: Names },
    resource: ({ params, principal }) => ({ vo: params.vo, owner: principal.accountId }),
    handler: async (request, reply) => {
      const { params, query, principal } = request
      const accountId = principal.accountId ?? 0
      const subject = nameFromText(query.certificateSubject)
      const issuer = query.certificateIssuer === undefined ? undefined : nameFromText(query.certificateIssuer)
      const own = (await identity.certificatesOf([accountId])).get(accountId) ?? []
      const meant = own.filter(
        (record) =>
          sameName(nameFromSlash(record.subject), subject) &&
          (!issuer || (record.issuer !== null && sameName(nameFromSlash(record.issuer), issuer))),
      )
      if (meant.length === 0) throw certificateMissing('Your account has no certificate of these names.')
      for (const { id } of meant) await identity.unlinkCertificate(params.vo, id, actor(request))
      return reply.code(204).send()
    },
  })

  route(app, {
    method: 'DELETE',
    url: '/iam/:vo/certificates/:id',
    action: 'identity.certificate.write',
    schema: { params: OfVo },
    resource: async (request) => ({ vo: request.params.vo, owner: (await recordOf(request)).owner }),
    handler: async (request, reply) => {
      await identity.unlinkCertificate(request.params.vo, request.params.id, actor(request))
      return reply.code(204).send()
    },
  })

  route(app, {
    method: 'POST',
    url: '/iam/:vo/certificates/:id/suspend',
    action: 'identity.certificate.write',
    schema: { params: OfVo, body: Reason },
    resource: async (request) => ({ vo: request.params.vo, owner: (await recordOf(request)).owner }),
    handler: async (request, reply) => {
      const { vo, id } = request.params
      await identity.suspendCertificate(vo, id, request.body.reason, actor(request))
      return reply.code(204).send()
    },
  })

  // What its holder suspended because it was stolen must not be restored by the thief.
  route(app, {
    method: 'POST',
    url: '/iam/:vo/certificates/:id/restore',
    action: 'identity.write',
    schema: { params: OfVo },
    resource: ({ params }) => ({ vo: params.vo }),
    handler: async (request, reply) => {
      await identity.restoreCertificate(request.params.vo, request.params.id, actor(request))
      return reply.code(204).send()
    },
  })
}

/** The end-entity certificate that this connection proved to hold, asked for by somebody who logged in otherwise. */
async function presented(request: Pick<RouteRequest, 'principal' | 'clientCertificate'>) {
  if (request.principal.method === 'x509')
    throw denied('Log in with a token to link a certificate: the certificate alone does not say whose it is.')
  const chain = await request.clientCertificate()
  if (!chain)
    throw certificateNeeded(
      'Present the certificate to link with this request, for example: curl --cert … --key ….',
    )
  return chain.endEntity
}

function certificateIn(pem: string) {
  const [certificate] = readCertificates(pem)
  if (!certificate)
    throw certificateNeeded(
      'There is no certificate in this text; it begins with -----BEGIN CERTIFICATE-----.',
    )
  return certificate
}
