import type { FastifyInstance, FastifyRequest } from 'fastify'
import { route } from '../../http/index.ts'
import { actorOf, denied, type Person } from '../../identity/index.ts'
import { baseOf, type Place, voOf } from './door.ts'
import { sendScim } from './errors.ts'
import { projection, type Query } from './list.ts'
import { changeTo, userResources } from './user.ts'
import { patchedUser } from './users.ts'

/** What people change about themselves; the rest is for administrators. */
const OWN = ['givenName', 'familyName', 'institute', 'emails'] as const

/** `/Me`: the caller. */
export function me(app: FastifyInstance, place: Place): void {
  const { identity, prefix } = place
  const self = async (request: FastifyRequest): Promise<Person> => {
    const { accountId } = request.principal
    const [person] = accountId === null ? [] : await identity.peopleById([accountId])
    if (!person) throw denied('The token belongs to no account.')
    return person
  }
  const resource = (request: FastifyRequest) => ({ vo: voOf(request), owner: request.principal.accountId })
  route(app, {
    method: 'GET',
    url: `${prefix}/Me`,
    action: 'identity.people.read',
    resource,
    handler: async (request, reply) => {
      const [view] = await userResources(identity, [await self(request)], baseOf(place, request))
      return sendScim(reply, projection(request.query as Query)(view!))
    },
  })
  route(app, {
    method: 'PATCH',
    url: `${prefix}/Me`,
    action: 'identity.profile.write',
    resource,
    handler: async (request, reply) => {
      const person = await self(request)
      const [before] = await userResources(identity, [person], baseOf(place, request))
      const change = changeTo(before!, patchedUser(before!, request.body), true)
      const beyond = Object.keys(change).find((key) => !(OWN as readonly string[]).includes(key))
      if (beyond) {
        // Whoever may change anybody may also change this.
        identity.authorize(request.principal, 'identity.write', { vo: voOf(request) })
      }
      await identity.updatePerson(person.id, change, actorOf(request.principal))
      return reply.code(204).send()
    },
  })
}
