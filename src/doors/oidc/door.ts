import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { denied, type Identity, invalidToken, type Principal, type Visitor } from '../../identity/index.ts'
import type { Clock } from '../../kernel/index.ts'

/** What the door needs; main.ts supplies it. */
export interface OidcDoorDeps {
  readonly identity: Identity
  readonly clock: Clock
  /** Whether people may register clients of their own. */
  readonly clientRegistration: boolean
}

/** Each issuer has its own tree. */
export const BASE = '/iam/:vo'
export const VoParams = Type.Object({ vo: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }) })

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

/** The person at the browser; undefined unless a console session of this VO came along. */
export function personOf(
  { method, vo, accountId, authenticatedAt }: Principal,
  of: string,
): Visitor | undefined {
  if (method !== 'session' || vo !== of || accountId === null || !authenticatedAt) return undefined
  return { accountId, authenticatedAt }
}

/** As `personOf`; throws `denied` when nobody is logged in at the browser. */
export function needPerson(principal: Principal, vo: string): Visitor {
  const person = personOf(principal, vo)
  if (!person) throw denied('Only somebody logged in at the console decides this.')
  return person
}

/** A route about the caller's own affairs. */
export const own = ({ params, principal }: { params: { vo: string }; principal: Principal }) => ({
  vo: params.vo,
  owner: principal.accountId,
})

/** A route about the affairs of the VO. */
export const ofVo = ({ params }: { params: { vo: string } }) => ({ vo: params.vo })

/** How the audit log names whoever makes a request. */
export const actorOf = ({ account, subject }: Principal): string => account ?? subject
