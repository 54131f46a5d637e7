import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import type { Client, Identity } from '../../identity/index.ts'
import { ClientWire, clientAnswer, clientChange, secretAnswer } from './client-wire.ts'
import { actorOf, BASE, type OidcDoorDeps, ofVo, own, unstored, VoParams } from './door.ts'

const url = `${BASE}/api/clients`
const ClientParams = Type.Object({ ...VoParams.properties, id: Type.String() })
const OwnerParams = Type.Object({ ...ClientParams.properties, account: Type.String() })
const NewClientWire = Type.Intersect([Type.Object({ client_id: Type.String() }), ClientWire])
const Overlap = Type.Object({
  overlap_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_592_000 })),
})

/** The clients of a VO, for its administrators (action identity.write) and, each their own, for their owners. */
export function clients(app: FastifyInstance, { identity }: OidcDoorDeps): void {
  /** Owners look after their client; who does not own it must be an administrator. */
  const ofOwner = async ({ params, principal }: RouteRequest<{ params: typeof ClientParams }>) => {
    const owners = (await identity.clientOwners(params.vo, [params.id])).get(params.id) ?? []
    const mine = owners.some(({ accountId }) => accountId === principal.accountId)
    return { vo: params.vo, owner: mine ? principal.accountId : null }
  }
  const answers = (vo: string, list: readonly Client[]) => described(identity, vo, list)

  route(app, {
    method: 'GET',
    url,
    action: 'identity.write',
    resource: ofVo,
    schema: { params: VoParams },
    handler: async ({ params: { vo } }) => ({ clients: await answers(vo, await identity.listClients(vo)) }),
  })
  route(app, {
    method: 'GET',
    url: `${BASE}/api/me/clients`,
    action: 'identity.login',
    resource: own,
    schema: { params: VoParams },
    handler: async ({ params: { vo }, principal }) => ({
      clients: await answers(vo, await identity.listClients(vo, { owner: principal.accountId! })),
    }),
  })
  route(app, {
    method: 'POST',
    url,
    action: 'identity.write',
    resource: ofVo,
    schema: { params: VoParams, body: NewClientWire },
    handler: async ({ params: { vo }, body, principal }, reply) => {
      const { client, secret } = await identity.createClient(
        {
          ...{ scopes: [], ...clientChange(body), id: body.client_id, vo },
          ...(body.account && { accountId: (await identity.account(vo, body.account)).id }),
        },
        [],
        actorOf(principal),
      )
      return unstored(reply)
        .code(201)
        .send({ ...(await answers(vo, [client]))[0], ...secretAnswer(secret) })
    },
  })
  route(app, {
    method: 'GET',
    url: `${url}/:id`,
    action: 'identity.login',
    resource: ofOwner,
    schema: { params: ClientParams },
    handler: async ({ params: { vo, id } }) => (await answers(vo, [await identity.client(vo, id)]))[0],
  })
  route(app, {
    method: 'PATCH',
    url: `${url}/:id`,
    action: 'identity.write',
    resource: ofVo,
    schema: { params: ClientParams, body: ClientWire },
    handler: async ({ params: { vo, id }, body, principal }) => {
      const account = body.account && { accountId: (await identity.account(vo, body.account)).id }
      return (
        await answers(vo, [
          await identity.updateClient(vo, id, { ...clientChange(body), ...account }, actorOf(principal)),
        ])
      )[0]
    },
  })
  route(app, {
    method: 'DELETE',
    url: `${url}/:id`,
    action: 'identity.login',
    resource: ofOwner,
    schema: { params: ClientParams },
    handler: async ({ params: { vo, id }, principal }, reply) => {
      await identity.deleteClient(vo, id, actorOf(principal))
      return reply.code(204).send()
    },
  })
  for (const [word, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    route(app, {
      method: 'PATCH',
      url: `${url}/:id/${word}`,
      action: 'identity.write',
      resource: ofVo,
      schema: { params: ClientParams },
      handler: async ({ params: { vo, id }, principal }, reply) => {
        await identity.enableClient(vo, id, enabled, actorOf(principal))
        return reply.code(204).send()
      },
    })
  }
  route(app, {
    method: 'POST',
    url: `${url}/:id/secret`,
    action: 'identity.login',
    resource: ofOwner,
    schema: { params: ClientParams, body: Type.Optional(Overlap) },
    handler: async ({ params: { vo, id }, body, principal }, reply) => {
      const overlap = body?.overlap_seconds ?? 0
      const { secret } = await identity.rotateClientSecret(vo, id, overlap, actorOf(principal))
      return unstored(reply).send({ client_id: id, ...secretAnswer(secret) })
    },
  })
  for (const method of ['PUT', 'DELETE'] as const) {
    route(app, {
      method,
      url: `${url}/:id/owners/:account`,
      action: 'identity.write',
      resource: ofVo,
      schema: { params: OwnerParams },
      handler: async ({ params: { vo, id, account }, principal }, reply) => {
        const { id: accountId } = await identity.account(vo, account)
        const change = method === 'PUT' ? identity.addClientOwner : identity.removeClientOwner
        await change(vo, id, accountId, actorOf(principal))
        return reply.code(204).send()
      },
    })
  }
}

async function described(identity: Identity, vo: string, list: readonly Client[]) {
  const accounts = await identity.accountsById(list.flatMap(({ accountId }) => accountId ?? []))
  const owners = await identity.clientOwners(
    vo,
    list.map(({ id }) => id),
  )
  return list.map((client) =>
    clientAnswer(client, {
      account: accounts.find(({ id }) => id === client.accountId)?.name ?? null,
      owners: (owners.get(client.id) ?? []).map(({ account }) => account),
    }),
  )
}
