import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, jobs, jobWorld, noa, room, vo } from '../../test/harness/job-world.ts'
import { readsOf } from '../../test/harness/reads.ts'
import { type Db, row, rows, seededRng, sql, transaction } from '../kernel/index.ts'
import { normalDemand, queueKey } from './demand.ts'
import {
  type Completion,
  completeStart,
  ENDS,
  FINAL,
  ownPilot,
  putLimit,
  putShare,
  STATES,
  splitInputs,
} from './index.ts'
import {
  drawQueues,
  howMany,
  limitConcerns,
  lotteryOf,
  obstacles,
  queueWeights,
  roomOf,
  sampleOrder,
} from './match.ts'
import { judgePlace, pilotsToStart } from './provision.ts'
import { aheadOf } from './read.store.ts'
import type { Demand, JobLimit, Offer, Queue } from './types.ts'

const offer: Offer = { ...room, vo, site: 'kek', resource: 'kek-farm', tags: ['gpu', 'avx'] }
const queue = (id: number, more: Partial<Queue> = {}, demand: Partial<Demand> = {}): Queue => ({
  ...{ id, vo, ownerId: 1, owner: 'mika', group: '/demo', jobType: 'User', dataSites: null, spoiltAt: [] },
  ...more,
  demand: normalDemand(demand),
})

describe('what fits', () => {
  test('is decided by every demand, each named when it does not', () => {
    const kinds = (demand: Partial<Demand>, more: Partial<Queue> = {}) =>
      obstacles(queue(1, more, demand), offer).map(({ kind }) => kind)
    expect(kinds({})).toEqual([])
    expect(kinds({ tags: ['gpu'], sites: ['kek'], platform: 'x86_64' })).toEqual([])
    expect(kinds({ sites: ['osaka'] })).toEqual(['site'])
    expect(kinds({ banned: ['kek'] })).toEqual(['banned'])
    expect(kinds({}, { spoiltAt: ['kek'] })).toEqual(['spoilt'])
    expect(kinds({}, { dataSites: ['osaka'] })).toEqual(['data'])
    expect(kinds({ platform: 'arm64', tags: ['gpu', 'tpu'] })).toEqual(['platform', 'tags'])
    expect(kinds({ cores: 2, memoryMb: 9000, diskMb: 200_000 })).toEqual(['cores', 'memory', 'disk'])
  })

  test('never gets less by asking for less', () => {
    const demand = fc.record({
      cores: fc.integer({ min: 1, max: 4 }),
      memoryMb: fc.integer({ min: 1, max: 20_000 }),
      seconds: fc.integer({ min: 1, max: 1_080_000 }),
      tags: fc.subarray(['gpu', 'avx', 'tpu']),
    })
    fc.assert(
      fc.property(demand, fc.integer({ min: 0, max: 3 }), (asked, less) => {
        const smaller = { ...asked, cores: Math.max(1, asked.cores - less), tags: asked.tags.slice(less) }
        const count = (wish: Partial<Demand>) => obstacles(queue(1, {}, wish), offer).length
        expect(count(smaller)).toBeLessThanOrEqual(count(asked))
      }),
    )
  })

  test('is the same queue for the same demand, however it was written', () => {
    const key = (wish: Partial<Demand>) => {
      const { id: _, ...rest } = queue(1, {}, wish)
      return queueKey(rest).toString('hex')
    }
    expect(key({ seconds: 100, memoryMb: 1999, tags: ['b', 'a', 'b'] })).toBe(
      key({ seconds: 360, memoryMb: 2048, tags: ['a', 'b'] }),
    )
    expect(key({ seconds: 361 })).not.toBe(key({ seconds: 360 }))
    expect(
      howMany(normalDemand({ cores: 2, memoryMb: 4096 }), { cores: 9, memoryMb: 9000, diskMb: 99_999 }),
    ).toBe(2)
  })
})

