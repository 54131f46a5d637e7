import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Db, transaction } from '../../kernel/database.ts'
import type { Worker } from '../../kernel/workers.ts'
import { downtimesAhead, listSites, type Site } from '../../sites/index.ts'
import * as store from './status.store.ts'

export type { ServiceState } from './status.store.ts'

/** What everybody may know of the grid: names of sites, their states, announced downtimes; no people, no causes. */
export interface StatusDocument {
  readonly at: string
  readonly vo: string
  readonly title: string
  readonly services: readonly {
    readonly name: string
    /** null: the grid itself, its catalogue and its doors. */
    readonly site: string | null
    readonly state: store.ServiceState
    readonly days: readonly {
      readonly day: string
      /** Part of the minutes in which it could be used; of announced ones nobody speaks. Null: nobody looked. */
      readonly available: number | null
    }[]
  }[]
  readonly downtimes: readonly {
    readonly site: string
    readonly severity: 'OUTAGE' | 'WARNING'
    readonly startsAt: string
    readonly endsAt: string
  }[]
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const DAYS = 90
const GRID = ''

const stateOf = ({ state, reason }: Site): store.ServiceState =>
  reason === 'downtime' ? 'maintenance' : state

/** Counts this minute and says how the grid is. */
export async function lookAtStatus(
  db: Db,
  now: Date,
  { vo, title }: { vo: string; title: string },
): Promise<StatusDocument> {
  const minute = new Date(Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS)
  const from = new Date(now.getTime() - (DAYS - 1) * DAY_MS)
  const sites = await listSites(db, now, vo)
  await transaction(db, async (tx) => {
    await store.countMinute(tx, minute, vo, [
      { service: GRID, state: 'ok' },
      ...sites.map((site) => ({ service: site.name, state: stateOf(site) })),
    ])
    await store.forgetDays(tx, new Date(from.getTime() - DAY_MS))
  })
  const counted = await store.daysSince(db, vo, from)
  const soon = new Date(now.getTime() + 14 * DAY_MS)
  const downtimes = (await downtimesAhead(db, now, vo)).filter(({ startsAt }) => startsAt < soon)
  const days = Array.from({ length: DAYS }, (_, i) =>
    new Date(from.getTime() + i * DAY_MS).toISOString().slice(0, 10),
  )
  const history = (service: string) => {
    const own = new Map(counted.filter((one) => one.service === service).map((one) => [one.day, one]))
    return days.map((day) => ({ day, available: availability(own.get(day), service, day, now) }))
  }
  return {
    ...{ at: now.toISOString(), vo, title },
    services: [
      { name: title, site: null, state: 'ok' as const, days: history(GRID) },
      ...sites.map((site) => ({
        ...{ name: site.title, site: site.name, state: stateOf(site), days: history(site.name) },
      })),
    ],
    downtimes: downtimes.map(({ site, severity, startsAt, endsAt }) => ({
      ...{ site, severity, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() },
    })),
  }
}

/** Of the grid itself, minutes that nobody counted are minutes in which it was away. */
function availability(row: store.DayRow | undefined, service: string, day: string, now: Date): number | null {
  if (!row) return null
  const { ok, degraded, down } = row
  if (service !== GRID) return ok + degraded + down > 0 ? (ok + degraded) / (ok + degraded + down) : null
  const begun = now.getTime() - Date.parse(`${day}T00:00:00Z`)
  const minutes = Math.min(1440, Math.floor(begun / MINUTE_MS) + 1)
  return Math.min(1, ok / Math.max(1, minutes))
}

/** The last document, also when the database is away: it lies on disk. */
export interface StatusPage {
  read(): Promise<StatusDocument | undefined>
  readonly worker: Worker
}

export function createStatusPage(deps: {
  readonly db: Db
  readonly directory: string
  readonly vo: () => Promise<{ vo: string; title: string }>
}): StatusPage {
  const file = join(deps.directory, 'status.json')
  let nextAt = 0
  return {
    async read() {
      const text = await readFile(file, 'utf8').catch(() => undefined)
      return text === undefined ? undefined : (JSON.parse(text) as StatusDocument)
    },
    worker: {
      name: 'status-page',
      wakeOn: [],
      async tick(now) {
        if (now.getTime() < nextAt) return { changed: 0, nextWake: new Date(nextAt) }
        const document = await lookAtStatus(deps.db, now, await deps.vo())
        await mkdir(deps.directory, { recursive: true, mode: 0o700 })
        await writeFile(`${file}.${process.pid}`, JSON.stringify(document))
        await rename(`${file}.${process.pid}`, file)
        nextAt = (Math.floor(now.getTime() / MINUTE_MS) + 1) * MINUTE_MS
        return { changed: 0, nextWake: new Date(nextAt) }
      },
    },
  }
}
