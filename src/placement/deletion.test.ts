import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { begin, DAY, deleterOf, later, seenBy, World } from '../../test/harness/copy-world.ts'
import { testDatabase } from '../../test/harness/database.ts'
import { type Pace, pacedProcess } from '../../test/harness/paced.ts'
import {
  addReplicas,
  addRse,
  changeReplicaStates,
  createRseTable,
  createScope,
  markVerified,
  type Rse,
  type RseTable,
  readReplicas,
  replicasOfFiles,
  setRseAttribute,
} from '../catalog/index.ts'
import { type Rng, rows, seededRng, sql, transaction } from '../kernel/index.ts'
import { eachClaimed, executeDeletions, intendAt, intendDeletions } from './deletion.ts'
import {
  type CopyStore,
  type DeletionDeps,
  intendLocked,
  keepTrashed,
  purgeTrashed,
  trashCopy,
} from './deletion-steps.ts'

const database = testDatabase()
const vo = 'demo'
let rses: RseTable
let storages: readonly Rse[]
let rseIds: number[]

beforeAll(async () => {
  await createScope(database.db, { vo, now: begin, name: 's', accountId: 1 })
  for (const site of ['a', 'b', 'c']) {
    const name = `DISK-${site.toUpperCase()}`
    await addRse(database.db, { vo, now: begin, name, uuid: randomUUID() })
    await setRseAttribute(database.db, { vo, now: begin, rse: name, key: 'site', value: site })
  }
  rses = createRseTable(database.db)
  storages = await rses.all(vo)
  rseIds = storages.map((rse) => rse.id)
})

/** A deleter as it is, or put together from the same steps without one of its two guards. */
interface Protocol {
  intend(deps: DeletionDeps, now: Date, at: { rse: Rse; fileId: bigint }): Promise<unknown>
  execute(deps: DeletionDeps, now: Date): Promise<number>
}
const complete: Protocol = {
  intend: (deps, now, { rse }) => intendAt(deps, now, rse),
  execute: executeDeletions,
}
const withoutLook: Protocol = {
  intend: (deps, now, { rse }) => intendAt(deps, now, rse),
  execute: (deps, now) =>
    eachClaimed(deps, now, async (order) => {
      if (order.intent.state === 'trashed') return purgeTrashed(deps, now, order)
      await trashCopy(deps, order)
      await keepTrashed(deps, order)
    }),
}
const withoutLock: Protocol = {
  intend: (deps, now, { fileId, rse }) =>
    transaction(deps.db, (tx) =>
      intendLocked(tx, deps, now, vo, [{ fileId, rseId: rse.id, bytes: 10n, atOnce: false }]),
    ),
  execute: executeDeletions,
}
const withoutBoth: Protocol = { intend: withoutLock.intend, execute: withoutLook.execute }

interface Schedule {
  readonly protocol: Protocol
  readonly copies: number
  readonly floor: number
  /** Whether the copies were verified lately; otherwise the deleters read them again. */
  readonly verified: boolean
  /** Who goes on, and for how many statements or effects. */
  readonly turns: readonly { readonly who: 0 | 1; readonly steps: number }[]
  readonly kill?: { readonly who: 0 | 1; readonly step: number }
  readonly rot?: { readonly turn: number; readonly at: number }
}

let nextFile = 0

