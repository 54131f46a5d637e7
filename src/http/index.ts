/** The HTTP host: fastify, TLS and plain on one port, authentication, authorisation, errors, streams of lines. */
export { type Authenticator, createHttp, type Http, type HttpOptions } from './http.ts'
export { bigintSafeJson, inBatches, type NdjsonOptions, sendNdjson } from './ndjson.ts'
export {
  publicRoutes,
  type RegisteredRoute,
  type RouteRequest,
  type RouteSpec,
  route,
  routeInventory,
} from './route.ts'
