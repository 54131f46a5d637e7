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

export interface SiteState {
  readonly state: 'ok' | 'degraded' | 'down'
  /** Null when all is well. */
  readonly reason: string | null
}

const SILENT_MS = 15_000
const DOWN_MS = 30_000
const FULL = 0.97

/** The state of a site from its gateways' latest reports: the worst gateway degrades, no gateway alive is down. */
export function stateOfSite(gateways: readonly GatewayFacts[], now: Date): SiteState {
  if (gateways.length === 0) return { state: 'down', reason: 'The site has no gateway.' }
  const silence = (g: GatewayFacts): number =>
    g.lastSeenAt ? now.getTime() - g.lastSeenAt.getTime() : Infinity
  const lost = gateways.filter((g) => silence(g) > DOWN_MS)
  if (lost.length === gateways.length) {
    const never = lost.every((g) => g.lastSeenAt === null)
    const seconds = Math.round(Math.min(...lost.map(silence)) / 1000)
    return {
      state: 'down',
      reason: never ? 'The gateway has never reported.' : `No report for ${seconds} s.`,
    }
  }
  const silent = gateways.find((g) => silence(g) > SILENT_MS)
  if (silent) return { state: 'degraded', reason: `Gateway ${silent.name} has missed its reports.` }
  for (const gateway of gateways) {
    const full = gateway.report.areas?.find((a) => a.totalBytes > 0 && a.usedBytes / a.totalBytes > FULL)
    if (full) return { state: 'degraded', reason: `Area ${full.path} of ${gateway.name} is nearly full.` }
  }
  return { state: 'ok', reason: null }
}
