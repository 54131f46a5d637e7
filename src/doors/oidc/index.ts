import type { FastifyInstance } from 'fastify'
import type { Identity } from '../../identity/index.ts'
import type { Clock } from '../../kernel/index.ts'

/** The issuer of every VO at `/iam/<vo>`: discovery, keys, tokens, and the console's session. */
export function oidcDoor(_deps: {
  identity: Identity
  clock: Clock
}): (app: FastifyInstance) => Promise<void> {
  throw new Error('follows')
}
