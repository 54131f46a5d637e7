import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Principal, Resource, RouteAction } from '../identity/verifier.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; `anonymous` unless a good token came along. */
    principal: Principal
  }
  interface FastifyContextConfig {
    action?: RouteAction
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
  /** Bytes; 1 MiB when absent. */
  readonly bodyLimit?: number
  readonly handler: (request: RouteRequest<S>, reply: FastifyReply) => unknown
}

export interface RegisteredRoute {
  readonly method: string
  readonly url: string
  readonly action: RouteAction
}

/** Registers a route together with the action it needs; the only way to add one. */
export function route<const S extends RouteSchemas>(_app: FastifyInstance, _spec: RouteSpec<S>): void {
  throw new Error('follows')
}

/** Every route registered in this encapsulated part, also by plug-ins such as static files, is public. */
export function publicRoutes(_app: FastifyInstance): void {
  throw new Error('follows')
}

/** All routes of an app with their actions, for the test that walks them. */
export function routeInventory(_app: FastifyInstance): RegisteredRoute[] {
  throw new Error('follows')
}
