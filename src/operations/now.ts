import type { Db } from '../kernel/database.ts'
import { readCounts, readTotals } from './now.store.ts'
import { type RuleLine, ruleLines } from './rules.ts'
import { type SiteLine, siteLines } from './sites.ts'
import { type SoftwareConcern, softwarePicture } from './software.ts'
import { type LinkLine, linkLines } from './transfers.ts'

/** One thing that needs a person, named by cause; the console puts it into words. */
export type Attention =
  | {
      readonly kind: 'site'
      readonly site: string
      readonly state: string
      readonly reason: string | null
      readonly since: Date | null
    }
  | {
      readonly kind: 'rule'
      readonly rule: string
      readonly scope: string
      readonly name: string
      readonly reason: string | null
      readonly since: Date | null
    }
  | {
      readonly kind: 'link'
      readonly source: string
      readonly destination: string
      readonly failed: bigint
      readonly reason: string | null
    }
  | { readonly kind: 'bad_copies'; readonly count: bigint }
  | ({ readonly kind: 'software' } & SoftwareConcern)

export interface Totals {
  readonly datasets: bigint
  readonly files: bigint
  readonly bytes: bigint
  readonly safeDatasets: bigint
  readonly safeFiles: bigint
  readonly copies: bigint
  readonly copyBytes: bigint
  readonly rulesOk: bigint
  readonly rulesWorking: bigint
  readonly rulesStuck: bigint
  readonly transfersActive: bigint
  readonly transfersQueued: bigint
  readonly transfersRetrying: bigint
}

export interface NowPicture {
  readonly at: Date
  readonly attention: readonly Attention[]
  readonly totals: Totals
  readonly sites: readonly SiteLine[]
  /** Links with something moving or failing at the moment. */
  readonly flows: readonly LinkLine[]
}

/** What needs someone, worst first: a lost site explains the failures behind it, so it comes before them. */
export function attentionOf(
  sites: readonly SiteLine[],
  stuck: readonly RuleLine[],
  flows: readonly LinkLine[],
  badCopies: bigint,
  software: readonly SoftwareConcern[],
): Attention[] {
  const ill = sites.filter((site) => site.state === 'down' || site.state === 'degraded')
  const silent = new Set(ill.filter((site) => site.state === 'down').map((site) => site.name))
  const failing = flows.filter(
    (flow) =>
      flow.failed > flow.done &&
      !silent.has(flow.sourceSite ?? '') &&
      !silent.has(flow.destinationSite ?? ''),
  )
  return [
    ...ill
      .sort((a, b) => Number(b.state === 'down') - Number(a.state === 'down'))
      .map((s) => ({
        kind: 'site' as const,
        site: s.name,
        state: s.state,
        reason: s.reason,
        since: s.lastSeen,
      })),
    ...(badCopies > 0n ? [{ kind: 'bad_copies' as const, count: badCopies }] : []),
    ...stuck.map((r) => ({
      kind: 'rule' as const,
      rule: r.id,
      scope: r.scope,
      name: r.name,
      reason: r.reason,
      since: r.stuckAt,
    })),
    ...failing.map((l) => ({
      kind: 'link' as const,
      source: l.source,
      destination: l.destination,
      failed: l.failed,
      reason: l.lastError,
    })),
    ...software.map((concern) => ({ kind: 'software' as const, ...concern })),
  ]
}

/** Everything the first screen shows. */
export async function nowPicture(db: Db, now: Date, vo: string): Promise<NowPicture> {
  const [sites, totals, counts, links, stuck, software] = await Promise.all([
    siteLines(db, now, vo),
    readTotals(db, vo),
    readCounts(db, vo),
    linkLines(db, now, vo, 0.25),
    ruleLines(db, vo, { state: 'STUCK', limit: 10 }),
    softwarePicture(db, now, vo),
  ])
  const flows = links.filter((link) => link.active > 0n || link.failed > 0n)
  return {
    at: now,
    attention: attentionOf(sites, stuck, flows, counts.bad_copies, software.concerns),
    totals: {
      datasets: totals.datasets,
      files: totals.files,
      bytes: totals.bytes,
      safeDatasets: totals.safe_datasets,
      safeFiles: totals.safe_files,
      copies: totals.copies,
      copyBytes: totals.copy_bytes,
      rulesOk: counts.rules_ok,
      rulesWorking: counts.rules_working,
      rulesStuck: counts.rules_stuck,
      transfersActive: counts.transfers_active,
      transfersQueued: counts.transfers_queued,
      transfersRetrying: counts.transfers_retrying,
    },
    sites,
    flows,
  }
}
