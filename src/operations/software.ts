import { X509Certificate } from 'node:crypto'
import type { Db } from '../kernel/database.ts'
import {
  type GatewayCacheRow,
  gatewayCaches,
  type ReleaseUseRow,
  type RepositoryCareRow,
  releaseUses,
  repositoryCare,
} from './software.store.ts'

export interface CachedRepository {
  readonly name: string
  readonly revision: number
  /** Revisions that clients of this gateway do not see yet. */
  readonly behind: number
}

export interface GatewaySoftware {
  readonly site: string
  readonly gateway: string
  /** Whether it reported lately; what a silent one has is what it had. */
  readonly alive: boolean
  /** Since the gateway was started. */
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  /** Of objects kept now, and at most. */
  readonly bytes: number
  readonly mostBytes: number
  /** Of which it was asked for. */
  readonly repositories: readonly CachedRepository[]
}

/** What needs somebody who looks after repositories, before their clients notice. */
export interface SoftwareConcern {
  readonly repository: string
  readonly problem:
    | 'no_whitelist'
    | 'whitelist_ended'
    | 'whitelist_ends'
    | 'key_ends'
    | 'not_verified'
    | 'behind'
  /** Of which gateway, when it is one that is behind. */
  readonly gateway: string | null
  /** When it ends or ended, or since when it is so. */
  readonly at: Date | null
  readonly reason: string | null
}

export interface SoftwarePicture {
  readonly gateways: readonly GatewaySoftware[]
  readonly concerns: readonly SoftwareConcern[]
  readonly repositories: readonly RepositoryCareRow[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SILENT_MS = 30_000
/** Whitelists of our own are renewed two weeks before their end: at this time something is wrong, or somebody must sign. */
const SOON_MS = 7 * DAY_MS
/** Others renew theirs as late as they like. */
const SOON_MIRROR_MS = DAY_MS
const KEY_SOON_MS = 60 * DAY_MS
/** Originals are looked at once an hour at least. */
const UNVERIFIED_MS = 2 * HOUR_MS
/** Clients and gateways ask for a manifest every minute or so. */
const BEHIND_MS = 10 * 60_000

/** What each gateway keeps, and how far behind it is; pure. */
export function gatewaySoftware(
  now: Date,
  gateways: readonly GatewayCacheRow[],
  repositories: readonly Pick<RepositoryCareRow, 'name' | 'revision'>[],
): GatewaySoftware[] {
  const newest = new Map(repositories.map(({ name, revision }) => [name, Number(revision)]))
  return gateways.flatMap(({ site, gateway, lastSeenAt, software }) => {
    if (!software) return []
    const { revisions, ...counts } = software
    const held = Object.entries(revisions).filter(([name]) => newest.has(name))
    return [
      {
        ...{ site, gateway, ...counts },
        alive: lastSeenAt !== null && now.getTime() - lastSeenAt.getTime() < SILENT_MS,
        repositories: held
          .map(([name, revision]) => ({ name, revision, behind: Math.max(0, newest.get(name)! - revision) }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      },
    ]
  })
}

/** What is wrong with repositories, worst first; pure. */
export function softwareConcerns(
  now: Date,
  repositories: readonly RepositoryCareRow[],
  gateways: readonly GatewaySoftware[],
): SoftwareConcern[] {
  const left = (at: Date) => at.getTime() - now.getTime()
  const found: SoftwareConcern[] = []
  for (const one of repositories) {
    const say = (problem: SoftwareConcern['problem'], at: Date | null, reason: string | null = null) =>
      found.push({ repository: one.name, problem, at, reason, gateway: null })
    const ends = one.whitelistExpiresAt
    if (!ends) say('no_whitelist', null)
    else if (left(ends) <= 0) say('whitelist_ended', ends)
    else if (left(ends) < (one.mirror ? SOON_MIRROR_MS : SOON_MS)) say('whitelist_ends', ends)
    const key = one.certificatePem && new Date(new X509Certificate(one.certificatePem).validTo)
    if (key && left(key) < KEY_SOON_MS) say('key_ends', key)
    if (one.failure && one.verifiedAt && -left(one.verifiedAt) > UNVERIFIED_MS)
      say('not_verified', one.verifiedAt, one.failure)
  }
  const published = new Map(repositories.map(({ name, publishedAt }) => [name, publishedAt]))
  for (const { gateway, alive, repositories: held } of gateways)
    for (const { name, behind } of held) {
      const since = published.get(name) ?? null
      if (alive && behind > 0 && since && -left(since) > BEHIND_MS)
        found.push({ repository: name, problem: 'behind', gateway, at: since, reason: null })
    }
  const order = ['whitelist_ended', 'no_whitelist', 'whitelist_ends', 'key_ends', 'not_verified', 'behind']
  return found.sort((a, b) => order.indexOf(a.problem) - order.indexOf(b.problem))
}

export async function softwarePicture(db: Db, now: Date, vo: string): Promise<SoftwarePicture> {
  const [caches, repositories] = await Promise.all([gatewayCaches(db, vo), repositoryCare(db, vo)])
  const gateways = gatewaySoftware(now, caches, repositories)
  return { gateways, repositories, concerns: softwareConcerns(now, repositories, gateways) }
}

/** Of so many of the newest submissions. */
const SUBMISSIONS = 1000

/** Who runs with which tree of a repository, the newest first. */
export const usesOfRepository = (db: Db, vo: string, repository: string): Promise<ReleaseUseRow[]> =>
  releaseUses(db, vo, repository, SUBMISSIONS)
