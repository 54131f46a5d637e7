import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, RUN, rawWorld, recorded, type Storage, vo } from '../../test/harness/raw-world.ts'
import { getMetadata, listFiles } from '../catalog/index.ts'
import { rows, sql } from '../kernel/index.ts'
import { listRules } from '../placement/index.ts'
import { defineFlow } from './flow.ts'
import { listFlows, listRawFiles, listRuns, showRun } from './read.ts'
import { centreOf, stateOf } from './state.ts'

const database = testDatabase()
const world = rawWorld(database)
beforeEach(() => world.clear())

const [one, two] = [recorded('a.root'), recorded('b.root', { adler32: '0000ef01' })]
const files = () => listRawFiles(database.db, RUN, { state: null, after: '', limit: 10 })
const states = async () => (await files()).map(({ state }) => state)

describe('a file of raw data', () => {
  test('goes from state to state as its copies come, and is released by order only', async () => {
    await world.declare([one, two])
    expect(await states()).toEqual(['recorded', 'recorded'])
    await world.work()
    for (const file of [one, two]) world.land(file)
    world.later(30)
    await world.work()
    expect(await states()).toEqual(['registered', 'registered'])
    const dids = [{ scope: 'raw', name: 'a.root' }]
    const [known] = await getMetadata(database.db, { vo, dids })
    expect(known!.meta).toMatchObject({ level: 'raw', experiment: 26, run: 101, stream: 'physics' })
    expect(known!.columns).toMatchObject({ events: 50, run_number: 101 })
    for (const file of [one, two]) await world.copy(file, 'KEK-TAPE')
    await world.work()
    expect(await states()).toEqual(['archived', 'archived'])
    for (const file of [one, two]) await world.copy(file, 'CHICAGO-DISK')
    await world.work()
    expect(await states()).toEqual(['second_copy', 'second_copy'])
    // Nobody has said yet how many files the run has.
    expect(await world.release()).toMatchObject({
      released: [],
      kept: [{ name: 'a.root', state: 'second_copy', why: expect.stringContaining('has not said') }, {}],
    })
    await world.declare([], 2)
    await world.work()
    expect(await states()).toEqual(['releasable', 'releasable'])
    expect(await world.release(['a.root'])).toEqual({ released: ['a.root'], kept: [] })
    expect(await world.release()).toEqual({ released: ['a.root', 'b.root'], kept: [] })
    // Asked again, the answer is the same.
    expect((await world.release()).released).toHaveLength(2)
    expect(await showRun(database.db, RUN)).toMatchObject({
      state: 'released',
      filesExpected: 2,
      events: 100n,
    })
    const totals = async () => {
      const [{ states: sums, centreBytes } = { states: {}, centreBytes: new Map() }] = await listFlows(
        database.db,
        vo,
        world.now,
      )
      return { sums, centres: [...centreBytes] }
    }
    const before = await totals()
    expect(before.sums).toMatchObject({ released: { files: 2 }, releasable: { files: 0 } })
    // What is released as a whole is added up once, and counts as before.
    await world.work()
    expect(await rows(database.db, sql`select settled_files as files from raw_run`)).toEqual([{ files: 2 }])
    expect(await totals()).toEqual(before)
    const [first] = await files()
    expect(Object.keys(first!.times)).toEqual(
      'recorded landed verified registered archived second_copy releasable released'.split(' '),
    )
  })

  test('that landed differently waits until it is sent again', async () => {
    await world.declare([one, two])
    world.land(one, { adler32: '0000ffff' })
    world.land(two, { bytes: 999n })
    await world.work()
    expect((await files()).map(({ state, problem }) => [state, problem])).toEqual([
      ['landed', 'it landed with adler32 0000ffff instead of 0000abcd; send it again'],
      ['landed', '999 bytes have landed instead of 1000'],
    ])
    expect((await showRun(database.db, RUN)).problems).toBe(2)
    for (const file of [one, two]) world.land(file)
    world.later(60)
    await world.work()
    expect((await files()).map(({ state, problem }) => [state, problem])).toEqual([
      ['registered', ''],
      ['registered', ''],
    ])
  })

  test('goes back when a copy rots, and is not released by what it was', async () => {
    await world.declare([one], 1)
    world.land(one)
    await world.work()
    for (const storage of ['KEK-TAPE', 'CHICAGO-DISK'] as const) await world.copy(one, storage)
    await world.work()
    const { fileId } = (await files())[0]!
    expect(await states()).toEqual(['releasable'])
    await world.rot(fileId!, 'KEK-TAPE')
    expect(await world.release()).toMatchObject({ released: [], kept: [{ state: 'registered' }] })
    await world.copy(one, 'KEK-TAPE')
    await world.remove(fileId!, 'CHICAGO-DISK')
    // Two copies are left, both at one site.
    expect(await world.release()).toMatchObject({ released: [], kept: [{ state: 'archived' }] })
    await world.copy(one, 'CHICAGO-DISK')
    expect((await world.release()).released).toEqual(['a.root'])
  })

  test('is released only after copies that nobody looked at lately were read anew', async () => {
    await world.declare([one], 1)
    world.land(one)
    await world.work()
    for (const storage of ['KEK-TAPE', 'CHICAGO-DISK'] as const) await world.copy(one, storage)
    await world.work()
    world.later(90_000)
    world.damaged.add(world.rse('CHICAGO-DISK'))
    expect(await world.release()).toMatchObject({
      released: [],
      kept: [{ why: 'a copy was lost or could not be verified just now' }],
    })
    world.damaged.clear()
    expect((await world.release()).released).toEqual(['a.root'])
  })

  test('is never in the state released without its two witnesses, whoever writes the row', async () => {
    await world.declare([one], 1)
    world.land(one)
    await world.work()
    const { db } = database
    const release = (more: string) =>
      sql`update raw_file set state = 'released', released_at = now() ${sql.raw(more)}`.execute(db)
    await expect(release('')).rejects.toThrow(/released_only_with_two_copies/)
    const same = `, tape_rse = 'KEK-TAPE', tape_site = 'kek', other_rse = 'KEK-DISK', other_site = 'kek'`
    await expect(release(same)).rejects.toThrow(/released_only_with_two_copies/)
    await expect(sql`update raw_run set files_expected = null`.execute(db)).rejects.toThrow(
      /only_a_counted_run/,
    )
  })

  test.each([
    ['rot', 'KEK-TAPE'],
    ['rot', 'CHICAGO-DISK'],
    ['remove', 'KEK-TAPE'],
    ['remove', 'CHICAGO-DISK'],
  ] as const)('is not released while a %s at %s is being committed', async (deed, storage) => {
    for (let round = 0; round < 5; round++) {
      await world.clear()
      await world.declare([one], 1)
      world.land(one)
      world.later(5)
      await world.work()
      for (const rse of ['KEK-TAPE', 'CHICAGO-DISK'] as const) await world.copy(one, rse)
      await world.work()
      const { fileId } = (await files())[0]!
      await Promise.all([world[deed](fileId!, storage), world.release()])
      await neverReleasedTooEarly()
    }
  })

  test('whatever happens to its copies in whatever order, was released with two good ones at two sites, one on tape', async () => {
    const storages: Storage[] = ['KEK-DISK', 'KEK-TAPE', 'OSAKA-DISK', 'OSAKA-TAPE', 'CHICAGO-DISK']
    const deed = fc.record({
      do: fc.constantFrom('copy', 'copy', 'copy', 'rot', 'remove', 'release', 'release', 'work', 'close'),
      storage: fc.constantFrom(...storages),
    })
    let released = 0
    await fc.assert(
      fc.asyncProperty(
        // Those of one group happen at the same time.
        fc.array(fc.array(deed, { minLength: 1, maxLength: 3 }), { minLength: 4, maxLength: 10 }),
        async (groups) => {
          await world.clear()
          await world.declare([one])
          world.land(one)
          world.later(5)
          await world.work()
          const { fileId } = (await files())[0]!
          for (const group of groups) {
            await Promise.all(
              group.map(async ({ do: what, storage }) => {
                if (what === 'copy') await world.copy(one, storage)
                else if (what === 'rot') await world.rot(fileId!, storage)
                else if (what === 'remove') await world.remove(fileId!, storage)
                else if (what === 'work') await world.work()
                else if (what === 'close') await world.declare([], 1)
                else await world.release()
              }),
            )
          }
          released += await neverReleasedTooEarly()
        },
      ),
      { numRuns: 40, seed: 11 },
    )
    expect(released).toBeGreaterThan(2)
  })
})

