import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { ExchangePolicy, WrittenScopePolicy } from '../../identity/index.ts'
import { actorOf, BASE, type OidcDoorDeps, ofVo, VoParams } from './door.ts'

const scopesUrl = `${BASE}/api/scope-policies`
const exchangeUrl = `${BASE}/api/exchange-policies`
const PolicyParams = Type.Object({ ...VoParams.properties, id: Type.String({ format: 'uuid' }) })
const literals = <const T extends string>(...values: T[]) =>
  Type.Union(values.map((value) => Type.Literal(value)))
const Texts = Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), { maxItems: 500 })
const ScopePolicyWire = Type.Object({
  subject_kind: literals('account', 'client', 'group', 'people', 'services'),
  subject: Type.Optional(Type.String()),
  effect: literals('permit', 'deny'),
  matching: literals('exact', 'path'),
  scopes: Texts,
  description: Type.Optional(Type.String()),
})
const ExchangePolicyWire = Type.Object({
  origin: Type.String(),
  destination: Type.String(),
  subject_audiences: Type.Optional(Texts),
  scopes: Texts,
  audiences: Type.Optional(Texts),
  refresh: Type.Optional(Type.Boolean()),
  description: Type.Optional(Type.String()),
})

/** Who may ask for which scopes, and which client may exchange whose tokens; for administrators of the VO. */
export function policies(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  const admin = { action: 'identity.write', resource: ofVo } as const
  route(app, {
    ...{ ...admin, method: 'GET', url: scopesUrl, schema: { params: VoParams } },
    handler: async ({ params: { vo } }) => ({
      policies: (await identity.scopePolicies(vo)).map(scopePolicyAnswer),
    }),
  })
  const put = (method: 'POST' | 'PUT', url: string, params: typeof VoParams | typeof PolicyParams) =>
    route(app, {
      ...{ ...admin, method, url, schema: { params, body: ScopePolicyWire } },
      handler: async ({ params: of, body, principal }, reply) => {
        const { subject_kind: subjectKind, subject = '', description = '', ...rest } = body
        const wish = { ...of, ...rest, subjectKind, subject, description }
        const policy = await identity.putScopePolicy(wish, actorOf(principal))
        return reply.code(method === 'POST' ? 201 : 200).send(scopePolicyAnswer(policy))
      },
    })
  put('POST', scopesUrl, VoParams)
  put('PUT', `${scopesUrl}/:id`, PolicyParams)
  route(app, {
    ...{ ...admin, method: 'DELETE', url: `${scopesUrl}/:id`, schema: { params: PolicyParams } },
    handler: async ({ params: { vo, id }, principal }, reply) => {
      await identity.deleteScopePolicy(vo, id, actorOf(principal))
      return reply.code(204).send()
    },
  })
  route(app, {
    ...{ ...admin, method: 'GET', url: exchangeUrl, schema: { params: VoParams } },
    handler: async ({ params: { vo } }) => ({
      policies: (await identity.exchangePolicies(vo)).map(exchangePolicyAnswer),
    }),
  })
  route(app, {
    ...{ ...admin, method: 'POST', url: exchangeUrl, schema: { params: VoParams, body: ExchangePolicyWire } },
    handler: async ({ params: { vo }, body, principal }, reply) => {
      const { subject_audiences: subjectAudiences = [], audiences = [], refresh = false, ...rest } = body
      const { description = '', ...named } = rest
      const wish = { ...named, vo, subjectAudiences, audiences, refresh, description }
      const policy = await identity.putExchangePolicy(wish, actorOf(principal))
      return reply.code(201).send(exchangePolicyAnswer(policy))
    },
  })
  route(app, {
    ...{ ...admin, method: 'DELETE', url: `${exchangeUrl}/:id`, schema: { params: PolicyParams } },
    handler: async ({ params: { vo, id }, principal }, reply) => {
      await identity.deleteExchangePolicy(vo, id, actorOf(principal))
      return reply.code(204).send()
    },
  })
}

const scopePolicyAnswer = ({ subjectKind, vo: _vo, ...rest }: WrittenScopePolicy) => ({
  ...rest,
  subject_kind: subjectKind,
})

const exchangePolicyAnswer = ({ subjectAudiences, vo: _vo, ...rest }: ExchangePolicy) => ({
  ...rest,
  subject_audiences: subjectAudiences,
})
