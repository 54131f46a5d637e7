import { bytesText } from '../terminal.ts'
import type { PhaseTime } from './reporter.ts'

/** What the main job did; the JSON line of `kumi start --once --json`. */
export interface Summary {
  readonly files: number
  readonly bytes: number
  readonly seconds: number
  /** Copies whose every byte was read back and found right. */
  readonly verifiedCopies: number
  /** Transfer attempts beyond the first, all recovered. */
  readonly retries: number
  /** Damaged copies that were found and replaced from a good one. */
  readonly healed: number
  /** Jobs that processed the run. */
  readonly jobs: number
  /** Collisions that were reconstructed: all that were recorded. */
  readonly events: number
  /** Pairs of muons in the plot, where it lies, and its name in the catalogue. */
  readonly pairs: number
  readonly plot: string
  readonly did: string
  readonly peakRssBytes: number
  readonly readySeconds: number
  readonly replicationBytesPerSecond: number
  readonly phases: readonly (PhaseTime & { readonly peakRssBytes: number })[]
}

export function summaryTable(summary: Summary): string {
  const rows: [string, string][] = [
    ['files', `${summary.files}`],
    ['bytes', bytesText(summary.bytes)],
    ['replication', `${bytesText(summary.replicationBytesPerSecond)}/s between gateways`],
    ['retries', `${summary.retries}`],
    ['healed copies', `${summary.healed}`],
    ['verified copies', `${summary.verifiedCopies} (every byte read back)`],
    ['jobs', `${summary.jobs}, for ${summary.events} collisions and one plot`],
    ['peak memory', `${bytesText(summary.peakRssBytes)}, all processes together`],
    ...summary.phases.map(({ name, seconds, peakRssBytes }): [string, string] => [
      `  ${name}`,
      `${seconds.toFixed(1)} s, ${bytesText(peakRssBytes)}`,
    ]),
    ['total', `${summary.seconds.toFixed(1)} s`],
  ]
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join('\n')
}
