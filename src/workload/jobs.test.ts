import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, completion, jobs, jobWorld, mika, vo } from '../../test/harness/job-world.ts'
import { getDids, listFiles } from '../catalog/index.ts'
import { rows, sql } from '../kernel/index.ts'
import {
  type Completion,
  completeStart,
  deleteJobs,
  explainJob,
  heartbeat,
  holdJobs,
  killJobs,
  type LeasedJob,
  logParts,
  logStart,
  makersOfFiles,
  ownPilot,
  pilotEnds,
  promiseOutputs,
  putResource,
  releaseJobs,
  rescheduleJobs,
  resourcesOf,
  STATES,
  submitJobs,
  summariseJobs,
} from './index.ts'

const database = testDatabase()
const world = jobWorld(database)
beforeEach(() => world.clear())

const order = (ids: bigint[], now = at(20)) => ({ vo, now, ids, source: 'mika' })
const complete = async (
  stamp: string,
  document: Completion,
  now = at(100),
  verify = async () => undefined,
) => {
  const { id } = await ownPilot(database.db, vo, stamp)
  const deps = { db: database.db, rses: world.rses, verifyArrivals: verify }
  return completeStart(deps, { vo, pilotId: id, now, completion: document })
}
const running = (job: LeasedJob, minor = 'Application') => ({
  ...{ jobId: job.jobId, attempt: job.attempt, state: STATES.Running, minor, figures: { CPUConsumed: 1 } },
})
const beat = (stamp: string, list: LeasedJob[], now = at(20)) =>
  heartbeat(database.db, { vo, stamp, now, reports: list.map((job) => running(job)), logs: [] })

/** One job with a pilot that runs it. */
async function started(more: Parameters<typeof jobs>[0] = {}) {
  const [id] = await world.submit([jobs(more)])
  const stamp = await world.pilot()
  const lease = await world.lease(stamp)
  await beat(stamp, [...lease.jobs])
  return { id: id!, stamp, job: lease.jobs[0]! }
}

