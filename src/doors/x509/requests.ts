import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, certificateNeeded } from '../../identity/index.ts'
import type { X509DoorDeps } from './deps.ts'

const Vo = Type.Object({ vo: Type.String({ maxLength: 32 }) })
const Decided = Type.Object({
  vo: Type.String({ maxLength: 32 }),
  id: Type.String({ format: 'uuid' }),
  decision: Type.Union([Type.Literal('approve'), Type.Literal('reject')]),
})
const States = Type.Object({
  state: Type.Optional(
    Type.Union([Type.Literal('pending'), Type.Literal('approved'), Type.Literal('rejected')]),
  ),
})
const Motivation = Type.Union([
  Type.Null(),
  Type.Object({ motivation: Type.Optional(Type.String({ maxLength: 1024 })) }),
])

/** Same name, new authority: holders ask, managers decide. */
export function registerRequests(app: FastifyInstance, { identity }: X509DoorDeps): void {
  const view = <R extends { state: string; accountId: number }>({ accountId: _id, ...rest }: R) => ({
    ...rest,
    state: rest.state.toLowerCase(),
  })

  // Whoever asks is not known yet; the certificate of the connection is what they have.
  route(app, {
    method: 'POST',
    url: '/iam/:vo/certificate-requests',
    action: 'public',
    schema: { params: Vo },
    handler: async (request, reply) => {
      const chain = await request.clientCertificate()
      if (!chain)
        throw certificateNeeded('Present the certificate that should be recognised with this request.')
      await identity.requestCertificate(request.params.vo, chain.endEntity)
      return reply.code(202).send({ state: 'pending' })
    },
  })

  route(app, {
    method: 'GET',
    url: '/iam/:vo/certificate-requests',
    action: 'identity.write',
    schema: { params: Vo, querystring: States },
    resource: ({ params }) => ({ vo: params.vo }),
    handler: async ({ params, query }) => {
      const state = query.state?.toUpperCase() as 'PENDING' | undefined
      return { requests: (await identity.certificateRequests(params.vo, state)).map(view) }
    },
  })

  route(app, {
    method: 'POST',
    url: '/iam/:vo/certificate-requests/:id/:decision',
    action: 'identity.write',
    schema: { params: Decided, body: Motivation },
    resource: ({ params }) => ({ vo: params.vo }),
    handler: async ({ params, body, principal }) => {
      const decision = { approve: params.decision === 'approve', motivation: body?.motivation ?? '' }
      const by = actorOf(principal)
      return view(await identity.decideCertificateRequest(params.vo, params.id, decision, by))
    },
  })
}