describe('shares', () => {
  test('go by weight, then by owner, then by queue: many queues gain nothing', () => {
    const queues = [
      ...Array.from({ length: 50 }, (_, i) => queue(i, { group: '/mc', owner: 'prod' })),
      queue(100, { group: '/users', owner: 'mika' }),
      queue(101, { group: '/users', owner: 'noa' }),
    ]
    const weights = queueWeights(queues, new Map([['/mc', 3]]), [])
    const of = (group: string) =>
      queues.filter((q) => q.group === group).reduce((sum, { id }) => sum + weights.get(id)!, 0)
    expect(of('/mc')).toBeCloseTo(0.75)
    expect(weights.get(100)).toBeCloseTo(0.125)
  })

  test('converge: whoever used more gets less until all have what is theirs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 8 }), (seed, weight) => {
        const rng = seededRng(seed)
        const queues = [queue(1, { group: '/a' }), queue(2, { group: '/b' })]
        // `/b` begins with all of the use.
        const used = new Map([
          ['/a', 0],
          ['/b', 500],
        ])
        for (let start = 0; start < 3000; start++) {
          const usage = [...used].map(([group, coreSeconds]) => ({ group, owner: 'mika', coreSeconds }))
          const [first] = sampleOrder(queues, queueWeights(queues, new Map([['/a', weight]]), usage), rng)
          used.set(first!.group, used.get(first!.group)! + 1)
        }
        const part = used.get('/a')! / (used.get('/a')! + used.get('/b')!)
        expect(part).toBeGreaterThan(weight / (weight + 1) - 0.1)
        expect(part).toBeLessThan(weight / (weight + 1) + 0.1)
      }),
      { numRuns: 20 },
    )
  })

  test('decide a draw among many as they decide the order of all', () => {
    const queues = Array.from({ length: 40 }, (_, i) => queue(i))
    const weights = new Map(queues.map(({ id }) => [id, (id + 1) / 820]))
    const rng = seededRng(11)
    const lottery = lotteryOf(queues, weights)
    const firsts = (draw: () => Queue[]) =>
      Array.from({ length: 4000 }, () => draw().slice(0, 2)).map((two) => two.map(({ id }) => id))
    const drawn = firsts(() => drawQueues(lottery, 8, new Set([39]), rng))
    const ordered = firsts(() => sampleOrder(queues.slice(0, 39), weights, rng))
    const heavy = (all: number[][], place: number) => all.filter((two) => two[place]! >= 30).length / 4000
    expect(drawn.flat()).not.toContain(39)
    for (const place of [0, 1]) expect(heavy(drawn, place)).toBeCloseTo(heavy(ordered, place), 1)
    const few = drawQueues(lottery, 100, new Set([39]), rng).map(({ id }) => id)
    expect(new Set(few).size).toBe(39)
    const one = lotteryOf([queue(1), queue(2)], new Map([[1, 1]]))
    expect(drawQueues(one, 2, new Set(), rng).map(({ id }) => id)).toEqual([1, 2])
    expect(drawQueues(one, 2, new Set([1, 2]), rng)).toEqual([])
  })

  test('starve nobody: the smallest weight comes first some day', () => {
    const queues = [queue(1), queue(2, { group: '/tiny' })]
    const weights = new Map([
      [1, 0.99],
      [2, 0.01],
    ])
    const rng = seededRng(5)
    const firsts = Array.from({ length: 2000 }, () => sampleOrder(queues, weights, rng)[0]!.id)
    const tiny = firsts.filter((id) => id === 2).length
    expect(tiny).toBeGreaterThan(5)
    expect(tiny).toBeLessThan(60)
  })
})

describe('limits', () => {
  const limit = (more: Partial<JobLimit>): JobLimit => ({
    ...{ id: 1, vo, site: 'kek', key: 'any', value: '', maxRunning: 2, intervalMs: 0, used: 0, nextAt: null },
    ...more,
  })

  test('concern the jobs they name, at the site they name', () => {
    const here = { site: 'kek', storages: ['KEK-DISK'] }
    const concerns = (more: Partial<JobLimit>, q = queue(1)) => limitConcerns(limit(more), q, here)
    expect(concerns({})).toBe(true)
    expect(concerns({ site: 'osaka' })).toBe(false)
    expect(concerns({ site: null, key: 'owner', value: 'noa' })).toBe(false)
    expect(concerns({ key: 'storage', value: 'KEK-DISK' })).toBe(false)
    expect(concerns({ key: 'storage', value: 'KEK-DISK' }, queue(1, { dataSites: ['kek'] }))).toBe(true)
    expect(roomOf(limit({ used: 3 }), at(0))).toBe(0)
    expect(roomOf(limit({ maxRunning: null, intervalMs: 1000, nextAt: at(1) }), at(0))).toBe(0)
    expect(roomOf(limit({ maxRunning: null, intervalMs: 1000, nextAt: at(1) }), at(1))).toBe(1)
  })
})

