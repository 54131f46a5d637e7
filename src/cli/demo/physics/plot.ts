import type { Candidate } from './events.ts'
import { centre, fill, findPeak, type Histogram, type Peak } from './histogram.ts'

const SIZE = { width: 760, height: 500 }
const FRAME = { left: 78, right: 24, top: 64, bottom: 62 }
/** GeV. */
const RANGE = { from: 2.8, to: 3.4, bins: 60 }
const NEAR = { from: 2.98, to: 3.2 }
const INK = '#1b2a41'
const FAINT = '#5c677d'
const CURVE = '#c1121f'
const FILL = '#a9c6ea'
const LINE = '#2b6cb0'

export interface Plot {
  readonly svg: string
  readonly entries: number
  readonly peak: Peak | undefined
}

/** The mass of muon pairs as a picture that every browser shows. `about` is where the data come from, a line each. */
export function plotMass(candidates: readonly Candidate[], about: readonly string[]): Plot {
  const histogram = fill(
    candidates.map(({ mass }) => mass),
    RANGE,
  )
  const peak = findPeak(histogram, NEAR)
  return { svg: drawn(histogram, peak, candidates.length, about), entries: candidates.length, peak }
}

function drawn(
  histogram: Histogram,
  peak: Peak | undefined,
  entries: number,
  about: readonly string[],
): string {
  const { counts, from, to } = histogram
  const inner = {
    width: SIZE.width - FRAME.left - FRAME.right,
    height: SIZE.height - FRAME.top - FRAME.bottom,
  }
  const step = roundStep(Math.max(1, ...counts.map((count) => count + Math.sqrt(count))) / 5)
  const top =
    step * Math.ceil((1.08 * Math.max(1, ...counts.map((count) => count + Math.sqrt(count)))) / step)
  const x = (mass: number) => n1(FRAME.left + ((mass - from) / (to - from)) * inner.width)
  const y = (count: number) => n1(FRAME.top + inner.height * (1 - Math.max(0, count) / top))
  const base = y(0)
  const width = (to - from) / counts.length
  const outline = counts.map((count, i) => `V${y(count)}H${x(from + (i + 1) * width)}`).join('')
  const bars = counts
    .map((count, i) => [count, x(centre(histogram, i))] as const)
    .filter(([count]) => count > 0)
    .map(([count, at]) => `M${at} ${y(count - Math.sqrt(count))}V${y(count + Math.sqrt(count))}`)
    .join('')
  const masses = Array.from({ length: 7 }, (_, i) => from + (i * (to - from)) / 6)
  const levels = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step)
  const right = SIZE.width - FRAME.right
  const results = [
    `${entries} pairs${histogram.outside > 0 ? `, ${histogram.outside} outside` : ''}`,
    ...(peak
      ? [
          `J/ψ: ${Math.round(peak.entries)}`,
          `mass ${(1000 * peak.mean).toFixed(1)} ± ${((1000 * peak.width) / Math.sqrt(peak.entries)).toFixed(1)} MeV`,
          `width ${(1000 * peak.width).toFixed(1)} MeV`,
        ]
      : ['no peak']),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}" role="img" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="${INK}">
<title>Mass of pairs of muons: ${escaped(results.join(', '))}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${FRAME.left}" y="30" font-size="19" font-weight="bold">J/ψ → μ⁺μ⁻</text>
<text x="${FRAME.left}" y="50" fill="${FAINT}">${escaped(about[0] ?? '')}</text>
${about
  .slice(1)
  .map(
    (line, i) =>
      `<text x="${right}" y="${30 + 20 * i}" text-anchor="end" fill="${FAINT}">${escaped(line)}</text>`,
  )
  .join('\n')}
<g stroke="#e4e9f0">${levels
    .slice(1)
    .map((level) => `<path d="M${FRAME.left} ${y(level)}H${right}"/>`)
    .join('')}</g>
<path d="M${FRAME.left} ${base}${outline}V${base}Z" fill="${FILL}" stroke="${LINE}"/>
<path d="${bars}" stroke="${LINE}" fill="none"/>
${peak ? curve(peak, { x, y, from, to, width }) : ''}
<g stroke="${INK}" fill="none"><path d="M${FRAME.left} ${FRAME.top}V${base}H${right}"/><path d="${masses
    .map((mass) => `M${x(mass)} ${base}v6`)
    .join('')}${levels.map((level) => `M${FRAME.left} ${y(level)}h-6`).join('')}"/></g>
<g text-anchor="middle">${masses
    .map((mass) => `<text x="${x(mass)}" y="${base + 22}">${mass.toFixed(1)}</text>`)
    .join('')}</g>
<g text-anchor="end">${levels
    .map((level) => `<text x="${FRAME.left - 11}" y="${n1(y(level) + 4.5)}">${level}</text>`)
    .join('')}</g>
<text x="${right}" y="${SIZE.height - 16}" text-anchor="end" font-size="14">m(μ⁺μ⁻) [GeV/c²]</text>
<text transform="translate(22 ${FRAME.top}) rotate(-90)" text-anchor="end" font-size="14">pairs / ${Math.round(1000 * width)} MeV/c²</text>
<g text-anchor="end" font-size="14">${results
    .map((line, i) => `<text x="${right - 14}" y="${FRAME.top + 26 + 21 * i}">${escaped(line)}</text>`)
    .join('')}</g>
</svg>
`
}

interface Scale {
  x(mass: number): number
  y(count: number): number
  readonly from: number
  readonly to: number
  readonly width: number
}

const POINTS = 240

/** The peak on its background, and the background alone. */
function curve(peak: Peak, { x, y, from, to, width }: Scale): string {
  const height = (peak.entries * width) / (peak.width * Math.sqrt(2 * Math.PI))
  const masses = Array.from({ length: POINTS + 1 }, (_, i) => from + (i * (to - from)) / POINTS)
  const path = (of: (mass: number) => number) =>
    masses.map((mass, i) => `${i === 0 ? 'M' : 'L'}${x(mass)} ${y(of(mass))}`).join('')
  const total = (mass: number) =>
    peak.below(mass) + height * Math.exp(-0.5 * ((mass - peak.mean) / peak.width) ** 2)
  return `<path d="${path(total)}" stroke="${CURVE}" stroke-width="2" fill="none"/>
<path d="${path(peak.below)}" stroke="${CURVE}" stroke-dasharray="6 4" fill="none"/>`
}

/** The next larger one of 1, 2, 5, 10, 20 … */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least)!
}

const n1 = (value: number): number => Math.round(value * 10) / 10
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
