import { collectedGauge } from '../kernel/metrics.ts'
import type { RawDeps } from './deps.ts'
import { type FlowView, listFlows } from './read.ts'

/** What monitors see of raw data: read from the database when they ask. */
export function registerRawMetrics({
  db,
  vos,
  now,
}: Pick<RawDeps, 'db'> & { vos: () => Promise<readonly string[]>; now: () => Date }): void {
  const flows = async (): Promise<FlowView[]> =>
    (await Promise.all((await vos()).map((vo) => listFlows(db, vo, now())))).flat()
  collectedGauge(
    'grid_raw_files',
    'Files of raw data by how far they are',
    ['flow', 'state'],
    async (set) => {
      for (const { name: flow, states } of await flows())
        for (const [state, { files }] of Object.entries(states)) set({ flow, state }, files)
    },
  )
  collectedGauge(
    'grid_raw_latency_p95_seconds',
    'From recording to a state, 95th percentile of the files that were recorded in the last day',
    ['flow', 'state'],
    async (set) => {
      for (const { name: flow, latency } of await flows()) {
        if (!latency) continue
        const { files: _, verified, registered, archived, secondCopy, releasable } = latency
        const times = { verified, registered, archived, second_copy: secondCopy, releasable }
        for (const [state, seconds] of Object.entries(times))
          if (seconds !== null) set({ flow, state }, seconds)
      }
    },
  )
}
