/** What the controller knows of a link (source RSE → destination RSE). */
export interface LinkRate {
  readonly maxActive: number
  /** Bytes per second over the last epoch with traffic, smoothed. */
  readonly rate: number | null
  /** What it carries when it is full and more waits, bytes per second, smoothed; small files count as `FILE_COST` more. */
  readonly busy: number | null
  readonly rationale: string
  /** Rate seen before the last change of maxActive; null: nothing measured yet. */
  readonly before: number | null
  readonly phase: 'startup' | 'cruise'
  /** No growth before this time: set by overload. */
  readonly heldUntil: number
}

export interface Epoch {
  readonly now: number
  readonly seconds: number
  readonly bytes: number
  readonly finished: number
  readonly overloads: number
  /** The link was full and more was waiting: only then does the rate tell its capacity. */
  readonly saturated: boolean
}

export const START_ACTIVE = 4
const HOLD_MS = 30_000
/** A small file costs about as much as this many bytes, so many small files count as traffic. */
const FILE_COST = 262_144

export function newLink(maxActive = START_ACTIVE): LinkRate {
  return {
    maxActive,
    rate: null,
    busy: null,
    rationale: 'new link',
    before: null,
    phase: 'startup',
    heldUntil: 0,
  }
}

/** One step of the controller: double while it pays, then stay and probe by one; halve on overload. */
export function nextRate(link: LinkRate, epoch: Epoch, most: number): LinkRate {
  if (epoch.overloads > 0 && epoch.now >= link.heldUntil - HOLD_MS / 2) {
    const maxActive = Math.max(1, Math.floor(link.maxActive / 2))
    return {
      ...link,
      maxActive,
      before: null,
      phase: 'cruise',
      heldUntil: epoch.now + HOLD_MS,
      rationale: `overload reported ${epoch.overloads} times: ${link.maxActive} → ${maxActive}, held for 30 s`,
    }
  }
  if (epoch.bytes === 0 && epoch.finished === 0) return link
  const bytesPerSecond = epoch.bytes / epoch.seconds
  const rate = smoothed(link.rate, bytesPerSecond)
  if (!epoch.saturated) return { ...link, rate }
  const goodput = (epoch.bytes + epoch.finished * FILE_COST) / epoch.seconds
  const measured = { ...link, rate, busy: smoothed(link.busy, goodput) }
  if (epoch.now < link.heldUntil) return measured
  const gain = link.before === null ? Number.POSITIVE_INFINITY : goodput / link.before
  const grow = link.phase === 'startup' ? 1.25 : 1.05
  const text = `${(goodput / 1e6).toFixed(1)} MB/s`
  if (gain >= grow) {
    const maxActive = Math.min(most, link.phase === 'startup' ? link.maxActive * 2 : link.maxActive + 1)
    if (maxActive === link.maxActive) return { ...measured, rationale: `${text}: at the limit of ${most}` }
    return {
      ...measured,
      maxActive,
      before: goodput,
      rationale: `${text} and growing: ${link.maxActive} → ${maxActive}`,
    }
  }
  if (link.phase === 'startup') {
    const maxActive = Math.max(START_ACTIVE, Math.floor(link.maxActive / 2))
    return {
      ...measured,
      maxActive,
      phase: 'cruise',
      before: goodput,
      rationale: `${text} at ${link.maxActive}, no gain over half of it: ${maxActive}`,
    }
  }
  if (gain < 0.7 && link.maxActive > START_ACTIVE) {
    const maxActive = link.maxActive - 1
    return {
      ...measured,
      maxActive,
      before: goodput,
      rationale: `${text}, less than before: ${link.maxActive} → ${maxActive}`,
    }
  }
  return {
    ...measured,
    before: Math.max(goodput, (link.before ?? 0) * 0.98),
    rationale: `${text}: steady at ${link.maxActive}`,
  }
}

const smoothed = (before: number | null, now: number): number => (before === null ? now : (before + now) / 2)