/** Runs two deleters by a schedule, lets an heir finish what was begun, and returns the good copies that are left. */
async function explore({ protocol, copies, floor, verified, turns, kill, rot }: Schedule): Promise<number> {
  const { db } = database
  const world = new World()
  const files = [{ scope: 's', name: `f${nextFile++}`, bytes: 10n, adler32: '00000001', tombstone: begin }]
  let fileId = 0n
  for (const rseId of rseIds.slice(0, copies)) {
    fileId = (await addReplicas(db, { vo, now: begin, accountId: 1, rseId, files }))[0]!.fileId
    world.files.set(rseId, { good: true })
    if (verified) await markVerified(db, { now: begin, replicas: [{ fileId, rseId }] })
  }
  const deleters = ([0, 1] as const).map((who) => {
    const work = async (pace: Pace): Promise<void> => {
      const owner = `deleter ${who}`
      const deps = deleterOf(seenBy(world, pace), { db: pace.db, rses, floor, owner })
      await protocol.intend(deps, later(0), { rse: storages[who]!, fileId })
      await protocol.execute(deps, later(1))
      await protocol.execute(deps, later(2))
    }
    return pacedProcess(db, work, kill?.who === who ? { killedAt: kill.step } : {})
  })
  for (const [turn, { who, steps }] of turns.entries()) {
    if (rot?.turn === turn) world.rot(rseIds[rot.at]!)
    await deleters[who]!.advance(steps)
  }
  while (deleters.some((deleter) => !deleter.finished))
    for (const deleter of deleters) await deleter.advance(1000)
  await Promise.all(deleters.map((deleter) => deleter.done))
  for (const { steps } of deleters) longest = Math.max(longest, steps)

  // Leases of the killed run out, copies that came back are looked at again.
  const heir = deleterOf(world, { db, rses, floor })
  for (const at of [1000, 5000, 9000]) {
    await intendDeletions(heir, later(at))
    while ((await protocol.execute(heir, later(at))) > 0);
  }
  const rowsLeft = await replicasOfFiles(db, [fileId])
  // Nothing is left half done, no copy is promised whose bytes are gone, and no bytes lie where no row is.
  expect(await rows(db, sql`select 1 from deletion`)).toEqual([])
  expect(world.bin.size).toBe(0)
  expect(new Set(rowsLeft.map((copy) => copy.rseId))).toEqual(new Set(world.files.keys()))
  await sql`delete from replica where file_id = ${fileId}`.execute(db)
  return world.goodCopies()
}

/** The most steps that a deleter took in any schedule. */
let longest = 30
const pick = (rng: Rng, below: number) => Math.floor(rng.next() * below)
/** Mostly single steps, now and then many at once, so that either may be far ahead of the other. */
const randomTurns = (rng: Rng): Schedule['turns'] =>
  Array.from({ length: 12 }, () => ({
    who: pick(rng, 2) as 0 | 1,
    steps: 1 + pick(rng, rng.next() < 0.5 ? 4 : 16),
  }))
const randomKill = (rng: Rng) => ({ who: pick(rng, 2) as 0 | 1, step: 1 + pick(rng, longest) })
const randomRot = (rng: Rng, copies: number) => ({ turn: pick(rng, 12), at: pick(rng, copies) })

/** Good copies left after each of `count` random schedules; the same seed gives the same schedules. */
async function exploreMany(
  count: number,
  seed: number,
  schedule: (rng: Rng) => Omit<Schedule, 'turns' | 'verified'>,
): Promise<number[]> {
  const rng = seededRng(seed)
  const left: number[] = []
  for (let i = 0; i < count; i++) {
    left.push(await explore({ ...schedule(rng), verified: i % 2 === 0, turns: randomTurns(rng) }))
  }
  return left
}

describe('two deleters', () => {
  test('leave just the floor, in whatever order they take their steps', async () => {
    const left = await exploreMany(40, 1, () => ({ protocol: complete, copies: 2, floor: 1 }))
    expect(new Set(left)).toEqual(new Set([1]))
    const three = await exploreMany(20, 2, () => ({ protocol: complete, copies: 3, floor: 2 }))
    expect(new Set(three)).toEqual(new Set([2]))
  }, 120_000)

  test('of which one is killed before any statement or effect leave just the floor, too', async () => {
    const left = await exploreMany(60, 3, (rng) => ({
      ...{ protocol: complete, copies: 2, floor: 1 },
      kill: randomKill(rng),
    }))
    expect(new Set(left)).toEqual(new Set([1]))
  }, 120_000)

  test('with a floor of two never lose a file of which a copy rots while one of them is killed', async () => {
    const left = await exploreMany(60, 4, (rng) => ({
      ...{ protocol: complete, copies: 3, floor: 2 },
      ...{ kill: randomKill(rng), rot: randomRot(rng, 3) },
    }))
    expect(Math.min(...left)).toBeGreaterThanOrEqual(1)
  }, 120_000)

  test('with a floor of one can lose such a file: what the second copy is for', async () => {
    const left = await exploreMany(40, 5, (rng) => ({
      ...{ protocol: complete, copies: 2, floor: 1 },
      ...{ kill: randomKill(rng), rot: randomRot(rng, 2) },
    }))
    expect(Math.min(...left)).toBe(0)
  }, 120_000)
})

describe('each guard alone', () => {
  const schedule = (protocol: Protocol) => () => ({ protocol, copies: 2, floor: 1 })
  const losses = (left: readonly number[]) => left.filter((copies) => copies === 0).length

  test('keeps the last copy: the lock, when nobody looks at the survivors', async () => {
    expect(losses(await exploreMany(50, 6, schedule(withoutLook)))).toBe(0)
  }, 120_000)

  test('keeps the last copy: the look at the survivors, when nobody locks', async () => {
    expect(losses(await exploreMany(50, 6, schedule(withoutLock)))).toBe(0)
  }, 120_000)

  test('is missed: without the look and without the lock the same schedules lose files', async () => {
    const left = await exploreMany(50, 6, schedule(withoutBoth))
    expect(losses(left)).toBeGreaterThan(0)
  }, 120_000)
})

