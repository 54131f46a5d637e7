/** The HTTP host: fastify, TLS and plain on one port, authentication, authorisation, errors, streams of lines. */
export type { Authenticator } from './authenticator.ts'
export {
  asGridError,
  createHttp,
  type Http,
  type HttpOptions,
  isLoopback,
  STATUS_OF_KIND,
} from './http.ts'
export { bigintSafeJson, inBatches, type NdjsonOptions, sendNdjson } from './ndjson.ts'
export {
  publicRoutes,
  type RegisteredRoute,
  type RouteRequest,
  type RouteSpec,
  route,
  routeInventory,
} from './route.ts'
