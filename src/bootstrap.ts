import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  addRse,
  addRseProtocol,
  createScope,
  listScopes,
  readRses,
  setRseAttribute,
} from './catalog/index.ts'
import { addDemoPeople } from './demo-people.ts'
import type { GridFacts, SiteFacts } from './embedded/home.ts'
import type { Identity } from './identity/index.ts'
import { type Db, type Ids, isGridError } from './kernel/index.ts'
import { createSite, registerGateway } from './sites/index.ts'
import { putResource, resourcesOf } from './workload/index.ts'

interface BootstrapDeps {
  readonly db: Db
  readonly identity: Identity
  readonly ids: Ids
  readonly now: Date
  readonly home: string
}

/**
 * Makes the database know what `grid.json` says: the VO, its first administrator, the sites with their gateways and
 * storages, and in a demo grid the people it begins with. What is there already is left as it is, so this runs at every
 * start.
 */
export async function bootstrap(deps: BootstrapDeps, grid: GridFacts): Promise<void> {
  const { identity, home } = deps
  const { created } = await identity.createVo({
    id: grid.vo,
    title: grid.title,
    storagePrefix: `/${grid.vo}`,
  })
  const admin = await ensureAccount(deps, grid.vo, 'admin', 'USER', { admin: 'true' })
  const password = readFileSync(join(home, 'client', 'password'), 'utf8').trim()
  await identity.setPassword(admin, 'admin', password)
  await ensureScope(deps, grid.vo, 'user.admin', admin)
  for (const site of grid.sites) {
    await ensureSite(deps, grid, site)
    await ensureRse(deps, grid, site)
    await ensureCompute(deps, grid, site)
  }
  if (created && grid.sites.length > 0) await addDemoPeople(identity, grid.vo)
}

async function ensureAccount(
  { identity }: BootstrapDeps,
  vo: string,
  name: string,
  kind: 'USER' | 'SERVICE',
  attributes: Record<string, string>,
): Promise<number> {
  const [known] = await identity.accounts(vo, [name])
  const account = known ?? (await identity.createAccounts([{ vo, name, kind }]))[0]!
  if (!known) await identity.setAttributes(account.id, attributes)
  return account.id
}

async function ensureScope(
  { db, now }: BootstrapDeps,
  vo: string,
  name: string,
  accountId: number,
): Promise<void> {
  const known = await listScopes(db, { vo })
  if (!known.some((scope) => scope.name === name)) await createScope(db, { vo, now, name, accountId })
}

async function ensureSite(deps: BootstrapDeps, grid: GridFacts, site: SiteFacts): Promise<void> {
  const { db, identity, now, home } = deps
  const { vo } = grid
  const { name, title, country, latitude, longitude } = site
  await createSite(db, now, { vo, name, title, country, latitude, longitude }).catch((error) => {
    if (!isGridError(error) || error.kind !== 'conflict') throw error
  })
  const accountId = await ensureAccount(deps, vo, `gateway-${name}`, 'SERVICE', { gateway: name })
  const secret = readFileSync(join(home, 'sites', name, 'client-secret'), 'utf8').trim()
  const gateway = { vo, site: name, name, endpoint: endpointOf(site) }
  await registerGateway(db, now, gateway, async (client) => {
    await identity.putClient({ ...client, accountId, secret })
  })
}

/** The machine under the demo grid runs jobs for each of its sites, a few at a time. */
async function ensureCompute({ db }: BootstrapDeps, grid: GridFacts, site: SiteFacts): Promise<void> {
  const { vo } = grid
  const name = `${site.name}-local`
  if ((await resourcesOf(db, vo)).some((resource) => resource.name === name)) return
  await putResource(db, {
    ...{ vo, site: site.name, name, gateway: site.name, kind: 'local', platform: platformHere, tags: [] },
    ...{ cores: 2, memoryMb: 4096, diskMb: 20_480, seconds: 172_800, maxPilots: 1, maxWaiting: 1 },
    cluster: null,
  })
}

const platformHere = process.arch === 'x64' ? 'x86_64' : process.arch

const endpointOf = (site: SiteFacts): string => `https://localhost:${site.port}`

async function ensureRse(deps: BootstrapDeps, grid: GridFacts, site: SiteFacts): Promise<void> {
  const { db, ids, now } = deps
  const { vo } = grid
  const rse = site.rse
  if ((await readRses(db, { vo })).some(({ name }) => name === rse)) return
  const { country, latitude, longitude } = site
  await addRse(db, {
    ...{ vo, now, name: rse, uuid: ids.uuid() },
    properties: { countryName: country, latitude, longitude },
  })
  const attributes = { site: site.name, country, verify_arrival: true, verify_checksum: true }
  for (const [key, value] of Object.entries(attributes)) {
    await setRseAttribute(db, { vo, now, rse, key, value })
  }
  const everything = { read: 1, write: 1, delete: 1 }
  await addRseProtocol(db, {
    ...{ vo, now, rse },
    protocol: {
      scheme: 'https',
      hostname: 'localhost',
      port: site.port,
      prefix: `/${vo}/`,
      impl: 'rucio.rse.protocols.webdav.Default',
      domains: { lan: everything, wan: { ...everything, thirdPartyRead: 1, thirdPartyWrite: 1 } },
      extendedAttributes: null,
    },
  })
}