test('a bad copy whose deletion is undone stays bad', async () => {
  const { db } = database
  const world = new World()
  const keys = []
  for (const rseId of rseIds.slice(0, 2)) {
    const files = [{ scope: 's', name: 'was-bad', bytes: 10n, adler32: '00000001', tombstone: begin }]
    const [made] = await addReplicas(db, { vo, now: begin, accountId: 1, rseId, files })
    keys.push({ fileId: made!.fileId, rseId })
    world.files.set(rseId, { good: true })
  }
  const [bad, survivor] = keys as [(typeof keys)[0], (typeof keys)[0]]
  await changeReplicaStates(db, { vo, now: begin, replicas: [bad], from: ['AVAILABLE'], to: 'BAD' })
  await markVerified(db, { now: begin, replicas: [survivor] })
  world.files.delete(survivor.rseId)
  const deps = deleterOf(world, { db, rses, floor: 1 })
  expect(await intendAt(deps, later(0), storages[0]!)).toMatchObject({ intended: 1 })
  await executeDeletions(deps, later(1))
  expect(await readReplicas(db, [bad])).toMatchObject([{ state: 'BAD' }])
  expect(await readReplicas(db, [survivor])).toMatchObject([{ state: 'SUSPICIOUS' }])
  expect(world.files.has(bad.rseId)).toBe(true)
})

describe('a copy that nobody verified lately', () => {
  /** One file with copies at all three storages, that at the first given up; the others verified when told. */
  async function given(name: string, verified: readonly (Date | null)[]) {
    const { db } = database
    const world = new World()
    let fileId = 0n
    for (const [i, rseId] of rseIds.entries()) {
      const tombstone = i === 0 ? begin : null
      const files = [{ scope: 's', name, bytes: 10n, adler32: '00000001', tombstone }]
      fileId = (await addReplicas(db, { vo, now: begin, accountId: 1, rseId, files }))[0]!.fileId
      world.files.set(rseId, { good: true })
      const now = i === 0 ? null : verified[i - 1]
      if (now) await markVerified(db, { now, replicas: [{ fileId, rseId }] })
    }
    const state = async (i: number) => (await readReplicas(db, [{ fileId, rseId: rseIds[i]! }]))[0]
    const intend = async (floor: number, now: Date, copies: CopyStore = world) =>
      (await intendAt(deleterOf(copies, { db, rses, floor }), now, storages[0]!)).intended
    return { world, state, intend }
  }

  test('is read again before it counts, and not again while that is recent', async () => {
    const { state, intend, world } = await given('stale', [later(0), later(0)])
    let reads = 0
    const counting: CopyStore = {
      ...seenBy(world, { step: (effect) => effect() }),
      verify: (rse, file, checksum) => {
        reads++
        return world.verify(rse, file, checksum)
      },
    }
    expect(await intend(2, later(DAY + 1), counting)).toBe(1)
    expect(reads).toBe(2)
    expect((await state(1))?.verifiedAt).toEqual(later(DAY + 1))
    expect(await intend(2, later(DAY + 2), counting)).toBe(0)
    expect(reads).toBe(2)
  })

  test('does not count when it rotted meanwhile, whatever its storage kept', async () => {
    const { world, state, intend } = await given('rotten', [null, null])
    world.rot(rseIds[2]!)
    expect(await intend(2, later(10))).toBe(0)
    expect(await state(2)).toMatchObject({ state: 'SUSPICIOUS' })
    expect(await state(0)).toMatchObject({ state: 'AVAILABLE' })
    expect(await intend(1, later(4000))).toBe(1)
  })

  test('does not count while its storage does not answer, and is not suspected of anything', async () => {
    const { world, state, intend } = await given('silent', [later(5), null])
    const silent: CopyStore = {
      ...seenBy(world, { step: (effect) => effect() }),
      verify: async () => {
        throw new Error('no answer')
      },
    }
    expect(await intend(2, later(10), silent)).toBe(0)
    expect(await state(2)).toMatchObject({ state: 'AVAILABLE' })
    expect(await intend(1, later(4000), silent)).toBe(1)
  })
})
