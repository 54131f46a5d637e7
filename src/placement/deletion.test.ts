import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  addReplicas,
  addRse,
  changeReplicaStates,
  createRseTable,
  createScope,
  type RseTable,
  readReplicas,
  setRseAttribute,
} from '../catalog/index.ts'
import { row, rows, seededRng, silentLogger, sql, systemClock, systemPorts } from '../kernel/index.ts'
import { type CopyStore, type DeletionDeps, executeDeletions, intendAt } from './deletion.ts'

const database = testDatabase()
const vo = 'demo'
const begin = new Date('2026-01-01T00:00:00Z')
const later = (seconds: number) => new Date(begin.getTime() + seconds * 1000)
let rses: RseTable
let rseIds: number[]

beforeAll(async () => {
  await createScope(database.db, { vo, now: begin, name: 's', accountId: 1 })
  for (const site of ['a', 'b', 'c']) {
    const name = `DISK-${site.toUpperCase()}`
    await addRse(database.db, { vo, now: begin, name, uuid: randomUUID() })
    await setRseAttribute(database.db, { vo, now: begin, rse: name, key: 'site', value: site })
  }
  rses = createRseTable(database.db)
  rseIds = (await rses.all(vo)).map((rse) => rse.id)
})

/** The bytes of the world: what really lies at each storage. `good` is false after silent rot. */
class World implements CopyStore {
  readonly files = new Map<number, { good: boolean }>()
  readonly bin = new Map<string, { rse: number; copy: { good: boolean } }>()

  async trash(rse: { id: number }, _file: unknown, id: string): Promise<void> {
    const copy = this.files.get(rse.id)
    if (!copy) return
    this.files.delete(rse.id)
    this.bin.set(id, { rse: rse.id, copy })
  }
  async restore(rse: { id: number }, _file: unknown, id: string): Promise<void> {
    const thrown = this.bin.get(id)
    if (!thrown) return
    this.bin.delete(id)
    this.files.set(rse.id, thrown.copy)
  }
  async purge(_rse: unknown, id: string): Promise<void> {
    this.bin.delete(id)
  }
  async verify(rse: { id: number }): Promise<boolean> {
    return this.files.get(rse.id)?.good ?? false
  }
  goodCopies(): number {
    return [...this.files.values()].filter((copy) => copy.good).length
  }
}

type Guards = Pick<DeletionDeps, 'lock' | 'survivorsAreGood'>
const noLock: Guards['lock'] = async (_tx, fileIds) => fileIds
const noCheck: Guards['survivorsAreGood'] = async () => true

class Crash extends Error {}

/**
 * One deleter that stops at every step until it is told to go on, and may be killed at one of them: a transaction it
 * was in is rolled back, and nobody says anything more.
 */
class Deleter {
  readonly done: Promise<void>
  finished = false
  #release: () => void = () => undefined
  #arrived: () => void = () => undefined
  #steps = 0

  constructor(
    world: World,
    rseId: number,
    fileId: bigint,
    options: { guards: Guards; floor: number; crashAt: number },
  ) {
    const deps: DeletionDeps = {
      ...{ db: database.db, clock: { ...systemClock, now: () => later(0) }, ids: systemPorts.ids },
      ...{ log: silentLogger, rses, copies: world },
      ...{ owner: randomUUID(), floor: options.floor, graceSeconds: 0, ...options.guards },
      step: async () => {
        if (++this.#steps === options.crashAt) throw new Crash()
        await this.#pause()
      },
    }
    this.done = (async () => {
      await this.#pause()
      await intendAt(deps, later(0), vo, rseId, [{ fileId, bytes: 10n }])
      await this.#pause()
      await executeDeletions(deps, later(1))
      await executeDeletions(deps, later(2))
    })()
      .catch((error) => {
        if (!(error instanceof Crash)) throw error
      })
      .finally(() => {
        this.finished = true
        this.#arrived()
      })
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#release = resolve
      this.#arrived()
    })
  }

  /** Goes on to the next step, the end, or until it waits for a lock that somebody else holds. */
  async advance(): Promise<void> {
    if (this.finished) return
    const arrived = new Promise<'arrived'>((resolve) => {
      this.#arrived = () => resolve('arrived')
    })
    const release = this.#release
    this.#release = () => undefined
    release()
    for (;;) {
      const state = await Promise.race([arrived, blocked()])
      if (state !== 'running') return
    }
  }
}

