import { describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, did, request, ruleWorld, vo } from '../../test/harness/rule-world.ts'
import {
  AT_ONCE,
  addCollections,
  addFiles,
  addReplicas,
  attach,
  changeReplicaStates,
  detach,
  findDids,
  readReplicas,
  setAvailability,
} from '../catalog/index.ts'
import { type Db, row, rows, sql, transaction } from '../kernel/index.ts'
import {
  addRules,
  chooseRses,
  declareBad,
  deleteRule,
  gapsOfRule,
  giveUpCopies,
  locksOfRule,
  type RuleRequest,
  setAccountLimit,
  settle,
} from './index.ts'

const database = testDatabase()
const now = at(0)
const world = ruleWorld(database)
const { rse, canceled, recorded, add, rule, work, arrive, outcome, taken } = world

describe('a rule', () => {
  test('on complete data is OK at once and asks for nothing', async () => {
    await recorded('complete', ['c1', 'c2'])
    const id = await add('complete', { rseExpression: 'KEK-DISK' })
    expect(await rule(id)).toMatchObject({ state: 'OK', locksOk: 2n, locksReplicating: 0n })
    await work()
    expect(taken()).toEqual([])
  })

  test('asks once for each missing copy, at distinct sites, and becomes OK with the last of them', async () => {
    await recorded('spread', ['s1', 's2', 's3'])
    const id = await add('spread', { copies: 3, grouping: 'ALL' })
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', locksOk: 3n, locksReplicating: 6n })
    await work()
    const asked = taken()
    expect(new Set(asked.map((wish) => wish.dstRseId))).toEqual(
      new Set([rse['OSAKA-DISK'], rse['CHICAGO-DISK']]),
    )
    await arrive(asked.slice(0, 5))
    expect((await rule(id)).state).toBe('REPLICATING')
    await arrive(asked.slice(5))
    expect(await rule(id)).toMatchObject({ state: 'OK', locksOk: 9n, error: null })
  })

  test('does not miss its last copies when they arrive at the same moment', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `same${i}`)
    await recorded('same', names)
    const id = await add('same', { rseExpression: 'CHICAGO-DISK' })
    await work()
    await Promise.all(taken().map((wish) => arrive([wish])))
    expect((await rule(id)).state).toBe('OK')
  })

  test('that cannot be fulfilled says why, and tries again later', async () => {
    await recorded('hard', ['h1'])
    const id = await add('hard', { rseExpression: 'CHICAGO-DISK' })
    await work()
    const [wish] = taken()
    await settle(database.db, { now, outcomes: [outcome(wish!, 'failed')] })
    expect(await rule(id)).toMatchObject({ state: 'STUCK', error: expect.stringContaining('no space left') })
    expect(await gapsOfRule(database.db, { vo, id })).toMatchObject([{ name: 'h1', attempts: 1 }])
    await work(at(30))
    expect(taken()).toEqual([])
    await work(at(120))
    const again = taken()
    expect(again).toHaveLength(1)
    await arrive(again)
    expect(await rule(id)).toMatchObject({ state: 'OK', error: null, stuckAt: null })
  })

  test('ends waiting for a copy that comes by another way', async () => {
    await recorded('elsewhere', ['away1', 'away2'])
    const id = await add('elsewhere', { rseExpression: 'OSAKA-DISK' })
    await work()
    const asked = taken()
    expect(asked).toHaveLength(2)
    const replicas = [{ fileId: asked[0]!.fileId, rseId: rse['OSAKA-DISK']! }]
    await changeReplicaStates(database.db, { vo, now, replicas, from: ['COPYING'], to: 'AVAILABLE' })
    await work()
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', locksOk: 1n, locksReplicating: 1n })
    await arrive(asked.slice(1))
    expect(await rule(id)).toMatchObject({ state: 'OK', locksOk: 2n })
  })

  test('waits for a file that is LOST, whose copy may turn up, but not for one that was given up', async () => {
    await recorded('fading', ['lost', 'gone', 'kept'])
    const [lost, gone] = await findDids(database.db, { vo, dids: [did('lost'), did('gone')] })
    const availability = (fileId: bigint, value: 'LOST' | 'DELETED') =>
      setAvailability(database.db, { now, fileIds: [fileId], availability: value })
    await availability(lost!.id, 'LOST')
    await availability(gone!.id, 'DELETED')
    const id = await add('fading', { rseExpression: 'OSAKA-DISK' })
    const waited = async () => (await gapsOfRule(database.db, { vo, id })).map((gap) => gap.name)
    expect((await waited()).sort()).toEqual(['kept', 'lost'])
    await work()
    taken()
    // A name that is given up later is not waited for any more, nor when its copy turns out to be bad.
    await availability(lost!.id, 'DELETED')
    for (const where of ['OSAKA-DISK', 'KEK-DISK']) {
      await addReplicas(database.db, {
        ...{ vo, now, accountId: 1, rseId: rse[where]! },
        files: [{ ...did('there'), bytes: 10n, adler32: '00000001' }],
      })
    }
    await attach(database.db, {
      ...{ vo, now, accountId: 1 },
      attachments: [{ ...did('fading'), dids: [did('there')] }],
    })
    await work()
    expect(await waited()).toEqual(['kept'])
    expect(canceled.splice(0)).toEqual([{ fileId: lost!.id, dstRseId: rse['OSAKA-DISK'] }])
    const replicas = [{ fileId: gone!.id, rseId: rse['KEK-DISK']! }]
    await add('fading', { rseExpression: 'KEK-DISK' })
    await declareBad(database.db, { vo, now, replicas, reason: 'scrub', accountId: null })
    await work()
    expect(taken()).toEqual([])
  })

  test('shows one lock for each file and storage, however many of its datasets hold the file', async () => {
    const names = Array.from({ length: 1500 }, (_, i) => `k${i}`)
    await recorded('lock-all', names)
    await recorded('lock-some', [])
    await attach(database.db, {
      ...{ vo, now, accountId: 1 },
      attachments: [{ ...did('lock-some'), dids: names.slice(0, 1200).map(did) }],
    })
    const collections = [{ ...did('lock-box'), kind: 'CONTAINER' as const }]
    await addCollections(database.db, { vo, now, accountId: 1, collections })
    await attach(database.db, {
      ...{ vo, now, accountId: 1 },
      attachments: [{ ...did('lock-box'), dids: [did('lock-some'), did('lock-all')] }],
    })
    const id = await add('lock-box', { rseExpression: 'KEK-DISK|OSAKA-DISK', copies: 2, grouping: 'ALL' })
    const states = new Map<string, string>()
    let count = 0
    for await (const page of locksOfRule(database.db, { vo, id })) {
      for (const { name, rseId, state } of page) states.set(`${name} ${rseId}`, state)
      count += page.length
    }
    expect([count, states.size]).toEqual([3000, 3000])
    for (const [name, state] of [
      ['KEK-DISK', 'OK'],
      ['OSAKA-DISK', 'REPLICATING'],
    ] as const) {
      const there = names.map((file) => states.get(`${file} ${rse[name]}`))
      expect(new Set(there)).toEqual(new Set([state]))
    }
    await work()
    taken()
  })

  test('follows its dataset: new files are copied, removed ones are no longer waited for', async () => {
    await recorded('growing', ['g1'])
    const id = await add('growing', { rseExpression: 'OSAKA-DISK' })
    await work()
    await arrive(taken())
    await addReplicas(database.db, {
      ...{ vo, now, accountId: 1, rseId: rse['KEK-DISK']! },
      files: ['g2', 'g3'].map((name) => ({ ...did(name), bytes: 10n })),
    })
    await attach(database.db, {
      vo,
      now,
      accountId: 1,
      attachments: [{ ...did('growing'), dids: [did('g2'), did('g3')] }],
    })
    await work()
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', locksReplicating: 2n })
    const asked = taken()
    expect(asked).toHaveLength(2)
    await detach(database.db, { vo, now, ...did('growing'), dids: [did('g3')] })
    await work()
    expect(canceled).toHaveLength(1)
    await arrive(asked.filter((wish) => !canceled.some((key) => key.fileId === wish.fileId)))
    expect(await rule(id)).toMatchObject({ state: 'OK', locksOk: 2n })
  })

  test('follows its dataset at once, even while an old transaction holds events back, and once only', async () => {
    const { db } = database
    await recorded('held', ['old'])
    const id = await add('held', { rseExpression: 'OSAKA-DISK' })
    await work()
    await arrive(taken())
    const slow = await db.startTransaction().execute()
    await sql`select pg_current_xact_id()`.execute(slow)
    await recorded('aside', ['new'])
    await attach(db, { vo, now, accountId: 1, attachments: [{ ...did('held'), dids: [did('new')] }] })
    const follow = world.loops.find(({ name }) => name === 'placement-content')!
    const changed = async () => (await follow.tick(now, AbortSignal.timeout(5000))).changed
    expect(await changed()).toBeGreaterThan(0)
    expect(await rows(db, sql`select rule_id::text as id from evaluation_queue`)).toEqual([{ id }])
    expect(await changed()).toBe(0)
    await work()
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', locksReplicating: 1n })
    await slow.commit().execute()
    await work()
    await arrive(taken())
    expect((await rule(id)).state).toBe('OK')
  })

  test('on a container covers datasets that are put into it later, at the same storages', async () => {
    const { db } = database
    await addCollections(db, { vo, now, accountId: 1, collections: [{ ...did('box'), kind: 'CONTAINER' }] })
    const id = await add('box', { rseExpression: 'country=JP', copies: 2, grouping: 'ALL' })
    expect((await rule(id)).state).toBe('OK')
    await recorded('in-box', ['b1'])
    await attach(db, { vo, now, accountId: 1, attachments: [{ ...did('box'), dids: [did('in-box')] }] })
    await work()
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', locksOk: 1n, locksReplicating: 1n })
    await arrive(taken())
    expect((await rule(id)).state).toBe('OK')
  })

  test('with grouping NONE spreads files and keeps those where they are', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `n${i}`)
    await recorded('none', names)
    const id = await add('none', { grouping: 'NONE', copies: 2 })
    const view = await rule(id)
    expect(view.locksOk).toBe(8n)
    expect(view.locksReplicating).toBe(8n)
    await work()
    const asked = taken()
    expect(new Set(asked.map((wish) => wish.dstRseId)).size).toBeGreaterThan(1)
    await arrive(asked)
    expect((await rule(id)).state).toBe('OK')
  })

  test('is refused when asked twice, without storages enough, without quota, or without sense', async () => {
    await recorded('refused', ['r1'])
    await add('refused', { rseExpression: 'KEK-DISK' })
    const refusal = (more: Partial<RuleRequest>) =>
      add('refused', more).then(
        () => 'accepted',
        (error) => error.code,
      )
    expect(await refusal({ rseExpression: 'KEK-DISK' })).toBe('duplicate_rule')
    expect(await refusal({ rseExpression: 'country=US', copies: 2 })).toBe('insufficient_target_rses')
    await addCollections(database.db, {
      ...{ vo, now, accountId: 1 },
      collections: [{ ...did('empty'), kind: 'CONTAINER' }],
    })
    const ofNothing = { target: did('empty'), rseExpression: 'country=US', copies: 2 }
    expect(await refusal(ofNothing)).toBe('insufficient_target_rses')
    expect(await refusal({ rseExpression: 'country=FR' })).toBe('no_rse_matches')
    expect(await refusal({ rseExpression: 'KEK-DISK&(' })).toBe('invalid_rse_expression')
    expect(await refusal({ copies: 0 })).toBe('invalid_rule')
    await setAccountLimit(database.db, { accountId: 2, rseId: rse['CHICAGO-DISK']!, bytes: 5n })
    expect(await refusal({ accountId: 2, rseExpression: 'CHICAGO-DISK' })).toBe('insufficient_account_limit')
    for (const rseExpression of ['country=JP', 'country=FR']) {
      await setAccountLimit(database.db, { accountId: 4, rseExpression, bytes: 5n })
    }
    expect(await refusal({ accountId: 4, rseExpression: 'KEK-DISK' })).toBe('insufficient_account_limit')
    const [target] = await findDids(database.db, { vo, dids: [did('refused')] })
    const kept = await rows(database.db, sql`select 1 from rule where target_id = ${target!.id}`)
    expect(kept).toHaveLength(1)
  })

  test('that ends gives its copies free a day later, but not those another rule needs', async () => {
    await recorded('ending', ['e1', 'e2'])
    const first = await add('ending', { rseExpression: 'KEK-DISK', expiresAt: at(10) })
    const other = await add('ending', {
      rseExpression: 'country=JP&site=kek',
      accountId: 3,
      expiresAt: at(1000),
    })
    const files = await findDids(database.db, { vo, dids: [did('e1'), did('e2')] })
    const keys = files.map((file) => ({ fileId: file!.id, rseId: rse['KEK-DISK']! }))
    const tombstones = async () => (await readReplicas(database.db, keys)).map((copy) => copy.tombstone)
    await work(at(20))
    await expect(rule(first)).rejects.toMatchObject({ code: 'rule_not_found' })
    expect(await tombstones()).toEqual([null, null])
    await work(at(2000))
    await expect(rule(other)).rejects.toMatchObject({ code: 'rule_not_found' })
    expect(await tombstones()).toEqual([at(2000 + 86_400), at(2000 + 86_400)])
  })

  test('a locked one is not removed', async () => {
    await recorded('locked', ['l1'])
    const id = await add('locked', { rseExpression: 'KEK-DISK', locked: true })
    const removal = deleteRule(database.db, { vo, now, id, purge: null })
    await expect(removal).rejects.toMatchObject({ code: 'rule_locked' })
  })
})