/**
 * Replays what was told in the order in which it happened: every change of the file's copies and its release are told
 * under the lock of the file. Returns how often it was released.
 */
async function neverReleasedTooEarly(): Promise<number> {
  const events = await rows(
    database.db,
    sql<{ kind: string; payload: { change?: string; rseIds?: number[] } }>`
      select kind, payload from event where kind in ('catalog.replica_changed', 'raw.released') order by id`,
  )
  const good = new Set<number>()
  let released = 0
  const at_ = (storage: Storage) => good.has(world.rse(storage))
  for (const { kind, payload } of events) {
    if (kind === 'raw.released') {
      released++
      const tape = at_('KEK-TAPE') || at_('OSAKA-TAPE')
      const [kek, osaka] = [at_('KEK-TAPE') || at_('KEK-DISK'), at_('OSAKA-TAPE') || at_('OSAKA-DISK')]
      const sites = [kek, osaka, at_('CHICAGO-DISK')].filter(Boolean).length
      expect([tape, sites >= 2]).toEqual([true, true])
      continue
    }
    for (const id of payload.rseIds ?? []) {
      if (payload.change === 'added' || payload.change === 'AVAILABLE') good.add(id)
      else good.delete(id)
    }
  }
  return released
}

describe('a run', () => {
  test('goes as a whole to the centre that is furthest behind, under rules that nobody removes by mistake', async () => {
    for (let run = 1; run <= 4; run++) await world.declare([recorded(`r${run}.root`)], 1, run)
    const { runs } = await listRuns(database.db, { vo, flow: 'detector', before: null, limit: 10 })
    expect(runs.map(({ centre }) => centre).sort()).toEqual([
      ...['CHICAGO-DISK', 'CHICAGO-DISK', 'CHICAGO-DISK', 'OSAKA-DISK|OSAKA-TAPE'],
    ])
    const rules = []
    for await (const page of listRules(database.db, { vo, filter: {} })) rules.push(...page)
    const own = rules.filter(({ target }) => target.name === 'raw.e0026.r000001')
    expect(own.map(({ rseExpression, locked }) => [rseExpression, locked]).sort()).toEqual([
      ['CHICAGO-DISK', true],
      ['KEK-DISK', true],
      ['KEK-TAPE', true],
    ])
  })

  test('is declared twice with the same effect as once, and never as something else', async () => {
    expect((await world.declare([one, two])).added).toBe(2)
    expect((await world.declare([one, two], 3)).added).toBe(0)
    await expect(world.declare([recorded('a.root', { bytes: 1n })])).rejects.toThrow(/bytes 1000, not 1/)
    await expect(world.declare([], 4)).rejects.toThrow(/counted to have 3 files, not 4/)
    const three = recorded('c.root')
    await expect(world.declare([three, recorded('d.root')])).rejects.toThrow(/would make 4/)
    for (const file of [one, two]) world.land(file)
    await world.work()
    await world.work()
    expect((await showRun(database.db, RUN)).state).toBe('closed')
    await world.declare([three])
    world.land(three)
    world.later(5)
    await world.work()
    expect(await showRun(database.db, RUN)).toMatchObject({ state: 'complete', files: 3, filesExpected: 3 })
    const dids = [{ scope: 'raw', name: 'raw.e0026.r000101' }]
    const listed = []
    for await (const page of listFiles(database.db, { vo, dids })) listed.push(...page)
    expect(listed).toHaveLength(3)
  })

  test('shows since when something has no second copy, and how long each state takes', async () => {
    await world.declare([one, two])
    const began = world.now
    world.land(one)
    await world.work()
    for (const storage of ['KEK-TAPE', 'CHICAGO-DISK'] as const) await world.copy(one, storage)
    world.later(100)
    await world.work()
    expect((await showRun(database.db, RUN)).unsafeSince).toEqual(began)
    const [flow] = await listFlows(database.db, vo, world.now)
    expect(flow!.states.second_copy).toEqual({ files: 1, bytes: 1000n })
    expect(flow!.latency).toMatchObject({ files: 2, verified: 0, secondCopy: 102, releasable: null })
  })
})

