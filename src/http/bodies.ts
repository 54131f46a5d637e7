import type { FastifyInstance } from 'fastify'
import { GridError } from '../kernel/errors.ts'

/** JSON, streams of JSON lines and forms; a body without a type is taken as JSON when it is some. */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const read = (types: string | string[], parse: (text: string) => unknown): void => {
    app.addContentTypeParser(types, { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, parse(body.toString()))
      } catch (cause) {
        done(notJson(cause), undefined)
      }
    })
  }
  read('application/json', json)
  read(['application/x-json-stream', 'application/x-ndjson'], (text) =>
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(json),
  )
  read('application/x-www-form-urlencoded', (text) => new URLSearchParams(text))
  read('*', json)
}

function json(text: string): unknown {
  return text === '' ? undefined : withoutPrototypeKeys(JSON.parse(text))
}

function notJson(cause: unknown): GridError {
  return new GridError({
    code: 'invalid_json',
    kind: 'invalid',
    message: 'The body is not valid JSON.',
    cause,
  })
}

/** `__proto__` in a body must not reach an object that somebody spreads or merges. */
function withoutPrototypeKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  for (const item of Object.values(value)) withoutPrototypeKeys(item)
  // biome-ignore lint/suspicious/noProto: an own key of parsed JSON, not the accessor.
  if (Object.hasOwn(value, '__proto__')) delete (value as Record<string, unknown>).__proto__
  return value
}
