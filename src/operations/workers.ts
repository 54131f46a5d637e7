import type { Worker } from '../kernel/workers.ts'
import { type ProbeDeps, probeWorker } from './probes/probes.ts'
import { rollupWorker } from './statistics/rollup.ts'

export type OperationsDeps = ProbeDeps

/** Counts what ended and tests what there is. */
export const operationsWorkers = (deps: OperationsDeps): Worker[] => [rollupWorker(deps), probeWorker(deps)]
