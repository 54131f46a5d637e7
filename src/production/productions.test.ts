import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { vo } from '../../test/harness/job-world.ts'
import { type Behaviour, productionWorld } from '../../test/harness/production-world.ts'
import { addReplicas, getMetadata, listFiles } from '../catalog/index.ts'
import { row, rows, seededRng, sql } from '../kernel/index.ts'
import { listRules } from '../placement/index.ts'
import { jobsByIds, killJobs, makersOfFiles, rescheduleJobs, STATES, stateName } from '../workload/index.ts'
import { extendProduction } from './define.ts'
import { makingOf, tasksOfProduction } from './index.ts'
import type { TaskState } from './types.ts'
import { workOn } from './workers.ts'

const database = testDatabase()
const world = productionWorld(database)
beforeEach(() => world.clear())

let count = 0
const mc = (more: { cells?: string; scouts?: number; steps?: string; destinations?: string } = {}) => `
production: MC${++count}
scope: user.mika
release: release-08
conditions: mc_16
campaign: MC16
energy: 4S
scouts: ${more.scouts ?? 2}
destinations:
${more.destinations ?? '- {storages: KEK-DISK, share: 3}\n- {storages: OSAKA-DISK, share: 1}'}
steps:
- name: simulate
  kind: generate
  program: /bin/true
  arguments: ["%(run)s", "%(seed)s"]
  eventsPerJob: 100
  output: mdst.root
  level: mdst
${more.steps ?? ''}
cells:
${more.cells ?? '- [26, 101-104, 250]'}
`
const MERGE = `  keep: no
- name: merge
  kind: by_size
  program: /bin/true
  gigabytesPerJob: 3
  output: merged.root
  events: exact
`
const filesOf = async (name: string, step: string) => {
  const files = []
  const did = { scope: 'user.mika', name: `${name}.${step}` }
  for await (const page of listFiles(database.db, { vo, dids: [did] })) files.push(...page)
  return files
}

