/** The REST interface of INDIGO IAM, for scripts and synchronisation agents that were written for it. */
import type { FastifyInstance } from 'fastify'
import { account } from './account.ts'
import { aup } from './aup.ts'
import { type IamDoorDeps, sendIamError } from './door.ts'
import { find } from './find.ts'
import { group } from './group.ts'
import { groupRequests } from './group-requests.ts'
import { labels } from './labels.ts'
import { password } from './password.ts'
import { registration } from './registration.ts'

export type { IamDoorDeps } from './door.ts'

/** A plug-in for the host's `app.register`. */
export function iamDoor(deps: IamDoorDeps): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.setErrorHandler((thrown, _request, reply) => sendIamError(thrown, reply))
    find(app, deps)
    account(app, deps)
    labels(app, deps)
    group(app, deps)
    groupRequests(app, deps)
    aup(app, deps)
    registration(app, deps)
    password(app, deps)
  }
}
