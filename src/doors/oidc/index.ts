/** The issuer of every VO at `/iam/<vo>`: discovery, keys, tokens, and the console's session. */
import type { FastifyInstance } from 'fastify'
import { discovery } from './discovery.ts'
import type { OidcDoorDeps } from './door.ts'
import { sendOauthError } from './errors.ts'
import { introspect } from './introspect.ts'
import { jwks } from './jwks.ts'
import { oneTimeCode } from './one-time-code.ts'
import { revoke } from './revoke.ts'
import { session } from './session.ts'
import { token } from './token.ts'
import { userinfo } from './userinfo.ts'

export type { OidcDoorDeps } from './door.ts'

/** A plug-in for the host's `app.register`. */
export function oidcDoor(deps: OidcDoorDeps): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    discovery(app, deps)
    jwks(app, deps)
    userinfo(app, deps)
    session(app, deps)
    oneTimeCode(app, deps)
    await app.register(async (oauth) => {
      oauth.setErrorHandler((thrown, _request, reply) => sendOauthError(thrown, reply))
      token(oauth, deps)
      revoke(oauth, deps)
      introspect(oauth, deps)
    })
  }
}