describe('a production', () => {
  test('gives every job the software tree that its name meant when it was defined', async () => {
    const source = mc({ cells: '- [26, 1, 150]' }).replace(
      'conditions:',
      'software: koto.example.org@v8\nconditions:',
    )
    const name = await world.started(source)
    const seen = new Set<unknown>()
    await world.run((job) => {
      seen.add(job.spec.software?.root)
      return {}
    })
    expect([...seen]).toEqual(['root-of-koto.example.org@v8'])
    expect((await world.show(name)).production).toMatchObject({
      life: 'completed',
      definition: { software: { repository: 'koto.example.org', root: 'root-of-koto.example.org@v8' } },
    })
  })

  test('is complete when the last of its intermediates is given up, however many there are', async () => {
    const cells = '- [26, 1-510, 100]'
    const name = await world.started(
      mc({ cells, steps: MERGE.replace('gigabytesPerJob: 3', 'gigabytesPerJob: 1000') }),
    )
    await world.run()
    expect((await world.show(name)).production.life).toBe('completed')
    expect(await filesOf(name, 'merge')).toHaveLength(1)
    expect(await filesOf(name, 'simulate')).toEqual([])
  })

  test('runs from cells to merged datasets: exact events, shares, lineage, no intermediates', async () => {
    const name = await world.started(mc({ steps: MERGE }))
    await world.run()
    const { production, steps, progress } = await world.show(name)
    expect(production).toMatchObject({ life: 'completed', operation: 'normal', scouted: true })
    expect(progress).toMatchObject({ fraction: 1, eventsVerified: 1000, eventsWanted: 1000, failed: 0 })
    // Four runs of 100 + 100 + 50 events.
    expect(steps.map(({ tasks, verified, eventsVerified }) => [tasks, verified, eventsVerified])).toEqual([
      [12n, 12n, 1000n],
      [4n, 4n, 1000n],
    ])
    const merged = await filesOf(name, 'merge')
    const about = await getMetadata(database.db, { vo, dids: merged })
    expect(about.reduce((sum, { columns }) => sum + Number(columns.events), 0)).toBe(1000)
    expect(about[0]!.meta).toMatchObject({
      release: 'release-08',
      conditions: 'mc_16',
      dataType: 'MC',
      step: 'merge',
    })
    // Shares of 3 to 1, each block with a rule for its destination.
    const blocks = steps[1]!.blocks
    expect(blocks.map(({ name: block, files }) => [block, files])).toEqual([
      [`${name}.merge.sub00`, 3],
      [`${name}.merge.sub01`, 1],
    ])
    const rules = []
    for await (const page of listRules(database.db, { vo, filter: {} }))
      rules.push(...page.map(({ target, rseExpression }) => `${target.name} ${rseExpression}`))
    const wanted = [`${name}.merge.sub00 KEK-DISK`, `${name}.merge.sub01 OSAKA-DISK`]
    expect(rules).toEqual(expect.arrayContaining(wanted))
    // File → start → inputs, release, conditions.
    const [made] = await makingOf(database.db, [merged[0]!.id])
    expect(made).toMatchObject({
      production: name,
      step: 'merge',
      release: 'release-08',
      conditions: 'mc_16',
    })
    expect(await makersOfFiles(database.db, [merged[0]!.id])).toHaveLength(1)
    const given = await rows(
      database.db,
      sql<{ n: number }>`select count(*)::int as n from production_output where given_up_at is not null`,
    )
    expect(given).toEqual([{ n: 12 }])
    // Nor do their datablocks list what cannot be had any more.
    expect(await filesOf(name, 'simulate')).toEqual([])
  })

  test('has a seed for every task that no other task has, and tells it to the program', async () => {
    const name = await world.started(mc({ scouts: 0 }))
    await world.work()
    const stamp = await world.pilot('kek', world.now)
    const jobs = await world.lease(stamp)
    expect(new Set(jobs.map(({ spec }) => spec.arguments[1])).size).toBe(12)
    await world.complete(stamp, jobs[0]!, () => ({ metadata: { events: 100, seed: 1e9 } }))
    await world.complete(stamp, jobs[1]!, () => ({
      metadata: { events: 100, seed: Number(jobs[1]!.spec.arguments[1]) },
    }))
    expect((await world.show(name)).steps[0]).toMatchObject({ verified: 1n })
  })

  test('must be validated before it starts, and does not change afterwards', async () => {
    const source = mc()
    const name = await world.define(source)
    await expect(world.order(name, 'start')).rejects.toThrow(/unchecked/)
    await world.judge(name)
    // Whoever changes it has to have it validated again.
    await world.define(source.replace('release-08', 'release-09'))
    await expect(world.order(name, 'start')).rejects.toThrow(/unchecked/)
    await world.judge(name)
    await world.order(name, 'start')
    await expect(world.define(source)).rejects.toThrow(/exists already/)
    await world.judge(name, false)
    await world.work()
    expect((await world.show(name)).steps[0]).toMatchObject({ tasks: 0n })
  })

  test('with destinations that no storage fits is refused', async () => {
    await expect(world.define(mc({ destinations: '- {storages: country=XX}' }))).rejects.toThrow(
      /destinations\[0\].storages/,
    )
    await expect(world.define(mc({ destinations: '- {storages: KEK-DISK, copies: 2}' }))).rejects.toThrow(
      /2 copies/,
    )
  })

  test('is extended by new totals, which twice are the same as once', async () => {
    const name = await world.started(mc({ cells: '- [26, 101, 100]' }))
    await world.run()
    const extend = (events: number) =>
      extendProduction(world.deps, {
        vo,
        now: world.now,
        name,
        source: `cells: [[26, 101, ${events}], [26, 102, 50]]`,
      })
    expect(await extend(250)).toEqual({ changed: 2 })
    expect(await extend(250)).toEqual({ changed: 0 })
    await expect(extend(200)).rejects.toThrow(/250 events already/)
    await world.run()
    const { production, progress } = await world.show(name)
    expect([production.life, progress.eventsVerified]).toEqual(['completed', 300])
  })

  test('is listed with what is done, in hand and not submitted, which together is all, at any moment', async () => {
    const unstarted = await world.define(mc({ cells: '- [26, 101, 250]\n- [26, 102, 1]' }))
    const name = await world.started(mc({ scouts: 2, steps: MERGE }))
    const all = async () =>
      new Map(
        (await world.list()).map(({ production, steps }) => [
          production.name,
          steps.map((step) => [Number(step.verified), Number(step.failed), step.waiting, step.notSubmitted]),
        ]),
      )
    await world.work()
    expect(await all()).toEqual(
      new Map([
        [
          name,
          [
            [0, 0, 2, 10],
            [0, 0, 0, 0],
          ],
        ],
        [unstarted, [[0, 0, 0, 4]]],
      ]),
    )
    const stamp = await world.pilot('kek', world.now)
    for (const job of await world.lease(stamp)) await world.complete(stamp, job)
    await world.work()
    expect((await all()).get(name)![0]).toEqual([2, 0, 10, 0])
    const [line] = await world.list()
    const shown = await world.show(name)
    expect(line!.progress).toEqual(shown.progress)
    expect(line!.steps).toEqual(shown.steps.map(({ blocks: _b, failures: _f, ...step }) => step))
    expect(line!.production.definition).toMatchObject({ release: 'release-08', campaign: 'MC16' })
    expect(line!.production.definition).not.toHaveProperty('steps')
    await world.order(name, 'cancel')
    expect((await all()).get(name)![0]).toEqual([2, 10, 0, 0])
    const tasks = (state: TaskState | null, limit: number) =>
      tasksOfProduction(database.db, { vo, name, state, limit })
    const ids = (await tasks(null, 100)).map(({ id }) => id)
    expect(ids).toHaveLength(12)
    expect(ids).toEqual([...ids].sort((a, b) => Number(a - b)))
    expect((await tasks('verified', 100)).map(({ step }) => step)).toEqual(['simulate', 'simulate'])
    expect(await tasks('failed', 3)).toHaveLength(3)
    expect(await tasks('submitted', 3)).toEqual([])
  })

  test('says how long it still takes, at the pace of its last tasks and only while it makes something', async () => {
    const name = await world.started(mc({ scouts: 0, cells: '- [26, 1, 1000]' }))
    await world.work()
    const left = async () => (await world.list())[0]!.secondsLeft
    expect(await left()).toBeNull()
    const stamp = await world.pilot('kek', world.now)
    const jobs = await world.lease(stamp, 5)
    for (const job of jobs) {
      await world.complete(stamp, job)
      world.later(60)
    }
    // Five of ten tasks in five minutes; as long again.
    expect(await left()).toBe(300)
    world.later(300)
    expect(await left()).toBe(600)
    await world.order(name, 'hold')
    expect(await left()).toBeNull()
    await world.order(name, 'start')
    await world.run()
    expect(await left()).toBeNull()
  })

  test('is held and goes on; cancelled, it makes nothing more', async () => {
    const name = await world.started(mc({ scouts: 0 }))
    await world.work()
    await world.order(name, 'hold')
    const stamp = await world.pilot('kek', world.now)
    expect(await world.lease(stamp)).toEqual([])
    await world.order(name, 'start')
    await world.work()
    const jobs = await world.lease(stamp, 2)
    await world.order(name, 'cancel')
    // The one that was running reports all the same.
    await expect(world.complete(stamp, jobs[0]!)).rejects.toThrow(/is over/)
    const { production, steps } = await world.show(name)
    expect([production.life, steps[0]!.verified]).toEqual(['cancelled', 0n])
    // What was given up has failed, and nothing waits any more.
    expect(steps[0]).toMatchObject({
      tasks: 12n,
      failed: 12n,
      failures: [{ failure: 'cancelled', tasks: 12 }],
    })
    await expect(world.order(name, 'start')).rejects.toThrow(/cancelled/)
  })
})

