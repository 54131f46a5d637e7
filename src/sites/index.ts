/** Sites and their gateways: reports, commands, state. */

export { nearestFirst, type Place } from './nearest.ts'
export { type GatewayFacts, type GatewayReport, type SiteState, stateOfSite } from './site-state.ts'
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
