import { type Downtime, describeDowntime, presentDowntime } from './downtime.ts'

export interface GatewayFacts {
  readonly name: string
  readonly lastSeenAt: Date | null
  readonly report: GatewayReport
}

export interface GatewayReport {
  readonly version?: string
  readonly rssBytes?: number
  readonly areas?: readonly { path: string; totalBytes: number; usedBytes: number; files: number }[]
  /** What it keeps of software repositories, and the newest revision it has of each. */
  readonly software?: {
    readonly hits: number
    readonly misses: number
    readonly evictions: number
    readonly bytes: number
    readonly mostBytes: number
    readonly revisions: Readonly<Record<string, number>>
  }
}

export type SiteReason = 'unregistered' | 'silent' | 'late' | 'full' | 'downtime' | 'warning'

export interface SiteState {
  readonly state: 'ok' | 'degraded' | 'down' | 'unknown'
  /** Null when all is well. */
  readonly reason: SiteReason | null
  /** The reason as a sentence. */
  readonly explanation: string | null
}

// A gateway reports every five seconds: two missed reports are late, six are silence.
const LATE_MS = 15_000
const SILENT_MS = 30_000
const FULL_SHARE = 0.95

/**
 * The one judgement of a site, from its gateways' latest reports and its downtimes: the worst gateway degrades it, without
 * a gateway alive it is down, and what was announced comes before what was observed. Pure.
 */
export function stateOfSite(
  site: { readonly name: string; readonly gateways: readonly GatewayFacts[] },
  downtimes: readonly Downtime[],
  now: Date,
): SiteState {
  const announced = presentDowntime(downtimes, { site: site.name }, now)
  const told = announced && describeDowntime(announced, now)
  if (announced?.severity === 'OUTAGE') return { state: 'down', reason: 'downtime', explanation: told! }
  const seen = observed(site.gateways, now)
  return announced && seen.state === 'ok'
    ? { state: 'degraded', reason: 'warning', explanation: told! }
    : seen
}

function observed(gateways: readonly GatewayFacts[], now: Date): SiteState {
  const unknown = (explanation: string): SiteState => ({
    ...{ state: 'unknown', reason: 'unregistered', explanation },
  })
  if (gateways.length === 0) return unknown('The site has no gateway.')
  if (gateways.every((g) => g.lastSeenAt === null)) return unknown('The gateway has never reported.')
  const silence = (g: GatewayFacts): number =>
    g.lastSeenAt ? now.getTime() - g.lastSeenAt.getTime() : Number.POSITIVE_INFINITY
  const shortest = Math.min(...gateways.map(silence))
  if (shortest > SILENT_MS) {
    const explanation = `No report for ${Math.round(shortest / 1000)} s.`
    return { state: 'down', reason: 'silent', explanation }
  }
  const late = gateways.find((g) => silence(g) > LATE_MS)
  if (late)
    return { state: 'degraded', reason: 'late', explanation: `Gateway ${late.name} has missed its reports.` }
  for (const gateway of gateways) {
    const full = gateway.report.areas?.find(
      (a) => a.totalBytes > 0 && a.usedBytes / a.totalBytes > FULL_SHARE,
    )
    if (full) {
      const explanation = `Area ${full.path} of ${gateway.name} is nearly full.`
      return { state: 'degraded', reason: 'full', explanation }
    }
  }
  return { state: 'ok', reason: null, explanation: null }
}
