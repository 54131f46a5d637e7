import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { pastStarts, sitesWithEverything } from '../../../test/harness/history.ts'
import { row, rows, sql, transaction } from '../../kernel/index.ts'
import type { TransferOutcome } from '../../transfer/index.ts'
import { siteOutcomes } from '../site-work.ts'
import { endedStarts } from './attempts.store.ts'
import { rollupWorker } from './rollup.ts'
import { noteTransferEnds } from './transfer-ends.ts'

const database = testDatabase()
const noon = new Date('2026-11-21T12:00:00Z')
const minutes = (n: number): Date => new Date(noon.getTime() + n * 60_000)
const { signal } = new AbortController()

async function count(now: Date): Promise<void> {
  const worker = rollupWorker(database)
  while ((await worker.tick(now, signal)).changed > 0);
}
const bins = (measure: string, kind: string) =>
  rows(
    database.db,
    sql`select name, start, n, failed from activity_bin where measure = ${measure} and kind = ${kind}
      order by start, name`,
  )

beforeAll(async () => {
  await sitesWithEverything(database.db, minutes(-600), ['kek', 'osaka'])
  await pastStarts(database.db, [
    { site: 'kek', at: minutes(-200), n: 5, outcome: 'done' },
    { site: 'kek', at: minutes(-12), n: 8, outcome: 'done', seconds: 30 },
    { site: 'kek', at: minutes(-12), n: 2, outcome: 'failed', owner: 'noa', release: 'koto@r1' },
    { site: 'kek', at: minutes(-12), n: 3, outcome: 'killed' },
    { site: 'osaka', at: minutes(-2), n: 4, outcome: 'lost' },
  ])
})

describe('statistics', () => {
  test('count ends of starts by site, user and release in bins of ten minutes; killed ones say nothing', async () => {
    await count(noon)
    expect(await bins('jobs', 'site')).toEqual([
      { name: 'kek', start: minutes(-200), n: 5, failed: 0 },
      { name: 'kek', start: minutes(-20), n: 10, failed: 2 },
      { name: 'osaka', start: minutes(-10), n: 4, failed: 4 },
    ])
    expect(await bins('jobs', 'release')).toEqual([{ name: 'koto@r1', start: minutes(-20), n: 2, failed: 2 }])
    expect((await bins('jobs', 'user')).map((one) => (one as { name: string }).name)).toEqual([
      ...['mika', 'mika', 'noa', 'mika'],
    ])
  })

  test('are the same however often they are counted, and by how many servers at once', async () => {
    const all = () => rows(database.db, sql`select * from activity_bin order by start, measure, kind, name`)
    const facts = () => rows(database.db, sql`select * from job_fact order by hour, site, owner, release`)
    const before = [await all(), await facts()]
    await Promise.all([count(minutes(1)), count(minutes(1)), count(minutes(1))])
    expect([await all(), await facts()]).toEqual(before)
    await sql`delete from operation_mark`.execute(database.db)
    await count(minutes(1))
    expect([await all(), await facts()]).toEqual(before)
  })

  test('take in what was written late, while it is not older than ten minutes', async () => {
    await pastStarts(database.db, [{ site: 'osaka', at: minutes(-1), n: 1, outcome: 'done' }])
    await count(minutes(9))
    expect((await bins('jobs', 'site')).at(-1)).toEqual({
      ...{ name: 'osaka', start: minutes(-10), n: 5, failed: 4 },
    })
  })

  test('keep a cube of all that may be the cause, by the hour', async () => {
    await count(minutes(10))
    expect(
      await rows(
        database.db,
        sql`select site, owner, release, n, failed, wall_seconds as wall from job_fact
          where hour = ${minutes(-60)} order by site, owner`,
      ),
    ).toEqual([
      { site: 'kek', owner: 'mika', release: '', n: 8, failed: 0, wall: 240 },
      { site: 'kek', owner: 'noa', release: 'koto@r1', n: 2, failed: 2, wall: 120 },
      { site: 'osaka', owner: 'mika', release: '', n: 5, failed: 4, wall: 300 },
    ])
  })

  test('tell of sites and hours what became of every start, also of those of the last minutes', async () => {
    const { db } = database
    await sql`insert into pilot (id, stamp, vo, site, resource, state, created_at) overriding system value
      values (1, 'past', 'demo', 'kek', 'kek-farm', 'Done', ${noon})`.execute(db)
    await pastStarts(db, [{ site: 'kek', at: minutes(11), n: 3, outcome: 'killed' }])
    await sql`delete from operation_mark`.execute(db)
    await count(minutes(12))
    await pastStarts(db, [{ site: 'osaka', at: minutes(12), n: 2, outcome: 'site_fault' }])
    const of = async (site: string) =>
      (await siteOutcomes(db, minutes(13), 'demo', 2)).sites.find((one) => one.site === site)!.outcomes
    const hour = { at: minutes(-60), done: 0, failed: 0, spoilt: 0, other: 0 }
    expect(await of('kek')).toEqual([
      { ...hour, done: 8, failed: 2, other: 3 },
      { ...hour, at: noon, other: 3 },
    ])
    expect(await of('osaka')).toEqual([
      { ...hour, done: 1, spoilt: 4 },
      { ...hour, at: noon, spoilt: 2 },
    ])
  })

  test('know attempts of transfers that are only tried again, and blame the side that failed', async () => {
    const id = async (name: string) =>
      (await row(database.db, sql<{ id: number }>`select id from rse where name = ${name}`))!.id
    const [kek, osaka] = [await id('KEK-DISK'), await id('OSAKA-DISK')]
    const outcome = (more: Partial<TransferOutcome>): TransferOutcome => ({
      ...{ vo: 'demo', fileId: 1n, srcRseId: kek, dstRseId: osaka, result: 'done', error: null },
      ...{ attempts: 1, bytes: 100n, activity: 'default', nextTry: null },
      ...more,
    })
    const error = { code: 'remote_unreachable', message: 'kek is away', party: 'source' as const }
    await transaction(database.db, (tx) =>
      noteTransferEnds(tx, {
        now: minutes(5),
        outcomes: [
          outcome({}),
          outcome({ result: 'retrying', error }),
          outcome({ result: 'retrying', error }),
          outcome({ srcRseId: null, result: 'failed', error }),
        ],
      }),
    )
    await count(minutes(10))
    expect(await bins('transfers', 'storage')).toEqual([
      { name: 'KEK-DISK', start: noon, n: 3, failed: 2 },
      { name: 'OSAKA-DISK', start: noon, n: 3, failed: 0 },
    ])
    expect(await bins('transfers', 'link')).toEqual([
      { name: 'KEK-DISK → OSAKA-DISK', start: noon, n: 3, failed: 2 },
    ])
  })

  test('read only the ends of their span, however many there are', async () => {
    await pastStarts(database.db, [{ site: 'kek', at: minutes(-4000), n: 20_000, outcome: 'done' }])
    await sql`analyze job_attempt`.execute(database.db)
    const plan = await rows(
      database.db,
      sql<{
        'QUERY PLAN': string
      }>`explain (analyze, buffers off, timing off) ${endedStarts(minutes(-20), minutes(-10))}`,
    )
    const text = plan.map((line) => line['QUERY PLAN']).join('\n')
    expect(text).toContain('job_attempt_ended')
    expect(text).not.toMatch(/Seq Scan on job_attempt/)
  })
})