async function blocked(): Promise<'blocked' | 'running'> {
  const waiting = await row(
    database.db,
    sql<{ n: bigint }>`select count(*) as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return (waiting?.n ?? 0n) > 0n ? 'blocked' : 'running'
}

let nextFile = 0

/** Runs one schedule and returns how many good copies are left when everything has come to rest. */
async function explore(schedule: {
  readonly order: readonly number[]
  readonly copies: number
  readonly floor: number
  readonly guards?: Guards
  readonly crash?: { readonly deleter: number; readonly step: number }
  readonly rotAfter?: { readonly turn: number; readonly rse: number }
}): Promise<number> {
  const { order, copies, floor, guards = {}, crash, rotAfter } = schedule
  const world = new World()
  const name = `f${nextFile++}`
  let fileId = 0n
  for (const rseId of rseIds.slice(0, copies)) {
    const files = [{ scope: 's', name, bytes: 10n, adler32: '00000001', tombstone: begin }]
    fileId = (await addReplicas(database.db, { vo, now: begin, accountId: 1, rseId, files }))[0]!.fileId
    world.files.set(rseId, { good: true })
  }
  const deleters = [0, 1].map((i) => {
    const crashAt = crash?.deleter === i ? crash.step : 0
    return new Deleter(world, rseIds[i]!, fileId, { guards, floor, crashAt })
  })
  for (const [turn, who] of order.entries()) {
    if (rotAfter?.turn === turn) {
      const copy = world.files.get(rseIds[rotAfter.rse]!)
      if (copy) copy.good = false
    }
    await deleters[who]!.advance()
  }
  while (deleters.some((deleter) => !deleter.finished))
    for (const deleter of deleters) await deleter.advance()
  await Promise.all(deleters.map((deleter) => deleter.done))
  // After the crash somebody else finishes what was begun, when the leases are over.
  const heir: DeletionDeps = {
    ...{ db: database.db, clock: { ...systemClock, now: () => later(0) }, ids: systemPorts.ids },
    ...{ log: silentLogger, rses, copies: world },
    ...{ owner: 'heir', floor, graceSeconds: 0, ...guards },
  }
  for (let at = 1000; at < 1500; at += 100) await executeDeletions(heir, later(at))
  const claimed = await rows(
    database.db,
    sql<{ rseId: number }>`select rse_id as "rseId" from replica where file_id = ${fileId} and state = 'A'`,
  )
  // The catalogue never promises a copy whose bytes are not there.
  for (const { rseId } of claimed) expect(world.files.has(rseId)).toBe(true)
  await sql`delete from deletion`.execute(database.db)
  return world.goodCopies()
}

/** All orders in which two deleters of `steps` turns each can take them. */
function interleavings(steps: number): number[][] {
  const all: number[][] = []
  const grow = (order: number[], zeros: number, ones: number): void => {
    if (zeros === steps && ones === steps) all.push(order)
    if (zeros < steps) grow([...order, 0], zeros + 1, ones)
    if (ones < steps) grow([...order, 1], zeros, ones + 1)
  }
  grow([], 0, 0)
  return all
}

test('a bad copy whose deletion is undone stays bad', async () => {
  const world = new World()
  const keys = []
  for (const rseId of rseIds.slice(0, 2)) {
    const files = [{ scope: 's', name: 'was-bad', bytes: 10n, adler32: '00000001', tombstone: begin }]
    const [made] = await addReplicas(database.db, { vo, now: begin, accountId: 1, rseId, files })
    keys.push({ fileId: made!.fileId, rseId })
    world.files.set(rseId, { good: true })
  }
  const [bad, survivor] = keys as [(typeof keys)[0], (typeof keys)[0]]
  await changeReplicaStates(database.db, { vo, now: begin, replicas: [bad], from: ['AVAILABLE'], to: 'BAD' })
  world.files.get(survivor.rseId)!.good = false
  const deps: DeletionDeps = {
    ...{ db: database.db, clock: { ...systemClock, now: () => later(0) }, ids: systemPorts.ids },
    ...{ log: silentLogger, rses, copies: world, owner: 'x', floor: 1, graceSeconds: 0 },
  }
  expect(await intendAt(deps, later(0), vo, bad.rseId, [{ fileId: bad.fileId, bytes: 10n }])).toBe(1)
  await executeDeletions(deps, later(1))
  expect(await readReplicas(database.db, [bad])).toMatchObject([{ state: 'BAD' }])
  expect(await readReplicas(database.db, [survivor])).toMatchObject([{ state: 'SUSPICIOUS' }])
  expect(world.files.has(bad.rseId)).toBe(true)
})

describe('two deleters', () => {
  const orders = interleavings(4)

  test('never take the last copy, in whatever order they take their steps', async () => {
    const left = []
    for (const order of orders) left.push(await explore({ order, copies: 2, floor: 1 }))
    expect(left.length).toBe(70)
    console.log(`${left.length} orders of two deleters explored`)
    expect(Math.min(...left)).toBeGreaterThanOrEqual(1)
  }, 120_000)

  test('nor when one of them is killed at any step', async () => {
    const rng = seededRng(7)
    let explored = 0
    for (const step of [1, 2, 3, 4, 5]) {
      for (const deleter of [0, 1]) {
        for (let i = 0; i < 12; i++) {
          const order = orders[Math.floor(rng.next() * orders.length)]!
          expect(
            await explore({ order, copies: 2, floor: 1, crash: { deleter, step } }),
          ).toBeGreaterThanOrEqual(1)
          explored++
        }
      }
    }
    expect(explored).toBe(120)
  }, 120_000)

  test('with a floor of two, not even when a copy rots unseen at any moment', async () => {
    const rng = seededRng(11)
    for (let i = 0; i < 80; i++) {
      const order = orders[Math.floor(rng.next() * orders.length)]!
      const rotAfter = { turn: Math.floor(rng.next() * 8), rse: Math.floor(rng.next() * 3) }
      expect(await explore({ order, copies: 3, floor: 2, rotAfter })).toBeGreaterThanOrEqual(1)
    }
  }, 120_000)

  test('either guard alone, the lock or the look at the survivors, keeps the last copy', async () => {
    const left = []
    for (const order of orders)
      left.push(await explore({ order, copies: 2, floor: 1, guards: { lock: noLock } }))
    for (const order of orders) {
      left.push(await explore({ order, copies: 2, floor: 1, guards: { survivorsAreGood: noCheck } }))
    }
    expect(Math.min(...left)).toBeGreaterThanOrEqual(1)
  }, 120_000)

  test('without both guards this exploration does find a way to lose the last copy', async () => {
    const guards = { lock: noLock, survivorsAreGood: noCheck }
    const left = []
    for (const order of orders) left.push(await explore({ order, copies: 2, floor: 1, guards }))
    expect(left.filter((copies) => copies === 0).length).toBeGreaterThan(0)
  }, 120_000)
})
