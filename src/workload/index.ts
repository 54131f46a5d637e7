/** Jobs: what is asked for, who runs it, and what came of it. */

export { jobsAgain } from './again.ts'
export {
  type CompleteDeps,
  type Completion,
  completeStart,
  type Inspect,
  type MadeByStart,
  type MadeFile,
  type Review,
  type SeenInside,
} from './complete.ts'
export type { Condition } from './condition.ts'
export {
  deleteJobs,
  holdJobs,
  killJobs,
  type Order,
  type Ordered,
  releaseJobs,
  rescheduleJobs,
} from './control.ts'
export { DEFAULT_DEMAND, normalDemand, SECONDS } from './demand.ts'
export { deadlineWorker, type Outcome } from './end.ts'
export * as workloadErrors from './errors.ts'
export { explainJob, type JobExplained } from './explain.ts'
export { forgiveWorker } from './forgive.ts'
export { type CountsAt, countsOver } from './history.store.ts'
export { historyWorker } from './history.ts'
export { type InputAddress, inputAddresses, inputFiles, sitesOfFiles } from './inputs.ts'
export { type DescribedJobs, didOf, filled, jobsOfJdl, parseJdl } from './jdl.ts'
export { type Lease, type LeaseDeps, type LeasedJob, leaseJobs, ownPilot } from './lease.ts'
export { locateWorker } from './locate.ts'
export { changeJobs, hearJobs, type JobChange, noteJobs, parametersOf } from './notes.ts'
export {
  type Address,
  type AddressDeps,
  addressOf,
  leftoverWorker,
  type PromisedUpload,
  promiseOutputs,
  rangeReader,
  type WishedUpload,
} from './outputs.ts'
export { pilotAccount } from './pilot-account.ts'
export {
  countPilots,
  kindOfPilotColumn,
  type PilotColumn,
  type PilotRecord,
  searchPilots,
  summarisePilots,
} from './pilot-search.store.ts'
export { pilotCounts } from './pilots.store.ts'
export * from './pilots.ts'
export { matchable } from './provision.ts'
export { dropLimit, foldJobCounts, limitsOf, putLimit, putShare } from './queue.store.ts'
export { createMarkets, HALF_LIFE_MS, type Markets } from './queues.ts'
export {
  type AttemptView,
  attemptsOf,
  eventsOf,
  isJobColumn,
  type JobColumn,
  type JobCondition,
  type JobEvent,
  type JobSearch,
  type JobView,
  jobDetails,
  jobsByIds,
  jobsStanding,
  kindOfColumn,
  makersOfFiles,
  outputsOfJobs,
  searchJobs,
} from './read.store.ts'
export { type Recipe, recipeOf, scriptOf } from './recipe.ts'
export { logParts, logStart, noteStorages } from './report.store.ts'
export { type HeartbeatAnswer, heartbeat, LOG_BYTES, type LogPart, type StartReport } from './report.ts'
export {
  assignOutput,
  createSandboxes,
  dropSandboxesOfJobs,
  parseSandbox,
  pfnOfSandbox,
  SANDBOX_BYTES,
  SANDBOX_FORMATS,
  type Sandboxes,
  type SandboxKind,
  type SandboxOwner,
  type SandboxRow,
  type SandboxTicket,
  sandboxesOfJobs,
  sandboxOf,
  TICKET_SECONDS,
} from './sandboxes.ts'
export { splitInputs } from './split.ts'
export {
  codesOf,
  ENDS,
  FINAL,
  HELD,
  isFinal,
  isStateName,
  isWithPilot,
  mayFollow,
  STATES,
  type StateName,
  stateName,
  WITH_PILOT,
} from './states.ts'
export { MOST_JOBS, type Submission, submitJobs } from './submit.ts'
export { countJobs, summariseJobs } from './summary.store.ts'
export type * from './types.ts'
export { type WorkloadDeps, workloadWorkers } from './workers.ts'
