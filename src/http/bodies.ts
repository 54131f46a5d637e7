import type { FastifyInstance } from 'fastify'
import { GridError } from '../kernel/errors.ts'
import { isPlainText } from '../kernel/plain-text.ts'

/** JSON, streams of JSON lines and forms; a body without a type is taken as JSON when it is some. */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const read = (types: string | string[], parse: (text: string, anyText: boolean) => unknown): void => {
    app.addContentTypeParser(types, { parseAs: 'string' }, (request, body, done) => {
      try {
        done(null, parse(body.toString(), request.routeOptions.config.anyText === true))
      } catch (cause) {
        done(cause instanceof GridError ? cause : notJson(cause), undefined)
      }
    })
  }
  read('application/json', json)
  read(['application/x-json-stream', 'application/x-ndjson'], (text, anyText) =>
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => json(line, anyText)),
  )
  read('application/x-www-form-urlencoded', (text) => {
    refuseNul(text, 'body')
    return new URLSearchParams(text)
  })
  read('*', json)
}

function json(text: string, anyText: boolean): unknown {
  return text === '' ? undefined : checked(JSON.parse(text), anyText)
}

/** No name holds a NUL, and a database takes none; `text` is written as addresses and forms are. */
export function refuseNul(text: string, where: 'address' | 'body'): void {
  if (text.includes('%00')) throw notText(where)
}

const notText = (where: string) =>
  new GridError({
    code: 'invalid_text',
    kind: 'invalid',
    message: `The ${where} holds a NUL character, or half a character.`,
  })

function notJson(cause: unknown): GridError {
  return new GridError({
    code: 'invalid_json',
    kind: 'invalid',
    message: 'The body is not valid JSON.',
    cause,
  })
}

/** Texts are such as a database takes, and `__proto__` must not reach an object that somebody spreads or merges. */
function checked(value: unknown, anyText: boolean): unknown {
  if (typeof value === 'string' && !anyText && !isPlainText(value)) throw notText('body')
  if (value === null || typeof value !== 'object') return value
  for (const [key, item] of Object.entries(value)) {
    checked(key, anyText)
    checked(item, anyText)
  }
  // biome-ignore lint/suspicious/noProto: an own key of parsed JSON, not the accessor.
  if (Object.hasOwn(value, '__proto__')) delete (value as Record<string, unknown>).__proto__
  return value
}
