import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  AT_ONCE,
  addReplicas,
  addRse,
  createRseTable,
  createScope,
  type RseTable,
  readReplicas,
  setTombstones,
} from '../catalog/index.ts'
import { type Clock, GridError, rows, seededRng, silentLogger, sql, systemPorts } from '../kernel/index.ts'
import {
  createTransferWorkers,
  explainTransfer,
  type Mover,
  requestTransfers,
  type TransferOutcome,
  type TransferWish,
  type TransferWorkers,
} from './index.ts'

const database = testDatabase()
const { ids } = systemPorts
const vo = 'demo'
const facts = { bytes: 10n, adler32: '00000001', md5: null }
let rses: RseTable
const rse: Record<string, number> = {}
let time = Date.UTC(2026, 0, 1)
/** Moves only when told; whoever wants to sleep does not. */
const clock: Clock = { now: () => new Date(time), sleep: async () => undefined }
const running = new AbortController().signal
const outcomes: TransferOutcome[] = []
const started: TransferWorkers[] = []

beforeAll(async () => {
  const now = clock.now()
  await createScope(database.db, { vo, now, name: 's', accountId: 1 })
  for (const name of ['A', 'B', 'C', 'D'])
    rse[name] = (await addRse(database.db, { vo, now, uuid: randomUUID(), name })).id
  rses = createRseTable(database.db)
})
afterEach(async () => {
  for (const workers of started.splice(0)) await workers.drain()
  outcomes.length = 0
  for (const table of ['transfer', 'storage_fault', 'replica', 'link'])
    await sql`delete from ${sql.table(table)}`.execute(database.db)
})

type Copy = Mover['copy']
/** A worker over storages made of memory, of which `copy` plays the one that moves. */
function worker(copy: Copy, options: { maxActive?: number; weight?: (activity: string) => number } = {}) {
  const arrived = new Set<string>()
  const mover: Mover = {
    async copy(order) {
      await copy(order)
      arrived.add(`${order.destination.rse.name} ${order.destination.did.name}`)
    },
    stat: async ({ rse: at, did }) => (arrived.has(`${at.name} ${did.name}`) ? facts : undefined),
    close: async () => undefined,
  }
  const workers = createTransferWorkers({
    ...{ db: database.db, clock, ids, rses, mover, log: silentLogger, rng: seededRng(5) },
    maxActive: options.maxActive ?? 16,
    ...(options.weight && { activityWeight: options.weight }),
    settle: async (_, input) => void outcomes.push(...input.outcomes),
  })
  started.push(workers)
  const [claim, keep] = workers
  const resting = async (): Promise<void> => {
    while ((await rows(database.db, sql`select 1 from transfer where state <> 'queued'`)).length > 0)
      await delay(2)
  }
  return {
    /** Lets some time pass, then everything that is due run to its end. */
    async pass(seconds: number): Promise<void> {
      time += seconds * 1000
      for (let before = -1; before !== outcomes.length; ) {
        before = outcomes.length
        await claim!.tick(clock.now(), running)
        await resting()
      }
    },
    claim: () => claim!.tick(clock.now(), running),
    keep: () => keep!.tick(clock.now(), running),
    resting,
  }
}

let count = 0
async function wishes(
  n: number,
  from: readonly string[],
  to: string,
  more: Partial<TransferWish> = {},
): Promise<TransferWish[]> {
  const files = Array.from({ length: n }, () => ({ scope: 's', name: `v${++count}`, ...facts }))
  let fileIds: bigint[] = []
  for (const at of from) {
    const input = { vo, now: clock.now(), accountId: 1, rseId: rse[at]!, files }
    fileIds = (await addReplicas(database.db, input)).map(({ fileId }) => fileId)
  }
  const list = fileIds.map((fileId) => ({
    ...{ fileId, dstRseId: rse[to]!, bytes: facts.bytes, activity: 'test', priority: 3, overwrite: false },
    ...more,
  }))
  await requestTransfers(database.db, { vo, now: clock.now(), ids, wishes: list })
  return list
}
const fault = (code: string, party: string, status?: number) =>
  new GridError({ code, kind: 'transient', message: `${party} is out of order`, details: { party, status } })
const explain = async ({ fileId, dstRseId }: TransferWish) =>
  (await explainTransfer({ db: database.db, rses }, { vo, fileId, dstRseId, now: clock.now() }))!

