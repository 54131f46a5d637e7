import { Type } from 'typebox'
import { systemPorts } from '../../kernel/ports.ts'
import { createSite, gatewayOf } from '../../sites/index.ts'
import { testResource } from '../../workload/index.ts'
import type { JobDoorDeps } from './job-deps.ts'
import type { Operations } from './operation.ts'

const SiteName = Type.Object({ name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }) })
const PlaceName = Type.Object({ name: Type.String({ maxLength: 64 }) })
const Site = Type.Object({
  title: Type.String({ maxLength: 200 }),
  country: Type.String({ pattern: '^[A-Z]{2}$' }),
  latitude: Type.Number({ minimum: -90, maximum: 90 }),
  longitude: Type.Number({ minimum: -180, maximum: 180 }),
  /** Gateway of another site that acts for this one. */
  through: Type.String({ maxLength: 63 }),
})

/** Adding sites that have no gateway of their own, and trying the way to their batch systems. */
export function registerSites(door: Operations, { db, clock }: JobDoorDeps): void {
  door.post({
    url: '/kumi/v1/sites/:name',
    action: 'sites.admin',
    summary: 'Add a site for which the gateway of another site acts',
    schema: { params: SiteName, body: Site },
    answer: Type.Object({ name: Type.String() }),
    handler: async ({ principal, params, body }) => {
      await gatewayOf(db, body.through)
      const { name } = await createSite(db, clock.now(), { ...body, vo: principal.vo, name: params.name })
      return { name }
    },
  })
  door.post({
    url: '/kumi/v1/compute/:name/test',
    action: 'workload.admin',
    summary: 'Let the gateway of a place try the way to its batch system; the result is that of the command',
    schema: { params: PlaceName },
    answer: Type.Object({ command: Type.String() }),
    handler: async ({ principal, params }) => {
      const input = { vo: principal.vo, name: params.name, now: clock.now() }
      return { command: await testResource({ db, ids: systemPorts.ids }, input) }
    },
  })
}
