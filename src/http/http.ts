import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket, type TlsOptions } from 'node:tls'
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import {
  ANY_AUDIENCE,
  anonymous,
  CLIENT_CERTIFICATE_OPTIONS,
  type ClientCertificates,
  notAuthenticated,
} from '../identity/verifier.ts'
import { type ErrorKind, GridError, toGridError } from '../kernel/errors.ts'
import { type Logger, redactText } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { authenticate, mayShowCertificate } from './authentication.ts'
import type { Authenticator } from './authenticator.ts'
import { readBodies, refuseNul } from './bodies.ts'
import { bigintSafeJson } from './ndjson.ts'
import { keepInventory, route } from './route.ts'
import { sniffingServer } from './sniffing-server.ts'
import { buildValidator } from './validation.ts'

export interface HttpOptions {
  readonly identity: Authenticator
  /** The audiences this service answers to; the any-audience is one of them unless `anyAudience` is false. */
  readonly audience: readonly string[]
  readonly anyAudience?: boolean
  readonly log: Logger
  readonly clock: Clock
  readonly host?: string
  /** 0 picks a free port. */
  readonly port: number
  /** PEM; absent means plain HTTP only, for loopback peers. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer }
  /** Client certificates are asked for, and verified here; without this nobody is asked. */
  readonly clientCertificates?: {
    readonly verifier: ClientCertificates
    /** PEM of the authorities whose certificates are asked for; any when absent, and then browsers ask people. */
    readonly authorities?: string
  }
  /** Whether loopback peers may speak plain HTTP on the same port; default true. */
  readonly plainForLoopback?: boolean
  /** Methods beyond the usual, e.g. PROPFIND; `hasBody` ones may carry a body. */
  readonly extraMethods?: readonly { readonly name: string; readonly hasBody?: boolean }[]
  /** Makes the path of a foreign client canonical before routing. */
  readonly rewriteUrl?: (url: string) => string
  /** Answers /readyz: throws or returns false when this process cannot serve. */
  readonly ready?: () => Promise<boolean> | boolean
}

export interface Http {
  /** Register doors as fastify plug-ins here, before `listen`. */
  readonly app: FastifyInstance
  listen(): Promise<{ port: number; url: string }>
  /** Refuses new connections, ends the open ones, resolves when all are closed. */
  close(): Promise<void>
}

/** The status of each kind of error; a door may override with its own error handler. */
export const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  missing: 404,
  conflict: 409,
  exhausted: 429,
  transient: 503,
  fatal: 500,
}

export function createHttp(options: HttpOptions): Http {
  const accept = {
    audience: [...options.audience, ...(options.anyAudience === false ? [] : [ANY_AUDIENCE])],
  }
  const app = fastify({
    serverFactory: (handler) => sniffingServer(handler, tlsOptions(options)),
    forceCloseConnections: true,
    bodyLimit: 1024 * 1024,
    genReqId: () => randomUUID(),
    logger: false,
    ...(options.rewriteUrl && {
      rewriteUrl: (request: IncomingMessage) => options.rewriteUrl!(request.url ?? '/'),
    }),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
    schemaController: { compilersFactory: { buildValidator } },
  })
  app.decorate('authenticator', options.identity)
  app.decorateRequest('principal', null as unknown as typeof anonymous)
  const certificates = options.clientCertificates?.verifier
  app.decorateRequest('clientCertificate', async function (this: FastifyRequest) {
    return mayShowCertificate(this) ? certificates?.of(this.raw.socket) : undefined
  })
  for (const { name, hasBody } of options.extraMethods ?? []) {
    app.addHttpMethod(name, { hasBody: hasBody ?? false })
  }
  for (const name of ['GET', 'DELETE', 'OPTIONS'])
    app.addHttpMethod(name, { hasBody: true, overrideExisting: true })
  app.setReplySerializer(bigintSafeJson)
  readBodies(app)
  keepInventory(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'same-origin')
    reply.header('x-frame-options', 'DENY')
    const secure = request.raw.socket instanceof TLSSocket
    const local = isLoopback(request.raw.socket.remoteAddress)
    const plain = (local && options.plainForLoopback !== false) || request.routeOptions.config?.plain === true
    if (!secure && !plain) {
      throw new GridError({
        code: 'use_https',
        kind: 'denied',
        message: 'Use https: this port speaks plain HTTP only to its own machine.',
      })
    }
    refuseNul(request.url, 'address')
    request.principal = anonymous
    await authenticate(request, options.identity, accept)
  })
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, options.log))
  app.setNotFoundHandler((request, reply) => {
    reply.code(404).send({
      code: 'no_such_route',
      message: `There is nothing at ${request.method} ${pathOf(request)}.`,
      details: {},
    })
  })
  app.addHook('onResponse', async (request, reply) => {
    options.log.debug(
      {
        request: request.id,
        method: request.method,
        url: redactText(pathOf(request)),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        account: request.principal.account ?? undefined,
        peer: request.ip,
      },
      'request',
    )
  })
  addHealth(app, options)

  return {
    app,
    async listen() {
      await app.listen({ host: options.host ?? '127.0.0.1', port: options.port })
      const address = app.server.address()
      const port = typeof address === 'object' && address ? address.port : options.port
      return { port, url: `${options.tls ? 'https' : 'http'}://localhost:${port}` }
    },
    close: () => app.close(),
  }
}