describe('inputs', () => {
  test('are split without losing one, none twice, no group too large, and near each other', () => {
    const file = fc.record({ sites: fc.subarray(['kek', 'osaka', 'chicago']) })
    const perJobs = fc.integer({ min: 1, max: 7 })
    fc.assert(
      fc.property(fc.array(file, { maxLength: 60 }), perJobs, fc.boolean(), (list, perJob, readFromAfar) => {
        const files = list.map(({ sites }, i) => ({ scope: 's', name: String(i), sites }))
        const groups = splitInputs(files, { perJob, readFromAfar })
        expect(
          groups
            .flat()
            .map(({ name }) => name)
            .sort(),
        ).toEqual(files.map(({ name }) => name).sort())
        const sitesOf = (name: string) => files.find((f) => f.name === name)!.sites
        for (const group of groups) expect(group.length).toBeLessThanOrEqual(perJob)
        if (readFromAfar) return
        for (const group of groups) {
          const common = group.map(({ name }) => sitesOf(name))
          const nowhere = common.every((sites) => sites.length === 0)
          const shared = common.reduce((a, b) => a.filter((site) => b.includes(site)))
          expect(nowhere || shared.length > 0).toBe(true)
        }
      }),
    )
  })

  test('of a job that reads from afar are one group, wherever they lie, as long as they are not too many', () => {
    const lyingAt = (sites: string[], i: number) => ({ scope: 's', name: String(i), sites })
    const files = [['kek'], ['osaka'], [], ['chicago'], ['kek', 'osaka']].map(lyingAt)
    const sizes = (perJob: number, readFromAfar: boolean) =>
      splitInputs(files, { perJob, readFromAfar })
        .map(({ length }) => length)
        .sort()
    expect(sizes(1000, true)).toEqual([5])
    expect(sizes(1000, false)).toEqual([1, 1, 1, 2])
    expect(sizes(3, true)).toEqual([2, 3])
  })
})

describe('a place for pilots', () => {
  const resource = {
    ...{ id: 1, ...offer, name: 'kek-farm', gateway: 'kek', kind: 'local', maxPilots: 10, maxWaiting: 3 },
    ...{ pausedUntil: null, pauseMs: 0, cluster: null, pauseReason: null },
  }
  const end = (more = {}) => ({
    ...{ resourceId: 1, jobs: 0, spoilt: 0, state: 'Failed', reason: 'no disk', endedAt: at(5) },
    ...more,
  })

  test('gets as many as there is work for, no more than may wait, none without work', () => {
    const start = (waiting: number, running: number, work: number) =>
      pilotsToStart(resource, { waiting, running }, work, at(0))
    expect(start(0, 0, 0)).toBe(0)
    expect(start(0, 0, 1)).toBe(1)
    expect(start(0, 0, 100)).toBe(3)
    expect(start(2, 0, 2)).toBe(0)
    expect(start(0, 9, 100)).toBe(1)
    expect(start(0, 10, 100)).toBe(0)
  })

  test('that swallows pilots is paused, longer each time, and opened by one good pilot', () => {
    expect(judgePlace(resource, [end(), end()], at(10))).toBeUndefined()
    const first = judgePlace(resource, [end(), end(), end()], at(10))!
    expect(first).toEqual({ until: at(70), pauseMs: 60_000, reason: 'no disk' })
    const paused = {
      ...resource,
      pausedUntil: first.until,
      pauseMs: first.pauseMs,
      pauseReason: first.reason,
    }
    expect(judgePlace(paused, [end(), end(), end()], at(80))).toBeUndefined()
    expect(pilotsToStart(paused, { waiting: 0, running: 0 }, 100, at(80))).toBe(1)
    expect(judgePlace(paused, [end({ endedAt: at(90) })], at(90))?.pauseMs).toBe(120_000)
    expect(judgePlace(paused, [end({ state: 'Done', jobs: 4 })], at(90))).toEqual({
      ...{ until: null, pauseMs: 0, reason: null },
    })
  })
})

describe('the states', () => {
  test('all have an end and somebody who sees to it', () => {
    const used = new Set<number>([...Object.keys(ENDS).map(Number), ...FINAL])
    const unused = ['Submitting', 'Scouting', 'Staging', 'Completed']
    const missing = Object.entries(STATES).filter(([, code]) => !used.has(code))
    expect(missing.map(([name]) => name).sort()).toEqual([...unused].sort())
    for (const end of Object.values(ENDS)) expect(end.afterMs).toBeGreaterThan(0)
  })
})

