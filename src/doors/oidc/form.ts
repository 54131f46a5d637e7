import { oauthError } from './errors.ts'

/** The fields of a form or a query; each at most once, except `resource` and `audience` (RFC 8707). */
export interface Form {
  readonly get: (name: string) => string | undefined
  readonly need: (name: string) => string
  readonly list: (name: string) => string[]
}

const REPEATABLE: readonly string[] = ['resource', 'audience']

export function formOf(given: unknown): Form {
  // A form without fields is no body at all.
  const body = given ?? new URLSearchParams()
  if (!(body instanceof URLSearchParams)) {
    throw oauthError('invalid_request', 'Send the parameters as application/x-www-form-urlencoded.')
  }
  for (const name of new Set(body.keys())) {
    if (!REPEATABLE.includes(name) && body.getAll(name).length > 1) {
      throw oauthError('invalid_request', `The parameter ${name} is given twice.`)
    }
  }
  // A parameter without a value counts as absent (RFC 6749 §3.2).
  const get = (name: string) => body.get(name) || undefined
  return {
    get,
    need(name) {
      const value = get(name)
      if (value === undefined) throw oauthError('invalid_request', `The parameter ${name} is missing.`)
      return value
    },
    list: (name) => body.getAll(name).flatMap((value) => value.split(' ').filter(Boolean)),
  }
}

/** The query as it came: fastify's own parser would merge what is given twice. */
export function queryOf(url: string): Form {
  const at = url.indexOf('?')
  return formOf(new URLSearchParams(at < 0 ? '' : url.slice(at + 1)))
}
