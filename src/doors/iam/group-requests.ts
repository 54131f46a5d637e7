import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, denied, isUuid, type MembershipRequest, type RequestFilter } from '../../identity/index.ts'
import { listAnswer, pageOf } from '../scim/index.ts'
import {
  BASE,
  badRequest,
  type IamDoorDeps,
  InVo,
  idOf,
  inVo,
  missing,
  queryOf,
  unstored,
  voOf,
  WithId,
} from './door.ts'

const Wish = Type.Object({
  groupName: Type.String({ maxLength: 300 }),
  notes: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const STATES = ['PENDING', 'APPROVED', 'REJECTED'] as const

/** `/iam/group_requests`: people ask, managers of the group or administrators decide. */
export function groupRequests(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  const url = `${BASE}/iam/group_requests`
  const requestOf = async (request: FastifyRequest): Promise<MembershipRequest> => {
    const found = await identity.request(voOf(request), idOf(request))
    if (found.kind !== 'group') throw missing(`There is no group request ${idOf(request)}.`)
    return found
  }
  /** The request as what something is done to: whoever asked owns it, the managers of its group decide it. */
  const target = async (request: FastifyRequest) => {
    const vo = voOf(request)
    if (!isUuid(idOf(request))) return { vo }
    const [found] = (
      await identity.requests(vo, { kind: 'group', id: idOf(request) }, { offset: 0, limit: 1 })
    ).items
    if (!found || found.groupId === null) return { vo }
    const managers = (await identity.managersOf([found.groupId])).get(found.groupId) ?? []
    return { vo, owner: found.accountId, managers }
  }
  const whoDecides = async (request: FastifyRequest) => ({ ...(await target(request)), owner: null })

  route(app, {
    method: 'POST',
    url,
    action: 'identity.group.request',
    schema: { ...InVo, body: Wish },
    resource: (request) => ({ vo: voOf(request), owner: request.principal.accountId }),
    handler: async (request, reply) => {
      const { groupName, notes }: Static<typeof Wish> = request.body
      const { accountId } = request.principal
      if (accountId === null) throw denied('The token belongs to no account.')
      const path = `/${groupName.replace(/^\//, '')}`
      return unstored(reply).send(view(await identity.requestGroup(accountId, path, notes ?? '')))
    },
  })
  route(app, {
    method: 'GET',
    url,
    action: 'identity.read',
    schema: InVo,
    resource: inVo,
    handler: async (request, reply) => {
      const page = pageOf(queryOf(request))
      const filter = mine(request, filterOf(request))
      const { total, items } = await identity.requests(voOf(request), filter, page)
      return unstored(reply).send(listAnswer(total, page, items.map(view)))
    },
  })
  route(app, {
    method: 'GET',
    url: `${url}/:id`,
    action: 'identity.people.read',
    schema: WithId,
    resource: target,
    handler: async (request, reply) => unstored(reply).send(view(await requestOf(request))),
  })
  route(app, {
    method: 'POST',
    url: `${url}/:id/approve`,
    action: 'identity.group.manage',
    schema: WithId,
    resource: whoDecides,
    handler: async (request, reply) => {
      const { id, vo } = await requestOf(request)
      return unstored(reply).send(
        view(await identity.approveGroupRequest(vo, id, actorOf(request.principal))),
      )
    },
  })
  route(app, {
    method: 'POST',
    url: `${url}/:id/reject`,
    action: 'identity.group.manage',
    schema: WithId,
    resource: whoDecides,
    handler: async (request, reply) => {
      const { id, vo } = await requestOf(request)
      const why = queryOf(request).motivation ?? ''
      return unstored(reply).send(
        view(await identity.rejectGroupRequest(vo, id, why, actorOf(request.principal))),
      )
    },
  })
  route(app, {
    method: 'DELETE',
    url: `${url}/:id`,
    action: 'identity.group.request',
    schema: WithId,
    resource: target,
    handler: async (request, reply) => {
      const { id, vo } = await requestOf(request)
      await identity.deleteGroupRequest(vo, id, actorOf(request.principal))
      return reply.code(204).send()
    },
  })

  /** Administrators see all requests; others their own, or those of groups they manage. */
  const mine = (request: FastifyRequest, filter: RequestFilter): RequestFilter => {
    const { principal } = request
    if (identity.explain(principal, 'identity.people.read', inVo(request)).allow) return filter
    if (principal.accountId === null) throw denied('The token belongs to no account.')
    return { ...filter, concerning: principal.accountId }
  }
}

function filterOf(request: FastifyRequest): RequestFilter {
  const { username, groupName, status } = queryOf(request)
  const state = STATES.find((one) => one === status?.toUpperCase())
  if (status && !state) throw badRequest(`"${status.slice(0, 30)}" is no status; use ${STATES.join(', ')}.`)
  return {
    kind: 'group',
    ...(state && { states: [state] }),
    ...(username && { username }),
    ...(groupName && { group: `/${groupName.replace(/^\//, '')}` }),
  }
}

function view(request: MembershipRequest) {
  const { id, accountUuid, username, givenName, familyName, group, groupUuid, state } = request
  return {
    uuid: id,
    userUuid: accountUuid,
    username,
    userFullName: [givenName, familyName].filter(Boolean).join(' ') || username,
    groupUuid,
    groupName: group?.slice(1) ?? null,
    status: state,
    notes: request.notes,
    motivation: request.motivation || null,
    decidedBy: request.decidedBy,
    creationTime: request.createdAt.toISOString(),
    lastUpdateTime: request.updatedAt.toISOString(),
  }
}
