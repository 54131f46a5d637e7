import type { Worker } from '../kernel/workers.ts'
import { type DetectorDeps, detectorWorker } from './cards/detector.ts'
import { type ProbeDeps, probeWorker } from './probes/probes.ts'
import { rollupWorker } from './statistics/rollup.ts'

export type OperationsDeps = ProbeDeps & DetectorDeps

/** Counts what ended, tests what there is, and looks for what is wrong. */
export const operationsWorkers = (deps: OperationsDeps): Worker[] => [
  rollupWorker(deps),
  probeWorker(deps),
  detectorWorker(deps),
]
