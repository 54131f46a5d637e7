export const clamp = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, value))

/** Lower bound of a fraction by Wilson's interval: what is at least true of `f` of `n`, at `z` standard deviations. */
export function wilsonLower(f: number, n: number, z = 2.58): number {
  if (n <= 0) return 0
  const p = f / n
  const middle = p + (z * z) / (2 * n)
  const spread = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))
  return Math.max(0, (middle - spread) / (1 + (z * z) / n))
}

/** Log likelihood of `f` failures among `n` when each fails with probability `p`. */
export function logLikelihood(f: number, n: number, p: number): number {
  const bad = f > 0 ? f * Math.log(Math.max(p, 1e-9)) : 0
  return n > f ? bad + (n - f) * Math.log(Math.max(1 - p, 1e-9)) : bad
}

/** What it gains to give `n` a fraction of their own instead of `p`. */
export const gainOver = (f: number, n: number, p: number): number =>
  n > 0 ? logLikelihood(f, n, f / n) - logLikelihood(f, n, p) : 0

export function median(values: readonly number[]): number {
  if (values.length === 0) return 0
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** Spread that a few wild values do not move, comparable with a standard deviation. */
export function robustSpread(values: readonly number[]): number {
  const middle = median(values)
  return 1.4826 * median(values.map((value) => Math.abs(value - middle)))
}

/** Slope of a straight line through the points by least squares, per ms; 0 with fewer than two moments. */
export function slope(points: readonly { readonly at: number; readonly value: number }[]): number {
  if (points.length < 2) return 0
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / points.length
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / points.length
  let above = 0
  let below = 0
  for (const { at, value } of points) {
    above += (at - meanAt) * (value - meanValue)
    below += (at - meanAt) ** 2
  }
  return below > 0 ? above / below : 0
}
