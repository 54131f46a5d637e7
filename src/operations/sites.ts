import type { Db } from '../kernel/database.ts'
import { readSites } from './sites.store.ts'

/** What a site looks like from here. */
export type SiteState = 'ok' | 'degraded' | 'down' | 'unknown'

export interface SiteLine {
  readonly name: string
  readonly title: string
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  readonly state: SiteState
  /** Why it is not ok: `silent` (no report), `late`, `full`, `unregistered`. */
  readonly reason: string | null
  readonly gateway: string | null
  readonly endpoint: string | null
  readonly version: string | null
  readonly lastSeen: Date | null
  readonly storages: readonly string[]
  readonly files: number
  readonly usedBytes: number
  readonly totalBytes: number
}

// A gateway reports every five seconds: two missed reports are late, six are silence.
const LATE_MS = 15_000
const SILENT_MS = 30_000
const FULL_SHARE = 0.95

/** State of a site from the age of its last report and its fill level; pure. */
export function judgeSite(
  now: Date,
  site: { lastSeen: Date | null; registered: boolean; usedBytes: number; totalBytes: number },
): { state: SiteState; reason: string | null } {
  if (!site.registered || !site.lastSeen) return { state: 'unknown', reason: 'unregistered' }
  const age = now.getTime() - site.lastSeen.getTime()
  if (age > SILENT_MS) return { state: 'down', reason: 'silent' }
  if (age > LATE_MS) return { state: 'degraded', reason: 'late' }
  if (site.totalBytes > 0 && site.usedBytes / site.totalBytes > FULL_SHARE) {
    return { state: 'degraded', reason: 'full' }
  }
  return { state: 'ok', reason: null }
}

/** All sites of a VO with their state, in the order of their names. */
export async function siteLines(db: Db, now: Date, vo: string): Promise<SiteLine[]> {
  const found = await readSites(db, vo)
  return found.map((site) => {
    const areas = site.report?.areas ?? []
    const sum = (of: (area: (typeof areas)[number]) => number | undefined) =>
      areas.reduce((total, area) => total + Number(of(area) ?? 0), 0)
    const usedBytes = sum((a) => a.usedBytes)
    const totalBytes = sum((a) => a.totalBytes)
    return {
      name: site.name,
      title: site.title,
      country: site.country,
      latitude: site.latitude,
      longitude: site.longitude,
      ...judgeSite(now, {
        lastSeen: site.last_seen_at,
        registered: site.gateway !== null,
        usedBytes,
        totalBytes,
      }),
      gateway: site.gateway,
      endpoint: site.endpoint,
      version: site.version,
      lastSeen: site.last_seen_at,
      storages: site.storages,
      files: sum((a) => a.files),
      usedBytes,
      totalBytes,
    }
  })
}
