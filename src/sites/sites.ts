import { type Db, transaction } from '../kernel/database.ts'
import { publish, wake } from '../kernel/events.ts'
import type { Ids } from '../kernel/ports.ts'
import type { Worker } from '../kernel/workers.ts'
import { downtimesAhead } from './downtimes.store.ts'
import { commandFinished, noSuchCommand, noSuchGateway, noSuchSite, siteExists } from './errors.ts'
import { type GatewayReport, type SiteState, stateOfSite } from './site-state.ts'
import * as store from './sites.store.ts'

export type Site = store.SiteRow & SiteState & { readonly gateways: readonly store.GatewayRow[] }

/** Adds a site; one of that name is a conflict. */
export async function createSite(db: Db, now: Date, site: store.NewSite): Promise<store.SiteRow> {
  return transaction(db, async (tx) => {
    const [made] = await store.insertSites(tx, now, [site])
    if (!made) throw siteExists(`There is a site ${site.name} already.`)
    await publish(tx, now, [{ vo: site.vo, kind: 'site.created', subject: site.name }])
    return made
  })
}

/** All sites of a VO with their gateways and present state. */
export async function listSites(db: Db, now: Date, vo: string): Promise<Site[]> {
  const [sites, gateways, downtimes] = await Promise.all([
    store.sitesOf(db, vo),
    store.gatewaysOf(db, vo),
    downtimesAhead(db, now, vo),
  ])
  return sites.map((site) => {
    const { name, through } = site
    const own = gateways.filter((g) => g.siteId === site.id)
    const acting = own.length > 0 ? own : gateways.filter((g) => g.name === through)
    return { ...site, ...stateOfSite({ name, gateways: acting }, downtimes, now), gateways: own }
  })
}

export interface GatewayRegistration {
  readonly vo: string
  readonly site: string
  readonly name: string
  readonly endpoint: string
}

/** Makes a gateway known, together with its service client; `putClient` joins the transaction. Idempotent. */
export async function registerGateway(
  db: Db,
  now: Date,
  gateway: GatewayRegistration,
  putClient: (client: { id: string; vo: string; scopes: string[] }) => Promise<void>,
): Promise<void> {
  const clientId = `gateway:${gateway.name}`
  // First the client: a client without a gateway is harmless, a gateway without a client cannot report.
  await putClient({ id: clientId, vo: gateway.vo, scopes: ['grid.gateway.report'] })
  await transaction(db, async (tx) => {
    const site = (await store.sitesOf(tx, gateway.vo)).find((s) => s.name === gateway.site)
    if (!site) throw noSuchSite(`There is no site ${gateway.site}.`)
    const { name, endpoint } = gateway
    const done = await store.upsertGateway(tx, now, { siteId: site.id, name, clientId, endpoint })
    if (done === 0) throw siteExists(`Gateway ${name} belongs to another site.`)
  })
}

/** The gateway whose service client makes the request; nobody else may speak for it. */
export async function gatewayOf(db: Db, name: string): Promise<store.GatewayRow> {
  const found = await store.gatewayNamed(db, name)
  if (!found) throw noSuchGateway(`There is no gateway ${name}.`)
  return found
}

export async function acceptReport(db: Db, now: Date, name: string, report: GatewayReport): Promise<void> {
  await transaction(db, (tx) => store.recordReport(tx, now, name, report))
}

/** Queues one command for every gateway of a site; they fetch it within seconds. */
export async function commandSite(
  db: Db,
  now: Date,
  ids: Ids,
  order: {
    vo: string
    site: string
    kind: string
    payload: Record<string, unknown>
    lifetimeMs?: number
  },
): Promise<string[]> {
  return transaction(db, async (tx) => {
    const site = (await listSites(tx, now, order.vo)).find((s) => s.name === order.site)
    if (!site) throw noSuchSite(`There is no site ${order.site}.`)
    const deadline = new Date(now.getTime() + (order.lifetimeMs ?? 86_400_000))
    const commands = site.gateways.map((g) => ({
      id: ids.uuid(),
      gatewayId: g.id,
      kind: order.kind,
      payload: order.payload,
      deadline,
    }))
    await store.insertCommands(tx, now, commands)
    await wake(tx, 'gateway')
    return commands.map((c) => c.id)
  })
}

/** Queues a command for one gateway, whichever site it belongs to; its id. */
export async function commandGateway(
  db: Db,
  now: Date,
  ids: Ids,
  order: { vo: string; gateway: string; kind: string; payload: Record<string, unknown>; lifetimeMs: number },
): Promise<string> {
  return transaction(db, async (tx) => {
    const gateway = await gatewayOf(tx, order.gateway)
    if (gateway.vo !== order.vo) throw noSuchGateway(`There is no gateway ${order.gateway}.`)
    const { kind, payload, lifetimeMs } = order
    const command = { id: ids.uuid(), gatewayId: gateway.id, kind, payload }
    const deadline = new Date(now.getTime() + lifetimeMs)
    await store.insertCommands(tx, now, [{ ...command, deadline }])
    await wake(tx, 'gateway')
    return command.id
  })
}

export function takeCommands(db: Db, now: Date, gatewayId: number): Promise<store.GatewayCommand[]> {
  return transaction(db, (tx) => store.claimCommands(tx, now, gatewayId, 10))
}

export async function finishCommand(
  db: Db,
  now: Date,
  gatewayId: number,
  id: string,
  outcome: { ok: boolean; result: unknown },
): Promise<void> {
  const done = await transaction(db, (tx) =>
    store.finishCommand(tx, now, gatewayId, id, outcome.ok, outcome.result),
  )
  if (done === 0) throw commandFinished('This command is unknown or finished already.')
}

/** What became of a command; unknown ones and those of other VOs are missing. */
export async function getCommand(db: Db, vo: string, id: string): Promise<store.CommandRow> {
  const found = await store.commandOf(db, vo, id)
  if (!found) throw noSuchCommand(`There is no command ${id}.`)
  return found
}

const REAPED_AT_ONCE = 500

/** Fails commands whose gateway did not answer before their deadline, so that nobody waits for them for ever. */
export function commandReaper({ db }: { db: Db }): Worker {
  return {
    name: 'command-reaper',
    wakeOn: ['gateway'],
    async tick(now) {
      const changed = await transaction(db, async (tx) => {
        const overdue = await store.failOverdueCommands(tx, now, REAPED_AT_ONCE)
        await publish(
          tx,
          now,
          overdue.map(({ id, vo, gateway, kind }) => ({
            vo,
            kind: 'site.command_failed',
            subject: gateway,
            payload: { command: id, order: kind, reason: 'deadline' },
          })),
        )
        return overdue.length
      })
      return { changed, nextWake: await store.nextCommandDeadline(db) }
    },
  }
}
