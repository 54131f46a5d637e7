import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { route } from '../../http/index.ts'
import { actorOf, type Resource } from '../../identity/index.ts'
import { labelView, personTarget } from '../scim/index.ts'
import {
  BASE,
  groupOf,
  type IamDoorDeps,
  idOf,
  inVo,
  needed,
  personOf,
  queryOf,
  unstored,
  voOf,
  WithId,
} from './door.ts'

const optional = Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()]))
const Labelled = Type.Object({ prefix: optional, name: Type.String(), value: optional })
const Attributed = Type.Object({ name: Type.String(), value: optional })

interface Owned {
  readonly kind: 'account' | 'group'
  readonly path: string
  readonly read: (request: FastifyRequest) => Resource | Promise<Resource>
  readonly owner: (
    request: FastifyRequest,
  ) => Promise<{ readonly kind: 'account' | 'group'; readonly id: number }>
}

/** `/iam/{account,group}/{id}/{labels,attributes}`. */
export function labels(app: FastifyInstance, deps: IamDoorDeps): void {
  const { identity } = deps
  const holders: readonly Owned[] = [
    {
      ...{ kind: 'account', path: '/iam/account/:id' },
      read: (request) => personTarget(deps, voOf(request), idOf(request)),
      owner: async (request) => ({ kind: 'account', id: (await personOf(deps, request)).id }),
    },
    {
      ...{ kind: 'group', path: '/iam/group/:id' },
      read: inVo,
      owner: async (request) => ({
        kind: 'group',
        id: (await groupOf(deps, voOf(request), idOf(request))).id,
      }),
    },
  ]
  for (const { kind, path, read, owner } of holders) {
    const action = kind === 'account' ? 'identity.people.read' : 'identity.read'
    route(app, {
      method: 'GET',
      url: `${BASE}${path}/labels`,
      action,
      schema: WithId,
      resource: read,
      handler: async (request, reply) => {
        const { id } = await owner(request)
        const found = (await identity.labelsOf(kind, [id])).get(id) ?? []
        return unstored(reply).send(found.map(labelView))
      },
    })
    route(app, {
      method: 'PUT',
      url: `${BASE}${path}/labels`,
      action: 'identity.write',
      schema: { ...WithId, body: Labelled },
      resource: inVo,
      handler: async (request, reply) => {
        const { prefix, name, value }: Static<typeof Labelled> = request.body
        const label = { prefix: prefix ?? '', name, value: value ?? '' }
        await identity.setLabel(await owner(request), label, actorOf(request.principal))
        return reply.code(200).send()
      },
    })
    route(app, {
      method: 'DELETE',
      url: `${BASE}${path}/labels`,
      action: 'identity.write',
      schema: WithId,
      resource: inVo,
      handler: async (request, reply) => {
        const label = { prefix: queryOf(request).prefix ?? '', name: needed(request, 'name') }
        await identity.deleteLabel(await owner(request), label, actorOf(request.principal))
        return reply.code(204).send()
      },
    })
    route(app, {
      method: 'GET',
      url: `${BASE}${path}/attributes`,
      action,
      schema: WithId,
      resource: read,
      handler: async (request, reply) => {
        const { id } = await owner(request)
        return unstored(reply).send((await identity.genericAttributesOf(kind, [id])).get(id) ?? [])
      },
    })
    route(app, {
      method: 'PUT',
      url: `${BASE}${path}/attributes`,
      action: 'identity.write',
      schema: { ...WithId, body: Attributed },
      resource: inVo,
      handler: async (request, reply) => {
        const { name, value }: Static<typeof Attributed> = request.body
        const by = actorOf(request.principal)
        await identity.setGenericAttribute(await owner(request), { name, value: value ?? '' }, by)
        return reply.code(200).send()
      },
    })
    route(app, {
      method: 'DELETE',
      url: `${BASE}${path}/attributes`,
      action: 'identity.write',
      schema: WithId,
      resource: inVo,
      handler: async (request, reply) => {
        const by = actorOf(request.principal)
        await identity.deleteGenericAttribute(await owner(request), needed(request, 'name'), by)
        return reply.code(204).send()
      },
    })
  }
}
