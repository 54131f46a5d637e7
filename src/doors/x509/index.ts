import type { FastifyInstance } from 'fastify'
import { registerAuthorities } from './authorities.ts'
import { registerCertificates } from './certificates.ts'
import { registerDelegation } from './delegation.ts'
import type { X509DoorDeps } from './deps.ts'
import { registerGridmap } from './gridmap.ts'
import { registerIssuing } from './issuing.ts'
import { registerRequests } from './requests.ts'

export type { X509DoorDeps } from './deps.ts'

/** Certificates of people and of this grid. */
export async function registerX509Door(app: FastifyInstance, deps: X509DoorDeps): Promise<void> {
  registerAuthorities(app, deps)
  registerCertificates(app, deps)
  registerRequests(app, deps)
  registerIssuing(app, deps)
  registerGridmap(app, deps)
  await registerDelegation(app, { identity: deps.identity, prefix: '', purpose: 'transfer' })
}
