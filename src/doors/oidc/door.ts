import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { type Identity, invalidToken, type Principal } from '../../identity/index.ts'
import type { Clock } from '../../kernel/index.ts'

/** What the door needs; main.ts supplies it. */
export interface OidcDoorDeps {
  readonly identity: Identity
  readonly clock: Clock
}

/** Each issuer has its own tree. */
export const BASE = '/iam/:vo'
export const VoParams = Type.Object({ vo: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }) })

/** The programs of the grid itself; they keep no secret, so their name is all they show. */
export const OWN_PROGRAMS: readonly string[] = ['kumi-cli', 'kumi-console']

/** Answers that carry secrets are kept nowhere on the way. */
export function unstored(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
}

/** The caller by token of this VO; throws for anonymous callers and those of other VOs. */
export function callerOf(principal: Principal, vo: string): Principal {
  if (principal.kind === 'anonymous') throw invalidToken('A valid token is needed.')
  if (principal.vo !== vo) throw invalidToken(`The token is not of VO ${vo}.`)
  return principal
}
