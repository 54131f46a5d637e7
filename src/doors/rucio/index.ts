import type { FastifyInstance, FastifyRequest } from 'fastify'
import { route } from '../../http/index.ts'
import { accountEndpoints } from './accounts.ts'
import { authEndpoints } from './auth.ts'
import type { RucioDoorDeps } from './deps.ts'
import { didEndpoints } from './dids.ts'
import { didMetaEndpoints } from './dids-meta.ts'
import { type Call, type Endpoint, get } from './endpoint.ts'
import { errorBody, errorHeaders, noRoute, toRucioError } from './errors.ts'
import { limitEndpoints } from './limits.ts'
import { lockEndpoints } from './locks.ts'
import { replicaEndpoints } from './replicas.ts'
import { rseEndpoints } from './rses.ts'
import { ruleEndpoints } from './rules.ts'
import { sendCreated, sendJson } from './stream.ts'
import { parseJson } from './wire.ts'

export type * from './deps.ts'
export { canonicalRucioUrl } from './url.ts'

const plainEndpoints: readonly Endpoint[] = [
  get('/ping', 'public', (call) => sendJson(call.reply, { version: call.deps.version })),
  {
    method: 'POST',
    path: '/traces',
    action: 'public',
    // Traces come without a token, so nothing may rest on them; they are noted in the log only.
    handler(call) {
      call.deps.log.debug({ trace: call.body }, 'trace from a client')
      return sendCreated(call.reply)
    },
  },
]

/** All endpoints of the door, for its documentation and tests. */
export const rucioEndpoints: readonly Endpoint[] = [
  ...plainEndpoints,
  ...authEndpoints,
  ...accountEndpoints,
  ...limitEndpoints,
  ...rseEndpoints,
  ...didEndpoints,
  ...didMetaEndpoints,
  ...replicaEndpoints,
  ...ruleEndpoints,
  ...lockEndpoints,
]

/**
 * The interface the field's data management client speaks, below `prefix`. The HTTP host must pass each URL through
 * `canonicalRucioUrl` before routing, and allow path parameters of 1,000 characters.
 */
export async function registerRucioDoor(
  app: FastifyInstance,
  deps: RucioDoorDeps,
  prefix = '/rucio',
): Promise<void> {
  await app.register(async (door) => {
    // The client declares no content type, on any method.
    door.removeAllContentTypeParsers()
    door.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, parseJson(String(body)))
      } catch (error) {
        done(error as Error, undefined)
      }
    })
    door.setErrorHandler((thrown, request, reply) => {
      const error = toRucioError(thrown)
      if (error.status >= 500) request.log.error({ err: thrown }, 'rucio door failed')
      return reply
        .code(error.status)
        .headers(errorHeaders(error))
        .header('content-type', 'application/octet-stream')
        .send(Buffer.from(errorBody(error)))
    })
    // With a prefix of its own, so that only paths below the door are answered in its words.
    door.register(
      async (below) => {
        below.setNotFoundHandler((request) => {
          throw noRoute(`This server has nothing at ${request.method} ${request.url.split('?')[0]}.`)
        })
      },
      { prefix },
    )
    for (const endpoint of rucioEndpoints) {
      const { method, path, action, resource, bodyLimit, handler } = endpoint
      route(door, {
        method,
        url: `${prefix}${path}`,
        action,
        ...(resource && { resource: (request) => resource(callOf(deps, request)) }),
        ...(bodyLimit !== undefined && { bodyLimit }),
        handler: (request, reply) => handler({ ...callOf(deps, request), reply }),
      })
    }
  })
}

function callOf(deps: RucioDoorDeps, request: FastifyRequest): Call {
  return {
    deps,
    request,
    // Set by the handler's own call; whoever decides on the resource answers nothing.
    reply: undefined as unknown as Call['reply'],
    principal: request.principal,
    vo: request.principal.vo || voOf(deps, request),
    now: deps.clock.now(),
    params: (request.params ?? {}) as Record<string, string>,
    query: (request.query ?? {}) as Record<string, string>,
    body: request.body,
  }
}

/** Callers without a token may name their VO; the client's own default means ours. */
function voOf(deps: RucioDoorDeps, request: FastifyRequest): string {
  const named = request.headers['x-rucio-vo']
  return typeof named === 'string' && named !== '' && named !== 'def' ? named : deps.defaultVo
}
