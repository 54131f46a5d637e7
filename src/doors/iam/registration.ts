import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, type MembershipRequest } from '../../identity/index.ts'
import { isGridError } from '../../kernel/index.ts'
import { pageOf } from '../scim/index.ts'
import {
  BASE,
  badRequest,
  type IamDoorDeps,
  InVo,
  idOf,
  inVo,
  queryOf,
  unstored,
  voOf,
  WithId,
} from './door.ts'

const text = Type.String({ maxLength: 300 })
const Wish = Type.Object({
  username: text,
  givenname: text,
  familyname: text,
  email: text,
  institute: Type.Optional(text),
  notes: Type.Optional(Type.Union([Type.String({ maxLength: 5000 }), Type.Null()])),
  password: Type.Optional(Type.String({ maxLength: 1024 })),
})
const STATES = ['NEW', 'CONFIRMED', 'APPROVED', 'REJECTED'] as const
const OPEN = ['NEW', 'CONFIRMED'] as const

/** `/registration`: how somebody becomes a member of the VO. */
export function registration(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  const url = `${BASE}/registration`
  route(app, {
    method: 'POST',
    url: `${url}/create`,
    action: 'public',
    schema: { ...InVo, body: Wish },
    handler: async (request, reply) => {
      const { givenname, familyname, notes, institute, password, ...rest }: Static<typeof Wish> = request.body
      const made = await identity.register({
        ...rest,
        ...{ vo: voOf(request), givenName: givenname, familyName: familyname, notes: notes ?? '' },
        ...(institute && { institute }),
        ...(password && { password }),
        ...languageOf(request.headers['accept-language']),
        peer: request.ip,
      })
      return unstored(reply).code(201).send(view(made))
    },
  })
  const lists = (
    path: string,
    states: (request: FastifyRequest) => readonly (typeof STATES)[number][],
  ): void =>
    route(app, {
      method: 'GET',
      url: `${url}/${path}`,
      action: 'identity.approve',
      schema: InVo,
      resource: inVo,
      handler: async (request, reply) => {
        const filter = { kind: 'registration', states: states(request) } as const
        // IAM answers with all of them; who gives no count gets as many as one answer may hold.
        const page = pageOf({ count: 1000, ...queryOf(request) })
        const { total, items } = await identity.requests(voOf(request), filter, page)
        return unstored(reply).header('x-total-count', String(total)).send(items.map(view))
      },
    })
  lists('list', (request) => {
    const { status } = queryOf(request)
    const state = STATES.find((one) => one === status?.toUpperCase())
    if (status && !state) throw badRequest(`"${status.slice(0, 30)}" is no status; use ${STATES.join(', ')}.`)
    return state ? [state] : STATES
  })
  lists('list/pending', () => OPEN)
  route(app, {
    method: 'POST',
    url: `${url}/approve/:id`,
    action: 'identity.approve',
    schema: WithId,
    resource: inVo,
    handler: async (request, reply) => {
      const by = actorOf(request.principal)
      return unstored(reply).send(view(await identity.approveRegistration(voOf(request), idOf(request), by)))
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/reject/:id`,
    action: 'identity.approve',
    schema: WithId,
    resource: inVo,
    handler: async (request, reply) => {
      const by = actorOf(request.principal)
      const why = queryOf(request).motivation ?? ''
      return unstored(reply).send(
        view(await identity.rejectRegistration(voOf(request), idOf(request), why, by)),
      )
    },
  })
  route(app, {
    method: 'GET',
    url: `${url}/verify/:token`,
    action: 'public',
    schema: {
      params: Type.Object({
        ...InVo.params.properties,
        token: Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$' }),
      }),
    },
    // Programs that look through mail open every link: it leads to the console's page, whose button confirms.
    handler: (request, reply) => {
      const { vo, token } = request.params
      return unstored(reply).redirect(`/#/confirm?${new URLSearchParams({ vo, token })}`, 303)
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/verify`,
    action: 'public',
    schema: InVo,
    handler: async (request, reply) => {
      const { body } = request
      const secret =
        body instanceof URLSearchParams ? body.get('token') : (body as { token?: unknown } | null)?.token
      if (typeof secret !== 'string' || secret === '') throw badRequest('The parameter token is missing.')
      const vo = voOf(request)
      try {
        const { username, state } = await identity.confirmRegistration(vo, secret)
        return unstored(reply).send({ username, status: state })
      } catch (error) {
        // No registration waits for this link; then it is about an address somebody added later.
        if (!isGridError(error, 'request_missing')) throw error
        const { username, address } = await identity.confirmAddress(vo, secret)
        return unstored(reply).send({ username, address })
      }
    },
  })
  route(app, {
    method: 'GET',
    url: `${url}/config`,
    action: 'public',
    schema: InVo,
    handler: async (request) => {
      const { registrationOpen, confirmEmail } = await identity.peopleSettings(voOf(request))
      const required = { readOnly: false, fieldBehaviour: 'MANDATORY' }
      return {
        enabled: registrationOpen,
        requireExternalAuthentication: false,
        requireEmailConfirmation: confirmEmail,
        fields: {
          ...{ username: required, name: required, surname: required, email: required },
          notes: { readOnly: false, fieldBehaviour: 'OPTIONAL' },
        },
      }
    },
  })
  route(app, {
    method: 'GET',
    url: `${url}/username-available/:id`,
    action: 'public',
    schema: WithId,
    handler: (request) => identity.nameIsFree(voOf(request), { username: idOf(request) }, request.ip),
  })
  route(app, {
    method: 'GET',
    url: `${url}/email-available/:email`,
    action: 'public',
    schema: { params: Type.Object({ ...InVo.params.properties, email: text }) },
    handler: (request) => identity.nameIsFree(voOf(request), { email: request.params.email }, request.ip),
  })
}

function view(request: MembershipRequest) {
  return {
    uuid: request.id,
    accountId: request.accountUuid,
    username: request.username,
    givenname: request.givenName,
    familyname: request.familyName,
    institute: request.institute,
    email: request.email,
    emailVerified: request.emailVerified,
    status: request.state,
    notes: request.notes,
    motivation: request.motivation || null,
    decidedBy: request.decidedBy,
    creationTime: request.createdAt.toISOString(),
    lastUpdateTime: request.updatedAt.toISOString(),
  }
}

/** The first of our languages that the browser asks for. */
function languageOf(accepted: string | undefined): { language?: 'en' | 'ja' } {
  const known = accepted
    ?.toLowerCase()
    .split(',')
    .map((part) => part.trim().slice(0, 2))
    .find((code): code is 'en' | 'ja' => code === 'en' || code === 'ja')
  return known ? { language: known } : {}
}
