/** People and groups in SCIM 2.0, for the caller's VO at `/scim` and for a named one at `/iam/<vo>/scim`. */
import type { FastifyInstance } from 'fastify'
import { discovery } from './discovery.ts'
import type { ScimDoorDeps } from './door.ts'
import { sendScimError } from './errors.ts'
import { groups } from './groups.ts'
import { me } from './me.ts'
import { users } from './users.ts'

export { groupTarget, personTarget, type ScimDoorDeps } from './door.ts'
export { sendScim } from './errors.ts'
export { groupResources } from './group.ts'
export { listAnswer, pageOf } from './list.ts'
export { authorities, labelView, timeOf, userResources } from './user.ts'

/** A plug-in for the host's `app.register`. */
export function scimDoor(deps: ScimDoorDeps): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.setErrorHandler((thrown, _request, reply) => sendScimError(thrown, reply))
    for (const prefix of ['/scim', '/iam/:vo/scim']) {
      const place = { ...deps, prefix }
      users(app, place)
      groups(app, place)
      me(app, place)
      discovery(app, place)
    }
  }
}
