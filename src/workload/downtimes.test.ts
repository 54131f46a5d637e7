import { afterEach, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, jobs, jobWorld, room, vo } from '../../test/harness/job-world.ts'
import { row, sql, systemPorts } from '../kernel/index.ts'
import { addDowntime, endDowntime, registerGateway } from '../sites/index.ts'
import { createMarkets, DEFAULT_DEMAND, explainJob, leaseJobs } from './index.ts'
import { provisionWorker } from './pilots.ts'

const database = testDatabase()
const world = jobWorld(database)
const HOUR = 3600

beforeAll(async () => {
  for (const site of ['kek', 'osaka', 'chicago']) {
    const gateway = { vo, site, name: site, endpoint: `https://${site}.example` }
    await registerGateway(database.db, at(0), gateway, async () => undefined)
  }
})
afterEach(() => world.clear())

const outage = (site: string, from: number, to: number, resource: string | null = null) =>
  addDowntime(database.db, at(0), {
    ...{ vo, site, storage: null, resource, severity: 'OUTAGE', startsAt: at(from), endsAt: at(to) },
    ...{ reason: 'new cooling', madeBy: 'noa' },
  })
const withdraw = (id: number, now = 0) => endDowntime(database.db, at(now), { vo, id, by: 'noa' })
/** Not what was known a quarter of a second ago. */
const lease = async (site: string, now: number) => {
  const deps = { ...world.deps, markets: createMarkets(database.db) }
  const stamp = await world.pilot(site, at(now))
  const asked = { vo, stamp, now: at(now), most: 1, holding: [], free: room }
  return (await leaseJobs(deps, asked)).jobs.map(({ jobId }) => jobId)
}

test('a job that would not end before an outage does not start there, a short one does', async () => {
  const [short, long] = await world.submit([
    jobs({ demand: { ...DEFAULT_DEMAND, seconds: HOUR } }),
    jobs({ demand: { ...DEFAULT_DEMAND, seconds: 12 * HOUR } }),
  ])
  const { id } = await outage('kek', 2 * HOUR, 9 * HOUR)
  expect(await lease('kek', 10)).toEqual([short])
  expect(await lease('kek', 3 * HOUR)).toEqual([])
  await withdraw(id, 4 * HOUR)
  expect(await lease('kek', 4 * HOUR)).toEqual([long])
})

test('an outage of one place leaves the others of its site alone', async () => {
  await world.submit([jobs({ demand: { ...DEFAULT_DEMAND, seconds: HOUR } })])
  const { id } = await outage('kek', 1, 9 * HOUR, 'kek-other')
  expect(await lease('kek', 20)).toHaveLength(1)
  await withdraw(id)
})

test('no pilot is started for work that could not end in time, and the job is told why it waits', async () => {
  const pilots = async () =>
    (await row(database.db, sql<{ n: number }>`select count(*)::int as n from pilot`))!.n
  const { signal } = new AbortController()
  const markets = () => createMarkets(database.db)
  const tick = (now: number) =>
    provisionWorker({ db: database.db, ids: systemPorts.ids, markets: markets() }).tick(at(now), signal)
  const [id] = await world.submit([jobs({ demand: { ...DEFAULT_DEMAND, seconds: HOUR, sites: ['osaka'] } })])
  const why = async (now: number) =>
    (await explainJob({ db: database.db, markets: markets() }, { vo, id: id!, now: at(now) })).because
  const { id: downtime } = await outage('osaka', 600, 5 * HOUR)
  await tick(10)
  expect(await pilots()).toBe(0)
  expect(await why(10)).toMatch(
    /only at osaka, where osaka will be in downtime from .* new cooling; the job might not end before/,
  )
  expect(await why(700)).toContain('osaka is in downtime until 2026-01-01T05:00:00.000Z: new cooling')
  await tick(700)
  expect(await pilots()).toBe(0)
  await withdraw(downtime, 800)
  await tick(801)
  expect(await pilots()).toBe(1)
})