describe('a flow', () => {
  const define = (more: object) =>
    defineFlow(world.deps, {
      ...{ vo, now: at(0), accountId: 7, account: 'daq' },
      flow: {
        ...{ name: 'other', scope: 'raw', landing: 'KEK-DISK', archive: 'KEK-TAPE' },
        centres: [{ storages: 'CHICAGO-DISK', share: 1 }],
        ...more,
      },
    })

  test('that could never release a file is refused', async () => {
    await expect(define({ archive: 'KEK-DISK' })).rejects.toThrow(/to be on tape/)
    await expect(define({ centres: [{ storages: 'KEK-DISK', share: 1 }] })).rejects.toThrow(/another site/)
    await expect(define({ landing: 'NOWHERE' })).rejects.toThrow(/no RSE/)
    await expect(define({ centres: [] })).rejects.toThrow(/at least one centre/)
  })

  test('decides by pure functions', () => {
    expect(stateOf({ tape: false, sites: 3 }, true)).toBe('registered')
    expect(stateOf({ tape: true, sites: 1 }, true)).toBe('archived')
    expect(stateOf({ tape: true, sites: 2 }, false)).toBe('second_copy')
    const centres = [
      { storages: 'A', share: 1 },
      { storages: 'B', share: 3 },
    ]
    expect(centreOf(centres, new Map()).storages).toBe('B')
    expect(centreOf(centres, new Map([['B', 90n]])).storages).toBe('A')
  })
})
