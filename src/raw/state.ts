import type { Centre, RawState } from './types.ts'

/** Verified copies of a registered file that can be read. */
export interface CopiesThere {
  /** One is on tape-class storage. */
  readonly tape: boolean
  /** Distinct sites; a storage of no site is one by itself. */
  readonly sites: number
}

/**
 * How far a registered file is. A copy on tape comes before everything: two on disk are not an archive. With one on tape,
 * a second site means a second copy that does not share its fate; the run must be complete before any of it may go.
 */
export function stateOf({ tape, sites }: CopiesThere, runComplete: boolean): Exclude<RawState, 'released'> {
  if (!tape) return 'registered'
  if (sites < 2) return 'archived'
  return runComplete ? 'releasable' : 'second_copy'
}

/** The centre that is furthest behind its share of the bytes; of several the first. */
export function centreOf(centres: readonly Centre[], bytesAt: ReadonlyMap<string, bigint>): Centre {
  const shares = centres.reduce((sum, { share }) => sum + share, 0)
  const total = centres.reduce((sum, { storages }) => sum + Number(bytesAt.get(storages) ?? 0n), 0)
  let [best, most] = [centres[0]!, Number.NEGATIVE_INFINITY]
  for (const centre of centres) {
    const behind = (total * centre.share) / shares - Number(bytesAt.get(centre.storages) ?? 0n)
    // With nothing anywhere the largest share begins.
    const by = total > 0 ? behind : centre.share
    if (by > most) [best, most] = [centre, by]
  }
  return best
}