describe('a job', () => {
  test('is submitted, leased, run and done, with its history', async () => {
    const { id, stamp, job } = await started()
    expect(await world.view(id)).toMatchObject({ status: 'Running', site: 'kek', attempt: 1 })
    await complete(stamp, completion(job))
    expect(await world.view(id)).toMatchObject({
      status: 'Done',
      minor: 'Execution Complete',
      deadline: null,
    })
    const history = await rows(
      database.db,
      sql<{
        state: number
        source: string
      }>`select state, source from job_event where job_id = ${id} order by at, state`,
    )
    const { Received, Waiting, Matched, Running, Done } = STATES
    expect(history.map(({ state }) => state)).toEqual([Received, Waiting, Matched, Running, Done])
  })

  test('sent twice under one key is there once; the key for other jobs is refused', async () => {
    const first = await world.submit([jobs({ count: 3 })], { key: 'k' })
    expect(await world.submit([jobs({ count: 3 })], { key: 'k' })).toEqual(first)
    await expect(world.submit([jobs({ count: 2 })], { key: 'k' })).rejects.toThrow(/other jobs/)
    expect(await world.submit([jobs({ count: 3 })], { key: 'l' })).not.toEqual(first)
  })

  test('sent by several at the same moment under one key is there once', async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, () =>
        submitJobs(database.db, { now: at(0), by: mika, jobs: [jobs({ count: 5 })], key: 'same' }),
      ),
    )
    expect(new Set(all.map((ids) => ids.join(' '))).size).toBe(1)
  })

  test('that cannot be run as it is described is refused with a reason', async () => {
    for (const bad of [
      jobs({ spec: { executable: ' ' } }),
      jobs({ priority: 11 }),
      jobs({ spec: { outputSandbox: ['../../etc/passwd'] } }),
      jobs({ items: [] }),
    ])
      await expect(world.submit([bad])).rejects.toMatchObject({ code: 'invalid_job' })
  })

  test('reported by a start that is over changes nothing', async () => {
    const { id, stamp, job } = await started()
    await rescheduleJobs(database.db, order([id]))
    await expect(complete(stamp, completion(job))).rejects.toMatchObject({ code: 'attempt_over' })
    expect((await beat(stamp, [job], at(30))).stop).toEqual([{ jobId: id, attempt: 1 }])
    const second = await world.pilot('osaka')
    const again = (await world.lease(second)).jobs[0]!
    expect(again).toMatchObject({ jobId: id, attempt: 2 })
    await expect(complete(stamp, completion(job))).rejects.toMatchObject({ code: 'attempt_over' })
    await expect(complete(stamp, completion(again))).rejects.toMatchObject({ code: 'attempt_over' })
    await complete(second, completion(again))
    // Told again, because the answer was lost: the same end, once.
    await complete(second, completion(again))
    expect(await world.view(id)).toMatchObject({ status: 'Done', attempt: 2 })
  })

  test('whose pilot is silent stalls, comes back with its next report, and is lost after forty minutes more', async () => {
    const { id, stamp, job } = await started()
    await world.tick('deadlines', at(20 + 301))
    expect(await world.view(id)).toMatchObject({ status: 'Stalled' })
    expect(await beat(stamp, [job], at(20 + 1800))).toMatchObject({ stop: [] })
    expect(await world.view(id)).toMatchObject({ status: 'Running' })
    await world.tick('deadlines', at(20 + 1800 + 301))
    await world.tick('deadlines', at(20 + 1800 + 302 + 2400))
    expect(await world.view(id)).toMatchObject({ status: 'Waiting', losses: 1, failures: 0 })
    await expect(complete(stamp, completion(job))).rejects.toMatchObject({ code: 'attempt_over' })
  })

  test('that wrote much is read from a position on, or from somewhere before the end', async () => {
    const { id, stamp, job } = await started()
    const logs = [0, 1, 2, 3].map((n) => ({
      ...{
        jobId: job.jobId,
        attempt: job.attempt,
        stream: 'out' as const,
        at: BigInt(n * 10),
        text: `line ${n}...\n`,
      },
    }))
    await heartbeat(database.db, { vo, stamp, now: at(20), reports: [], logs })
    const held = { jobId: id, attempt: 1, stream: 'out' as const }
    const read = async (from: bigint, bytes: number) =>
      (await logParts(database.db, { ...held, from, bytes })).map((part) => Number(part.at))
    expect(await read(0n, 1000)).toEqual([0, 10, 20, 30])
    expect(await read(0n, 15)).toEqual([0, 10])
    expect(await read(10n, 1)).toEqual([10])
    expect(await read(40n, 1000)).toEqual([])
    expect(await logStart(database.db, { ...held, last: 12 })).toBe(20n)
    expect(await logStart(database.db, { ...held, last: 1000 })).toBe(0n)
    expect(await logStart(database.db, { ...held, stream: 'err', last: 12 })).toBe(0n)
  })

  test('that fails by itself is Failed at once, or tried again as often as it allows', async () => {
    const failed = { outcome: 'failed', minor: 'Application Finished With Errors', exitCode: 3 } as const
    const once = await started()
    await complete(once.stamp, completion(once.job, failed))
    expect(await world.view(once.id)).toMatchObject({ status: 'Failed', minor: failed.minor })
    const twice = await started({ spec: { tries: 2 } })
    await complete(twice.stamp, completion(twice.job, failed))
    expect(await world.view(twice.id)).toMatchObject({ status: 'Waiting', failures: 1 })
  })

  test('that a site spoilt waits elsewhere and has lost nothing', async () => {
    const { id, stamp, job } = await started()
    await complete(stamp, completion(job, { outcome: 'site_fault', minor: 'Failed Downloading Input Data' }))
    expect(await world.view(id)).toMatchObject({ status: 'Waiting', failures: 0, losses: 1 })
    expect((await world.lease(await world.pilot('kek'))).jobs).toEqual([])
    expect((await world.lease(await world.pilot('osaka'))).jobs).toHaveLength(1)
  })

  test('that every site spoilt goes back to them, but not while another place is left', async () => {
    const [id] = await world.submit([jobs()])
    for (const [n, site] of ['kek', 'osaka', 'chicago'].entries()) {
      const stamp = await world.pilot(site)
      const [job] = (await world.lease(stamp)).jobs
      expect(job).toMatchObject({ jobId: id, attempt: n + 1 })
      await complete(stamp, completion(job!, { outcome: 'site_fault', minor: 'No disk' }))
      if (n < 2) await world.tick('forgiveness', at(20 + n))
      expect((await world.lease(await world.pilot('kek'))).jobs).toEqual([])
    }
    await world.tick('locate', at(200))
    await world.tick('forgiveness', at(200))
    expect((await world.lease(await world.pilot('kek'))).jobs[0]).toMatchObject({ jobId: id, attempt: 4 })
  })

  test('that was spoilt at a site may be sent there by hand', async () => {
    const { id, stamp, job } = await started()
    await complete(stamp, completion(job, { outcome: 'site_fault', minor: 'No disk' }))
    await rescheduleJobs(database.db, order([id]))
    expect((await world.lease(await world.pilot('kek'))).jobs).toHaveLength(1)
  })

  test('is never given to a pilot that is being given up at that moment', async () => {
    const ids = await world.submit([jobs({ count: 8 })])
    // Nine times, because the tenth loss is the end of a job.
    for (let n = 0; n < 9; n++) {
      const stamps = await Promise.all(Array.from({ length: 8 }, () => world.pilot()))
      await Promise.allSettled(
        stamps.flatMap((stamp) => [
          world.lease(stamp),
          pilotEnds(database.db, { vo, stamp, now: at(20 + n), reason: 'node crashed' }),
        ]),
      )
    }
    // Those that lost several rest before the next.
    for (const id of ids) expect(['Waiting', 'Rescheduled']).toContain((await world.view(id)).status)
  })

  test('whose end is told twice at the same moment is done once, and neither is refused', async () => {
    for (let n = 0; n < 10; n++) {
      const { id, stamp, job } = await started()
      await Promise.all([complete(stamp, completion(job)), complete(stamp, completion(job))])
      expect(await world.view(id)).toMatchObject({ status: 'Done', attempt: 1 })
    }
  })

  test('that loses its pilot ten times is given up', async () => {
    const [id] = await world.submit([jobs()])
    for (let n = 1; n <= 10; n++) {
      const stamp = await world.pilot()
      const { jobs: got } = await world.lease(stamp)
      expect(got[0]?.attempt).toBe(n)
      await pilotEnds(database.db, { vo, stamp, now: at(1000 * n), reason: 'node crashed' })
      await world.tick('locate', at(1000 * n + 600))
    }
    expect(await world.view(id!)).toMatchObject({
      status: 'Failed',
      minor: 'Maximum of reschedulings reached',
    })
  })

  test('that loses one start after the other rests before the next, longer each time', async () => {
    const [id] = await world.submit([jobs()])
    for (const rest of [0, 0, 30, 60]) {
      const stamp = await world.pilot()
      expect((await world.lease(stamp)).jobs).toHaveLength(1)
      await pilotEnds(database.db, { vo, stamp, now: at(20), reason: 'node crashed' })
      expect(await world.view(id!)).toMatchObject({
        status: rest > 0 ? 'Rescheduled' : 'Waiting',
        site: null,
      })
      if (rest === 0) continue
      const told = await explainJob({ db: database.db, markets: world.markets }, { vo, id: id!, now: at(20) })
      expect(told.because).toMatch(/starts of it were lost or spoilt; it rests/)
      await world.tick('locate', at(20 + rest - 1))
      expect(await world.view(id!)).toMatchObject({ status: 'Rescheduled' })
      await world.tick('locate', at(20 + rest))
      expect(await world.view(id!)).toMatchObject({ status: 'Waiting' })
    }
    // Its owner need not wait.
    await rescheduleJobs(database.db, order([id!]))
    expect(await world.view(id!)).toMatchObject({ status: 'Waiting', losses: 0 })
  })

  test('given to a pilot whose answer was lost is given to it again, under the same number', async () => {
    const [id] = await world.submit([jobs()])
    const stamp = await world.pilot()
    const first = await world.lease(stamp)
    const again = await world.lease(stamp)
    expect(again.jobs).toEqual(first.jobs)
    expect(await world.lease(stamp, { holding: [...first.jobs] })).toMatchObject({ jobs: [] })
    // One that it had begun and knows nothing of any more died with it.
    await beat(stamp, [...first.jobs])
    expect((await world.lease(stamp)).jobs[0]).toMatchObject({ jobId: id, attempt: 2 })
  })

  test('is not given to pilots of a place that is to have none any more', async () => {
    const { db } = database
    const [here, there] = [await world.pilot(), await world.pilot('osaka')]
    await world.submit([jobs({ count: 2 })])
    const [first] = (await world.lease(here)).jobs
    const farm = (await resourcesOf(db, vo)).find(({ name }) => name === 'kek-farm')!
    await putResource(db, { ...farm, maxPilots: 0 })
    expect(await world.lease(here, { holding: [first!] })).toMatchObject({ jobs: [], drain: true })
    expect((await world.lease(there)).jobs).toHaveLength(1)
    await putResource(db, farm)
  })

  test('can be held, released, killed, run again and deleted by order', async () => {
    const [id] = await world.submit([jobs()])
    await holdJobs(database.db, order([id!]))
    expect(await world.view(id!)).toMatchObject({ status: 'Waiting', minor: 'Held by mika' })
    const stamp = await world.pilot()
    expect((await world.lease(stamp)).jobs).toEqual([])
    await releaseJobs(database.db, order([id!]))
    const [job] = (await world.lease(stamp)).jobs
    await killJobs(database.db, order([id!]))
    expect(await world.view(id!)).toMatchObject({ status: 'Killed', minor: 'Marked for termination' })
    expect((await beat(stamp, [job!])).stop).toHaveLength(1)
    await rescheduleJobs(database.db, order([id!]))
    expect(await world.view(id!)).toMatchObject({ status: 'Waiting', losses: 0 })
    await deleteJobs(database.db, order([id!]))
    const { refused } = await rescheduleJobs(database.db, order([id!, 999_999n]))
    expect([...refused.values()].map(String).join()).toMatch(/is Deleted.*There is no job 999999/)
  })
})