describe('a bad copy', () => {
  test('that a rule wants is fetched anew over what lies there', async () => {
    await recorded('rotten', ['x1', 'x2'])
    const id = await add('rotten', { rseExpression: 'KEK-DISK|OSAKA-DISK', copies: 2, grouping: 'ALL' })
    await work()
    await arrive(taken())
    const [x1] = await findDids(database.db, { vo, dids: [did('x1')] })
    const replicas = [{ fileId: x1!.id, rseId: rse['OSAKA-DISK']! }]
    const declared = await declareBad(database.db, { vo, now, replicas, reason: 'scrub', accountId: null })
    expect(declared).toEqual({ declared: 1, lost: 0 })
    expect(await rule(id)).toMatchObject({ state: 'REPLICATING', locksReplicating: 1n })
    await work()
    const [wish] = taken()
    expect(wish).toMatchObject({ fileId: x1!.id, overwrite: true })
    await arrive([wish!])
    expect((await rule(id)).state).toBe('OK')
  })

  test('that was the last is LOST, told, and not deleted', async () => {
    await recorded('single', ['only'])
    await add('single', { rseExpression: 'KEK-DISK' })
    const [only] = await findDids(database.db, { vo, dids: [did('only')] })
    const replicas = [{ fileId: only!.id, rseId: rse['KEK-DISK']! }]
    expect(
      await declareBad(database.db, { vo, now, replicas, reason: 'disk', accountId: null }),
    ).toMatchObject({ lost: 1 })
    expect(await readReplicas(database.db, replicas)).toMatchObject([{ state: 'BAD', tombstone: null }])
  })
})

