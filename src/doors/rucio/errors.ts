import { defineError, type ErrorKind, type GridError, toGridError } from '../../kernel/errors.ts'

export const badRequest = defineError('invalid', 'rucio_bad_request')
export const unsupportedOperation = defineError('conflict', 'rucio_unsupported_operation')
export const unsupportedStatus = defineError('conflict', 'rucio_unsupported_status')
export const noRoute = defineError('missing', 'rucio_no_route')
export const notServed = defineError('conflict', 'rucio_not_served')
export const cannotAuthenticate = defineError('unauthenticated', 'rucio_cannot_authenticate')
export const invalidFilter = defineError('invalid', 'rucio_filter_invalid')
export const noScopes = defineError('missing', 'scope_missing')
export const keyMissing = defineError('missing', 'metadata_key_missing')
export const noProtocol = defineError('missing', 'rse_protocol_missing')
export const noLocks = defineError('missing', 'rule_missing')
export const missingThing = defineError('missing', 'rucio_missing')

/** How an error looks to the field's client: its exception class, the message, and the status. */
export interface RucioError {
  readonly status: number
  readonly exceptionClass: string
  readonly message: string
}

/** Our codes by what they speak of; the class must be a name the client knows, others become RucioException there. */
const CLASS_OF_CODE: readonly (readonly [pattern: RegExp, exceptionClass: string, status?: number])[] = [
  [/^rucio_no_route$/, 'RucioException'],
  [/^rucio_filter_invalid$|filter/, 'DIDFilterSyntaxError'],
  [/^rucio_unsupported_status$/, 'UnsupportedStatus'],
  [/^rucio_unsupported_operation$|^rucio_not_served$/, 'UnsupportedOperation'],
  [/^account_(missing|not_found|unknown)$|^no_such_account$/, 'AccountNotFound'],
  [/^identity_(missing|not_found|unknown)$/, 'IdentityError'],
  [/^scope_(missing|not_found|unknown)$|^no_such_scope$/, 'ScopeNotFound'],
  [/^rse_attribute_(missing|not_found|unknown)$/, 'RSEAttributeNotFound'],
  [/^rse_protocol_(missing|not_found|unknown|unsupported)$/, 'RSEProtocolNotSupported'],
  [/protocol_priority/, 'RSEProtocolPriorityError'],
  [/^rse_(missing|not_found|unknown)$|^no_such_rse$/, 'RSENotFound'],
  [/^(did|file|collection|dataset|container|target)_(missing|not_found|unknown)$/, 'DataIdentifierNotFound'],
  [
    /^(did|file|collection|dataset|container)_(exists|duplicate|already_exists|taken|name_taken)$|did_deleted|name_used/,
    'DataIdentifierAlreadyExists',
  ],
  [
    /(content|attachment).*(duplicate|exists)|duplicate_(content|attachment)|already_attached/,
    'DuplicateContent',
  ],
  [/checksum|consistency|mismatch|differs|not_arrived/, 'FileConsistencyMismatch', 412],
  [
    /(did|collection|dataset|container)_(closed|not_open|monotonic)|is_closed|wrong_kind|not_a_collection/,
    'UnsupportedOperation',
  ],
  [/^replica_(missing|not_found|unknown)$/, 'ReplicaNotFound'],
  [/replica_(exists|duplicate)/, 'Duplicate'],
  [/replica_(locked|protected)/, 'ReplicaIsLocked', 423],
  [/rse_expression|expression|^no_rse_matches$/, 'InvalidRSEExpression'],
  [
    /^unsupported_operation$|^would_make_cycle$|^replica_state_conflict$|^rse_not_empty$/,
    'UnsupportedOperation',
  ],
  [/rule_(duplicate|exists)|duplicate_rule/, 'DuplicateRule'],
  [/^rule_(missing|not_found|unknown)$/, 'RuleNotFound'],
  [/rule_locked/, 'UnsupportedOperation'],
  [/rule_(replace|move)/, 'RuleReplaceFailed'],
  [/quota|account_limit/, 'InsufficientAccountLimit', 409],
  [/insufficient.*rse|too_few_rses|target_rses|not_enough_(rses|storages)/, 'InsufficientTargetRSEs', 409],
  [/^rule_/, 'InvalidReplicationRule'],
  [/metadata.*(key|missing)|key_missing/, 'KeyNotFound'],
  [/metadata/, 'InvalidMetadata'],
]

const CLASS_OF_KIND: Readonly<Record<ErrorKind, string>> = {
  invalid: 'InputValidationError',
  unauthenticated: 'CannotAuthenticate',
  denied: 'AccessDenied',
  missing: 'DataIdentifierNotFound',
  conflict: 'Duplicate',
  exhausted: 'InsufficientAccountLimit',
  transient: 'ResourceTemporaryUnavailable',
  fatal: 'RucioException',
}

/**
 * Denied is 403 and never 401: the client answers a 401 by logging in again and repeating the call, which can only
 * end the same way.
 */
const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  missing: 404,
  conflict: 409,
  exhausted: 409,
  transient: 503,
  fatal: 500,
}

/** Any thrown value as the client's exception. */
export function toRucioError(thrown: unknown): RucioError {
  const error = toGridError(httpError(thrown) ?? thrown)
  const specific = isAboutAnAnswer(error.kind)
    ? CLASS_OF_CODE.find(([pattern]) => pattern.test(error.code))
    : undefined
  return {
    status: specific?.[2] ?? STATUS_OF_KIND[error.kind],
    exceptionClass: specific?.[1] ?? CLASS_OF_KIND[error.kind],
    message: error.message,
  }
}

/** The two headers the client falls back to; header values are one line of at most 128 Latin letters. */
export function errorHeaders(error: RucioError): Record<string, string> {
  const line = error.message.replace(/[\r\n]+/g, ' ').replace(/[^\x20-\x7e]/g, '?')
  return {
    exceptionclass: error.exceptionClass,
    exceptionmessage: line.length > 125 ? `${line.slice(0, 125)}...` : line,
  }
}

export function errorBody(error: RucioError): string {
  return JSON.stringify({ ExceptionClass: error.exceptionClass, ExceptionMessage: error.message })
}

function isAboutAnAnswer(kind: ErrorKind): boolean {
  return kind === 'invalid' || kind === 'missing' || kind === 'conflict' || kind === 'exhausted'
}

/** Errors the HTTP layer itself raises (body too large, broken JSON, schema) have a status but are not ours. */
function httpError(thrown: unknown): GridError | undefined {
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode
  if (typeof status !== 'number' || status < 400 || status >= 500 || !(thrown instanceof Error))
    return undefined
  if ('kind' in thrown) return undefined
  return badRequest(thrown.message, undefined, thrown)
}
