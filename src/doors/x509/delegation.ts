import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { type RouteRequest, route } from '../../http/index.ts'
import { type Delegation, denied, type Identity } from '../../identity/index.ts'

const Id = Type.Object({ id: Type.String({ maxLength: 64 }) })

/**
 * Leaving a proxy with the grid, as the clients of FTS and GridSite do it: ask for a request, sign it, send the proxy.
 * `prefix` is where the routes stand, `purpose` what the credentials left there are for.
 */
export async function registerDelegation(
  app: FastifyInstance,
  { identity, prefix, purpose }: { identity: Identity; prefix: string; purpose: string },
): Promise<void> {
  const own = ({ principal }: Pick<RouteRequest, 'principal'>) => ({
    vo: principal.vo,
    owner: principal.accountId,
  })
  const action = 'identity.delegate'
  const base = `${prefix}/delegation`
  const stored = async ({ principal }: Pick<RouteRequest, 'principal'>): Promise<Delegation[]> =>
    principal.accountId === null ? [] : identity.delegationsOf([principal.accountId])
  const refuseOthers = ({
    principal,
    params,
  }: Pick<RouteRequest, 'principal'> & { params: { id: string } }): void => {
    if (params.id !== identity.delegationId(principal))
      throw denied('This is not the number of your delegations; ask for it: GET /delegation.')
  }

  await app.register(async (scope) => {
    // Proxies come as text of whatever type.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))

    route(scope, {
      method: 'GET',
      url: base,
      action,
      resource: own,
      handler: async (request) => ({
        delegation_id: identity.delegationId(request.principal),
        delegations: (await stored(request)).map(({ accountId: _id, ...one }) => one),
      }),
    })

    route(scope, {
      method: 'GET',
      url: `${base}/:id`,
      action,
      schema: { params: Id },
      resource: own,
      handler: async (request, reply) => {
        refuseOthers(request)
        const { id } = request.params
        const found = (await stored(request)).find((one) => one.id === id && one.purpose === purpose)
        // Nothing is `null`, which the serializer would send as an empty body.
        const answer = found
          ? { termination_time: found.notAfter.toISOString().slice(0, 19), voms_attrs: [] }
          : null
        return reply.type('application/json').send(JSON.stringify(answer))
      },
    })

    route(scope, {
      method: 'DELETE',
      url: `${base}/:id`,
      action,
      schema: { params: Id },
      resource: own,
      handler: async (request, reply) => {
        refuseOthers(request)
        await identity.withdrawDelegation(request.principal, purpose)
        return reply.code(204).send()
      },
    })

    route(scope, {
      method: 'GET',
      url: `${base}/:id/request`,
      action,
      schema: { params: Id },
      resource: own,
      handler: async (request, reply) => {
        refuseOthers(request)
        const { id, csr } = await identity.requestDelegation(request.principal, purpose)
        return reply
          .header('x-delegation-id', id)
          .header('cache-control', 'no-store')
          .type('text/plain')
          .send(csr)
      },
    })

    route(scope, {
      method: ['PUT', 'POST'],
      url: `${base}/:id/credential`,
      action,
      bodyLimit: 128 * 1024,
      schema: { params: Id },
      resource: own,
      handler: async (request, reply) => {
        refuseOthers(request)
        const pem = typeof request.body === 'string' ? request.body : ''
        await identity.putDelegation(request.principal, purpose, pem)
        return reply.code(201).send()
      },
    })
  })
}
