/** Sites and their gateways: reports, commands, state. */
export { type GatewayFacts, type GatewayReport, type SiteState, stateOfSite } from './site-state.ts'
export type { GatewayCommand, GatewayRow, SiteRow } from './sites.store.ts'
export {
  acceptReport,
  commandSite,
  createSite,
  finishCommand,
  type GatewayRegistration,
  gatewayOf,
  listSites,
  registerGateway,
  type Site,
  takeCommands,
} from './sites.ts'
