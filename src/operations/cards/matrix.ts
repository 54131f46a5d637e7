import type { Db } from '../../kernel/database.ts'
import {
  type Downtime,
  downtimesBetween,
  type Exclusion,
  exclusionsBetween,
  listSites,
  type Site,
} from '../../sites/index.ts'
import { endsByHour, type SiteChange, siteChangesSince } from './site-changes.store.ts'

const HOUR_MS = 3_600_000

/** A site; the lists have an element for each hour. */
export interface MatrixRow extends Pick<Site, 'state' | 'reason' | 'explanation'> {
  readonly site: string
  readonly title: string
  /** The worst of the hour; null: nobody looked. */
  readonly states: readonly (string | null)[]
  /** Ends of jobs, and how many of them failed. */
  readonly n: readonly number[]
  readonly failed: readonly number[]
  readonly downtimes: readonly ('OUTAGE' | 'WARNING' | null)[]
  /** Fewer pilots were started there, or none. */
  readonly excluded: readonly boolean[]
}
export interface Matrix {
  readonly hours: readonly Date[]
  readonly sites: readonly MatrixRow[]
}

const WORST = ['down', 'unknown', 'degraded', 'ok']

/** Sites by hours, the present hour last; worst sites first. */
export async function siteMatrix(db: Db, now: Date, vo: string, hours: number): Promise<Matrix> {
  const to = new Date((Math.floor(now.getTime() / HOUR_MS) + 1) * HOUR_MS)
  const from = new Date(to.getTime() - hours * HOUR_MS)
  const [sites, changes, downtimes, exclusions, ends] = await Promise.all([
    listSites(db, now, vo),
    siteChangesSince(db, vo, from),
    downtimesBetween(db, vo, from, to),
    exclusionsBetween(db, vo, from, to),
    endsByHour(db, vo, from),
  ])
  const starts = Array.from({ length: hours }, (_, i) => new Date(from.getTime() + i * HOUR_MS))
  const counts = new Map(ends.map((one) => [`${one.site} ${one.at.getTime()}`, one]))
  const lines = sites.map(({ name, title, state, reason, explanation }): MatrixRow => {
    const own = changes.filter(({ site }) => site === name)
    const out = exclusions.filter(({ site, action }) => site === name && action !== 'keep')
    const away = downtimes.filter(({ site, cancelledAt }) => site === name && cancelledAt === null)
    const over = <T>(of: (at: Date, end: Date) => T): T[] =>
      starts.map((at) => of(at, new Date(at.getTime() + HOUR_MS)))
    const countsAt = (at: Date) => counts.get(`${name} ${at.getTime()}`)
    return {
      ...{ site: name, title, state, reason, explanation },
      states: over((at, end) => (at > now ? null : worstOf(own, at, end))),
      n: over((at) => countsAt(at)?.n ?? 0),
      failed: over((at) => countsAt(at)?.failed ?? 0),
      downtimes: over((at, end) => downtimeOf(away, at, end)),
      excluded: over((at, end) => out.some((one) => touches(one, at, end))),
    }
  })
  const rank = ({ state }: MatrixRow) => WORST.indexOf(state)
  return { hours: starts, sites: lines.sort((a, b) => rank(a) - rank(b) || (a.site < b.site ? -1 : 1)) }
}

/** The worst state between two times: the one at the beginning, and those it changed to. */
function worstOf(changes: readonly SiteChange[], from: Date, to: Date): string | null {
  const before = changes.findLast(({ at }) => at <= from)
  const states = [...(before ? [before] : []), ...changes.filter(({ at }) => at > from && at < to)]
  return WORST.find((state) => states.some((one) => one.state === state)) ?? null
}

function downtimeOf(downtimes: readonly Downtime[], from: Date, to: Date): MatrixRow['downtimes'][number] {
  const here = downtimes.filter(({ startsAt, endsAt }) => startsAt < to && endsAt > from)
  if (here.some(({ severity }) => severity === 'OUTAGE')) return 'OUTAGE'
  return here.length > 0 ? 'WARNING' : null
}

const touches = ({ madeAt, until, endedAt }: Exclusion, from: Date, to: Date): boolean =>
  madeAt < to && (endedAt !== null && endedAt < until ? endedAt : until) > from