test('adding a rule on a complete dataset looks at no single file', async () => {
  const { db } = database
  const names = Array.from({ length: 20_000 }, (_, i) => did(`many/${i}`))
  await addCollections(db, { vo, now, accountId: 1, collections: [{ ...did('many'), kind: 'DATASET' }] })
  await addFiles(db, { vo, now, accountId: 1, files: names.map((name) => ({ ...name, bytes: 1n })) })
  const files = names.map((name) => ({ ...name, bytes: 1n }))
  await addReplicas(db, { vo, now, accountId: 1, rseId: rse['KEK-DISK']!, files })
  await attach(db, { vo, now, accountId: 1, attachments: [{ ...did('many'), dids: names }] })
  const fetched = (tx: Db) =>
    row(
      tx,
      sql<{ n: number }>`select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int as n
        from pg_stat_xact_user_tables where relname like 'replica%' or relname in ('content', 'placement_gap')`,
    )
  const id = await transaction(db, async (tx) => {
    // The view counts what the connection did before as well.
    const before = (await fetched(tx))!.n
    const [made] = await addRules(tx, world.deps, {
      vo,
      now,
      rules: [request('many', { rseExpression: 'KEK-DISK' })],
    })
    expect((await fetched(tx))!.n - before).toBeLessThan(100)
    return made!
  })
  expect(await rule(id)).toMatchObject({ state: 'OK', locksOk: 20_000n })
})

