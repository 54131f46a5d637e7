import type { Db } from '../kernel/database.ts'
import { collectedGauge } from '../kernel/metrics.ts'
import { type SoftwarePicture, softwarePicture } from './software.ts'

export interface SoftwareMetricsDeps {
  readonly db: Db
  readonly now: () => Date
  readonly vos: () => Promise<readonly string[]>
  /** What this process keeps of mirrors. */
  readonly mirrorCache: () => Promise<{ hits: number; misses: number; evictions: number; bytes: number }>
}

/** Gauges of one scrape share a picture. */
const PICTURE_MS = 2_000

/** What monitors see of repositories: read from the database when they ask. */
export function registerSoftwareMetrics({ db, now, vos, mirrorCache }: SoftwareMetricsDeps): void {
  let kept: { at: number; picture: Promise<SoftwarePicture[]> } | undefined
  const pictures = (): Promise<SoftwarePicture[]> => {
    const at = now().getTime()
    if (kept && at - kept.at < PICTURE_MS) return kept.picture
    const picture = vos().then((all) => Promise.all(all.map((vo) => softwarePicture(db, now(), vo))))
    picture.catch(() => {
      kept = undefined
    })
    kept = { at, picture }
    return picture
  }
  const ofCaches = (name: string, help: string, of: 'hits' | 'misses' | 'evictions' | 'bytes') =>
    collectedGauge(`grid_software_cache_${name}`, help, ['site', 'gateway'], async (set) => {
      set({ site: '', gateway: 'server' }, (await mirrorCache())[of])
      for (const { gateways } of await pictures())
        for (const one of gateways) set({ site: one.site, gateway: one.gateway }, one[of])
    })
  ofCaches('hits', 'Objects of software that a cache had, since it was started', 'hits')
  ofCaches('misses', 'Objects of software that a cache had to ask for, since it was started', 'misses')
  ofCaches(
    'evictions',
    'Objects of software that made room for others, since the cache was started',
    'evictions',
  )
  ofCaches('bytes', 'Bytes of software that a cache keeps', 'bytes')
  collectedGauge(
    'grid_software_revision_lag',
    'Revisions of a repository that the clients of a gateway do not see yet',
    ['site', 'gateway', 'repository'],
    async (set) => {
      for (const { gateways } of await pictures())
        for (const { site, gateway, repositories } of gateways)
          for (const { name, behind } of repositories) set({ site, gateway, repository: name }, behind)
    },
  )
  collectedGauge(
    'grid_software_whitelist_left_seconds',
    'Until the whitelist of a repository ends; negative: no client accepts it any more',
    ['repository'],
    async (set) => {
      for (const { repositories } of await pictures())
        for (const { name, whitelistExpiresAt } of repositories)
          if (whitelistExpiresAt)
            set({ repository: name }, (whitelistExpiresAt.getTime() - now().getTime()) / 1000)
    },
  )
  collectedGauge(
    'grid_software_mirror_verified_age_seconds',
    'Since a mirrored repository was verified last',
    ['repository'],
    async (set) => {
      for (const { repositories } of await pictures())
        for (const { name, verifiedAt } of repositories)
          if (verifiedAt) set({ repository: name }, (now().getTime() - verifiedAt.getTime()) / 1000)
    },
  )
}
