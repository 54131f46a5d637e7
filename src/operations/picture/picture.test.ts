import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { at, completion, jobs, jobWorld, noa, vo } from '../../../test/harness/job-world.ts'
import { rawWorld, recorded } from '../../../test/harness/raw-world.ts'
import { rows, sql, transaction } from '../../kernel/index.ts'
import { completeStart, createMarkets, noteStorages, ownPilot } from '../../workload/index.ts'
import { detect, emptyMemory } from '../detection/index.ts'
import { noteLevels } from '../statistics/levels.store.ts'
import { pictureOf } from './picture.ts'
import { usualJobs, usualWaits } from './usual.store.ts'
import { wallsOfSites } from './work.store.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const WEEK = 7 * DAY
const NOW = 5 * WEEK

describe('what the detector sees of a grid', () => {
  const database = testDatabase()
  const world = jobWorld(database)
  beforeEach(() => world.clear())
  const look = async (seconds = NOW) => {
    const now = at(seconds)
    const local = async () => ({ expiries: [], disks: [], workers: [] })
    const picture = await pictureOf(database.db, { markets: world.markets, local }, { vo, now, upTo: 0 })
    const { findings } = detect(emptyMemory, now, picture)
    const told = findings.map(({ rule, code, entity }) => `${rule} ${code}: ${entity.name}`)
    return { picture, told }
  }
  /** Ends of jobs at a site in the hour before, in bins of ten minutes. */
  const ended = async (site: string, before: number, n: number, failed: number) => {
    for (let bin = 1; bin <= 6; bin++)
      await sql`insert into activity_bin (start, vo, measure, kind, name, n, failed)
        values (${at(before - bin * 600)}, ${vo}, 'jobs', 'site', ${site}, ${n}, ${failed})`.execute(
        database.db,
      )
  }

  test('knows what is usual at this hour of the week, and what the last hour was like', async () => {
    for (const weeks of [1, 2, 3, 4]) {
      await ended('kek', NOW - weeks * WEEK, 100, 1)
      await ended('osaka', NOW - weeks * WEEK, 100, 1)
    }
    await ended('kek', NOW, 5, 0)
    await ended('osaka', NOW, 100, 60)
    // What happened at other hours is no measure, and of chicago too little is known.
    await ended('kek', NOW - WEEK + 2 * HOUR, 9000, 0)
    await ended('chicago', NOW - WEEK, 100, 1)
    await world.submit([jobs({ count: 3 })], { now: at(NOW) })
    await world.fold(at(NOW))
    const { picture, told } = await look()
    const finished = picture.trends?.find(
      ({ what, entity }) => what === 'finished jobs' && entity.name === 'kek',
    )
    expect(finished).toMatchObject({ last: [5, 5, 5, 5, 5, 5], demand: 3 })
    expect(finished?.usual).toHaveLength(24)
    expect(new Set(finished?.usual)).toEqual(new Set([99]))
    expect(picture.trends?.filter(({ entity }) => entity.name === 'chicago')).toEqual([])
    expect(told).toContain('R07 fewer jobs: kek')
    expect(told).toContain('R07 more failures: osaka')
    await world.clear()
    expect((await look()).told).not.toContain('R07 fewer jobs: kek')
  })

  test('knows how many pilots usually run', async () => {
    await sql`delete from activity_bin`.execute(database.db)
    for (const weeks of [1, 2, 3, 4])
      for (let bin = 1; bin <= 6; bin++)
        await sql`insert into pilot_level (vo, site, start, running)
          values (${vo}, 'kek', ${at(NOW - weeks * WEEK - bin * 600)}, 400)`.execute(database.db)
    for (let bin = 1; bin <= 6; bin++)
      await transaction(database.db, (tx) => noteLevels(tx, at(NOW - bin * 600), at(NOW - bin * 600)))
    await world.submit([jobs()], { now: at(NOW) })
    const { picture, told } = await look()
    expect(picture.trends).toMatchObject([{ what: 'running pilots', last: [0, 0, 0, 0, 0, 0] }])
    expect(told).toContain('R06 fewer pilots: kek')
  })

  test('sees jobs that nobody moves on, and who waits with far more than a share', async () => {
    await world.submit([jobs({ count: 40 })], { now: at(NOW - 40 * DAY) })
    await world.submit([jobs()], { by: noa, now: at(NOW) })
    await world.lease(await world.pilot('kek', at(NOW)), { now: at(NOW) })
    const { picture, told } = await look()
    expect(told).toContain('R09 stuck in Waiting: jobs')
    expect(picture.stuckJobs).toMatchObject([{ state: 'Waiting', site: null }])
    const shares = picture.users?.map(({ user, waiting }) => [user, waiting]).sort()
    expect(shares?.map(([user]) => user)).toEqual(['mika', 'noa'])
    expect(picture.users?.[0]).toMatchObject({ fairShare: 0.5 })
    expect(told).toContain('R11 a user waits with many: mika')
  })

  test('knows of each end on which machine it was, and to which storages it was sent', async () => {
    const { db } = database
    const end = async (site: string, node: string, outcome: 'done' | 'site_fault', n: number) => {
      const stamp = await world.pilot(site, at(NOW - 600))
      const { id: pilotId } = await ownPilot(db, vo, stamp)
      for (let i = 0; i < n; i++) {
        const [job] = (await world.lease(stamp, { now: at(NOW - 600), node })).jobs
        await noteStorages(db, job!, { input: 'OSAKA-DISK' })
        await noteStorages(db, job!, { input: 'KEK-DISK', output: 'KEK-DISK' })
        const deps = { db, rses: world.rses, verifyArrivals: async () => undefined }
        const ended = completion(job!, { outcome, minor: 'No disk' })
        await completeStart(deps, { vo, pilotId, now: at(NOW - 300), completion: ended })
      }
    }
    await world.submit([jobs({ count: 8 })], { now: at(NOW - 600) })
    await end('kek', 'wn1', 'done', 4)
    await end('kek', 'wn2', 'site_fault', 2)
    const { picture } = await look()
    const told = picture.jobs?.map(({ attributes, n, failed }) => [attributes.node, n, failed]).sort()
    expect(told).toEqual([
      ['kek/wn1', 4, 0],
      ['kek/wn2', 2, 2],
    ])
    for (const { attributes } of picture.jobs ?? [])
      expect(attributes).toMatchObject({ 'input storage': 'OSAKA-DISK', 'output storage': 'KEK-DISK' })
    const walls = await wallsOfSites(db, vo, at(NOW - 3600), at(NOW))
    expect(walls.map(({ node, nodes, n }) => [node, nodes, n])).toEqual(
      expect.arrayContaining([
        [null, 2, 6],
        ['wn1', 1, 4],
        ['wn2', 1, 2],
      ]),
    )
  })

  test('knows what storages held on the days before', async () => {
    const { db } = database
    await sql`insert into rse_usage (rse_id, source, used, free, updated_at)
      select id, 'storage', 40, 60, ${at(NOW)} from rse where name = 'KEK-DISK'`.execute(db)
    for (let day = 6; day >= 0; day--) {
      await sql`update rse_usage set used = ${90 - 5 * day}, free = ${10 + 5 * day}`.execute(db)
      await transaction(db, (tx) => noteLevels(tx, at(NOW - day * DAY), at(NOW - day * DAY)))
    }
    const { picture, told } = await look()
    const kek = picture.storages?.find(({ storage }) => storage === 'KEK-DISK')
    expect(kek?.history.map(({ usedBytes }) => usedBytes)).toEqual([60, 65, 70, 75, 80, 85, 90])
    expect(kek).toMatchObject({ usedBytes: 90, totalBytes: 100, catalogueBytes: null })
    expect(told).toContain('R13 storage full soon: KEK-DISK')
    await sql`insert into rse_usage (rse_id, source, used, updated_at)
      select id, 'rucio', 10, ${at(NOW)} from rse where name = 'KEK-DISK'`.execute(db)
    expect((await look()).told).toContain('R13 storage and catalogue differ: KEK-DISK')
  })

  test('knows how long pilots wait, how long jobs of a step take, and what full links carry', async () => {
    const { db } = database
    await sql`insert into pilot (stamp, vo, resource_id, site, resource, state, created_at, began_at, deadline)
      select 'waited' || n, ${vo}, (select id from compute_resource order by id limit 1), 'kek', 'kek', 'Running',
        ${at(NOW - DAY)}, ${at(NOW - DAY)}::timestamptz + n * interval '1 minute', ${at(NOW + DAY)} from generate_series(0, 100) n`.execute(
      db,
    )
    const stamp = await world.pilot('osaka', at(NOW - HOUR))
    for (const minutes of [20, 10]) await world.lease(stamp, { now: at(NOW - minutes * 60) })
    const began = await rows(db, sql<{ at: Date }>`select began_at as at from pilot where stamp = ${stamp}`)
    expect(began).toEqual([{ at: at(NOW - 20 * 60) }])
    await sql`insert into job_fact (vo, hour, site, resource, output_storage, production, step, owner, release, n, failed, wall_seconds)
      values (${vo}, ${at(NOW - DAY)}, 'kek', 'kek', '', 'mc16', 'reco', 'mika', '', 9, 3, 900),
        (${vo}, ${at(NOW - DAY)}, 'osaka', 'osaka', '', 'mc16', 'reco', 'mika', '', 1, 0, 1100)`.execute(db)
    expect(await usualWaits(db, vo, at(NOW - WEEK))).toMatchObject([{ ms: 95 * 60_000 }])
    expect(await usualJobs(db, vo, at(NOW - WEEK))).toEqual([{ transformation: 'mc16/reco', ms: 200_000 }])
    const full = async (rate: number, before: number) => {
      await sql`insert into link (src_rse_id, dst_rse_id, busy_bytes_per_s, busy_at, updated_at)
        select s.id, d.id, ${rate}, ${at(NOW - before)}, ${at(NOW)} from rse s, rse d
        where s.name = 'KEK-DISK' and d.name = 'OSAKA-DISK'
        on conflict (src_rse_id, dst_rse_id) do update set busy_bytes_per_s = excluded.busy_bytes_per_s, busy_at = excluded.busy_at`.execute(
        db,
      )
      await transaction(db, (tx) => noteLevels(tx, at(NOW - before), at(NOW - before)))
    }
    for (let bin = 7; bin < 50; bin++) await full(100e6, bin * 600)
    for (let bin = 6; bin > 0; bin--) await full(40e6, bin * 600)
    const { picture, told } = await look()
    expect(picture.links).toMatchObject([
      {
        ...{ source: 'KEK-DISK', destination: 'OSAKA-DISK', attempts: 0 },
        full: { bytesPerSecond: 40e6, usualBytesPerSecond: 100e6 },
      },
    ])
    expect(told).toContain('R19 link is slow: KEK-DISK → OSAKA-DISK')
    // An hour in which it was not full says nothing.
    expect((await look(NOW + HOUR)).picture.links).toEqual([])
  })

  test('sees transfers that come faster than they go, and what rules and deletions should have done', async () => {
    const { db } = database
    await sql`insert into deletion (id, vo, file_id, rse_id, bytes, was_state, state, next_try, purge_after, created_at)
      select gen_random_uuid(), ${vo}, n, 1, 1, 'A', 'intended', ${at(NOW)}, ${at(NOW)}, ${at(NOW - 2 * DAY)}
      from generate_series(1, 3) n`.execute(db)
    await sql`insert into rule (id, vo, target_id, target_kind, account_id, rse_expression, copies, state, expires_at, created_at,
        updated_at)
      values (gen_random_uuid(), ${vo}, 1, 'D', 7, 'A', 1, 'OK', ${at(NOW - 2 * HOUR)}, ${at(0)}, ${at(0)}),
        (gen_random_uuid(), ${vo}, 1, 'D', 7, 'B', 1, 'OK', null, ${at(0)}, ${at(0)})`.execute(db)
    await sql`insert into evaluation_queue select id, ${at(NOW - HOUR)} from rule where rse_expression = 'B'`.execute(
      db,
    )
    const { picture, told } = await look()
    expect(picture.rules).toMatchObject({ expired: 1, unevaluated: 1, lateDeletions: 3 })
    expect(told).toEqual(
      expect.arrayContaining([
        'R21 expired rules remain: rules',
        'R21 datasets wait for their rules: rules',
        'R21 deletions are late: deletions',
      ]),
    )
    expect(picture.central?.queues).toEqual([{ name: 'transfers', backlog: 0, perMinute: 0 }])
  })
})

