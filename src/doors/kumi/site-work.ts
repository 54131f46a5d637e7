import { Type } from 'typebox'
import { type Outcomes, siteDetails, siteOutcomes, siteWork } from '../../operations/index.ts'
import { Site } from './answers.ts'
import type { JobDoorDeps } from './job-deps.ts'
import type { Operations } from './operation.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])

const Resource = Type.Object({
  name: text,
  site: text,
  kind: text,
  cores: count,
  memoryMb: count,
  seconds: count,
  maxPilots: count,
  maxWaiting: count,
  pausedUntil: maybe(time),
  pauseReason: maybe(text),
  pilotsWaiting: count,
  pilotsRunning: count,
  jobsWaiting: count,
})
const Storage = Type.Object({
  name: text,
  kind: text,
  read: Type.Boolean(),
  write: Type.Boolean(),
  delete: Type.Boolean(),
  faults: Type.Array(Type.Object({ side: text, since: text, until: text, reason: text })),
})
const SiteWork = Type.Object({
  ...Site.properties,
  jobsRunning: count,
  resources: Type.Array(Resource),
  storage: Type.Array(Storage),
})
const Ends = { done: count, failed: count, spoilt: count, other: count }
const OutcomesShown = Type.Object({
  hours: Type.Array(time),
  sites: Type.Array(Type.Object({ site: text, outcomes: Type.Array(Type.Object({ at: time, ...Ends })) })),
})
const Details = Type.Object({
  site: SiteWork,
  gateways: Type.Array(
    Type.Object({
      name: text,
      endpoint: text,
      version: text,
      lastSeenAt: maybe(time),
      rssBytes: maybe(Type.Number()),
      areas: Type.Array(
        Type.Object({
          path: text,
          totalBytes: Type.Number(),
          usedBytes: Type.Number(),
          files: Type.Number(),
        }),
      ),
    }),
  ),
  pilots: Type.Array(
    Type.Object({
      stamp: text,
      resource: text,
      state: text,
      reason: text,
      jobs: count,
      createdAt: time,
      seenAt: maybe(time),
      endedAt: maybe(time),
    }),
  ),
  reasons: Type.Array(Type.Object({ outcome: text, reason: text, count, last: time })),
})
/** Many consoles watch the same hours: they share a picture of this age. */
const PICTURE_MS = 10_000

/** What sites compute and store, and how the jobs there end. */
export function registerSiteWork(door: Operations, deps: JobDoorDeps): void {
  const { db, clock } = deps
  const pictures = new Map<string, { at: number; picture: Promise<Outcomes> }>()
  const outcomes = (vo: string, hours: number): Promise<Outcomes> => {
    const now = clock.now()
    const key = `${hours} ${vo}`
    const kept = pictures.get(key)
    if (kept && now.getTime() - kept.at < PICTURE_MS) return kept.picture
    const picture = siteOutcomes(db, now, vo, hours)
    pictures.set(key, { at: now.getTime(), picture })
    picture.catch(() => pictures.delete(key))
    return picture
  }

  door.get({
    url: '/kumi/v1/sites/work',
    action: 'sites.read',
    summary: 'Sites with their storages, the places that run jobs there, pilots and jobs now',
    answer: Type.Object({ sites: Type.Array(SiteWork) }),
    handler: async ({ principal }) => ({ sites: await siteWork(deps, clock.now(), principal.vo) }),
  })
  door.get({
    url: '/kumi/v1/sites/outcomes',
    action: 'sites.read',
    summary: 'How starts of jobs ended, by site and hour; hours without an end are left out',
    schema: {
      querystring: Type.Object({ hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 168 })) }),
    },
    answer: OutcomesShown,
    handler: ({ principal, query }) => outcomes(principal.vo, query.hours ?? 24),
  })
  door.get({
    url: '/kumi/v1/sites/:name/work',
    action: 'sites.read',
    summary: 'A site: its gateways, its newest pilots, and why jobs there failed in the last day',
    schema: { params: Type.Object({ name: Type.String({ maxLength: 63 }) }) },
    answer: Details,
    handler: ({ principal, params }) => siteDetails(deps, clock.now(), principal.vo, params.name),
  })
}
