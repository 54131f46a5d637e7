import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, type Group, type Label, type Principal } from '../../identity/index.ts'
import { groupCondition } from './conditions.ts'
import { baseOf, groupTarget, type Place, voOf } from './door.ts'
import { badValue, immutable, missing, sendScim } from './errors.ts'
import { parseFilter } from './filter.ts'
import { groupResources, memberView } from './group.ts'
import { listAnswer, pageOf, projection, type Query } from './list.ts'
import { memberChange } from './members.ts'
import { isObject, patched, patchOperations, type Resource } from './patch.ts'
import { GROUP, INDIGO_GROUP, schemaNamed } from './schemas.ts'
import { extension, labelsOf } from './user.ts'

const params = Type.Object({ vo: Type.Optional(Type.String()), id: Type.String() })
const Id = { params }
/** A patch may name very many members. */
const BODY_LIMIT = 16 * 1024 * 1024

/** `/Groups`, `/Groups/{id}`, its members and its subgroups. */
export function groups(app: FastifyInstance, place: Place): void {
  const { identity, prefix } = place
  const inVo = (request: FastifyRequest) => ({ vo: voOf(request) })
  const named = async (vo: string, uuid: string): Promise<Group> => {
    const { group } = await groupTarget(place, vo, uuid)
    if (!group) throw missing(`There is no group ${uuid.slice(0, 60)} in ${vo}.`)
    return group
  }
  const answer = async (request: FastifyRequest, reply: FastifyReply, group: Group) => {
    const project = projection(request.query as Query)
    const withMembers = await mayShowMembers(request, project.wants('members'), [group])
    const [view] = await groupResources(identity, [group], baseOf(place, request), withMembers)
    return sendScim(reply, project(view!))
  }
  /** Who is in a group is personal data: for its managers and for those who see everybody. */
  const mayShowMembers = async (request: FastifyRequest, wanted: boolean, of: readonly Group[]) => {
    if (!wanted) return false
    const managers = await identity.managersOf(of.map(({ id }) => id))
    for (const { id } of of) {
      const target = { vo: voOf(request), managers: managers.get(id) ?? [] }
      identity.authorize(request.principal, 'identity.people.read', target)
    }
    return true
  }
  route(app, {
    method: 'GET',
    url: `${prefix}/Groups`,
    action: 'identity.read',
    resource: inVo,
    handler: async (request, reply) => {
      const query = request.query as Query
      const [page, project] = [pageOf(query), projection(query)]
      const filter = query.filter ? parseFilter(String(query.filter)) : undefined
      const asksForMembers = filter !== undefined && /members/.test(JSON.stringify(filter))
      if (asksForMembers) identity.authorize(request.principal, 'identity.people.read', inVo(request))
      const condition = filter && groupCondition(filter)
      const { total, items } = await identity.searchGroups(voOf(request), page, condition)
      const withMembers = await mayShowMembers(request, project.wants('members'), items)
      const views = await groupResources(identity, items, baseOf(place, request), withMembers)
      return sendScim(reply, listAnswer(total, page, views.map(project)))
    },
  })
  route(app, {
    method: 'POST',
    url: `${prefix}/Groups`,
    action: 'identity.write',
    resource: inVo,
    handler: async (request, reply) => {
      const vo = voOf(request)
      const wanted = wholeGroup(request.body)
      const own = extension(wanted, INDIGO_GROUP)
      const parent = extension(own, 'parentGroup').value
      const above = parent === undefined ? `/${vo}` : (await named(vo, String(parent))).path
      const leaf = wanted.displayName
      if (typeof leaf !== 'string' || leaf.includes('/')) {
        throw badValue('displayName is the last part of the group’s name; parentGroup says where it is.')
      }
      const labels = labelsOf(own)
      const made = await identity.createGroup(
        vo,
        {
          path: `${above}/${leaf}`,
          ...(typeof own.description === 'string' && { description: own.description }),
          labels,
        },
        actorOf(request.principal),
      )
      reply.code(201).header('location', `${baseOf(place, request)}/Groups/${made.uuid}`)
      return answer(request, reply, made)
    },
  })
  route(app, {
    method: 'GET',
    url: `${prefix}/Groups/:id`,
    action: 'identity.read',
    schema: Id,
    resource: inVo,
    handler: async (request, reply) => answer(request, reply, await named(voOf(request), request.params.id)),
  })
  route(app, {
    method: 'PUT',
    url: `${prefix}/Groups/:id`,
    action: 'identity.write',
    schema: Id,
    bodyLimit: BODY_LIMIT,
    resource: inVo,
    handler: async (request, reply) => {
      const group = await named(voOf(request), request.params.id)
      const wanted = wholeGroup(request.body)
      const members = Array.isArray(wanted.members)
        ? await memberChange(identity, group, wanted.members)
        : null
      await update(group, wanted, request.principal)
      if (members) await identity.changeMembers(group.vo, group.path, members, actorOf(request.principal))
      return answer(request, reply, await named(group.vo, group.uuid))
    },
  })
  route(app, {
    method: 'PATCH',
    url: `${prefix}/Groups/:id`,
    action: 'identity.group.manage',
    schema: Id,
    bodyLimit: BODY_LIMIT,
    resource: (request) => groupTarget(place, voOf(request), request.params.id),
    handler: async (request, reply) => {
      const group = await named(voOf(request), request.params.id)
      const operations = patchOperations(request.body)
      const { rest, changes } = await splitMembers(group, operations)
      if (rest.length > 0) {
        identity.authorize(request.principal, 'identity.write', inVo(request))
        const [before] = await groupResources(identity, [group], baseOf(place, request), false)
        await update(group, patched(before!, rest, schemaNamed(GROUP)!), request.principal)
      }
      for (const change of changes) {
        await identity.changeMembers(group.vo, group.path, change, actorOf(request.principal))
      }
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'DELETE',
    url: `${prefix}/Groups/:id`,
    action: 'identity.write',
    schema: Id,
    resource: inVo,
    handler: async (request, reply) => {
      const { vo, path } = await named(voOf(request), request.params.id)
      await identity.deleteGroup(vo, path, actorOf(request.principal))
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'GET',
    url: `${prefix}/Groups/:id/members`,
    action: 'identity.people.read',
    schema: Id,
    resource: (request) => groupTarget(place, voOf(request), request.params.id),
    handler: async (request, reply) => {
      const page = pageOf(request.query as Query)
      const group = await named(voOf(request), request.params.id)
      const { total, items } = await identity.membersOf(group, page)
      const views = items.map((member) => memberView(member, baseOf(place, request)))
      return sendScim(reply, listAnswer(total, page, views))
    },
  })
  route(app, {
    method: 'GET',
    url: `${prefix}/Groups/:id/subgroups`,
    action: 'identity.read',
    schema: Id,
    resource: inVo,
    handler: async (request, reply) => {
      const page = pageOf(request.query as Query)
      const all = await identity.subgroups(await named(voOf(request), request.params.id))
      const part = all.slice(page.offset, page.offset + page.limit)
      const base = baseOf(place, request)
      const views = part.map(({ uuid, path }) => ({
        value: uuid,
        display: path.slice(1),
        $ref: `${base}/Groups/${uuid}`,
      }))
      return sendScim(reply, listAnswer(all.length, page, views))
    },
  })

  const splitMembers = async (group: Group, operations: ReturnType<typeof patchOperations>) => {
    const changes = []
    const rest = []
    for (const operation of operations) {
      const { op, path, value } = operation
      if (path?.attribute === 'members') changes.push(await memberChange(identity, group, value, op, path))
      else if (path === null && isObject(value) && value.members !== undefined) {
        changes.push(await memberChange(identity, group, value.members, op))
        const { members: _members, ...others } = value
        if (Object.keys(others).some((key) => key !== 'schemas')) rest.push({ ...operation, value: others })
      } else rest.push(operation)
    }
    return { rest, changes }
  }
  const update = async (group: Group, wanted: Resource, principal: Principal): Promise<void> => {
    const name = wanted.displayName
    const leaf = group.path.slice(group.path.lastIndexOf('/') + 1)
    if (name !== undefined && name !== group.path.slice(1) && name !== leaf) {
      throw immutable('A group is not renamed; tokens and certificates refer to it.')
    }
    const own = extension(wanted, INDIGO_GROUP)
    await identity.describeGroup(
      group.vo,
      group.path,
      {
        ...(typeof own.description === 'string' && { description: own.description }),
        ...(Array.isArray(own.labels) && { labels: labelsOf(own) as readonly Label[] }),
      },
      actorOf(principal),
    )
  }
}

function wholeGroup(body: unknown): Resource {
  if (!isObject(body)) throw badValue('A group is an object.')
  return patched({}, [{ op: 'replace', path: null, value: body }], schemaNamed(GROUP)!)
}
