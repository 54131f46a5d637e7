/** The door that speaks DiracX: jobs, and where to log in. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../kernel/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { registerAuthRoutes } from './auth.ts'
import { sendDetail } from './errors.ts'
import { registerJobRoutes } from './jobs.ts'
import { registerSandboxRoutes } from './sandboxes.ts'

export interface DiracxDoorDeps extends JobDoorDeps {
  readonly log: Logger
}

/** Adds the routes below `/diracx`, with errors in their own shape. */
export async function registerDiracxDoor(app: FastifyInstance, deps: DiracxDoorDeps): Promise<void> {
  await app.register(async (door) => {
    door.setErrorHandler((error, request, reply) =>
      sendDetail(error, request, reply, (fatal) =>
        deps.log.error({ err: fatal, request: request.id }, 'request failed'),
      ),
    )
    registerAuthRoutes(door, { ...deps, address: deps.audience })
    registerJobRoutes(door, deps)
    registerSandboxRoutes(door, deps)
  })
}
