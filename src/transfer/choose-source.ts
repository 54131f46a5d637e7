import type { Rng } from '../kernel/index.ts'

export interface SourceCandidate {
  readonly rseId: number
  readonly path: string | null
  /** Failures of this transfer from there, and how many of them found the copy itself bad. */
  readonly failures: number
  readonly bad: number
  readonly up: boolean
  readonly active: number
  readonly maxActive: number
}

export type SourceChoice =
  | { readonly kind: 'use'; readonly source: SourceCandidate }
  /** Sources exist, but their sites are away or their links are full. */
  | { readonly kind: 'wait'; readonly why: 'away' | 'busy' }
  | { readonly kind: 'none'; readonly why: 'no_copy' | 'all_bad' }

/** A copy found bad this often by one transfer is not read again by it. */
const BAD_ENOUGH = 2

/** The source with the fewest failures, then the least busy link, then by lot. */
export function chooseSource(candidates: readonly SourceCandidate[], rng: Rng): SourceChoice {
  if (candidates.length === 0) return { kind: 'none', why: 'no_copy' }
  const good = candidates.filter((c) => c.bad < BAD_ENOUGH)
  if (good.length === 0) return { kind: 'none', why: 'all_bad' }
  const up = good.filter((c) => c.up)
  if (up.length === 0) return { kind: 'wait', why: 'away' }
  const free = up.filter((c) => c.active < c.maxActive)
  if (free.length === 0) return { kind: 'wait', why: 'busy' }
  const lots = free.map((source) => ({ source, lot: rng.next() }))
  lots.sort(
    (a, b) =>
      a.source.failures - b.source.failures ||
      a.source.active / a.source.maxActive - b.source.active / b.source.maxActive ||
      a.lot - b.lot,
  )
  return { kind: 'use', source: lots[0]!.source }
}
