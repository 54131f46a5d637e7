/** Counts in bins of equal width. */
export interface Histogram {
  readonly from: number
  readonly to: number
  readonly counts: readonly number[]
  /** Values below and above. */
  readonly outside: number
}

export function fill(
  values: readonly number[],
  { from, to, bins }: { readonly from: number; readonly to: number; readonly bins: number },
): Histogram {
  const counts = new Array<number>(bins).fill(0)
  let outside = 0
  for (const value of values) {
    const bin = Math.floor(((value - from) / (to - from)) * bins)
    if (bin >= 0 && bin < bins) counts[bin]!++
    else outside++
  }
  return { from, to, counts, outside }
}

export const centre = ({ from, to, counts }: Histogram, bin: number): number =>
  from + ((bin + 0.5) * (to - from)) / counts.length

/** A peak above a straight line. */
export interface Peak {
  readonly mean: number
  readonly width: number
  /** Entries of the peak, without what lies below it. */
  readonly entries: number
  /** Background in a bin around that value. */
  below(value: number): number
}

/** A normal curve loses so much of its width when only what lies within 2.5 widths is counted. */
const CUT = { widths: 2.5, narrower: 0.95 }
/** A peak about as wide as a bin is seen in its neighbours too, or it would have no width at all. */
const LEAST_BINS = 2
const ROUNDS = 12

/**
 * The peak of a histogram: a straight line through what lies outside `near`, then mean and width of the rest, within 2.5
 * widths of itself. Undefined where nothing stands out.
 */
export function findPeak(histogram: Histogram, near: { from: number; to: number }): Peak | undefined {
  const bins = histogram.counts.map((count, i) => ({ x: centre(histogram, i), count }))
  const sides = bins.filter(({ x }) => x < near.from || x > near.to)
  const n = sides.length
  const sum = (of: (bin: (typeof bins)[number]) => number) => sides.reduce((total, bin) => total + of(bin), 0)
  const [sx, sy] = [sum(({ x }) => x), sum(({ count }) => count)]
  const [sxx, sxy] = [sum(({ x }) => x * x), sum(({ x, count }) => x * count)]
  const slope = n > 1 ? (n * sxy - sx * sy) / (n * sxx - sx * sx) : 0
  const below = (x: number): number => (n > 0 ? Math.max(0, sy / n + slope * (x - sx / n)) : 0)
  const width = (histogram.to - histogram.from) / histogram.counts.length
  const settled = (start: { mean: number; width: number }): Peak | undefined => {
    let [mean, spread, entries] = [start.mean, start.width, 0]
    for (let round = 0; round < ROUNDS; round++) {
      let [w, wx, wxx] = [0, 0, 0]
      for (const { x, count } of bins) {
        if (Math.abs(x - mean) > Math.max(CUT.widths * spread, LEAST_BINS * width)) continue
        const above = count - below(x)
        w += above
        wx += above * x
        wxx += above * x * x
      }
      const variance = wxx / w - (wx / w) ** 2
      if (!(w > 0 && variance > 0)) return undefined
      mean = wx / w
      spread = Math.sqrt(variance) / CUT.narrower
      entries = w
    }
    return { mean, width: spread, entries, below }
  }
  // All of it where it can be; where chance in many bins outweighs the peak, from its highest place on.
  const inside = bins.filter(({ x }) => x >= near.from && x <= near.to)
  const around = (i: number) =>
    inside.slice(Math.max(0, i - 1), i + 2).reduce((all, { count }) => all + count, 0)
  const highest = inside.reduce((best, _, i) => (around(i) > around(best) ? i : best), 0)
  return (
    settled({ mean: (near.from + near.to) / 2, width: (near.to - near.from) / (2 * CUT.widths) }) ??
    settled({ mean: inside[highest]?.x ?? near.from, width: LEAST_BINS * width })
  )
}