describe('the matcher', () => {
  const database = testDatabase()
  const world = jobWorld(database)
  beforeEach(() => world.clear())

  test('keeps to a limit, whatever the number of pilots at once, and frees it at the end', async () => {
    const { db } = database
    await transaction(db, (tx) =>
      putLimit(tx, { vo, site: 'kek', key: 'any', value: '', maxRunning: 3, intervalMs: 0 }),
    )
    await world.submit([jobs({ count: 20 })])
    const stamps = await Promise.all(Array.from({ length: 8 }, () => world.pilot()))
    const leases = await Promise.all(stamps.map((stamp) => world.lease(stamp)))
    const got = leases.flatMap((lease, i) => lease.jobs.map((job) => ({ job, stamp: stamps[i]! })))
    expect(got).toHaveLength(3)
    expect((await world.lease(await world.pilot('osaka'))).jobs).toHaveLength(1)
    const [{ job, stamp }] = got as [(typeof got)[number]]
    const { id } = await ownPilot(db, vo, stamp)
    const completion: Completion = {
      ...{ jobId: job.jobId, attempt: 1, outcome: 'done', minor: 'Execution Complete', application: '' },
      ...{ exitCode: 0, files: [], metadata: {}, logs: [], sandbox: null },
    }
    const deps = { db, rses: world.rses, verifyArrivals: async () => undefined }
    await completeStart(deps, { vo, pilotId: id, now: at(30), completion })
    expect((await world.lease(await world.pilot(), { now: at(31) })).jobs).toHaveLength(1)
    expect((await world.lease(await world.pilot(), { now: at(31) })).jobs).toHaveLength(0)
  })

  test('starts jobs of a slow kind one after the other, also when two servers match', async () => {
    await transaction(database.db, (tx) =>
      putLimit(tx, { vo, site: null, key: 'owner', value: 'mika', maxRunning: null, intervalMs: 10_000 }),
    )
    await world.submit([jobs({ count: 9 })])
    const at10 = await Promise.all(
      [1, 2, 3].map(async () => world.lease(await world.pilot(), { now: at(10) })),
    )
    expect(at10.flatMap((lease) => lease.jobs)).toHaveLength(1)
    expect((await world.lease(await world.pilot(), { now: at(19) })).jobs).toHaveLength(0)
    expect((await world.lease(await world.pilot(), { now: at(20) })).jobs).toHaveLength(1)
  })

  test('shares starts by weight between groups', async () => {
    const { db } = database
    await putShare(db, vo, '/demo', 1)
    await putShare(db, vo, '/mc', 3)
    await world.submit([jobs({ count: 300 })])
    await world.submit([jobs({ count: 300 })], { by: { ...noa, group: '/mc' } })
    const stamp = await world.pilot()
    const holding = []
    const count = { mika: 0, noa: 0 } as Record<string, number>
    for (let n = 0; n < 200; n++) {
      const { jobs: got } = await world.lease(stamp, { holding, now: at(10 + n) })
      holding.push(...got)
      for (const job of got) count[job.owner]! += 1
      // As in life, where the market is read anew four times a second.
      await world.markets.of(vo, at(10 + n), true)
    }
    expect(count.mika! + count.noa!).toBe(200)
    expect(count.noa! / 200).toBeGreaterThan(0.65)
    expect(count.noa! / 200).toBeLessThan(0.85)
  })

  test('takes urgent jobs of an owner first and fills several cores', async () => {
    const [slow] = await world.submit([jobs({ priority: 1 })])
    const [quick] = await world.submit([jobs({ priority: 9 })])
    expect((await world.lease(await world.pilot())).jobs.map(({ jobId }) => jobId)).toEqual([quick])
    await world.submit([jobs({ count: 3, demand: normalDemand({ cores: 2 }) })])
    await world.markets.of(vo, at(10), true)
    const large = await world.lease(await world.pilot(), { most: 8, free: { cores: 5, memoryMb: 99_999 } })
    const cores = large.jobs.map(({ demand }) => demand.cores)
    expect(cores.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(5)
    expect(large.jobs.map(({ jobId }) => jobId)).toContain(slow)
    expect(cores.length).toBe(3)
  })

  test('reads only the index of waiting jobs, however many others there are', async () => {
    const { db } = database
    await world.submit([jobs({ count: 50 })])
    await manyJobs(db)
    const plan = await row(
      db,
      sql<{ plan: unknown }>`explain (format json) select id from job where state = ${sql.lit(STATES.Waiting)}
        and queue_id = 1 order by priority desc, id limit 4 for update skip locked`,
    )
    expect(JSON.stringify(plan)).toMatch(/job_waiting/)
    const overdue = await row(
      db,
      sql`explain (format json) select id from job where deadline <= now() order by deadline limit 1000`,
    )
    expect(JSON.stringify(overdue)).toMatch(/job_deadline/)
    const newest = await row(
      db,
      sql`explain (format json) select id from job where vo = 'demo' and owner_id = 7 order by id desc limit 100`,
    )
    expect(JSON.stringify(newest)).toMatch(/job_owner/)
  })

  test('tells the first of very many jobs what is ahead of it without a look at those behind', async () => {
    const { db } = database
    const [first] = await world.submit([jobs({ count: 2000 })])
    const urgent = await world.submit([jobs({ count: 3, priority: 9 })])
    for (const analyzed of [false, true]) {
      if (analyzed) await sql`vacuum analyze job`.execute(db)
      let ahead = 0
      const reads = await readsOf(db, async (tx) => {
        ahead = await aheadOf(tx, first!, 1000)
      })
      expect(ahead).toBe(urgent.length)
      expect(reads.whole).toEqual([])
      expect(reads.entries).toBeLessThan(500)
    }
    expect(await aheadOf(db, first! + 1500n, 1000)).toBe(1000)
  })

  test('in several processes gives no job twice', async () => {
    const module = join(import.meta.dirname, '../../dist/src/workload/index.js')
    expect(existsSync(module), 'run: npm run build').toBe(true)
    const ids = [
      ...(await world.submit([jobs({ count: 150 })])),
      ...(await world.submit([jobs({ count: 150, demand: normalDemand({ memoryMb: 4096 }) })], { by: noa })),
    ]
    const stamps = await Promise.all(Array.from({ length: 12 }, () => world.pilot()))
    const children = [0, 1, 2].map((n) => matcher(database.url, stamps.slice(n * 4, n * 4 + 4)))
    const outputs = await Promise.all(children.map(outputOf))
    const taken = outputs.flatMap((text) => text.trim().split('\n').filter(Boolean))
    expect(taken).toHaveLength(ids.length)
    expect(new Set(taken).size).toBe(ids.length)
    const starts = await rows(database.db, sql`select job_id from job_attempt where n > 1`)
    expect(starts).toEqual([])
  })
})

async function manyJobs(db: Db): Promise<void> {
  await sql`insert into job (vo, queue_id, body_id, owner_id, name, state, minor, priority, submitted_at, updated_at, ended_at)
    select 'demo', 1 + n % 50, 1, 7 + n % 20, 'old', 12, 'Execution Complete', 1, now(), now(), now()
    from generate_series(1, 50000) n`.execute(db)
  await sql`insert into job (vo, queue_id, body_id, owner_id, name, state, minor, priority, deadline, submitted_at, updated_at)
    select 'demo', 1 + n % 50, 1, 7 + n % 20, 'new', 5, 'Pilot Agent Submission', 1, now() + interval '9 days', now(), now()
    from generate_series(1, 5000) n`.execute(db)
  await sql`analyze job`.execute(db)
}

/** A server process reduced to its matcher: its pilots take jobs until none is left. */
function matcher(url: string, stamps: readonly string[]): ChildProcess {
  const root = JSON.stringify(join(import.meta.dirname, '../../dist/src'))
  const program = `
    const { openDatabase } = await import(${root} + '/kernel/index.js')
    const { createMarkets, leaseJobs } = await import(${root} + '/workload/index.js')
    const { db, close } = openDatabase({ connection: ${JSON.stringify(url)}, poolSize: 4 })
    const deps = { db, rng: { next: Math.random }, markets: createMarkets(db), storagesAt: async () => [] }
    const free = ${JSON.stringify(room)}
    await Promise.all(${JSON.stringify(stamps)}.map(async (stamp) => {
      const holding = []
      for (let empty = 0; empty < 3; ) {
        const now = new Date('2026-01-01T00:00:10Z')
        const lease = await leaseJobs(deps, { vo: 'demo', stamp, now, free, most: 3, holding })
        if (lease.jobs.length === 0) empty++
        holding.push(...lease.jobs)
        for (const job of lease.jobs) console.log(String(job.jobId))
      }
    }))
    await close()`
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function outputOf(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout!.on('data', (part) => {
    text += part
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(0)
  return text
}
