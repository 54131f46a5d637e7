import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, denied, type Person, type UsagePolicy } from '../../identity/index.ts'
import { personTarget } from '../scim/index.ts'
import {
  BASE,
  badRequest,
  type IamDoorDeps,
  InVo,
  idOf,
  inVo,
  missing,
  personOf,
  unstored,
  voOf,
  WithId,
} from './door.ts'

const maybe = (length: number) => Type.Optional(Type.Union([Type.String({ maxLength: length }), Type.Null()]))
const Policy = Type.Object({
  url: maybe(2000),
  text: maybe(200_000),
  description: maybe(1000),
  signatureValidityInDays: Type.Optional(Type.Integer()),
  aupRemindersInDays: maybe(100),
})
const Version = Type.Object({ version: Type.Optional(Type.Integer({ minimum: 1 })) })

/** `/iam/aup`: the usage policy and its signatures. */
export function aup(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  const url = `${BASE}/iam/aup`
  const inForce = async (request: FastifyRequest): Promise<UsagePolicy> => {
    const policy = await identity.usagePolicy(voOf(request))
    if (!policy) throw missing(`${voOf(request)} has no usage policy.`)
    return policy
  }
  route(app, {
    method: 'GET',
    url,
    // Whoever registers reads it first.
    action: 'public',
    schema: InVo,
    handler: async (request) => view(await inForce(request)),
  })
  const publish = async (
    request: FastifyRequest,
    body: Static<typeof Policy>,
    before: UsagePolicy | null,
  ) => {
    const { signatureValidityInDays: days, aupRemindersInDays: reminders } = body
    return identity.publishPolicy(
      voOf(request),
      {
        // Null arrives as an empty text, as checked bodies have it.
        url: body.url === undefined ? (before?.url ?? null) : body.url || null,
        text: body.text === undefined ? (before?.text ?? null) : body.text || null,
        description: body.description ?? before?.description ?? '',
        validityDays: days ?? before?.validityDays ?? 0,
        reminderDays: reminders ? daysIn(reminders) : (before?.reminderDays ?? []),
        // IAM asks people to sign again by "touch", never by an edit.
        keepSignatures: before !== null,
      },
      actorOf(request.principal),
    )
  }
  for (const method of ['POST', 'PATCH'] as const) {
    route(app, {
      method,
      url,
      action: 'identity.write',
      schema: { ...InVo, body: Policy },
      resource: inVo,
      handler: async (request, reply) => {
        const before = method === 'PATCH' ? await inForce(request) : null
        return reply
          .code(method === 'POST' ? 201 : 200)
          .send(view(await publish(request, request.body, before)))
      },
    })
  }
  route(app, {
    method: 'DELETE',
    url,
    action: 'identity.write',
    schema: InVo,
    resource: inVo,
    handler: async (request, reply) => {
      await identity.withdrawPolicy(voOf(request), actorOf(request.principal))
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/touch`,
    action: 'identity.write',
    schema: InVo,
    resource: inVo,
    handler: async (request) => view(await identity.touchPolicy(voOf(request), actorOf(request.principal))),
  })

  const own = (request: FastifyRequest) => ({ vo: voOf(request), owner: request.principal.accountId })
  const self = async ({ principal }: FastifyRequest): Promise<Person> => {
    const [person] = principal.accountId === null ? [] : await identity.peopleById([principal.accountId])
    if (!person) throw denied('The token belongs to no account.')
    return person
  }
  const signature = async (
    request: FastifyRequest,
    { id, uuid, username, givenName, familyName }: Person,
  ) => {
    const found = await identity.signatureOf(id)
    if (!found) throw missing(`${username} has signed no usage policy.`)
    return {
      aup: view(await inForce(request)),
      account: { uuid, username, name: [givenName, familyName].filter(Boolean).join(' ') || username },
      signatureTime: found.signedAt.toISOString(),
      version: found.version,
      signedBy: found.signedBy,
      endsAt: found.endsAt?.toISOString() ?? null,
    }
  }
  route(app, {
    method: 'GET',
    url: `${url}/signature`,
    action: 'identity.policy.sign',
    schema: InVo,
    resource: own,
    handler: async (request, reply) => unstored(reply).send(await signature(request, await self(request))),
  })
  route(app, {
    method: 'POST',
    url: `${url}/signature`,
    action: 'identity.policy.sign',
    schema: { ...InVo, body: Type.Optional(Type.Union([Version, Type.Null()])) },
    resource: own,
    handler: async (request, reply) => {
      const person = await self(request)
      const version = (request.body as Static<typeof Version> | null | undefined)?.version
      await identity.signPolicy(person.id, { by: person.username, ...(version !== undefined && { version }) })
      return unstored(reply)
        .code(201)
        .send(await signature(request, person))
    },
  })
  route(app, {
    method: 'GET',
    url: `${url}/signature/:id`,
    action: 'identity.people.read',
    schema: WithId,
    resource: (request) => personTarget(deps, voOf(request), idOf(request)),
    handler: async (request, reply) =>
      unstored(reply).send(await signature(request, await personOf(deps, request))),
  })
  route(app, {
    method: 'PATCH',
    url: `${url}/signature/:id`,
    action: 'identity.write',
    schema: WithId,
    resource: inVo,
    handler: async (request, reply) => {
      const person = await personOf(deps, request)
      await identity.signPolicy(person.id, { by: actorOf(request.principal) })
      return unstored(reply)
        .code(201)
        .send(await signature(request, person))
    },
  })
  route(app, {
    method: 'DELETE',
    url: `${url}/signature/:id`,
    action: 'identity.write',
    schema: WithId,
    resource: inVo,
    handler: async (request, reply) => {
      await identity.withdrawSignature((await personOf(deps, request)).id, actorOf(request.principal))
      return reply.code(204).send()
    },
  })
}

/** `30,15,1` */
function daysIn(text: string): number[] {
  return text.split(',').map((part) => {
    if (!/^\s*\d{1,4}\s*$/.test(part)) throw badRequest('aupRemindersInDays is a list of days like 30,15,1.')
    return Number(part)
  })
}

function view(policy: UsagePolicy) {
  return {
    id: policy.version,
    version: policy.version,
    url: policy.url,
    text: policy.text,
    description: policy.description,
    signatureValidityInDays: policy.validityDays,
    aupRemindersInDays: policy.reminderDays.join(','),
    creationTime: policy.publishedAt.toISOString(),
    lastUpdateTime: policy.signFrom.toISOString(),
  }
}