describe('states', () => {
  test('cannot be entered without an end', async () => {
    await world.submit([jobs()])
    await expect(sql`update job set deadline = null`.execute(database.db)).rejects.toThrow(/every_state_ends/)
    await expect(sql`update pilot set deadline = null`.execute(database.db)).resolves.toBeDefined()
  })

  test('are counted exactly, before and after the changes are folded', async () => {
    await started()
    await world.submit([jobs({ count: 4 })])
    const counts = () =>
      rows(
        database.db,
        sql`select state, sum(n)::int as n from (select state, n from job_count union all select state, n from job_delta) c
          group by 1 having sum(n) <> 0 order by 1`,
      )
    const expected = [
      { state: STATES.Waiting, n: 4 },
      { state: STATES.Running, n: 1 },
    ]
    expect(await counts()).toEqual(expected)
    expect(await world.fold(at(30))).toBeGreaterThan(0)
    expect(await counts()).toEqual(expected)
    expect(await world.fold(at(31))).toBe(0)
  })

  test('are counted at the sites where jobs are or were, until they are there no more', async () => {
    const first = await started()
    await complete(first.stamp, completion(first.job))
    const { id: lost } = await started()
    await world.submit([jobs({ count: 4 })])
    const counts = async () =>
      Object.fromEntries(
        (await summariseJobs(database.db, { vo, conditions: [], grouping: ['site', 'state'] })).map(
          ({ values, count }) => [values.join(' '), Number(count)],
        ),
      )
    const expected = { 'kek Done': 1, 'kek Running': 1, 'ANY Waiting': 4 }
    expect(await counts()).toEqual(expected)
    await world.fold(at(30))
    expect(await counts()).toEqual(expected)
    await killJobs(database.db, order([lost]))
    await rescheduleJobs(database.db, order([lost]))
    const afterwards = { 'kek Done': 1, 'ANY Waiting': 5 }
    expect(await counts()).toEqual(afterwards)
    await world.fold(at(60))
    expect(await counts()).toEqual(afterwards)
  })
})

