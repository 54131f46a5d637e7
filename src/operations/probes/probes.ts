import { pfnOf, protocolsFor, type Rse, type RseTable } from '../../catalog/index.ts'
import type { Identity } from '../../identity/index.ts'
import type { Clock, Db, Ids, Logger, Rng, Worker } from '../../kernel/index.ts'
import { transaction } from '../../kernel/index.ts'
import { downtimesAhead, listSites, presentDowntime, type Site } from '../../sites/index.ts'
import type { WebdavClient } from '../../storage/index.ts'
import { resourcesOf } from '../../workload/index.ts'
import { testJob } from './job-test.ts'
import * as store from './probe.store.ts'
import { type Prober, proberOf, tokenOf } from './prober.ts'
import { testDoor, testStorage } from './storage-test.ts'

export interface ProbeDeps {
  readonly db: Db
  readonly clock: Clock
  readonly rng: Rng
  readonly ids: Ids
  readonly log: Logger
  readonly rses: RseTable
  readonly identity: Identity
  readonly doors: WebdavClient
  readonly vos: () => Promise<readonly string[]>
  /** 0: nothing is tested. */
  readonly everyMs: number
}

const LOOK_MS = 60_000
const AT_ONCE = 8
/** A process that dies over a test leaves it to another after this time. */
const LEASE_MS = 600_000
/** A test that failed is repeated once before it counts. */
const REPEAT_MS = 300_000
/** Part of the interval by which tests are spread. */
const JITTER = 1 / 6

/** Tests doors, jobs and storages of all sites, each once in an interval, as an ordinary member of the VO. */
export function probeWorker(deps: ProbeDeps): Worker {
  const { db, clock, rng, log, everyMs } = deps
  let lookedAt = -Infinity
  return {
    name: 'active-tests',
    wakeOn: [],
    async tick(now) {
      if (everyMs === 0) return { changed: 0, nextWake: null }
      if (now.getTime() - lookedAt >= LOOK_MS) {
        const found = (await Promise.all((await deps.vos()).map((vo) => targets(deps, now, vo)))).flat()
        const probes = found.map((one) => ({ ...one, nextAt: soon(now) }))
        await transaction(db, (tx) => store.putProbes(tx, probes))
        lookedAt = now.getTime()
      }
      const until = new Date(now.getTime() + LEASE_MS)
      const mine = await transaction(db, (tx) => store.claimProbes(tx, now, until, AT_ONCE))
      const probers = new Map<string, Prober>()
      for (const { vo } of mine) if (!probers.has(vo)) probers.set(vo, await proberOf(deps, vo, now))
      await Promise.all(
        mine.map((probe) =>
          run(probe, probers.get(probe.vo)!).catch((error) =>
            log.error({ err: error, probe }, 'a test could not be made'),
          ),
        ),
      )
      return { changed: mine.length === AT_ONCE ? 1 : 0, nextWake: await store.nextProbe(db) }
    },
  }

  function soon(now: Date): Date {
    return new Date(now.getTime() + everyMs * (1 + (rng.next() * 2 - 1) * JITTER))
  }

  async function run(probe: store.Probe, prober: Prober): Promise<void> {
    const { vo, site, kind, name } = probe
    const begun = clock.now()
    const downtimes = await downtimesAhead(db, begun, vo)
    const affected = kind === 'storage' ? { site, storage: name } : { site }
    const out = presentDowntime(downtimes, affected, begun)?.severity === 'OUTAGE'
    const over = { nextAt: soon(begun), again: false, jobId: null, jobUntil: null }
    // Nobody learns anything from tests of what is known to be away.
    if (out) return void (await transaction(db, (tx) => store.setProbe(tx, probe, over)))
    const { results, jobId, jobUntil } = await testsOf(probe, prober, begun)
    const now = clock.now()
    if (jobId !== null) {
      const after = { nextAt: new Date(now.getTime() + LOOK_MS / 2), again: probe.again, jobId, jobUntil }
      return void (await transaction(db, (tx) => store.setProbe(tx, probe, after)))
    }
    const repeat = !probe.again && results.some(({ ok }) => !ok)
    const of = { vo, site, kind: kind === 'storage' ? 'storage' : 'site', name } as const
    await transaction(db, async (tx) => {
      const counted = results.map((result) => ({ ...result, counts: !repeat || result.ok }))
      await store.insertTests(tx, now, of, counted)
      const nextAt = repeat ? new Date(now.getTime() + REPEAT_MS) : soon(now)
      await store.setProbe(tx, probe, { ...over, nextAt, again: repeat })
    })
  }

  async function testsOf(
    probe: store.Probe,
    prober: Prober,
    now: Date,
  ): Promise<{ results: readonly store.TestResult[]; jobId: bigint | null; jobUntil: Date | null }> {
    const { vo, kind, name, site } = probe
    if (kind === 'job') return testJob(deps, { probe, prober, now })
    const token = await tokenOf(deps.identity, prober)
    const only = (results: readonly store.TestResult[]) => ({ results, jobId: null, jobUntil: null })
    if (kind === 'door') {
      const known = (await listSites(db, now, vo)).find((one) => one.name === site)
      const url = endpointOf(known)
      return only(url ? await testDoor(deps.doors, { url, token, now: () => clock.now() }) : [])
    }
    const rse = (await deps.rses.all(vo)).find((one) => one.name === name)
    const url = rse && addressAt(rse, deps.ids.uuid())
    const text = `A test of ${name} at ${now.toISOString()}. It may be removed.\n`
    return only(url ? await testStorage(deps.doors, { url, token, text }) : [])
  }
}

const endpointOf = (site: Site | undefined): string | undefined =>
  site?.gateways.map(({ endpoint }) => `${endpoint.replace(/\/+$/, '')}/${site.vo}/`)[0]

/** Where a test file lies: below the area of the account that tests. */
function addressAt(rse: Rse, id: string): string | undefined {
  const protocol = protocolsFor(rse, 'write').find(({ scheme }) => scheme === 'https' || scheme === 'davs')
  if (!protocol) return undefined
  const did = { scope: 'user.probe', name: id }
  return pfnOf(rse, protocol, did, `user/probe/active-tests/${id}`).replace(/^davs:/, 'https:')
}

/** Doors of gateways, sites that run jobs, and storages that may be written, as long as anybody answers there. */
async function targets(
  { db, rses }: ProbeDeps,
  now: Date,
  vo: string,
): Promise<(store.ProbeKey & { site: string })[]> {
  const [sites, places, storages] = await Promise.all([
    listSites(db, now, vo),
    resourcesOf(db, vo),
    rses.all(vo),
  ])
  const runs = new Set(places.filter(({ maxPilots }) => maxPilots > 0).map(({ site }) => site))
  const names = new Set(sites.map(({ name }) => name))
  const own = ({ attributes: { site } }: Rse): string => (typeof site === 'string' ? site : '')
  return [
    ...sites
      .filter(({ gateways }) => gateways.length > 0)
      .map(({ name }) => ({ vo, kind: 'door' as const, name, site: name })),
    ...sites
      .filter(({ name }) => runs.has(name))
      .map(({ name }) => ({ vo, kind: 'job' as const, name, site: name })),
    ...storages
      .filter(
        (rse) => rse.kind === 'DISK' && rse.canRead && rse.canWrite && rse.canDelete && names.has(own(rse)),
      )
      .map((rse) => ({ vo, kind: 'storage' as const, name: rse.name, site: own(rse) })),
  ]
}
