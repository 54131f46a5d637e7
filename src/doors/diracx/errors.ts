import type { FastifyReply, FastifyRequest } from 'fastify'
import { asGridError, STATUS_OF_KIND } from '../../http/index.ts'
import { GridError } from '../../kernel/errors.ts'

/** An error with the status and the detail that the clients of this door expect. */
export const wireError = (status: number, message: string, detail: unknown = message): GridError =>
  new GridError({
    code: 'diracx',
    kind: status === 404 ? 'missing' : status === 403 ? 'denied' : 'invalid',
    message,
    details: { status, detail },
  })

/** Every error of this door has one field, `detail`. */
export function sendDetail(
  thrown: unknown,
  _request: FastifyRequest,
  reply: FastifyReply,
  onFatal: (error: unknown) => void,
): void {
  const error = asGridError(thrown)
  if (error.kind === 'fatal') onFatal(thrown)
  const own = error.code === 'diracx' ? error.details : undefined
  const status = own
    ? Number(own.status)
    : error.code === 'invalid_request' || error.code === 'invalid_json'
      ? 422
      : STATUS_OF_KIND[error.kind]
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (status === 503) reply.header('retry-after', '10')
  reply.code(status).send({ detail: own ? own.detail : error.message })
}
