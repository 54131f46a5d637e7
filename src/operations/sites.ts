import type { Db } from '../kernel/database.ts'
import { listSites, type SiteState } from '../sites/index.ts'
import { readSites } from './sites.store.ts'

export interface SiteLine extends SiteState {
  readonly name: string
  readonly title: string
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  readonly gateway: string | null
  readonly endpoint: string | null
  readonly version: string | null
  readonly lastSeen: Date | null
  readonly storages: readonly string[]
  readonly files: number
  readonly usedBytes: number
  readonly totalBytes: number
}

/** All sites of a VO with their state, in the order of their names. */
export async function siteLines(db: Db, now: Date, vo: string): Promise<SiteLine[]> {
  const [found, judged] = await Promise.all([readSites(db, vo), listSites(db, now, vo)])
  const states = new Map(judged.map((site) => [site.name, site]))
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
      ...stateOf(states.get(site.name)),
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

/** Of one that appeared between the two statements nothing is known yet. */
const stateOf = (site: SiteState | undefined): SiteState => {
  const { state = 'unknown', reason = 'unregistered', explanation = null } = site ?? {}
  return { state, reason, explanation }
}
