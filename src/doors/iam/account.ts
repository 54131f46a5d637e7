import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, denied, type Group, type Person } from '../../identity/index.ts'
import { authorities, groupTarget, personTarget, timeOf } from '../scim/index.ts'
import {
  BASE,
  badRequest,
  groupOf,
  type IamDoorDeps,
  InVo,
  idOf,
  inVo,
  missing,
  needed,
  OwnGroup,
  personOf,
  unstored,
  voOf,
  WithId,
  WithIds,
} from './door.ts'

const Times = {
  ...WithId,
  body: Type.Object({ endTime: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()])) }),
}

/** What belongs to one account: end of membership, authorities, groups, groups it manages. */
export function account(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  const url = `${BASE}/iam/account/:id`
  route(app, {
    method: 'PUT',
    url: `${url}/endTime`,
    action: 'identity.write',
    schema: Times,
    resource: inVo,
    handler: async (request, reply) => {
      const { id } = await personOf(deps, request)
      await identity.setEndTime(id, timeOf(request.body.endTime), actorOf(request.principal))
      return reply.code(200).send()
    },
  })
  const authoritiesOf = async ({ id }: Pick<Person, 'id'>) => {
    const policy = (await identity.attributes([id])).get(id)
    return { authorities: authorities(policy, (await identity.managedGroups([id])).get(id) ?? []) }
  }
  route(app, {
    method: 'GET',
    url: `${url}/authorities`,
    action: 'identity.people.read',
    schema: WithId,
    resource: (request) => personTarget(deps, voOf(request), idOf(request)),
    handler: async (request, reply) =>
      unstored(reply).send(await authoritiesOf(await personOf(deps, request))),
  })
  route(app, {
    method: 'GET',
    url: `${BASE}/iam/me/authorities`,
    action: 'identity.people.read',
    schema: InVo,
    resource: (request) => ({ vo: voOf(request), owner: request.principal.accountId }),
    handler: async ({ principal }, reply) => {
      if (principal.accountId === null) throw denied('The token belongs to no account.')
      return unstored(reply).send(await authoritiesOf({ id: principal.accountId }))
    },
  })
  route(app, {
    method: 'DELETE',
    url: `${BASE}/iam/account/me/groups/:gid`,
    action: 'identity.group.request',
    schema: OwnGroup,
    resource: (request) => ({ vo: voOf(request), owner: request.principal.accountId }),
    handler: async (request, reply) => {
      const { accountId } = request.principal
      if (accountId === null) throw denied('The token belongs to no account.')
      const { path } = await groupOf(deps, voOf(request), request.params.gid)
      await identity.leaveGroup(accountId, path)
      return reply.code(204).send()
    },
  })
  for (const method of ['POST', 'DELETE'] as const) {
    route(app, {
      method,
      url: `${url}/authorities`,
      // An administrator may do everything, so making one changes who may do what.
      action: 'identity.access',
      schema: WithId,
      resource: inVo,
      handler: async (request, reply) => {
        const person = await personOf(deps, request)
        const by = actorOf(request.principal)
        const name = needed(request, 'authority')
        const managed = /^ROLE_GM:(.+)$/.exec(name)?.[1]
        if (name === 'ROLE_ADMIN') {
          if (method === 'POST') await identity.setAttributes(person.id, { admin: 'true' }, by)
          else await identity.deleteAttributes(person.id, ['admin'], by)
        } else if (managed) await manage(method, person, await groupOf(deps, voOf(request), managed), by)
        else
          throw badRequest(
            `"${name.slice(0, 60)}" is no authority to give; ROLE_ADMIN and ROLE_GM:<group> are.`,
          )
        return reply.code(200).send()
      },
    })
    route(app, {
      method,
      url: `${url}/groups/:gid`,
      action: 'identity.group.manage',
      schema: WithIds,
      resource: (request) => groupTarget(deps, voOf(request), request.params.gid),
      handler: async (request, reply) => {
        const person = await personOf(deps, request)
        const { vo, path } = await groupOf(deps, voOf(request), request.params.gid)
        const [one, by] = [[person.id], actorOf(request.principal)]
        await identity.changeMembers(
          vo,
          path,
          method === 'POST' ? { add: one, remove: [] } : { add: [], remove: one },
          by,
        )
        return reply.code(method === 'POST' ? 201 : 204).send()
      },
    })
    route(app, {
      method,
      url: `${url}/managed-groups/:gid`,
      action: 'identity.write',
      schema: WithIds,
      resource: inVo,
      handler: async (request, reply) => {
        const person = await personOf(deps, request)
        const group = await groupOf(deps, voOf(request), request.params.gid)
        await manage(method, person, group, actorOf(request.principal))
        return reply.code(method === 'POST' ? 201 : 204).send()
      },
    })
  }
  route(app, {
    method: 'GET',
    url: `${url}/managed-groups`,
    action: 'identity.people.read',
    schema: WithId,
    resource: (request) => personTarget(deps, voOf(request), idOf(request)),
    handler: async (request, reply) => {
      const { id, uuid, username } = await personOf(deps, request)
      const managed = (await identity.managedGroups([id])).get(id) ?? []
      const all = await everyGroup(request)
      const view = ({ uuid: group, path }: Group) => ({ id: group, name: path.slice(1) })
      return unstored(reply).send({
        id: uuid,
        username,
        managedGroups: managed.map(view),
        unmanagedGroups: all.filter((group) => !managed.some((one) => one.id === group.id)).map(view),
      })
    },
  })
  const everyGroup = async (request: FastifyRequest): Promise<readonly Group[]> =>
    (await identity.searchGroups(voOf(request), { offset: 0, limit: 10_000 })).items
  const manage = async (method: 'POST' | 'DELETE', person: Person, { id, vo, path }: Group, by: string) => {
    if (method === 'POST') return identity.addManagers(vo, path, [person.id], by)
    const managers = (await identity.managersOf([id])).get(id) ?? []
    if (!managers.includes(person.id)) throw missing(`${person.username} does not manage ${path}.`)
    return identity.removeManagers(vo, path, [person.id], by)
  }
}
