import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, type Group } from '../../identity/index.ts'
import { groupTarget, sendScim, userResources } from '../scim/index.ts'
import { BASE, groupOf, type IamDoorDeps, InVo, idOf, inVo, voOf, WithId } from './door.ts'

const text = Type.String({ maxLength: 1000 })
const NewGroup = Type.Object({
  name: text,
  description: Type.Optional(Type.Union([text, Type.Null()])),
  parent: Type.Optional(Type.Union([Type.Object({ id: text }), Type.Null()])),
})
const Change = Type.Object({ description: Type.Optional(Type.Union([text, Type.Null()])) })

/** `/iam/group`, `/iam/group/{id}` and its managers. */
export function group(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  route(app, {
    method: 'POST',
    url: `${BASE}/iam/group`,
    action: 'identity.write',
    schema: { ...InVo, body: NewGroup },
    resource: inVo,
    handler: async (request, reply) => {
      const vo = voOf(request)
      const { name, description, parent }: Static<typeof NewGroup> = request.body
      const above = parent ? (await groupOf(deps, vo, parent.id)).path : `/${vo}`
      const wanted = { path: `${above}/${name}`, ...(description && { description }) }
      const made = await identity.createGroup(vo, wanted, actorOf(request.principal))
      return reply.code(201).send(view(made))
    },
  })
  route(app, {
    method: 'PUT',
    url: `${BASE}/iam/group/:id`,
    action: 'identity.write',
    schema: { ...WithId, body: Change },
    resource: inVo,
    handler: async (request, reply) => {
      const { vo, path } = await groupOf(deps, voOf(request), idOf(request))
      const { description }: Static<typeof Change> = request.body
      const change = description === undefined ? {} : { description: description ?? '' }
      return reply.send(view(await identity.describeGroup(vo, path, change, actorOf(request.principal))))
    },
  })
  route(app, {
    method: 'GET',
    url: `${BASE}/iam/group/:id/group-managers`,
    action: 'identity.people.read',
    schema: WithId,
    resource: (request) => groupTarget(deps, voOf(request), idOf(request)),
    handler: async (request, reply) => {
      const { id } = await groupOf(deps, voOf(request), idOf(request))
      const managers = await identity.peopleById((await identity.managersOf([id])).get(id) ?? [])
      const base = `${deps.address}/iam/${voOf(request)}/scim`
      return sendScim(reply, await userResources(identity, managers, base))
    },
  })
}

function view({ uuid, path, description, parentUuid, createdAt, updatedAt }: Group) {
  return {
    id: uuid,
    name: path.slice(1),
    description,
    ...(parentUuid && { parent: { id: parentUuid, name: path.slice(1, path.lastIndexOf('/')) } }),
    creationTime: createdAt.getTime(),
    lastUpdateTime: updatedAt.getTime(),
  }
}
