import type { FastifyReply } from 'fastify'
import { asGridError, STATUS_OF_KIND } from '../../http/index.ts'
import { GridError } from '../../kernel/index.ts'

/** The error words of RFC 6749 §5.2 that this door raises itself. */
export type OauthWord =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'

export function oauthError(word: OauthWord, message: string): GridError {
  return new GridError({
    code: word,
    kind: word === 'invalid_client' ? 'unauthenticated' : 'invalid',
    message,
  })
}

/** How errors of identity read in the words of OAuth; what is not here follows its kind. */
const WORD_OF_CODE: Readonly<Record<string, string>> = {
  login_failed: 'invalid_grant',
  account_choice_needed: 'invalid_grant',
  account_suspended: 'invalid_grant',
  login_rate_limited: 'temporarily_unavailable',
  invalid_token: 'invalid_grant',
  invalid_scope: 'invalid_scope',
  invalid_client: 'invalid_client',
  invalid_grant: 'invalid_grant',
  unauthorized_client: 'unauthorized_client',
  unsupported_grant_type: 'unsupported_grant_type',
}

/** Any error of the token, revocation and introspection endpoints, as RFC 6749 §5.2 wants it. */
export function sendOauthError(thrown: unknown, reply: FastifyReply): FastifyReply {
  const error = asGridError(thrown)
  const status = STATUS_OF_KIND[error.kind]
  const word = WORD_OF_CODE[error.code] ?? wordOfStatus(status)
  if (word === 'invalid_client') reply.header('www-authenticate', 'Basic realm="kumihimo"')
  if (status === 429 || status === 503) {
    reply.header('retry-after', String(error.details.retryAfterSeconds ?? 5))
  }
  return reply
    .code(word === 'invalid_client' ? 401 : word.startsWith('invalid_') ? 400 : status)
    .header('cache-control', 'no-store')
    .header('pragma', 'no-cache')
    .send({
      error: word,
      error_description: error.message,
      ...(error.code === 'account_choice_needed' && { accounts: error.details.accounts }),
    })
}

function wordOfStatus(status: number): string {
  if (status === 429 || status === 503) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}