describe('inputs', () => {
  test('decide where a job may run, and a job without any copy waits for one', async () => {
    await world.dataset('run1', { kek: ['a', 'b'], osaka: ['b'] })
    const input = (...names: string[]) => ({
      items: [{ n: 0, parameters: {}, inputs: names.map((name) => ({ scope: 'user.mika', name })) }],
    })
    const [both, b, none] = await world.submit([
      jobs(input('a', 'b')),
      jobs(input('b')),
      jobs(input('missing')),
    ])
    expect(await world.view(both!)).toMatchObject({ status: 'Received' })
    await world.tick('locate', at(1))
    expect(await world.view(none!)).toMatchObject({ status: 'Checking', minor: 'Input Data Not Available' })
    const osaka = await world.lease(await world.pilot('osaka'), {
      most: 9,
      free: { cores: 9, memoryMb: 99_999 },
    })
    expect(osaka.jobs.map(({ jobId }) => jobId)).toEqual([b])
    expect((await world.lease(await world.pilot('chicago'))).jobs).toEqual([])
    const why = await explainJob({ db: database.db, markets: world.markets }, { vo, id: both!, now: at(2) })
    expect(why.because).toMatch(/only at kek, where the site is unknown \(The site has no gateway/)
    expect(why.places.map(({ site, obstacles }) => [site, obstacles.map(({ kind }) => kind)])).toEqual([
      ['chicago', ['data']],
      ['kek', []],
      ['osaka', ['data']],
    ])
  })
})

describe('the end of a start', () => {
  const wish = { pattern: '*.root', dataset: { scope: 'user.mika', name: 'result' } }
  const identity = {
    mint: async () => ({ token: 't', tokenId: 'i', expiresAt: at(9999), scopes: [] }),
  }
  const promise = async (stamp: string, job: LeasedJob, files = ['h.root']) => {
    const { id } = await ownPilot(database.db, vo, stamp)
    const deps = { db: database.db, rses: world.rses, identity }
    return promiseOutputs(deps, {
      ...{ vo, pilotId: id, site: 'kek', now: at(50), jobId: job.jobId, attempt: job.attempt },
      files: files.map((file) => ({ output: 0, file })),
    })
  }

  test('writes state, files, dataset and lineage together, or nothing', async () => {
    await world.dataset('result', {})
    const { id, stamp, job } = await started({ spec: { outputs: [wish] } })
    const [made] = await promise(stamp, job)
    expect(made!.name).toBe(`h_${String(id).padStart(9, '0')}_01.root`)
    expect(made!.places.map(({ rse }) => rse)[0]).toBe('KEK-DISK')
    const { scope, name } = made!
    const file = {
      output: 0,
      scope,
      name,
      rse: 'KEK-DISK',
      bytes: 5n,
      adler32: '00000001',
      md5: 'a'.repeat(32),
    }
    const document = completion(job, { files: [file], metadata: { events: 1000 } })
    const notThere = async () => {
      throw new Error('not there')
    }
    await expect(complete(stamp, document, at(100), notThere)).rejects.toThrow('not there')
    expect(await world.view(id)).toMatchObject({ status: 'Running' })
    const elsewhere = completion(job, { files: [{ ...file, name: 'other.root' }] })
    await expect(complete(stamp, elsewhere)).rejects.toMatchObject({ code: 'output_not_promised' })
    await complete(stamp, document)
    expect(await world.view(id)).toMatchObject({ status: 'Done' })
    const found = []
    const dids = [{ scope: 'user.mika', name: 'result' }]
    for await (const page of listFiles(database.db, { vo, dids })) found.push(...page)
    expect(found.map((each) => each.name)).toEqual([name])
    const [did] = await getDids(database.db, { vo, dids: [{ scope, name }] })
    expect(await makersOfFiles(database.db, [did!.id])).toEqual([{ fileId: did!.id, jobId: id, attempt: 1 }])
    const left = await rows(
      database.db,
      sql`select * from job_upload where name = ${name} and remove_at > ${at(100)}`,
    )
    expect(left).toEqual([])
  })

  test('of a start that is over cannot register a file, and promises are for the present start only', async () => {
    const { id, stamp, job } = await started({ spec: { outputs: [wish] } })
    await promise(stamp, job)
    await rescheduleJobs(database.db, order([id]))
    await expect(promise(stamp, job)).rejects.toMatchObject({ code: 'attempt_over' })
  })
})
