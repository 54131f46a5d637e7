import { randomBytes } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { at, completion, jobWorld, room, vo } from '../../../test/harness/job-world.ts'
import { areasOfAccount, createRseTable } from '../../catalog/index.ts'
import { createIdentity, formatScopes } from '../../identity/index.ts'
import { rows, seededRng, silentLogger, sql, systemPorts } from '../../kernel/index.ts'
import { addDowntime } from '../../sites/index.ts'
import type { WebdavClient } from '../../storage/index.ts'
import { completeStart, createMarkets, leaseJobs, ownPilot } from '../../workload/index.ts'
import { latestTests } from './probe.store.ts'
import { probeWorker } from './probes.ts'

const database = testDatabase()
const world = jobWorld(database)
const MINUTE = 60
let now = at(0)
const seen: { url: string; token: string }[] = []
/** Takes everything at Osaka and Chicago, nothing at KEK. */
const doors = {
  async put(url: string, token: string) {
    seen.push({ url, token })
    throw new Error(url.includes('kek') ? 'disk full' : 'busy')
  },
} as Partial<WebdavClient> as WebdavClient
let identity: ReturnType<typeof createIdentity>
let worker: ReturnType<typeof probeWorker>
const { signal } = new AbortController()
const tick = (seconds: number) => {
  now = at(seconds)
  return worker.tick(now, signal)
}
const tests = async () =>
  (
    await rows(
      database.db,
      sql<{ line: string }>`select name || ' ' || test || case when ok then ' ok' else ' failed' end
      || case when counts then '' else ', again' end as line from active_test order by at, name, test`,
    )
  ).map(({ line }) => line)

beforeAll(async () => {
  const { db, pool } = database
  const clock = { ...systemPorts.clock, now: () => now }
  const rses = createRseTable(db)
  identity = createIdentity({
    ...{ db, pool, clock, ids: systemPorts.ids, log: silentLogger, issuerBase: 'https://localhost' },
    sealKey: randomBytes(32),
    areasOf: async (of, accountId) => areasOfAccount(db, { vo: of, accountId, rses: await rses.all(of) }),
  })
  await identity.createVo({ id: vo, title: 'Demo' })
  worker = probeWorker({
    ...{ db, clock, rng: seededRng(3), ids: systemPorts.ids, log: silentLogger, rses, identity, doors },
    ...{ vos: async () => [vo], everyMs: 30 * MINUTE * 1000 },
  })
  await addDowntime(db, at(0), {
    ...{ vo, site: 'chicago', storage: null, resource: null, severity: 'OUTAGE', startsAt: at(0) },
    ...{ endsAt: at(6 * 3600), reason: 'power', madeBy: 'noa' },
  })
})

test('nothing is tested before a whole interval is over', async () => {
  await tick(0)
  await tick(24 * MINUTE)
  expect(await tests()).toEqual([])
  expect(await rows(database.db, sql`select 1 from job`)).toEqual([])
})

test('a failure counts only when it fails again five minutes later; what is in downtime is left alone', async () => {
  await tick(36 * MINUTE)
  expect(await tests()).toEqual(['KEK-DISK put failed, again', 'OSAKA-DISK put failed, again'])
  await tick(40 * MINUTE)
  expect(await tests()).toHaveLength(2)
  await tick(42 * MINUTE)
  expect((await tests()).slice(2)).toEqual(['KEK-DISK put failed', 'OSAKA-DISK put failed'])
  expect(await latestTests(database.db, vo)).toMatchObject([
    { site: 'kek', kind: 'storage', name: 'KEK-DISK', test: 'put', message: 'disk full', counts: true },
    { site: 'osaka', name: 'OSAKA-DISK', message: 'busy' },
  ])
})

test('whoever tests is an ordinary member, whose token reaches its own files only', async () => {
  const [probe] = await identity.accounts(vo, ['probe'])
  const who = await identity.asAfterLogin(probe!.id)
  expect(identity.explain(who, 'identity.write', { vo }).allow).toBe(false)
  expect(identity.explain(who, 'operations.shift', { vo }).allow).toBe(false)
  expect(formatScopes(who.scopes)).toContain('storage.modify:/user/probe')
  expect(formatScopes(who.scopes)).not.toMatch(/storage\.(modify|create):\/( |$)/)
  expect(seen[0]!.url).toContain('/demo/user/probe/active-tests/')
})

test('a small job goes the ordinary way to each site, and its end is the result', async () => {
  const deps = { ...world.deps, markets: createMarkets(database.db) }
  const stamp = await world.pilot('kek', now)
  const { jobs } = await leaseJobs(deps, { vo, stamp, now, most: 5, holding: [], free: room })
  expect(jobs).toMatchObject([{ owner: 'probe', name: 'active test of kek', demand: { sites: ['kek'] } }])
  const done = completion(jobs[0]!, {})
  const { id: pilotId } = await ownPilot(database.db, vo, stamp)
  const verified = { db: database.db, rses: world.rses, verifyArrivals: async () => undefined }
  await completeStart(verified, { vo, pilotId, now, completion: done })
  await tick(43 * MINUTE)
  expect((await tests()).at(-1)).toBe('kek job ok')
  // Nobody takes the one at Osaka.
  await tick(44 * MINUTE)
  await tick(110 * MINUTE)
  expect((await tests()).filter((line) => line.includes('job'))).toEqual([
    'kek job ok',
    'osaka job failed, again',
  ])
})