describe('the choice of storages', () => {
  const candidate = (rseId: number, site: string, more = {}) => ({
    ...{ rseId, name: `R${rseId}`, site, presentBytes: 0n, freeBytes: 0n },
    ...more,
  })
  test('keeps what is there, then new sites, then free space', () => {
    const all = [
      candidate(1, 'a', { presentBytes: 5n }),
      candidate(2, 'a', { freeBytes: 100n }),
      candidate(3, 'b'),
      candidate(4, 'c', { freeBytes: 50n }),
    ]
    expect(chooseRses(all, { copies: 2 })).toEqual([1, 4])
    expect(chooseRses(all, { copies: 3 })).toEqual([1, 4, 3])
    expect(chooseRses(all, { copies: 4 })).toEqual([1, 4, 3, 2])
    expect(chooseRses(all, { copies: 2, preferred: [2] })).toEqual([2, 4])
  })
  test('weighs by an attribute and refuses one that nobody has', () => {
    const all = [candidate(1, 'a', { weight: 1 }), candidate(2, 'b', { weight: 9 }), candidate(3, 'c')]
    expect(chooseRses(all, { copies: 1, weight: 'speed' })).toEqual([2])
    expect(() => chooseRses([candidate(3, 'c')], { copies: 1, weight: 'speed' })).toThrow(/speed/)
    expect(() => chooseRses(all, { copies: 4 })).toThrow(/only 3/)
  })
})

