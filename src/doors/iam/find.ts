import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { route } from '../../http/index.ts'
import { type Condition, keyOf, nameFromText } from '../../identity/index.ts'
import {
  groupResources,
  groupTarget,
  listAnswer,
  pageOf,
  personTarget,
  sendScim,
  userResources,
} from '../scim/index.ts'
import {
  BASE,
  groupOf,
  type IamDoorDeps,
  InVo,
  idOf,
  inVo,
  needed,
  personOf,
  queryOf,
  voOf,
  WithId,
} from './door.ts'

const is = (field: string, value: string): Condition => ({ field, test: 'eq', value })
const contains = (field: string, value: string): Condition => ({ field, test: 'co', value })

/** `/iam/account/{search,find}` and `/iam/group/{search,find}`. */
export function find(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  const scimBase = (request: FastifyRequest) => `${deps.address}/iam/${voOf(request)}/scim`
  const people = async (request: FastifyRequest, reply: FastifyReply, condition?: Condition) => {
    const page = pageOf(queryOf(request))
    const { total, items } = await identity.searchPeople(voOf(request), page, condition)
    return sendScim(reply, listAnswer(total, page, await userResources(identity, items, scimBase(request))))
  }
  const groups = async (request: FastifyRequest, reply: FastifyReply, condition?: Condition) => {
    const page = pageOf(queryOf(request))
    const { total, items } = await identity.searchGroups(voOf(request), page, condition)
    const views = await groupResources(identity, items, scimBase(request), false)
    return sendScim(reply, listAnswer(total, page, views))
  }
  const ofPeople = (path: string, condition: (request: FastifyRequest) => Condition | undefined): void =>
    route(app, {
      method: 'GET',
      url: `${BASE}/iam/account/${path}`,
      action: 'identity.people.read',
      schema: InVo,
      resource: inVo,
      handler: (request, reply) => people(request, reply, condition(request)),
    })
  const ofGroups = (path: string, condition: (request: FastifyRequest) => Condition | undefined): void =>
    route(app, {
      method: 'GET',
      url: `${BASE}/iam/group/${path}`,
      action: 'identity.read',
      schema: InVo,
      resource: inVo,
      handler: (request, reply) => groups(request, reply, condition(request)),
    })
  ofPeople('search', (request) => {
    const { filter } = queryOf(request)
    if (!filter) return undefined
    const names = ['username', 'fullName'].map((name) => contains(name, filter))
    return { any: [...names, { some: 'emails', where: contains('address', filter) }] }
  })
  ofPeople('find/byusername', (request) => is('username', needed(request, 'username')))
  ofPeople('find/byemail', (request) => ({ some: 'emails', where: is('address', needed(request, 'email')) }))
  ofPeople('find/bylabel', labelled)
  ofPeople('find/byauthority', (request) => authority(needed(request, 'authority')))
  ofPeople('find/bycertsubject', (request) => ({
    some: 'certificates',
    where: is('subjectKey', keyOf(nameFromText(needed(request, 'certificateSubject')))),
  }))
  for (const [path, inside] of [
    ['bygroup', true],
    ['notingroup', false],
  ] as const) {
    route(app, {
      method: 'GET',
      url: `${BASE}/iam/account/find/${path}/:id`,
      action: 'identity.people.read',
      schema: WithId,
      // Who is not in a group says something about everybody.
      resource: (request) => (inside ? groupTarget(deps, voOf(request), idOf(request)) : inVo(request)),
      handler: async (request, reply) => {
        const { uuid } = await groupOf(deps, voOf(request), idOf(request))
        const member: Condition = { some: 'groups', where: is('id', uuid) }
        return people(request, reply, inside ? member : { not: member })
      },
    })
  }
  route(app, {
    method: 'GET',
    url: `${BASE}/iam/account/find/byuuid/:id`,
    action: 'identity.people.read',
    schema: WithId,
    resource: (request) => personTarget(deps, voOf(request), idOf(request)),
    handler: async (request, reply) => {
      const person = await personOf(deps, request)
      const [view] = await userResources(identity, [person], scimBase(request))
      return sendScim(reply, view)
    },
  })
  ofGroups('search', (request) => {
    const { filter } = queryOf(request)
    return filter ? contains('path', filter) : undefined
  })
  ofGroups('find/byname', (request) => is('path', `/${needed(request, 'name').replace(/^\//, '')}`))
  ofGroups('find/bylabel', labelled)
}

function labelled(request: FastifyRequest): Condition {
  const { prefix, value } = queryOf(request)
  const name = is('name', needed(request, 'name'))
  const rest = [...(prefix ? [is('prefix', prefix)] : []), ...(value ? [is('value', value)] : [])]
  return { some: 'labels', where: { all: [name, ...rest] } }
}

function authority(name: string): Condition {
  const administrator: Condition = {
    some: 'policyAttributes',
    where: {
      all: [is('name', 'admin'), { any: ['true', 'True', 'TRUE'].map((value) => is('value', value)) }],
    },
  }
  if (name === 'ROLE_ADMIN') return administrator
  if (name === 'ROLE_USER') return { all: [] }
  const manager = /^ROLE_GM:(.+)$/.exec(name)?.[1]
  return manager ? { some: 'managedGroups', where: is('id', manager) } : { any: [] }
}
