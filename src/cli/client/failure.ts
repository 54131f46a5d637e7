import { type ErrorKind, GridError, isGridError } from '../../kernel/errors.ts'

/**
 * The error of an answer that is not a success, whichever door it came from: the data doors name a class and a
 * message, the token endpoint an error and its description, ours a code and a message.
 */
export function failureOf(status: number, body: string, what: string): GridError {
  const fields = parse(body)
  const code = fields.ExceptionClass ?? fields.code ?? fields.error ?? `http_${status}`
  // SCIM says it in detail; the door of IAM in error, next to a code.
  const inWords = fields.detail ?? (fields.code === undefined ? undefined : fields.error)
  const said = fields.ExceptionMessage ?? fields.message ?? fields.error_description ?? inWords
  return new GridError({
    code,
    kind: kindOf(status, code),
    message: said ? sentence(said) : `${what} failed: the server answered HTTP ${status}.`,
    details: { status },
  })
}

/** Undefined where there is no such thing. */
export const orMissing = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error) => {
    if (isGridError(error) && error.kind === 'missing') return undefined
    throw error
  })

/** Does what may have been done before: a second time it is no error. */
export async function ensure(work: Promise<unknown>): Promise<void> {
  await work.catch((error) => {
    if (!(isGridError(error) && error.kind === 'conflict')) throw error
  })
}

function parse(body: string): Record<string, string | undefined> {
  try {
    const value = JSON.parse(body) as Record<string, unknown>
    const inner = typeof value.error === 'object' && value.error !== null ? value.error : value
    return Object.fromEntries(Object.entries(inner).filter(([, field]) => typeof field === 'string'))
  } catch {
    return {}
  }
}

function kindOf(status: number, code: string): ErrorKind {
  if (code === 'AccessDenied' || status === 403) return 'denied'
  if (status === 401 || code === 'invalid_grant') return 'unauthenticated'
  if (status === 404) return 'missing'
  if (status === 409 || status === 412 || status === 423) return 'conflict'
  if (status === 429 || status === 507) return 'exhausted'
  if (status === 502 || status === 503 || status === 504) return 'transient'
  return status < 500 ? 'invalid' : 'fatal'
}

function sentence(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return /[.!?]$/.test(line) ? line : `${line}.`
}
