import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Rse } from '../../catalog/index.ts'
import { route } from '../../http/index.ts'
import { listSites, type Site } from '../../sites/index.ts'
import { resourcesOf } from '../../workload/index.ts'
import type { JobDoorDeps } from '../kumi/job-deps.ts'
import { CLIENT, groupsOf } from './client.ts'
import { groupName, MEMBER } from './scopes.ts'
import { snapshots } from './snapshot.ts'

type Status = { allowed: true; warnings: string | null } | { allowed: false; reason: string }

const allowed = (warnings: string | null = null): Status => ({ allowed: true, warnings })
const banned = (reason: string): Status => ({ allowed: false, reason })
const siteStatus = (site: Site | undefined): Status =>
  site?.state === 'down' || site?.state === 'unknown'
    ? banned(site.explanation ?? 'The site is down.')
    : allowed(site?.explanation ?? null)

/** What there is, as one document, and what of it may be used just now. */
export function registerResourceRoutes(app: FastifyInstance, deps: JobDoorDeps): void {
  const { db, clock, identity, rses } = deps
  const answer = snapshots(clock)
  const sitesByName = async (vo: string): Promise<Map<string, Site>> =>
    new Map((await listSites(db, clock.now(), vo)).map((site) => [site.name, site]))

  const status = (what: string, find: (vo: string) => Promise<Record<string, unknown>>) =>
    route(app, {
      ...{ method: 'GET', url: `/diracx/api/rss/${what}`, action: 'sites.read' },
      handler: async (request, reply) => {
        const { vo } = request.principal
        reply.header('vary', 'Authorization')
        return answer(request, reply, `${what} ${vo}`, await find(vo), `-${vo}`)
      },
    })

  status('storage', async (vo) => {
    const sites = await sitesByName(vo)
    return Object.fromEntries((await rses.all(vo)).map((rse) => [rse.name, storageStatus(rse, sites)]))
  })
  status('compute', async (vo) => {
    const sites = await sitesByName(vo)
    const now = clock.now()
    const entries = (await resourcesOf(db, vo)).map(({ name, site, pausedUntil, pauseReason }) => {
      const paused = pausedUntil !== null && pausedUntil > now
      return [name, { all: paused ? banned(pauseReason ?? 'Paused.') : siteStatus(sites.get(site)) }]
    })
    return Object.fromEntries(entries)
  })
  status('site', async (vo) =>
    Object.fromEntries([...(await sitesByName(vo))].map(([name, site]) => [name, { all: siteStatus(site) }])),
  )
  // Files are moved by the grid itself; there is no server of FTS that could be good or bad.
  status('fts', async () => ({}))

  route(app, {
    ...{ method: 'GET', url: '/diracx/api/config/', action: 'identity.read' },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const { vo } = request.principal
      return answer(request, reply, `config ${vo}`, await configOf(vo))
    },
  })

  /** The part of the field's configuration that has a meaning here, from the tables that decide. */
  async function configOf(vo: string) {
    const accounts = (await identity.listAccounts(vo, { kind: 'USER' })).filter(
      ({ status: state }) => state === 'ACTIVE',
    )
    const memberships = await identity.membershipsOf(accounts.map(({ id }) => id))
    const paths = await groupsOf(identity, vo)
    const members = (path: string) =>
      accounts
        .filter(({ id }) => memberships.get(id)?.some((one) => one.path === path))
        .map(({ uuid }) => uuid)
    const [sites, storages, places] = await Promise.all([
      listSites(db, clock.now(), vo),
      rses.all(vo),
      resourcesOf(db, vo),
    ])
    return {
      DIRAC: { NoSetup: true },
      Operations: { [vo]: { Services: { JobMonitoring: { GlobalJobsInfo: true } } } },
      Registry: {
        [vo]: {
          IdP: { URL: identity.issuer(vo), ClientID: CLIENT },
          DefaultGroup: groupName(`/${vo}`),
          Users: Object.fromEntries(accounts.map(({ uuid, name }) => [uuid, { PreferedUsername: name }])),
          Groups: Object.fromEntries(
            paths.map((path) => [
              groupName(path),
              {
                Properties: MEMBER,
                Users: path === `/${vo}` ? accounts.map(({ uuid }) => uuid) : members(path),
              },
            ]),
          ),
        },
      },
      Resources: {
        Sites: Object.fromEntries(
          sites.map(({ name, title, country }) => {
            const own = places.filter(({ site }) => site === name)
            return [name, { Name: title, Country: country, CEs: Object.fromEntries(own.map(placeConfig)) }]
          }),
        ),
        StorageElements: Object.fromEntries(storages.map(storageConfig)),
      },
    }
  }
}

function storageStatus(rse: Rse, sites: ReadonlyMap<string, Site>) {
  const site = siteStatus(sites.get(String(rse.attributes.site)))
  const of = (may: boolean, what: string): Status => {
    if (!site.allowed) return site
    return may ? site : banned(`${rse.name} is closed for ${what}.`)
  }
  return {
    read: of(rse.canRead, 'reading'),
    write: of(rse.canWrite, 'writing'),
    check: of(rse.canRead, 'reading'),
    remove: of(rse.canDelete, 'deletion'),
  }
}

const placeConfig = (place: Awaited<ReturnType<typeof resourcesOf>>[number]) => [
  place.name,
  {
    ...{
      CEType: place.kind,
      NumberOfProcessors: place.cores,
      MaxRAM: place.memoryMb,
      CPUTime: place.seconds,
    },
    ...{ Platform: place.platform, Tag: place.tags, MaxTotalJobs: place.maxPilots },
    MaxWaitingJobs: place.maxWaiting,
  },
]

const storageConfig = (rse: Rse) => [
  rse.name,
  {
    ...{ Kind: rse.kind, Site: String(rse.attributes.site ?? '') },
    Protocols: rse.protocols.map(({ scheme, hostname, port, prefix }) => ({
      ...{ Protocol: scheme, Host: hostname, Port: port, Path: prefix },
    })),
  },
]