describe('copies given up on demand', () => {
  test('none of them is, when a rule wants one of them; without the rule all are', async () => {
    await recorded('wanted', ['w1'])
    await recorded('unwanted', ['u1'])
    const id = await add('wanted', { rseExpression: 'KEK-DISK' })
    const files = await findDids(database.db, { vo, dids: [did('w1'), did('u1')] })
    const replicas = files.map((file) => ({ fileId: file!.id, rseId: rse['KEK-DISK']! }))
    const tombstones = async () => (await readReplicas(database.db, replicas)).map((copy) => copy.tombstone)
    await expect(giveUpCopies(database.db, { replicas })).rejects.toMatchObject({
      code: 'replica_protected',
      message: expect.stringContaining('s:w1'),
    })
    expect(await tombstones()).toEqual([null, null])
    const elsewhere = [...replicas, { fileId: files[0]!.id, rseId: rse['OSAKA-DISK']! }]
    await expect(giveUpCopies(database.db, { replicas: elsewhere })).rejects.toMatchObject({
      code: 'replica_not_found',
    })
    await deleteRule(database.db, { vo, now, id, purge: null })
    await work(at(4000))
    await giveUpCopies(database.db, { replicas })
    expect(await tombstones()).toEqual([AT_ONCE, AT_ONCE])
  })
})
