import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, jobs, jobWorld, noa, vo } from '../../test/harness/job-world.ts'
import { readsOf } from '../../test/harness/reads.ts'
import { sql } from '../kernel/index.ts'
import { deleteJobs, holdJobs, killJobs, STATES } from '../workload/index.ts'
import { jobCounts, jobLines } from './index.ts'

const database = testDatabase()
const world = jobWorld(database)
beforeEach(() => world.clear())

const order = (ids: bigint[]) => ({ vo, now: at(20), ids, source: 'mika' })
const list = async (more: object = {}, page: { before?: bigint; limit: number } = { limit: 100 }) =>
  jobLines(database.db, { vo, ...more }, page)
const ids = async (more: object = {}) => (await list(more)).jobs.map(({ id }) => id)
const counts = async (more: object = {}) => {
  const { counts: found, among } = await jobCounts(database.db, { vo, ...more })
  return { ...Object.fromEntries(found.map(({ status, count }) => [status, Number(count)])), among }
}

describe('the list of jobs', () => {
  test('comes newest first in pages that neither leave one out nor repeat one', async () => {
    const made = await world.submit([jobs({ count: 7 })])
    const first = await list({}, { limit: 3 })
    const second = await list({}, { before: first.next!, limit: 3 })
    const third = await list({}, { before: second.next!, limit: 3 })
    expect([first, second, third].flatMap(({ jobs: part }) => part.map(({ id }) => id))).toEqual(
      [...made].reverse(),
    )
    expect(third.next).toBeNull()
  })

  test('is filtered by state, owner, group, site, name and time', async () => {
    const [mikas] = await world.submit([jobs({ name: 'fit_a' })])
    const [noas] = await world.submit([jobs({ name: '100%_b' })], { by: noa, now: at(7200) })
    const stamp = await world.pilot('osaka')
    const [{ jobId: leased } = { jobId: 0n }] = (await world.lease(stamp)).jobs
    expect(await ids({ owner: 'mika' })).toEqual([mikas])
    expect(await ids({ owner: 'nobody' })).toEqual([])
    expect(await ids({ group: '/demo' })).toEqual([noas, mikas])
    expect(await ids({ group: '/other' })).toEqual([])
    expect(await ids({ name: 'fit*' })).toEqual([mikas])
    expect(await ids({ name: '100%*' })).toEqual([noas])
    expect(await ids({ name: '%' })).toEqual([])
    expect(await ids({ since: at(3600) })).toEqual([noas])
    expect(await ids({ site: 'osaka' })).toEqual([leased])
    expect(await ids({ status: 'Matched' })).toEqual([leased])
    expect(await ids({ status: 'Waiting', owner: leased === mikas ? 'noa' : 'mika' })).toHaveLength(1)
  })

  test('of a site looks past those that wait, however many there are', async () => {
    await world.submit([jobs({ count: 3 })])
    const stamp = await world.pilot('osaka')
    const [{ jobId: leased } = { jobId: 0n }] = (await world.lease(stamp)).jobs
    const late = await world.submit([jobs({ count: 20 })], { now: at(5) })
    await killJobs(database.db, order([late.at(-1)!]))
    await world.lease(await world.pilot('chicago'))
    const found = await list({ site: 'osaka' })
    expect(found.jobs.map(({ id }) => id)).toEqual([leased])
    expect(found.looked).toBe(1)
    expect(await counts({ site: 'osaka' })).toEqual({ Matched: 1, among: null })
    expect(await list({ site: 'mars' })).toMatchObject({ jobs: [], next: null })
  })

  test('says that a held job is held, and hides a deleted one from all who do not ask for it', async () => {
    const [held, killed, gone] = await world.submit([jobs({ count: 3 })])
    await holdJobs(database.db, order([held!]))
    await killJobs(database.db, order([killed!]))
    await deleteJobs(database.db, order([gone!]))
    expect((await list()).jobs.map(({ id, status }) => [id, status])).toEqual([
      [killed, 'Killed'],
      [held, 'Held'],
    ])
    expect(await ids({ status: 'Waiting' })).toEqual([held])
    expect(await ids({ status: 'Deleted' })).toEqual([gone])
    expect(await counts()).toEqual({ Waiting: 1, Killed: 1, among: null })
  })

  test('is counted by state, of an owner or a site from the kept counts and of both among the newest', async () => {
    await world.submit([jobs({ count: 3 })])
    await world.submit([jobs()], { by: noa })
    const [{ jobId } = { jobId: 0n }] = (await world.lease(await world.pilot('osaka'))).jobs
    const [taken] = (await list({ site: 'osaka' })).jobs
    expect(taken).toMatchObject({ id: jobId, status: 'Matched' })
    const other = taken!.owner === 'noa' ? 'mika' : 'noa'
    expect(await counts()).toEqual({ Waiting: 3, Matched: 1, among: null })
    expect(await counts({ owner: 'noa' })).toMatchObject({ among: null })
    expect(await counts({ site: 'osaka' })).toEqual({ Matched: 1, among: null })
    expect(await counts({ site: 'osaka', owner: taken!.owner })).toEqual({ Matched: 1, among: null })
    expect(await counts({ site: 'osaka', owner: other })).toEqual({ among: null })
    expect(await counts({ site: 'kek' })).toEqual({ among: null })
  })

  test('looks at no more than a part of very many jobs, and goes on where it stopped', async () => {
    const [first] = await world.submit([jobs({ name: 'first' })])
    await sql`insert into job (vo, queue_id, body_id, owner_id, name, state, minor, priority, submitted_at, updated_at)
      select vo, queue_id, body_id, owner_id, 'other', 12, '', 1, submitted_at, updated_at
      from job, generate_series(1, 60000) where id = ${first}`.execute(database.db)
    const page = await list({ name: 'first' })
    expect(page.jobs).toEqual([])
    const rest = await list({ name: 'first' }, { before: page.next!, limit: 100 })
    expect(rest.jobs.map(({ id }) => id)).toEqual([first])
    expect(await ids({ name: 'first', status: 'Waiting' })).toEqual([first])
    expect(await counts({ name: 'other' })).toEqual({ Done: 50_000, among: 50_000 })
  })

  test('is read along one index, also while statistics say that all jobs are alike', async () => {
    const { db } = database
    const [first] = await world.submit([jobs()])
    const add = (state: number, site: string | null, n: number) =>
      sql`insert into job (vo, queue_id, body_id, owner_id, name, state, minor, priority, site, deadline, submitted_at, updated_at)
        select vo, queue_id, body_id, owner_id, 'other', ${state}::smallint, '', 1, ${site}::text, deadline, submitted_at, updated_at
        from job, generate_series(1, ${n}::int) where id = ${first}`.execute(db)
    await add(STATES.Done, 'kek', 20_000)
    await add(STATES.Waiting, null, 20_000)
    await sql`vacuum analyze job`.execute(db)
    await add(STATES.Failed, 'osaka', 3)
    await world.submit([jobs()], { by: noa })
    const asked = [
      { status: 'Waiting' },
      { status: 'Failed' },
      { site: 'osaka' },
      { site: 'mars' },
      { owner: 'noa' },
    ]
    for (const question of [...asked, { site: 'osaka', status: 'Done' }, {}]) {
      const reads = await readsOf(db, (tx) => jobLines(tx, { vo, ...question }, { limit: 10 }))
      expect(reads.whole, JSON.stringify(question)).toEqual([])
      expect(reads.entries, JSON.stringify(question)).toBeLessThan(2000)
    }
    const counted = await readsOf(db, (tx) => jobCounts(tx, { vo, site: 'kek' }))
    expect(counted).toEqual({ whole: [], entries: 0 })
  })
})
