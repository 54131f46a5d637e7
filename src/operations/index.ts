/** The grid as a whole, for those who look after it: pictures of the present, statistics, problems, shifts. */

export type { CardChangeRow, CardRow } from './cards/card.store.ts'
export { listCards } from './cards/card.store.ts'
export {
  type EntityExplained,
  type EntityKind,
  exclusionLines,
  explainEntity,
  holdEntity,
} from './cards/entities.ts'
export { type Matrix, type MatrixRow, siteMatrix } from './cards/matrix.ts'
export { type CardOrder, orderCard, showCard } from './cards/orders.ts'
export { describeFinding } from './cards/words.ts'
export { announceDowntime, type DowntimeLine, downtimeLines, finishDowntime } from './downtimes.ts'
export {
  type BadReplicaLine,
  badReplicasOfSite,
  type DatasetTransfers,
  datasetTransfers,
} from './histories.store.ts'
export { type JobTimeline, jobTimeline, type TimelinePoint } from './job-timeline.ts'
export { type JobCounts, type JobLine, type JobPage, type JobQuestion, jobCounts, jobLines } from './jobs.ts'
export { type Attention, type NowPicture, nowPicture, type Totals } from './now.ts'
export { hurryProbes, latestTests, type TestRow, testsOfSite } from './probes/probe.store.ts'
export {
  type GapLine,
  type PlacementLine,
  type RuleExplanation,
  type RuleLine,
  ruleExplanation,
  ruleLines,
} from './rules.ts'
export { type EntryRow, entriesOf } from './shifts/log.store.ts'
export {
  endShift,
  planShift,
  roster,
  type ShiftKind,
  type ShiftRow,
  type ShiftsNow,
  shiftsNow,
  startShift,
  unplanShift,
  writeLog,
} from './shifts/shifts.ts'
export {
  type Outcomes,
  type SiteDetails,
  type SiteWorkLine,
  siteDetails,
  siteOutcomes,
  siteWork,
} from './site-work.ts'
export { type SiteLine, siteLines } from './sites.ts'
export type { ReleaseUseRow } from './software.store.ts'
export {
  type GatewaySoftware,
  type SoftwareConcern,
  type SoftwarePicture,
  softwarePicture,
  usesOfRepository,
} from './software.ts'
export { registerSoftwareMetrics } from './software-metrics.ts'
export { noteTransferEnds } from './statistics/transfer-ends.ts'
export {
  createStatusPage,
  lookAtStatus,
  type ServiceState,
  type StatusDocument,
  type StatusPage,
} from './status/status.ts'
export {
  type LinkLine,
  linkLines,
  type TransferExplanation,
  type TransferLine,
  type TransferList,
  transferExplanation,
  transferLines,
} from './transfers.ts'
export { operationsWorkers } from './workers.ts'
