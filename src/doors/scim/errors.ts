import type { FastifyReply } from 'fastify'
import { asGridError, STATUS_OF_KIND } from '../../http/index.ts'
import { defineError } from '../../kernel/errors.ts'

/** The `scimType` words of RFC 7644 §3.12 that this door raises itself. */
export const badFilter = defineError('invalid', 'invalid_filter')
export const badPath = defineError('invalid', 'scim_invalid_path')
export const badValue = defineError('invalid', 'scim_invalid_value')
export const badSyntax = defineError('invalid', 'scim_invalid_syntax')
export const immutable = defineError('invalid', 'scim_mutability')
export const missing = defineError('missing', 'scim_missing')
export const noTarget = defineError('invalid', 'scim_no_target')

const TYPE_OF_CODE: Readonly<Record<string, string>> = {
  invalid_filter: 'invalidFilter',
  scim_invalid_path: 'invalidPath',
  scim_invalid_syntax: 'invalidSyntax',
  scim_mutability: 'mutability',
  scim_no_target: 'noTarget',
  invalid_json: 'invalidSyntax',
}

/** Any error in the form of RFC 7644 §3.12. */
export function sendScimError(thrown: unknown, reply: FastifyReply): FastifyReply {
  const error = asGridError(thrown)
  const status = error.code === 'body_too_large' ? 413 : STATUS_OF_KIND[error.kind]
  const scimType =
    error.kind === 'conflict'
      ? 'uniqueness'
      : error.kind === 'invalid'
        ? (TYPE_OF_CODE[error.code] ?? 'invalidValue')
        : undefined
  if (status === 401) reply.header('www-authenticate', `Bearer error="${error.code}"`)
  if (status === 429 || status === 503) {
    reply.header('retry-after', String(error.details.retryAfterSeconds ?? 5))
  }
  return sendScim(reply.code(status), {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: String(status),
    ...(scimType && { scimType }),
    detail: error.message,
  })
}

export function sendScim(reply: FastifyReply, body: unknown): FastifyReply {
  return reply
    .header('content-type', 'application/scim+json;charset=UTF-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(body))
}
