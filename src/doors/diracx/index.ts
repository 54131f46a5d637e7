/** The door that speaks DiracX: jobs, and where to log in. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../kernel/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { registerAuthRoutes } from './auth.ts'
import { sendDetail } from './errors.ts'
import { registerJobReportRoutes } from './job-reports.ts'
import { registerJobRoutes } from './jobs.ts'
import { registerDiracPilotRoutes } from './pilots.ts'
import { registerResourceRoutes } from './resources.ts'
import { registerSandboxRoutes } from './sandboxes.ts'
import { registerWellKnown } from './well-known.ts'

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
    const auth = { ...deps, address: deps.audience }
    registerWellKnown(door, auth)
    registerAuthRoutes(door, auth)
    registerJobRoutes(door, deps)
    registerJobReportRoutes(door, deps)
    registerSandboxRoutes(door, deps)
    registerDiracPilotRoutes(door, deps)
    registerResourceRoutes(door, deps)
  })
}