function tlsOptions({ tls, clientCertificates }: HttpOptions): TlsOptions | undefined {
  if (!tls || !clientCertificates) return tls
  const { authorities } = clientCertificates
  return { ...tls, ...CLIENT_CERTIFICATE_OPTIONS, ...(authorities && { ca: authorities }) }
}

/** The GridError behind anything thrown in a route, also fastify's own (validation, limits). */
export function asGridError(error: unknown): GridError {
  const { statusCode, validation, message } = error as Partial<FastifyError>
  if (error instanceof GridError) return error
  if (validation) return new GridError({ code: 'invalid_request', kind: 'invalid', message: `${message}.` })
  if (statusCode === 413) {
    return new GridError({
      code: 'body_too_large',
      kind: 'invalid',
      message: 'The body is larger than this route accepts.',
    })
  }
  if (statusCode && statusCode >= 400 && statusCode < 500) {
    return new GridError({ code: 'invalid_request', kind: 'invalid', message: message ?? 'Bad request.' })
  }
  return toGridError(error)
}

function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const error = asGridError(thrown)
  if (error.kind === 'fatal') log.error({ err: thrown, request: request.id }, 'request failed')
  const own = (thrown as { statusCode?: number }).statusCode
  const status = error.code === 'body_too_large' ? 413 : own === 415 ? 415 : STATUS_OF_KIND[error.kind]
  if (status === 401) reply.header('www-authenticate', `Bearer error="${error.code}"`)
  if (status === 429 || status === 503)
    reply.header('retry-after', String(error.details.retryAfterSeconds ?? 5))
  reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send({ code: error.code, message: error.message, details: error.details })
}

function addHealth(app: FastifyInstance, options: HttpOptions): void {
  route(app, { method: 'GET', url: '/healthz', action: 'public', handler: () => ({ status: 'ok' }) })
  route(app, {
    method: 'GET',
    url: '/readyz',
    action: 'public',
    handler: async (_request, reply) => {
      const ready = await Promise.resolve(options.ready?.() ?? true).catch(() => false)
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' })
    },
  })
  route(app, {
    method: 'GET',
    url: '/metrics',
    action: 'public',
    handler: async (request, reply) => {
      if (!isLoopback(request.raw.socket.remoteAddress)) {
        if (request.principal.kind === 'anonymous') throw notAuthenticated('Metrics from afar need a token.')
        options.identity.authorize(request.principal, 'operations.read', { vo: request.principal.vo })
      }
      const { metrics } = await import('../kernel/metrics.ts')
      return reply.header('content-type', metrics.contentType).send(await metrics.metrics())
    },
  })
}

/** True for callers on the same machine. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::1$|(::ffff:)?127\.)/.test(address)
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? request.url
}
