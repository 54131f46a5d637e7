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
  let [mean, width, entries] = [(near.from + near.to) / 2, (near.to - near.from) / (2 * CUT.widths), 0]
  for (let round = 0; round < ROUNDS; round++) {
    let [w, wx, wxx] = [0, 0, 0]
    for (const { x, count } of bins) {
      if (Math.abs(x - mean) > CUT.widths * width) continue
      const above = count - below(x)
      w += above
      wx += above * x
      wxx += above * x * x
    }
    if (w <= 0) return undefined
    const spread = wxx / w - (wx / w) ** 2
    if (spread <= 0) return undefined
    mean = wx / w
    width = Math.sqrt(spread) / CUT.narrower
    entries = w
  }
  return { mean, width, entries, below }
}
