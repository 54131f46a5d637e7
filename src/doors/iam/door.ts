import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { asGridError, STATUS_OF_KIND } from '../../http/index.ts'
import type { Group, Identity, Person } from '../../identity/index.ts'
import { defineError } from '../../kernel/errors.ts'

export interface IamDoorDeps {
  readonly identity: Identity
  /** `https://host:port`, as clients know it. */
  readonly address: string
}

export const BASE = '/iam/:vo'
const vo = Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' })
export const InVo = { params: Type.Object({ vo }) }
export const WithId = { params: Type.Object({ vo, id: Type.String({ maxLength: 100 }) }) }
export const WithIds = {
  params: Type.Object({ vo, id: Type.String({ maxLength: 100 }), gid: Type.String({ maxLength: 100 }) }),
}
export const OwnGroup = { params: Type.Object({ vo, gid: Type.String({ maxLength: 100 }) }) }

export type Query = Readonly<Record<string, string | undefined>>

export const badRequest = defineError('invalid', 'iam_bad_request')
export const missing = defineError('missing', 'iam_missing')

export const voOf = (request: FastifyRequest): string => (request.params as { vo: string }).vo
export const idOf = (request: FastifyRequest): string => (request.params as { id: string }).id
export const queryOf = (request: FastifyRequest): Query => request.query as Query
export const inVo = (request: FastifyRequest) => ({ vo: voOf(request) })

/** A parameter of the query that must be there. */
export function needed(request: FastifyRequest, name: string): string {
  const value = queryOf(request)[name]
  if (typeof value === 'string' && value !== '') return value
  throw badRequest(`The parameter ${name} is missing.`)
}

export function personOf({ identity }: IamDoorDeps, request: FastifyRequest): Promise<Person> {
  return identity.personByUuid(voOf(request), idOf(request))
}

export async function groupOf({ identity }: IamDoorDeps, wantedVo: string, uuid: string): Promise<Group> {
  const [group] = /^[0-9a-f-]{36}$/i.test(uuid) ? await identity.groupsByUuid(wantedVo, [uuid]) : []
  if (!group) throw missing(`There is no group ${uuid.slice(0, 60)} in ${wantedVo}.`)
  return group
}

export function sendIamError(thrown: unknown, reply: FastifyReply): FastifyReply {
  const error = asGridError(thrown)
  const status = STATUS_OF_KIND[error.kind]
  if (status === 401) reply.header('www-authenticate', `Bearer error="${error.code}"`)
  if (status === 429 || status === 503) {
    reply.header('retry-after', String(error.details.retryAfterSeconds ?? 5))
  }
  return reply.code(status).send({ error: error.message, code: error.code })
}

/** Personal data is kept nowhere on the way. */
export function unstored(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store')
}
