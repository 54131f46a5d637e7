import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { denied } from '../../identity/index.ts'
import { BASE, badRequest, type IamDoorDeps, InVo, unstored, voOf } from './door.ts'

const WithToken = {
  params: Type.Object({
    ...InVo.params.properties,
    token: Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$' }),
  }),
}
const LONGEST = 1024

/** `/iam/password-update` and `/iam/password-reset`: the own password, and the way back in for who forgot it. */
export function password(app: FastifyInstance, { identity }: IamDoorDeps): void {
  const update = `${BASE}/iam/password-update`
  const reset = `${BASE}/iam/password-reset`
  const own = (request: FastifyRequest) => ({ vo: voOf(request), owner: request.principal.accountId })
  route(app, {
    method: 'GET',
    url: update,
    action: 'identity.login',
    schema: InVo,
    resource: own,
    handler: async (request, reply) =>
      unstored(reply).send({ hasPassword: await identity.hasPassword(callerOf(request)) }),
  })
  route(app, {
    method: 'POST',
    url: update,
    action: 'identity.login',
    schema: InVo,
    resource: own,
    handler: async (request, reply) => {
      const { method, tokenId, authenticatedAt } = request.principal
      await identity.changePassword({
        ...{ vo: voOf(request), accountId: callerOf(request), peer: request.ip },
        present: fieldOf(request, 'currentPassword', LONGEST) ?? '',
        next: needed(request, 'updatedPassword', LONGEST),
        session: method === 'session' && authenticatedAt ? { id: tokenId, since: authenticatedAt } : null,
      })
      return unstored(reply).send()
    },
  })
  route(app, {
    method: 'GET',
    url: reset,
    action: 'public',
    schema: InVo,
    handler: (_request, reply) => unstored(reply).send({ sendsMail: identity.sendsMail }),
  })
  route(app, {
    method: 'POST',
    url: `${reset}/token`,
    action: 'public',
    schema: InVo,
    handler: async (request, reply) => {
      // IAM knows addresses only; here a user name will do as well.
      await identity.askForPassword(voOf(request), needed(request, 'email', 300), request.ip)
      return unstored(reply).send()
    },
  })
  route(app, {
    method: 'HEAD',
    url: `${reset}/token/:token`,
    action: 'public',
    schema: WithToken,
    handler: async (request, reply) => {
      await identity.checkPasswordLink(voOf(request), request.params.token, request.ip)
      return unstored(reply).send()
    },
  })
  route(app, {
    method: 'GET',
    url: `${reset}/token/:token`,
    action: 'public',
    schema: WithToken,
    // Programs that look through mail open every link: only the form of the console's page uses it up.
    handler: (request, reply) => {
      const { vo, token } = request.params
      return unstored(reply).redirect(`/#/new-password?${new URLSearchParams({ vo, token })}`, 303)
    },
  })
  route(app, {
    method: 'POST',
    url: reset,
    action: 'public',
    schema: InVo,
    handler: async (request, reply) => {
      const { username } = await identity.setForgottenPassword({
        ...{ vo: voOf(request), peer: request.ip, secret: needed(request, 'token', 100) },
        password: needed(request, 'updatedPassword', LONGEST),
      })
      return unstored(reply).send({ username })
    },
  })
}

function callerOf({ principal: { accountId } }: FastifyRequest): number {
  if (accountId === null) throw denied('The token belongs to no account.')
  return accountId
}

/** A field of a form or of a JSON object. */
function fieldOf({ body }: FastifyRequest, name: string, longest: number): string | undefined {
  const value =
    body instanceof URLSearchParams ? body.get(name) : (body as Record<string, unknown> | null)?.[name]
  if (typeof value !== 'string' || value === '') return undefined
  if (value.length > longest) throw badRequest(`The parameter ${name} is too long.`)
  return value
}

function needed(request: FastifyRequest, name: string, longest: number): string {
  const value = fieldOf(request, name, longest)
  if (value === undefined) throw badRequest(`The parameter ${name} is missing.`)
  return value
}
