import type { FastifyInstance } from 'fastify'
import type { Action, Principal, Resource } from '../identity/verifier.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'

/** What the host asks about callers: `Identity` on the server, `storageAuthenticator(verifier)` on a gateway. */
export interface Authenticator {
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  authorize(principal: Principal, action: Action, resource: Resource): void
}

export interface HttpOptions {
  readonly identity: Authenticator
  /** The audiences this service answers to (its own URL, and the any-audience where tolerated). */
  readonly audience: readonly string[]
  readonly log: Logger
  readonly clock: Clock
  readonly host?: string
  /** 0 picks a free port. */
  readonly port: number
  /** PEM; absent means plain HTTP only, for loopback peers. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer }
  /** Whether loopback peers may speak plain HTTP on the same port; default true. */
  readonly plainForLoopback?: boolean
  /** Methods beyond the usual, e.g. PROPFIND; `hasBody` ones may carry a body. */
  readonly extraMethods?: readonly { readonly name: string; readonly hasBody?: boolean }[]
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

export function createHttp(_options: HttpOptions): Http {
  throw new Error('follows')
}
