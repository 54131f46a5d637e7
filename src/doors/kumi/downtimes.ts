import { Type } from 'typebox'
import { announceDowntime, downtimeLines, finishDowntime } from '../../operations/index.ts'
import type { JobDoorDeps } from './job-deps.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'
import { small } from './whole.ts'

const text = Type.String()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const severity = literals('OUTAGE', 'WARNING')
const Downtime = Type.Object({
  id: Type.Integer(),
  site: text,
  storage: maybe(text),
  resource: maybe(text),
  severity,
  startsAt: time,
  endsAt: time,
  reason: text,
  madeBy: text,
  madeAt: time,
  cancelledBy: maybe(text),
  cancelledAt: maybe(time),
  state: literals('announced', 'present', 'over', 'cancelled'),
})
const Announced = Type.Object({
  site: Type.String({ maxLength: 63 }),
  storage: Type.Optional(Type.String({ maxLength: 64 })),
  resource: Type.Optional(Type.String({ maxLength: 64 })),
  severity: Type.Optional(severity),
  /** Now when absent. */
  startsAt: Type.Optional(time),
  endsAt: time,
  reason: Type.String({ maxLength: 500 }),
})

/** Times in which sites, storages or places are away, announced by people. */
export function registerDowntimes(door: Operations, { db, clock }: Pick<JobDoorDeps, 'db' | 'clock'>): void {
  door.get({
    url: '/kumi/v1/downtimes',
    action: 'sites.read',
    summary: 'Downtimes of sites, storages and places: present ones and those to come, or all since a time',
    schema: { querystring: Type.Object({ from: Type.Optional(time) }) },
    answer: Type.Object({ downtimes: Type.Array(Downtime) }),
    handler: async ({ principal, query }) => {
      const from = query.from === undefined ? undefined : new Date(query.from)
      return { downtimes: await downtimeLines(db, clock.now(), principal.vo, from) }
    },
  })
  door.post({
    url: '/kumi/v1/downtimes',
    action: 'operations.shift',
    summary: 'Announce a downtime: nothing is started that would not end before an outage',
    schema: { body: Announced },
    answer: Downtime,
    handler: ({ principal, body }) => {
      const now = clock.now()
      const { site, storage = null, resource = null, severity: how = 'OUTAGE', reason } = body
      const startsAt = body.startsAt === undefined ? now : new Date(body.startsAt)
      return announceDowntime(db, now, {
        ...{ vo: principal.vo, site, storage, resource, severity: how, startsAt, reason },
        ...{ endsAt: new Date(body.endsAt), madeBy: principal.account ?? principal.subject },
      })
    },
  })
  door.post({
    url: '/kumi/v1/downtimes/:id/end',
    action: 'operations.shift',
    summary: 'End a downtime now, or withdraw one that has not begun',
    schema: { params: Type.Object({ id: small(1) }) },
    answer: Downtime,
    handler: ({ principal: { vo, account, subject }, params: { id } }) =>
      finishDowntime(db, clock.now(), { vo, id, by: account ?? subject }),
  })
}
