import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf } from '../../identity/index.ts'
import { userCondition } from './conditions.ts'
import { baseOf, type Place, personTarget, voOf } from './door.ts'
import { badValue, sendScim } from './errors.ts'
import { parseFilter } from './filter.ts'
import { listAnswer, pageOf, projection, type Query } from './list.ts'
import { isObject, patched, patchOperations, type Resource } from './patch.ts'
import { ENTERPRISE, INDIGO_USER, schemaNamed, USER } from './schemas.ts'
import { changeTo, emailsOf, extension, timeOf, userResources } from './user.ts'

const params = Type.Object({ vo: Type.Optional(Type.String()), id: Type.String() })

/** `/Users` and `/Users/{id}`. */
export function users(app: FastifyInstance, place: Place): void {
  const { identity, prefix } = place
  const answer = async (request: FastifyRequest, reply: FastifyReply, uuid: string) => {
    const person = await identity.personByUuid(voOf(request), uuid)
    const [resource] = await userResources(identity, [person], baseOf(place, request))
    return sendScim(reply, projection(request.query as Query)(resource!))
  }
  route(app, {
    method: 'GET',
    url: `${prefix}/Users`,
    action: 'identity.people.read',
    resource: (request) => ({ vo: voOf(request) }),
    handler: async (request, reply) => {
      const query = request.query as Query
      const [page, project] = [pageOf(query), projection(query)]
      const condition = query.filter ? userCondition(parseFilter(String(query.filter))) : undefined
      const { total, items } = await identity.searchPeople(voOf(request), page, condition)
      const resources = await userResources(identity, items, baseOf(place, request))
      return sendScim(reply, listAnswer(total, page, resources.map(project)))
    },
  })
  route(app, {
    method: 'POST',
    url: `${prefix}/Users`,
    action: 'identity.write',
    resource: (request) => ({ vo: voOf(request) }),
    handler: async (request, reply) => {
      const wanted = wholeUser(request.body)
      if (typeof wanted.userName !== 'string') throw badValue('A user needs a userName.')
      const own = extension(wanted, INDIGO_USER)
      const name = extension(wanted, 'name')
      const person = {
        vo: voOf(request),
        username: wanted.userName,
        kind: own.serviceAccount === true ? 'SERVICE' : 'USER',
        givenName: String(name.givenName ?? ''),
        familyName: String(name.familyName ?? ''),
        institute: String(extension(wanted, ENTERPRISE).organization ?? ''),
        emails: emailsOf(wanted),
        endTime: timeOf(own.endTime),
      } as const
      const { labels, attributes, certificates, logins } = changeTo(
        { userName: wanted.userName },
        wanted,
        false,
      )
      const more = {
        ...(labels && { labels }),
        ...(attributes && { attributes }),
        ...(certificates && { certificates }),
        ...(logins && { logins }),
        ...(wanted.active === false && { active: false, reason: 'made inactive' }),
      }
      const made = await identity.createWholePerson(person, more, actorOf(request.principal))
      reply.code(201).header('location', `${baseOf(place, request)}/Users/${made.uuid}`)
      return answer(request, reply, made.uuid)
    },
  })
  route(app, {
    method: 'GET',
    url: `${prefix}/Users/:id`,
    action: 'identity.people.read',
    schema: { params },
    resource: (request) => personTarget(place, voOf(request), request.params.id),
    handler: (request, reply) => answer(request, reply, request.params.id),
  })
  for (const method of ['PUT', 'PATCH'] as const) {
    route(app, {
      method,
      url: `${prefix}/Users/:id`,
      action: 'identity.write',
      schema: { params },
      resource: (request) => ({ vo: voOf(request) }),
      handler: async (request, reply) => {
        const person = await identity.personByUuid(voOf(request), request.params.id)
        const [before] = await userResources(identity, [person], baseOf(place, request))
        const after = method === 'PUT' ? wholeUser(request.body) : patchedUser(before!, request.body)
        await identity.updatePerson(
          person.id,
          // A PUT that leaves something out says nothing about it; after a patch the resource is complete.
          changeTo(before!, after, method === 'PATCH'),
          actorOf(request.principal),
        )
        // IAM answers a patch with nothing; its clients rely on that.
        return method === 'PUT' ? answer(request, reply, person.uuid) : reply.code(204).send()
      },
    })
  }
  route(app, {
    method: 'DELETE',
    url: `${prefix}/Users/:id`,
    action: 'identity.write',
    schema: { params },
    resource: (request) => ({ vo: voOf(request) }),
    handler: async (request, reply) => {
      const { id } = await identity.personByUuid(voOf(request), request.params.id)
      await identity.removePerson(id, 'deleted through SCIM', actorOf(request.principal))
      return reply.code(204).send()
    },
  })
}

/** A body as a user with the attributes of the schemas and nothing else. */
export function wholeUser(body: unknown): Resource {
  if (!isObject(body)) throw badValue('A user is an object.')
  const operation = { op: 'replace', path: null, value: body } as const
  return patched({}, [operation], schemaNamed(USER)!)
}

export function patchedUser(before: Resource, body: unknown): Resource {
  return patched(before, patchOperations(body), schemaNamed(USER)!)
}
