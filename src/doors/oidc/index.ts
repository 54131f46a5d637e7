/** The issuer of every VO at `/iam/<vo>`: discovery, keys, grants, consent, clients, and the console's session. */
import type { FastifyInstance } from 'fastify'
import { asGridError } from '../../http/index.ts'
import { authorize } from './authorize.ts'
import { clients } from './clients.ts'
import { deviceCodes, devicePage } from './device.ts'
import { discovery } from './discovery.ts'
import type { OidcDoorDeps } from './door.ts'
import { sendOauthError } from './errors.ts'
import { interaction } from './interaction.ts'
import { introspect } from './introspect.ts'
import { jwks } from './jwks.ts'
import { mine } from './mine.ts'
import { oneTimeCode } from './one-time-code.ts'
import { policies } from './policies.ts'
import { registration } from './registration.ts'
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
    authorize(app, deps)
    devicePage(app)
    interaction(app, deps)
    session(app, deps)
    mine(app, deps)
    clients(app, deps)
    policies(app, deps)
    oneTimeCode(app, deps)
    await app.register(async (oauth) => {
      oauth.setErrorHandler((thrown, _request, reply) => sendOauthError(thrown, reply))
      token(oauth, deps)
      deviceCodes(oauth, deps)
      revoke(oauth, deps)
      introspect(oauth, deps)
    })
    await app.register(async (registering) => {
      registering.setErrorHandler((thrown, _request, reply) => {
        // What is wrong with the client in the words of RFC 7591; who asks is the host's business.
        if (asGridError(thrown).kind !== 'invalid') throw thrown
        return sendOauthError(thrown, reply)
      })
      registration(registering, deps)
    })
  }
}
