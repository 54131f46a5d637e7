/** The grid as a whole, for those who look after it: pictures of the present, statistics, problems, shifts. */

export { announceDowntime, type DowntimeLine, downtimeLine, downtimeLines } from './downtimes.ts'
export {
  type BadReplicaLine,
  badReplicasOfSite,
  type DatasetTransfers,
  datasetTransfers,
} from './histories.store.ts'
export { type JobTimeline, jobTimeline, type TimelinePoint } from './job-timeline.ts'
export { type JobCounts, type JobLine, type JobPage, type JobQuestion, jobCounts, jobLines } from './jobs.ts'
export { type Attention, type NowPicture, nowPicture, type Totals } from './now.ts'
export {
  type GapLine,
  type PlacementLine,
  type RuleExplanation,
  type RuleLine,
  ruleExplanation,
  ruleLines,
} from './rules.ts'
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
export {
  type LinkLine,
  linkLines,
  type TransferExplanation,
  type TransferLine,
  type TransferList,
  transferExplanation,
  transferLines,
} from './transfers.ts'