describe('scouts', () => {
  test('that fail stop everything before it begins; corrected, it goes on', async () => {
    const name = await world.started(mc())
    await world.run(() => ({
      outcome: 'failed',
      minor: 'Application Finished With Errors',
      application: 'exit 1',
    }))
    const { production, steps } = await world.show(name)
    expect(production).toMatchObject({ operation: 'troubled', scouted: false })
    expect(production.reason).toMatch(
      /2 of 2 scouts failed \(program: job \d+: Application Finished With Errors/,
    )
    // Two tasks, five jobs each.
    expect(steps[0]).toMatchObject({ tasks: 2n, failed: 2n, jobs: 10n, jobsFailed: 10n })
    expect(steps[0]).toMatchObject({ failRate: 1, jobFailRate: 1, waiting: 0, notSubmitted: 10 })
    expect(await world.order(name, 'retry')).toEqual({ tasks: 2 })
    await world.run()
    expect((await world.show(name)).production).toMatchObject({ life: 'completed', scouted: true })
  })
})

describe('nothing is made twice', () => {
  const taskRow = (id: bigint) =>
    row(
      database.db,
      sql<{ state: string; job: bigint }>`select state, job_id as job from production_task where id = ${id}`,
    )

  test('by two servers that work on the same production', async () => {
    const name = await world.started(mc({ scouts: 0 }))
    const { id } = (await world.show(name)).production
    await Promise.all(Array.from({ length: 6 }, () => workOn(world.deps, id, world.now)))
    expect((await world.show(name)).steps[0]).toMatchObject({ tasks: 12n, jobs: 12n })
    const events = await rows(
      database.db,
      sql<{ n: bigint }>`select sum(events)::bigint as n from production_task`,
    )
    expect(events).toEqual([{ n: 1000n }])
  })

  test('by a job that is run again after its task went to another', async () => {
    const name = await world.started(mc({ scouts: 0, cells: '- [26, 1, 100]' }))
    await world.work()
    const stamp = await world.pilot('kek', world.now)
    const [first] = await world.lease(stamp)
    await world.complete(stamp, first!, () => ({
      outcome: 'failed',
      minor: 'Application Finished With Errors',
    }))
    await world.work()
    const taskId = BigInt(first!.item!.n)
    expect((await taskRow(taskId))!.job).not.toBe(first!.jobId)
    // Its owner runs the old job again, too: both end well, one counts.
    const again = { vo, now: world.now, ids: [first!.jobId], source: 'mika' }
    expect((await rescheduleJobs(database.db, again)).changed).toHaveLength(1)
    const jobs = await world.lease(stamp, 2)
    expect(jobs).toHaveLength(2)
    for (const job of jobs) await world.complete(stamp, job)
    expect(await filesOf(name, 'simulate')).toHaveLength(1)
    const [old] = await jobsByIds(database.db, vo, [first!.jobId])
    expect([stateName(old!.state), old!.application]).toEqual([
      'Failed',
      expect.stringContaining('Wrong output'),
    ])
  })

  test('when somebody kills the job: the task fails and waits for a decision', async () => {
    const name = await world.started(mc({ scouts: 0, cells: '- [26, 1, 100]' }))
    await world.work()
    const [job] = await rows(
      database.db,
      sql<{ id: bigint }>`select id from job where state = ${STATES.Waiting}`,
    )
    await killJobs(database.db, { vo, now: world.now, ids: [job!.id], source: 'noa' })
    await world.work()
    const { steps } = await world.show(name)
    expect(steps[0]!.failures).toMatchObject([{ failure: 'killed', tasks: 1 }])
    await world.order(name, 'retry')
    await world.run()
    expect((await world.show(name)).production.life).toBe('completed')
  })

  test('even when somebody writes the tables by hand', async () => {
    await world.started(mc({ scouts: 0 }))
    await world.work()
    const db = database.db
    await expect(sql`update production_cell set events_cut = events + 1`.execute(db)).rejects.toThrow(
      /no_event_is_cut_twice/,
    )
    await expect(
      sql`update production_task set job_id = (select min(job_id) from production_task)`.execute(db),
    ).rejects.toThrow(/duplicate key/)
    await expect(
      sql`update production_task set state = 'verified', job_id = null`.execute(db),
    ).rejects.toThrow(/only_a_job_ends_it/)
    await expect(sql`update production_block set files = 1001`.execute(db)).rejects.toThrow(/check/)
  })
})

describe('a wrong output', () => {
  test.each<[string, Behaviour, RegExp]>([
    ['with too few events', () => ({ events: 99 }), /99 events, where 100 were to be there/],
    ['with other events than it tells', () => ({ entries: 99 }), /holds 99 events, where its job tells 100/],
    ['that tells nothing and has too few', () => ({ metadata: {}, entries: 9 }), /9 events, where 100/],
    ['that cannot be counted', () => ({ entries: 'it holds no tree' }), /it holds no tree/],
    ['that is empty', () => ({ bytes: 0n }), /empty/],
  ])('%s is not kept, and its task is tried again', async (_, behave, why) => {
    const name = await world.started(mc({ scouts: 0, cells: '- [26, 1, 100]' }))
    await world.run(behave)
    const { steps } = await world.show(name)
    expect(steps[0]).toMatchObject({ verified: 0n, failed: 1n, jobs: 5n })
    expect(steps[0]!.failures[0]).toMatchObject({ failure: 'output', reason: expect.stringMatching(why) })
    expect(await filesOf(name, 'simulate')).toEqual([])
    await world.order(name, 'retry')
    await world.run()
    expect((await world.show(name)).production.life).toBe('completed')
  })
})

describe('a step that takes files by their metadata', () => {
  const data = (kind: string, more = '') =>
    mc({ scouts: 0 })
      .replace(/steps:[\s\S]*/, '')
      .concat(
        `steps:\n- name: reco\n  kind: ${kind}\n  input: {scope: user.mika, where: {level: raw${count}, run: "> 0"}}\n${more}`,
      )
  const RUNS = '  program: /bin/true\n  output: mdst.root\n  events: exact\n  filesPerJob: 2\n'
  const raw = async (names: readonly string[], run: number, site = 'KEK-DISK') => {
    const { id } = await world.rses.byName(vo, site)
    const files = names.map((name) => ({
      ...{ scope: 'user.mika', name: `raw${count}-${name}`, bytes: 10n, adler32: '00000001' },
      meta: { level: `raw${count}`, experiment: 26, run, events: 7 },
    }))
    await addReplicas(database.db, { vo, now: world.now, accountId: 7, rseId: id, files })
  }

  test('takes each once, never mixes runs, and takes what appears later', async () => {
    const name = await world.started(data('by_run', RUNS))
    await raw(['a', 'b', 'c'], 1)
    await raw(['d'], 2)
    await world.work()
    // Two files of run 1; the others wait for company.
    expect((await world.show(name)).steps[0]).toMatchObject({ inputs: 4n, inputsTaken: 2n, tasks: 1n })
    await raw(['e'], 2)
    world.later(2)
    await world.work()
    expect((await world.show(name)).steps[0]).toMatchObject({ inputs: 5n, inputsTaken: 4n, tasks: 2n })
    world.later(3700)
    await world.run()
    const { steps, production } = await world.show(name)
    expect(steps[0]).toMatchObject({
      inputs: 5n,
      inputsTaken: 5n,
      tasks: 3n,
      verified: 3n,
      eventsVerified: 35n,
    })
    expect(production.life).toBe('active')
    const made = await getMetadata(database.db, { vo, dids: await filesOf(name, 'reco') })
    expect(made.map(({ meta }) => meta.run).sort()).toEqual([1, 1, 2])
    await world.order(name, 'finish')
    await raw(['f'], 3)
    await world.run()
    expect((await world.show(name)).production.life).toBe('completed')
    expect((await world.show(name)).steps[0]!.inputs).toBe(5n)
  })

  test('broadcasts by rules: a copy at every target, without jobs', async () => {
    const name = await world.started(data('broadcast', '  targets: [OSAKA-DISK, CHICAGO-DISK]\n'))
    await raw(['a', 'b', 'c'], 1)
    await world.work()
    expect((await world.show(name)).steps[0]).toMatchObject({ inputsTaken: 3n, jobs: 0n })
    expect(await filesOf(name, 'reco')).toHaveLength(3)
    const rules = []
    for await (const page of listRules(database.db, { vo, filter: {} })) rules.push(...page)
    const own = rules.filter(({ target }) => target.name.startsWith(`${name}.`))
    expect(own.map(({ rseExpression }) => rseExpression).sort()).toEqual(['CHICAGO-DISK', 'OSAKA-DISK'])
  })

  test('fills datablocks of a thousand files and not one more', async () => {
    const name = await world.started(data('broadcast', '  targets: [OSAKA-DISK]\n'))
    await raw(
      Array.from({ length: 1100 }, (_, i) => `f${i}`),
      1,
    )
    await world.work()
    expect((await world.show(name)).steps[0]!.blocks.map(({ files }) => files)).toEqual([1000, 100])
  })
})

describe('a campaign', () => {
  test('with a tenth of its jobs spoilt in every way ends with exact counts and nobody does anything', async () => {
    const name = await world.started(mc({ cells: '- [26, 1-25, 250]', scouts: 5, steps: MERGE }))
    const rng = seededRng(7)
    const faults: (() => ReturnType<Behaviour>)[] = [
      () => ({ outcome: 'site_fault', minor: 'Input Data Download Failed' }),
      () => ({ outcome: 'failed', minor: 'Output Data Not Registered', application: 'files_not_arrived' }),
      () => ({ outcome: 'failed', minor: 'Application Finished With Errors', application: 'exit 139' }),
      () => ({ events: 3 }),
      () => ({ metadata: {}, entries: 1 }),
      () => ({ outcome: 'returned', minor: 'Pilot drains' }),
    ]
    await world.run(() => (rng.next() < 0.1 ? faults[Math.floor(rng.next() * faults.length)]!() : {}))
    const { production, steps } = await world.show(name)
    expect(production).toMatchObject({ life: 'completed', operation: 'normal' })
    expect(steps.map(({ eventsVerified, failRate }) => [eventsVerified, failRate])).toEqual([
      [6250n, 0],
      [6250n, 0],
    ])
    expect(Number(steps[0]!.jobsFailed)).toBeGreaterThan(2)
    const merged = await filesOf(name, 'merge')
    expect(new Set(merged.map(({ name: file }) => file)).size).toBe(merged.length)
    expect(merged).toHaveLength(25)
  })
})
