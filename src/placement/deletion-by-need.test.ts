import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { begin, deleterOf, later, World } from '../../test/harness/copy-world.ts'
import { testDatabase } from '../../test/harness/database.ts'
import {
  AT_ONCE,
  addReplicas,
  addRse,
  createRseTable,
  createScope,
  deleteRseAttribute,
  deleteRseLimit,
  markVerified,
  type RseTable,
  setRseAttribute,
  setRseLimit,
  setRseUsage,
  touchCopies,
} from '../catalog/index.ts'
import { rows, sql } from '../kernel/index.ts'
import { executeDeletions, intendAt, intendDeletions } from './deletion.ts'

const database = testDatabase()
const vo = 'demo'
let rses: RseTable
let here: number
let elsewhere: number
let world: World
const deleter = () => deleterOf(world, { db: database.db, rses, floor: 1 })
const fullOnes = { vo, rse: 'FULL', now: begin }

beforeAll(async () => {
  const { db } = database
  await createScope(db, { vo, now: begin, name: 's', accountId: 1 })
  for (const name of ['FULL', 'OTHER']) {
    const rse = await addRse(db, { vo, now: begin, name, uuid: randomUUID() })
    if (name === 'FULL') here = rse.id
    else elsewhere = rse.id
  }
  rses = createRseTable(db)
})
beforeEach(async () => {
  world = new World()
  world.files.set(elsewhere, { good: true })
  for (const table of ['replica', 'deletion', 'deletion_refused', 'freed_space', 'rse_usage'])
    await sql`delete from ${sql.table(table)}`.execute(database.db)
  await deleteRseLimit(database.db, { ...fullOnes, name: 'MinFreeSpace' }).catch(() => undefined)
  await deleteRseAttribute(database.db, { ...fullOnes, key: 'greedyDeletion' }).catch(() => undefined)
  rses.invalidate()
})

let count = 0
/** Unprotected copies of 10 bytes at the storage in question, in the order in which they were released, and good ones elsewhere. */
async function unprotected(number: number, options: { alone?: boolean; tombstone?: Date } = {}) {
  const { db } = database
  const files = Array.from({ length: number }, (_, i) => ({
    ...{ scope: 's', name: `f${count++}`, bytes: 10n, adler32: '00000001' },
    tombstone: options.tombstone ?? later(i),
  }))
  const made = await addReplicas(db, { vo, now: begin, accountId: 1, rseId: here, files })
  if (!options.alone) {
    const copies = files.map((file) => ({ ...file, tombstone: null }))
    await addReplicas(db, { vo, now: begin, accountId: 1, rseId: elsewhere, files: copies })
    const replicas = made.map(({ fileId }) => ({ fileId, rseId: elsewhere }))
    await markVerified(db, { now: begin, replicas })
  }
  return made.map(({ fileId }) => fileId)
}
const keep = (bytes: bigint) =>
  setRseLimit(database.db, { ...fullOnes, name: 'MinFreeSpace', value: bytes }).then(() => rses.invalidate())
const measure = (free: bigint, at: number) =>
  setRseUsage(database.db, { ...fullOnes, now: later(at), source: 'storage', used: 1000n, free })
const greedy = (value: boolean) =>
  setRseAttribute(database.db, { ...fullOnes, key: 'greedyDeletion', value }).then(() => rses.invalidate())
/** Files whose copy is going. */
const going = async () =>
  new Set(
    (await rows(database.db, sql<{ id: bigint }>`select file_id as id from deletion`)).map(({ id }) => id),
  )

describe('unprotected copies', () => {
  test('all go when their time has come, where nobody set a target', async () => {
    const files = await unprotected(3)
    expect(await intendDeletions(deleter(), later(1))).toBe(2)
    expect(await going()).toEqual(new Set(files.slice(0, 2)))
  })

  test('stay as a cache while there is space enough, except those given up at once', async () => {
    await keep(100n)
    await measure(100n, 0)
    await unprotected(3)
    const [gone] = await unprotected(1, { tombstone: AT_ONCE })
    await intendDeletions(deleter(), later(10))
    expect(await going()).toEqual(new Set([gone]))
  })

  test('go as far as space is needed, the longest unused first', async () => {
    await keep(100n)
    await measure(75n, 0)
    const files = await unprotected(6)
    await touchCopies(database.db, { now: later(9), replicas: [{ fileId: files[0]!, rseId: here }] })
    await intendDeletions(deleter(), later(10))
    expect(await going()).toEqual(new Set(files.slice(1, 4)))
  })

  test('are not deleted twice as many when deleters meet, before the purge, or before the next measurement', async () => {
    await keep(100n)
    await measure(75n, 20)
    const files = await unprotected(12)
    const rse = await rses.byName(vo, 'FULL')
    await Promise.all(Array.from({ length: 6 }, () => intendAt(deleter(), later(30), rse)))
    await intendDeletions(deleter(), later(31))
    expect(await going()).toEqual(new Set(files.slice(0, 3)))
    while ((await executeDeletions(deleter(), later(40))) > 0);
    await intendDeletions(deleter(), later(50))
    expect(await going()).toEqual(new Set([]))
    // Measured at last: as much as before was written meanwhile.
    await measure(75n, 60)
    await intendDeletions(deleter(), later(70))
    expect(await going()).toEqual(new Set(files.slice(3, 6)))
  })

  test('stay where a target is set but nobody measured the space', async () => {
    await keep(100n)
    await unprotected(2)
    expect(await intendDeletions(deleter(), later(10))).toBe(0)
  })

  test('all go at a greedy storage, and none but those given up at once at one that is told not to be', async () => {
    await keep(100n)
    await measure(100n, 0)
    await greedy(true)
    expect((await unprotected(2)).length).toBe(await intendDeletions(deleter(), later(10)))
    await deleteRseLimit(database.db, { ...fullOnes, name: 'MinFreeSpace' })
    await greedy(false)
    await unprotected(2)
    await unprotected(1, { tombstone: AT_ONCE })
    expect(await intendDeletions(deleter(), later(20))).toBe(1)
  })

  test('that have to stay do not stop those behind them', async () => {
    await unprotected(150, { alone: true })
    const others = await unprotected(3, { tombstone: later(200) })
    while ((await intendDeletions(deleter(), later(300))) > 0);
    expect(await going()).toEqual(new Set(others))
    // Later they are looked at once more.
    expect(await intendDeletions(deleter(), later(4000))).toBe(100)
  })
})
