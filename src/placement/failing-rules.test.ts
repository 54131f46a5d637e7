import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, did, ruleWorld, vo } from '../../test/harness/rule-world.ts'
import {
  addCollections,
  attach,
  findDids,
  markVerified,
  readReplicas,
  setTombstones,
  updateRse,
} from '../catalog/index.ts'
import { row, rows, sql } from '../kernel/index.ts'
import { gapsOfRule, settle, updateRule } from './index.ts'

const database = testDatabase()
const now = at(0)
const world = ruleWorld(database)
const { rse, recorded, add, rule, work, arrive, outcome, taken } = world
const HOUR = 3600
const DAY = 24 * HOUR

beforeEach(async () => {
  await sql`delete from rule`.execute(database.db)
})

describe('copies that fail', () => {
  test('are asked for ever more seldom, and the rule is stuck since the first time', async () => {
    await recorded('rare', ['r1'])
    const id = await add('rare', { rseExpression: 'CHICAGO-DISK' })
    const pauses: number[] = []
    for (let time = now; pauses.length < 11; ) {
      await work(time)
      const outcomes = taken().map((wish) => outcome(wish, 'failed'))
      expect(outcomes).toHaveLength(1)
      await settle(database.db, { now: time, outcomes })
      expect(await rule(id)).toMatchObject({ state: 'STUCK', stuckAt: now })
      const next = await row(
        database.db,
        sql<{ at: Date }>`select next_try as at from placement_gap where rule_id = ${id}`,
      )
      pauses.push((next!.at.getTime() - time.getTime()) / 60_000)
      time = next!.at
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360])
  })

  test('take their rule out of service after two weeks; on request it tries again', async () => {
    await recorded('hopeless', ['h1', 'h2'])
    const id = await add('hopeless', { rseExpression: 'CHICAGO-DISK' })
    const fail = async (time: number) => {
      await work(at(time))
      const outcomes = taken().map((wish) => outcome(wish, 'failed'))
      await settle(database.db, { now: at(time), outcomes })
    }
    for (let day = 0; day <= 14; day++) await fail(day * DAY)
    expect((await rule(id)).state).toBe('STUCK')
    await work(at(14 * DAY + 60))
    expect(await rule(id)).toMatchObject({
      state: 'SUSPENDED',
      error: expect.stringMatching(/stuck since 2026-01-01 00:00 UTC.*no space left.*STUCK/),
    })
    await work(at(30 * DAY))
    expect(taken()).toEqual([])
    // What it protects and waits for follows its dataset nevertheless.
    await recorded('more', ['h3'])
    await attach(database.db, {
      vo,
      now,
      accountId: 1,
      attachments: [{ ...did('hopeless'), dids: [did('h3')] }],
    })
    await work(at(30 * DAY))
    expect(await rule(id)).toMatchObject({ state: 'SUSPENDED', locksStuck: 2n, locksReplicating: 1n })
    const later = at(31 * DAY)
    await updateRule(database.db, { vo, now: later, id, changes: { state: 'STUCK' } })
    await work(later)
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', error: null })
    const again = taken()
    expect(again).toHaveLength(3)
    await arrive(again)
    expect(await rule(id)).toMatchObject({ state: 'OK', stuckAt: null })
  })

  test('leave a rule in service while others of its copies were not tried yet', async () => {
    await recorded('mixed', ['m1', 'm2'])
    const id = await add('mixed', { rseExpression: 'CHICAGO-DISK' })
    await work()
    const [wish, other] = taken()
    await settle(database.db, { now, outcomes: [outcome(wish!, 'failed')] })
    await sql`update placement_gap set next_try = ${at(60 * DAY)} where file_id = ${wish!.fileId}`.execute(
      database.db,
    )
    await work(at(20 * DAY))
    expect((await rule(id)).state).toBe('STUCK')
    await settle(database.db, { now: at(20 * DAY), outcomes: [outcome(other!, 'failed')] })
    await work(at(20 * DAY))
    expect((await rule(id)).state).toBe('SUSPENDED')
  })
})

test('a rule that is suspended by hand asks for nothing and says so', async () => {
  await recorded('by-hand', ['q1'])
  const id = await add('by-hand', { rseExpression: 'OSAKA-DISK' })
  await updateRule(database.db, { vo, now, id, changes: { state: 'SUSPENDED' } })
  await work()
  expect(taken()).toEqual([])
  expect(await rule(id)).toMatchObject({ state: 'SUSPENDED', error: expect.stringContaining('on request') })
})

test('a rule that cannot be placed any more says why, later tries again, and holds up no other', async () => {
  const { db } = database
  const container = { ...did('box'), kind: 'CONTAINER' as const }
  await addCollections(db, { vo, now, accountId: 1, collections: [container] })
  const id = await add('box', { rseExpression: 'country=US' })
  await recorded('other', ['o1'])
  const other = await add('other', { rseExpression: 'OSAKA-DISK' })
  const open = async (canWrite: boolean) => {
    await updateRse(db, { vo, now, name: 'CHICAGO-DISK', properties: { canWrite } })
    world.rses.invalidate()
  }
  await open(false)
  await recorded('in-box', ['b1'])
  await recorded('new', ['n1'])
  const attachments = [
    { ...did('box'), dids: [did('in-box')] },
    { ...did('other'), dids: [did('n1')] },
  ]
  await attach(db, { vo, now, accountId: 1, attachments })
  await work()
  expect(await rule(id)).toMatchObject({ state: 'STUCK', error: expect.stringContaining('leaves only 0') })
  expect(await rule(other)).toMatchObject({ state: 'REPLICATING', locksReplicating: 2n })
  await arrive(taken())
  await open(true)
  await work(at(HOUR))
  expect(await rule(id)).toMatchObject({ state: 'REPLICATING', error: null, locksReplicating: 1n })
  await arrive(taken())
  expect((await rule(id)).state).toBe('OK')
})

test('a copy in the trash that a rule wants again comes back instead of being copied anew', async () => {
  const { db } = database
  await recorded('undo', ['u1'])
  await recorded('undo-too', ['u2'], 'OSAKA-DISK')
  const [file] = await findDids(db, { vo, dids: [did('u1')] })
  const copy = { fileId: file!.id, rseId: rse['KEK-DISK']! }
  const keeper = await add('undo', { rseExpression: 'CHICAGO-DISK' })
  await work()
  await arrive(taken())
  expect((await rule(keeper)).state).toBe('OK')
  await markVerified(db, { now, replicas: [copy] })
  await setTombstones(db, { replicas: [copy], tombstone: now })
  await work(at(10), { deleting: true })
  const trashed = sql`select state from deletion`
  expect(await rows(db, trashed)).toEqual([{ state: 'trashed' }])
  const id = await add('undo', { rseExpression: 'KEK-DISK' })
  expect(await gapsOfRule(db, { vo, id })).toHaveLength(1)
  await work(at(20), { deleting: true })
  expect(await rows(db, trashed)).toEqual([])
  expect(taken()).toEqual([])
  expect((await rule(id)).state).toBe('OK')
  expect(await readReplicas(db, [copy])).toMatchObject([{ state: 'AVAILABLE' }])
})