describe('what the detector sees of raw data', () => {
  const database = testDatabase()
  const world = rawWorld(database)
  const look = async () => {
    const { db } = database
    const now = world.now
    const local = async () => ({ expiries: [], disks: [], workers: [] })
    const picture = await pictureOf(db, { markets: createMarkets(db), local }, { vo, now, upTo: 0 })
    const { findings } = detect(emptyMemory, now, picture)
    return findings
      .filter(({ rule }) => rule === 'R15' || rule === 'R16')
      .map(({ code, entity }) => `${code}: ${entity.name}`)
  }

  test('is what comes late, and what has no good copy while it may not be released', async () => {
    const [one, two] = [recorded('a.root'), recorded('b.root')]
    await world.declare([one, two])
    await world.work()
    for (const file of [one, two]) world.land(file)
    world.later(30)
    await world.work()
    expect(await look()).toEqual([])
    world.later(30 * HOUR)
    expect(await look()).toEqual(['raw data late: raw data: second copy'])
    for (const file of [one, two])
      for (const storage of ['KEK-TAPE', 'CHICAGO-DISK'] as const) await world.copy(file, storage)
    await world.work()
    const files = await rows(
      database.db,
      sql<{ id: bigint; name: string }>`select file_id as id, name from raw_file order by name`,
    )
    for (const storage of ['KEK-DISK', 'KEK-TAPE', 'CHICAGO-DISK'] as const)
      await world.rot(files[0]!.id, storage)
    await world.work()
    expect(await look()).toContain('raw file without a copy: a.root')
    expect(await look()).not.toContain('raw file without a copy: b.root')
    await world.declare([recorded('c.root')])
    world.later(2 * HOUR)
    expect(await look()).toContain('raw data late: raw data: registered')
  })
})