describe('a storage that fails again and again', () => {
  test('is left alone, tried once after ever longer pauses, and used again when that succeeds', async () => {
    let [broken, attempts] = [true, 0]
    const { pass } = worker(async ({ destination }) => {
      if (destination.rse.name !== 'B') return
      attempts++
      if (broken) throw fault('gateway_unreachable', 'destination')
    })
    const list = await wishes(30, ['A'], 'B')
    await pass(0)
    await pass(2)
    const before = attempts
    // Six of the last ten, and what had been started beside them: a link begins with four at once.
    expect(before).toBeLessThanOrEqual(14)
    await pass(2)
    expect(attempts).toBe(before)
    expect((await explain(list[29]!)).reason).toMatch(
      /takes nothing at present.*destination is out of order.*next attempt/,
    )
    const pauses: number[] = []
    for (let waited = 0; pauses.length < 4; waited += 1) {
      const so = attempts
      await pass(1)
      expect(attempts - so).toBeLessThanOrEqual(1)
      if (attempts > so) pauses.push(waited)
    }
    const gaps = pauses.slice(1).map((at, i) => at - pauses[i]!)
    expect(gaps).toEqual([10, 20, 40])
    // Others are not held up.
    const others = await wishes(5, ['A'], 'C')
    await pass(1)
    expect(outcomes.filter((o) => o.dstRseId === rse.C && o.result === 'done')).toHaveLength(others.length)
    broken = false
    await pass(80)
    await pass(30)
    expect(outcomes.filter((o) => o.dstRseId === rse.B && o.result === 'done')).toHaveLength(30)
    expect(await rows(database.db, sql`select 1 from storage_fault`)).toEqual([])
  })

  test('as a source is not read while there is another, which is not blamed', async () => {
    const read: string[] = []
    const { pass } = worker(async ({ source }) => {
      read.push(source.rse.name)
      if (source.rse.name === 'A') throw fault('remote_failed', 'source', 500)
    })
    await wishes(40, ['A', 'C'], 'B')
    for (let i = 0; i < 12; i++) await pass(5)
    expect(outcomes.filter((o) => o.result === 'done')).toHaveLength(40)
    // Four at once at most before the link is known to be bad, and no attempt while another source will do.
    expect(read.filter((name) => name === 'A').length).toBeLessThanOrEqual(12)
    const blocked = sql<{ rse: number; side: string }>`select rse_id as rse, side from storage_fault`
    expect(await rows(database.db, blocked)).toEqual([{ rse: rse.A, side: 'source' }])
    const [only] = await wishes(1, ['A'], 'D')
    await sql`update storage_fault set blocked_until = ${new Date(time + 60_000)}`.execute(database.db)
    expect((await explain(only!)).reason).toMatch(/No source gives anything.*source is out of order/)
  })

  test('is not what single files are: missing ones, or bytes that are not the right ones', async () => {
    const { pass } = worker(async () => {
      throw fault('remote_rejected', 'source', 404)
    })
    await wishes(30, ['A'], 'B')
    for (let i = 0; i < 5; i++) await pass(60)
    expect(await rows(database.db, sql`select 1 from storage_fault`)).toEqual([])
  })

  test('is tried by one of two servers only', async () => {
    let attempts = 0
    const refuse: Copy = async () => {
      attempts++
      throw fault('gateway_unreachable', 'destination')
    }
    const servers = [worker(refuse), worker(refuse)]
    await wishes(30, ['A'], 'B')
    for (let i = 0; i < 3; i++) for (const server of servers) await server.pass(1)
    await Promise.all(servers.map((server) => server.pass(1)))
    time += 600_000
    const before = attempts
    await Promise.all(servers.map((server) => server.claim()))
    await Promise.all(servers.map((server) => server.resting()))
    expect(attempts - before).toBe(1)
  })
})

describe('transfers that wait for one storage', () => {
  test('share it by the weights of their activities, however many of one came first', async () => {
    const order: string[] = []
    const names = new Map<string, string>()
    const { pass } = worker(
      async ({ destination }) => void order.push(names.get(destination.did.name) ?? 'Bulk'),
      { maxActive: 1, weight: (activity) => (activity === 'Production' ? 3 : 1) },
    )
    await wishes(60, ['A'], 'B', { activity: 'Bulk' })
    const first = count
    await wishes(60, ['A'], 'B', { activity: 'Production' })
    for (let i = first + 1; i <= count; i++) names.set(`v${i}`, 'Production')
    await pass(0)
    expect(order).toHaveLength(120)
    const early = order.slice(0, 40)
    expect(early.filter((activity) => activity === 'Production')).toHaveLength(30)
  })

  test('go by priority within an activity, but an old one is not overtaken for ever', async () => {
    const order: string[] = []
    const { pass } = worker(async ({ destination }) => void order.push(destination.did.name), {
      maxActive: 1,
    })
    await wishes(1, ['A'], 'B', { priority: 1 })
    const old = `v${count}`
    await wishes(1, ['A'], 'B', { priority: 5 })
    const urgent = `v${count}`
    time += 3 * 3_600_000
    await wishes(1, ['A'], 'B', { priority: 3 })
    const young = `v${count}`
    await pass(0)
    expect(order).toEqual([urgent, old, young])
  })

  test('make their source a used copy: it is the last to be deleted when space is needed', async () => {
    const { pass } = worker(async () => undefined)
    const [one, other] = await wishes(2, ['A'], 'B')
    const at = (wish: TransferWish) => [{ fileId: wish.fileId, rseId: rse.A! }]
    await setTombstones(database.db, { replicas: at(one!), tombstone: new Date(time - 1000) })
    await setTombstones(database.db, { replicas: at(other!), tombstone: AT_ONCE })
    await pass(10)
    expect(await readReplicas(database.db, at(one!))).toMatchObject([{ tombstone: clock.now() }])
    expect(await readReplicas(database.db, at(other!))).toMatchObject([{ tombstone: AT_ONCE }])
  })
})

describe('a copy that stands still', () => {
  test('is ended after two minutes without a byte, not while bytes still come, and tried again', async () => {
    let progress: (bytes: bigint) => void = () => undefined
    let starts = 0
    const { claim, keep, pass, resting } = worker(({ onProgress, signal }) => {
      if (++starts > 1) return Promise.resolve()
      progress = onProgress
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await wishes(1, ['A'], 'B')
    await claim()
    const later = async (seconds: number): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += 10) {
        time += 10_000
        // The marker comes, but it says the same as the last one.
        progress(4n)
        await keep()
      }
    }
    await later(110)
    progress(5n)
    await later(110)
    expect(outcomes).toEqual([])
    await later(20)
    await resting()
    expect(outcomes).toMatchObject([
      { result: 'retrying', error: { code: 'no_progress', message: 'No byte moved for 120 s.' } },
    ])
    await pass(10)
    expect(outcomes.at(-1)).toMatchObject({ result: 'done', attempts: 2 })
  })
})
