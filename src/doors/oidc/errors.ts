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

/** How errors of identity read in the words of OAuth (RFC 6749, 7591, 8628, 8707); what is not here follows its kind. */
const WORD_OF_CODE: Readonly<Record<string, string>> = {
  login_failed: 'invalid_grant',
  account_choice_needed: 'invalid_grant',
  account_missing: 'invalid_grant',
  login_rate_limited: 'temporarily_unavailable',
  too_many_codes: 'temporarily_unavailable',
  invalid_token: 'invalid_grant',
  invalid_password: 'invalid_client_metadata',
}
const OWN_WORDS: ReadonlySet<string> = new Set([
  ...['invalid_request', 'invalid_client', 'invalid_grant', 'invalid_scope', 'invalid_target'],
  ...['unauthorized_client', 'unsupported_grant_type', 'access_denied'],
  ...['authorization_pending', 'slow_down', 'expired_token'],
  ...['invalid_client_metadata', 'invalid_redirect_uri'],
])

/** Any error of the token, revocation, introspection, device and registration endpoints, as RFC 6749 §5.2 wants it. */
export function sendOauthError(thrown: unknown, reply: FastifyReply): FastifyReply {
  const error = asGridError(thrown)
  const kindStatus = STATUS_OF_KIND[error.kind]
  const word = OWN_WORDS.has(error.code) ? error.code : (WORD_OF_CODE[error.code] ?? wordOfStatus(kindStatus))
  const status = statusOf(word, kindStatus)
  if (status === 401) reply.header('www-authenticate', 'Basic realm="kumihimo"')
  if (status === 429 || status === 503) {
    reply.header('retry-after', String(error.details.retryAfterSeconds ?? 5))
  }
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('pragma', 'no-cache')
    .send({
      error: word,
      error_description: error.message,
      ...(error.code === 'account_choice_needed' && { accounts: error.details.accounts }),
    })
}

function statusOf(word: string, kindStatus: number): number {
  if (word === 'invalid_client') return 401
  return word === 'temporarily_unavailable' || word === 'server_error' ? kindStatus : 400
}

function wordOfStatus(status: number): string {
  // Somebody who may have no token at the moment: suspended, expired, has not signed.
  if (status === 403) return 'invalid_grant'
  if (status === 429 || status === 503) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}
