/** Sites and their gateways: reports, commands, state, downtimes, exclusions. */

export {
  type Affected,
  type Downtime,
  describeDowntime,
  nextOutage,
  presentDowntime,
  secondsUntil,
} from './downtime.ts'
export {
  addDowntime,
  downtimesAhead,
  downtimesBetween,
  endDowntime,
  type NewDowntime,
} from './downtimes.ts'

export { type Exclusion, exclusionOf, THROTTLED } from './exclusion.ts'
export {
  endExclusions,
  exclusionsBetween,
  exclusionsNow,
  extendExclusions,
  insertExclusion,
  type NewExclusion,
} from './exclusions.store.ts'
export { nearestFirst, type Place } from './nearest.ts'
export {
  type GatewayFacts,
  type GatewayReport,
  type SiteReason,
  type SiteState,
  stateOfSite,
} from './site-state.ts'
export type { CommandRow, GatewayCommand, GatewayRow, SiteRow } from './sites.store.ts'
export {
  acceptReport,
  commandGateway,
  commandReaper,
  commandSite,
  createSite,
  finishCommand,
  type GatewayRegistration,
  gatewayOf,
  getCommand,
  listSites,
  registerGateway,
  type Site,
  takeCommands,
} from './sites.ts'
