/** Raw data: from the detector's disk to where the first copy may go. */

export { completeCountedRuns, followCopies } from './copies.ts'
export { type Declaration, declareFiles } from './declare.ts'
export type { RawDeps } from './deps.ts'
export * as rawErrors from './errors.ts'
export { defineFlow } from './flow.ts'
export { registerRawMetrics } from './metrics.ts'
export {
  type FlowView,
  listFlows,
  listRawFiles,
  listRuns,
  type RawFileView,
  type RunView,
  showRun,
} from './read.ts'
export { type Released, releaseRun } from './release.ts'
export * from './types.ts'
export { rawWorkers } from './workers.ts'
