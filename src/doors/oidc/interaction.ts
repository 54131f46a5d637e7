import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { Answer, Question } from '../../identity/index.ts'
import { BASE, needPerson, type OidcDoorDeps, own, personOf, unstored, VoParams } from './door.ts'

const url = `${BASE}/interaction`
const Interaction = Type.Object({
  ...VoParams.properties,
  id: Type.String({ minLength: 20, maxLength: 100 }),
})
const UserCode = Type.String({ minLength: 1, maxLength: 40 })
const Decision = {
  decision: Type.Union([Type.Literal('approve'), Type.Literal('deny')]),
  scopes: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
  remember: Type.Optional(Type.Boolean()),
}

/** What the console's pages ask and answer for the person in front of them; nothing is decided by a visit. */
export function interaction(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  route(app, {
    method: 'GET',
    url: `${url}/:id`,
    action: 'public',
    schema: { params: Interaction },
    handler: async ({ params: { vo, id }, principal }, reply) => {
      const person = personOf(principal, vo) ?? null
      const question = await identity.consentQuestion(vo, id, person)
      return unstored(reply).send({ ...asked(question), account: person && principal.account })
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/:id`,
    action: 'identity.login',
    resource: own,
    schema: { params: Interaction, body: Type.Object(Decision) },
    handler: async ({ params: { vo, id }, principal, body }, reply) => {
      const { redirect } = await identity.answerConsent(vo, id, needPerson(principal, vo), answerOf(body))
      return unstored(reply).send({ redirect_to: redirect })
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/device`,
    action: 'identity.login',
    resource: own,
    schema: { params: VoParams, body: Type.Object({ user_code: UserCode }) },
    handler: async ({ params: { vo }, principal, body, ip }, reply) => {
      const person = needPerson(principal, vo)
      const question = await identity.deviceQuestion(vo, body.user_code, person, ip)
      const { account } = principal
      return unstored(reply).send({ ...asked(question), account, asked_at: question.askedAt.toISOString() })
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/device/answer`,
    action: 'identity.login',
    resource: own,
    schema: { params: VoParams, body: Type.Object({ user_code: UserCode, ...Decision }) },
    handler: async ({ params: { vo }, principal, body, ip }, reply) => {
      await identity.answerDevice(vo, body.user_code, needPerson(principal, vo), answerOf(body), ip)
      return unstored(reply).code(204).send()
    },
  })
}

function asked({ loginNeeded, consentNeeded, ...question }: Question) {
  const { client, scopes, audience, whereto, rememberable } = question
  const needed = { login_needed: loginNeeded, consent_needed: consentNeeded }
  return { client, scopes, audience, whereto, rememberable, ...needed }
}

function answerOf(body: { decision: 'approve' | 'deny'; scopes?: string[]; remember?: boolean }): Answer {
  return {
    approve: body.decision === 'approve',
    ...(body.scopes && { scopes: body.scopes }),
    ...(body.remember !== undefined && { remember: body.remember }),
  }
}
