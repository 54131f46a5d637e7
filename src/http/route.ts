import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Principal, Resource, RouteAction, VerifiedChain } from '../identity/verifier.ts'
import type { Authenticator } from './authenticator.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; `anonymous` unless a good token came along. */
    principal: Principal
    /** The chain behind the connection's client certificate, verified; undefined without one, throws when it is bad. */
    clientCertificate(): Promise<VerifiedChain | undefined>
  }
  interface FastifyContextConfig {
    action?: RouteAction
    /** The route authorises after validation, when it knows what is asked for. */
    laterResource?: boolean
    /** The route answers plain HTTP from afar, too. */
    plain?: boolean
    /** The route sees to texts itself that a database does not take. */
    anyText?: boolean
  }
  interface FastifyInstance {
    authenticator: Authenticator
  }
}

export interface RouteSchemas {
  readonly body?: TSchema
  readonly querystring?: TSchema
  readonly params?: TSchema
  readonly headers?: TSchema
}

type Typed<S, K extends keyof RouteSchemas> = S extends { readonly [P in K]: infer T extends TSchema }
  ? Static<T>
  : unknown

/** A request whose parts have the types of the route's schemas (`unknown` where there is none). */
export type RouteRequest<S extends RouteSchemas = RouteSchemas> = FastifyRequest<{
  Body: Typed<S, 'body'>
  Querystring: Typed<S, 'querystring'>
  Params: Typed<S, 'params'>
  Headers: Typed<S, 'headers'>
}>

export interface RouteSpec<S extends RouteSchemas = RouteSchemas> {
  readonly method: string | readonly string[]
  readonly url: string
  /** What the caller must be allowed to do; `public` for everybody. There is no default. */
  readonly action: RouteAction
  /** What it is done to; the caller's own VO when absent. Runs after validation. */
  readonly resource?: (request: RouteRequest<S>) => Resource | Promise<Resource>
  readonly schema?: S
  /** Answers plain HTTP from afar, too: only for what is public and signed, so that caches may stand between. */
  readonly plain?: true
  /** Texts of the body may hold NUL and half characters: the handler sees to them. */
  readonly anyText?: true
  /** Bytes; 1 MiB when absent. */
  readonly bodyLimit?: number
  readonly handler: (request: RouteRequest<S>, reply: FastifyReply) => unknown
}

export interface RegisteredRoute {
  readonly method: string
  readonly url: string
  readonly action: RouteAction
}

const inventories = new WeakMap<object, RegisteredRoute[]>()
const EVERY_ROUTE_PUBLIC = Symbol('every route here is public')

/** Registers a route together with the action it needs; the only way to add one. */
export function route<const S extends RouteSchemas>(app: FastifyInstance, spec: RouteSpec<S>): void {
  const { action, resource } = spec
  const needs = typeof resource === 'function' && action !== 'public'
  app.route({
    method: spec.method as HTTPMethods | HTTPMethods[],
    url: spec.url,
    config: {
      ...{ action, laterResource: needs },
      ...(spec.plain && { plain: true }),
      ...(spec.anyText && { anyText: true }),
    },
    ...(spec.schema && { schema: spec.schema }),
    ...(spec.bodyLimit !== undefined && { bodyLimit: spec.bodyLimit }),
    ...(needs && {
      preHandler: async (request: FastifyRequest) => {
        const wanted = await resource(request as RouteRequest<S>)
        app.authenticator.authorize(request.principal, action, wanted)
      },
    }),
    handler: (request, reply) => spec.handler(request as RouteRequest<S>, reply) as never,
  })
}

/** Every route registered in this encapsulated part, also by plug-ins such as static files, is public. */
export function publicRoutes(app: FastifyInstance): void {
  app.decorate(EVERY_ROUTE_PUBLIC, true)
}

/** All routes of an app with their actions, for the test that walks them. */
export function routeInventory(app: FastifyInstance): RegisteredRoute[] {
  return [...(inventories.get(app) ?? [])]
}

/** Makes a route without an action impossible, and remembers the others. */
export function keepInventory(app: FastifyInstance): void {
  const found: RegisteredRoute[] = []
  inventories.set(app, found)
  app.addHook('onRoute', function (options) {
    const here = this as FastifyInstance & { [EVERY_ROUTE_PUBLIC]?: boolean }
    const action = options.config?.action ?? (here[EVERY_ROUTE_PUBLIC] ? 'public' : undefined)
    if (!action) throw new Error(`The route ${options.method} ${options.url} declares no action.`)
    options.config = { ...options.config, action }
    for (const method of [options.method].flat()) found.push({ method, url: options.url, action })
  })
}
