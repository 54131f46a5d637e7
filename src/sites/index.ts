/** Sites, their gateways, and the commands that gateways fetch. */
export * as siteErrors from './errors.ts'
export { SILENCE_SECONDS, siteState } from './site-state.ts'
export {
  commandReaper,
  commandSite,
  finishCommands,
  getGateway,
  keepCommands,
  listSites,
  putGateways,
  putSites,
  readCommands,
  type SiteView,
  takeCommands,
  takeReport,
} from './sites.ts'
export type {
  AreaReport,
  Command,
  CommandState,
  Gateway,
  GatewayReport,
  NewGateway,
  NewSite,
  Site,
  SiteState,
  SiteStateName,
} from './types.ts'
