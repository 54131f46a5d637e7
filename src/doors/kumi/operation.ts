import type { FastifyInstance } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { bigintSafeJson, type RouteRequest, route } from '../../http/index.ts'
import type { Resource, RouteAction } from '../../identity/index.ts'

interface Schemas {
  readonly params?: TSchema
  readonly querystring?: TSchema
  readonly body?: TSchema
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** One thing this door does: route, permission, description and answer in one object. */
export interface Operation<S extends Schemas = Schemas, A extends TSchema = TSchema> {
  readonly url: string
  readonly action: RouteAction
  readonly summary: string
  readonly schema?: S
  readonly answer: A
  /** Bytes; 1 MiB when absent. */
  readonly bodyLimit?: number
  /** What it is done to; everything of the caller's VO when absent. */
  readonly resource?: (request: RouteRequest<S>) => Resource | Promise<Resource>
  readonly handler: (request: RouteRequest<S>) => Promise<Answer<A>>
}

// Answers hold bigints and dates, which become numbers and texts on the wire; the schema describes the wire.
type Loose<T> = T extends number
  ? number | bigint
  : T extends string
    ? string | Date
    : T extends readonly (infer I)[]
      ? readonly Loose<I>[]
      : T extends object
        ? { readonly [K in keyof T]: Loose<T[K]> }
        : T
type Answer<A extends TSchema> = Loose<Static<A>>

export interface Described {
  readonly method: Method
  readonly url: string
  readonly action: RouteAction
  readonly summary: string
  readonly schema?: Schemas
  readonly answer?: TSchema
  readonly contentType?: string
}

/** Registers what the door does and keeps the descriptions for the OpenAPI document. */
export function operations(app: FastifyInstance) {
  const described: Described[] = []
  const add =
    (method: Method) =>
    <const S extends Schemas, A extends TSchema>(operation: Operation<S, A>): void => {
      const { url, action, summary, schema, answer, resource, bodyLimit, handler } = operation
      described.push({ method, url, action, summary, ...(schema && { schema }), answer })
      route(app, {
        method,
        url,
        action,
        ...(schema && { schema }),
        ...(bodyLimit !== undefined && { bodyLimit }),
        ...(resource && { resource: (request: unknown) => resource(request as RouteRequest<S>) }),
        handler: async (request, reply) => {
          const body = bigintSafeJson(await handler(request as RouteRequest<S>))
          return reply.header('cache-control', 'no-store').type('application/json').send(body)
        },
      })
    }
  return { described, get: add('GET'), post: add('POST'), put: add('PUT'), delete: add('DELETE') }
}

export type Operations = ReturnType<typeof operations>
