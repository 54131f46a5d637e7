import { type Db, type Ids, publish, transaction, type Worker, wake } from '../kernel/index.ts'
import { gatewayNotFound, siteHasNoGateway, siteNotFound } from './errors.ts'
import { SILENCE_SECONDS, siteState } from './site-state.ts'
import * as store from './sites.store.ts'
import type { Command, Gateway, GatewayReport, NewGateway, NewSite, Site, SiteState } from './types.ts'

/** A command without a result is sent again after this time: its gateway may have been restarted. */
const RESEND_MS = 30_000

/** Creates sites or brings their facts up to date. */
export async function putSites(
  db: Db,
  input: { vo: string; now: Date; sites: readonly NewSite[] },
): Promise<void> {
  await store.upsertSites(db, input)
}

/** Registers gateways at their sites, or changes their endpoint. Throws site_not_found. */
export async function putGateways(
  db: Db,
  input: { vo: string; now: Date; gateways: readonly NewGateway[] },
): Promise<void> {
  await transaction(db, async (tx) => {
    const homeless = await store.upsertGateways(tx, input)
    if (homeless.length > 0) throw siteNotFound(`The site of gateway ${homeless.join(', ')} does not exist.`)
  })
}

export interface SiteView extends Site {
  readonly gateways: readonly Gateway[]
  readonly state: SiteState
}

/** Sites with their gateways and their state now. */
export async function listSites(db: Db, input: { vo: string; now: Date }): Promise<SiteView[]> {
  const [sites, gateways] = await Promise.all([store.selectSites(db, input), store.selectGateways(db, input)])
  return sites.map((site) => {
    const own = gateways.filter((gateway) => gateway.site === site.name)
    return { ...site, gateways: own, state: siteState(own, input.now) }
  })
}

/** Throws gateway_not_found. */
export async function getGateway(db: Db, input: { vo: string; name: string }): Promise<Gateway> {
  const [found] = await store.selectGateways(db, input)
  if (!found) throw gatewayNotFound(`There is no gateway "${input.name}".`)
  return found
}

/** Takes a gateway's report; tells the others when it was silent before. */
export async function takeReport(
  db: Db,
  input: { vo: string; name: string; now: Date; report: GatewayReport },
): Promise<void> {
  const { vo, name, now, report } = input
  await transaction(db, async (tx) => {
    const gateway = await getGateway(tx, { vo, name })
    const silentBefore = new Date(now.getTime() - SILENCE_SECONDS * 1000)
    const back = await store.updateReport(tx, { gatewayId: gateway.id, now, silentBefore, report })
    if (back)
      await publish(tx, now, [{ vo, kind: 'site.back', subject: gateway.site, payload: { gateway: name } }])
  })
}

/** Queues one command for every gateway of a site; returns their ids. Throws site_not_found, site_has_no_gateway. */
export async function commandSite(
  db: Db,
  input: {
    vo: string
    site: string
    now: Date
    ids: Ids
    kind: string
    payload: Readonly<Record<string, unknown>>
    withinMs: number
  },
): Promise<string[]> {
  const { vo, site, now, ids, kind, payload } = input
  return transaction(db, async (tx) => {
    const sites = await store.selectSites(tx, { vo })
    if (!sites.some(({ name }) => name === site)) throw siteNotFound(`There is no site "${site}".`)
    const gateways = await store.selectGateways(tx, { vo, site })
    if (gateways.length === 0) throw siteHasNoGateway(`Site "${site}" has no gateway that could do it.`)
    const commands = gateways.map(({ id: gatewayId }) => ({ id: ids.uuid(), gatewayId, kind, payload }))
    const deadline = new Date(now.getTime() + input.withinMs)
    await store.insertCommands(tx, { now, deadline, commands })
    await wake(tx, 'gateway')
    return commands.map(({ id }) => id)
  })
}

/** Commands for a gateway to do now, oldest first. */
export async function takeCommands(
  db: Db,
  input: { gatewayId: number; now: Date; limit?: number },
): Promise<Command[]> {
  const resendBefore = new Date(input.now.getTime() - RESEND_MS)
  return store.claimCommands(db, { ...input, resendBefore, limit: input.limit ?? 10 })
}

/** Says that commands are still being worked on. */
export async function keepCommands(
  db: Db,
  input: { gatewayId: number; now: Date; ids: readonly string[] },
): Promise<void> {
  await store.touchCommands(db, input)
}

/** Stores results; a result that comes twice has one effect. */
export async function finishCommands(
  db: Db,
  input: {
    vo: string
    gatewayId: number
    now: Date
    results: readonly { id: string; ok: boolean; result: Readonly<Record<string, unknown>> }[]
  },
): Promise<void> {
  await transaction(db, async (tx) => {
    const closed = await store.finishCommands(tx, input)
    const kind = 'gateway.command_finished'
    await publish(
      tx,
      input.now,
      closed.map((subject) => ({ vo: input.vo, kind, subject })),
    )
  })
}

export async function readCommands(
  db: Db,
  input: { vo: string; ids: readonly string[] },
): Promise<Command[]> {
  return store.selectCommands(db, input)
}

/** Fails commands whose time is over. */
export function commandReaper(db: Db): Worker {
  return {
    name: 'gateway-commands',
    wakeOn: [],
    tick: async (now) => ({ changed: await store.failOverdueCommands(db, now), nextWake: null }),
  }
}
