import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  addFiles,
  addRse,
  changeReplicaStates,
  computePath,
  createRseTable,
  createScope,
  findDids,
  prepareReplicas,
  type Rse,
  type RseTable,
} from '../catalog/index.ts'
import {
  GridError,
  listen,
  rows,
  runWorkers,
  silentLogger,
  sql,
  systemPorts,
  type Wakeups,
} from '../kernel/index.ts'
import { digester, type PosixDriver, posixDriver } from '../storage/index.ts'
import {
  cancelTransfers,
  createTransferWorkers,
  explainTransfer,
  type Mover,
  type Place,
  requestTransfers,
  type TransferOutcome,
  type TransferWish,
} from './index.ts'

const database = testDatabase()
const { clock, rng, ids } = systemPorts
const vo = 'demo'
let directory: string
let wakeups: Wakeups
let rses: RseTable
let rse: Record<'A' | 'B' | 'C', Rse>
const drivers = new Map<string, PosixDriver>()
const outcomes: TransferOutcome[] = []
const running: (() => Promise<void>)[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kumi-transfer-'))
  const now = new Date()
  await createScope(database.db, { vo, now, name: 's', accountId: 1 })
  for (const name of ['A', 'B', 'C']) {
    await addRse(database.db, { vo, now, uuid: randomUUID(), name })
    await mkdir(join(directory, name, '.kumi', 'incoming'), { recursive: true })
    drivers.set(name, posixDriver(join(directory, name)))
  }
  wakeups = await listen(database.pool, silentLogger)
  rses = createRseTable(database.db, wakeups)
  rse = { A: await rses.byName(vo, 'A'), B: await rses.byName(vo, 'B'), C: await rses.byName(vo, 'C') }
})
afterEach(async () => {
  for (const stop of running.splice(0)) await stop()
  outcomes.length = 0
  await sql`delete from transfer`.execute(database.db)
  await sql`delete from storage_fault`.execute(database.db)
})
afterAll(async () => {
  await wakeups.close()
  await rm(directory, { recursive: true, force: true })
})

const segments = (place: Place) => computePath(place.rse, place.did).split('/')

/** Moves between directories with the real driver; `fault` may play a failure before or after the copy. */
function directoryMover(
  fault: (step: 'before' | 'after', source: string) => Promise<void> | void = () => {},
): Mover {
  return {
    async copy({ source, destination, expected, overwrite, onProgress, signal }) {
      await fault('before', source.rse.name)
      if (signal.aborted) throw signal.reason
      const body = await drivers.get(source.rse.name)!.read(segments(source))
      await drivers.get(destination.rse.name)!.write(segments(destination), body, {
        overwrite,
        signal,
        expected: { ...(expected.adler32 && { adler32: expected.adler32 }) },
      })
      onProgress(expected.bytes)
      await fault('after', source.rse.name)
    },
    async stat(place) {
      const driver = drivers.get(place.rse.name)!
      const entry = await driver.stat(segments(place))
      if (!entry) return undefined
      return { bytes: BigInt(entry.size), md5: null, adler32: (await driver.digest(segments(place))).adler32 }
    },
    close: async () => undefined,
  }
}

function start(mover: Mover, options: { db?: typeof database.db; up?: (rse: string) => boolean } = {}) {
  const workers = createTransferWorkers({
    ...{ db: database.db, clock, rng, ids, log: silentLogger, rses, mover, maxActive: 16 },
    ...(options.up && { siteUp: (_: string, name: string) => options.up!(name) }),
    settle: async (_, input) => void outcomes.push(...input.outcomes),
  })
  const loops = runWorkers(workers, { clock, log: silentLogger, wakeups })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= loops.stop().then(() => workers.drain())
    return stopped
  }
  running.push(stop)
  return { workers, stop }
}

let count = 0
/** Files with bytes and AVAILABLE copies at some RSEs, and wishes for them at another. */
async function wishes(n: number, at: readonly ('A' | 'B' | 'C')[], to: Rse): Promise<TransferWish[]> {
  const now = new Date()
  const made = Array.from({ length: n }, () => {
    const content = randomBytes(2000)
    const sums = digester()
    sums.update(content)
    return { content, did: { scope: 's', name: `f${++count}` }, adler32: sums.done().adler32 }
  })
  const files = made.map(({ did, adler32 }) => ({ ...did, adler32, bytes: 2000n }))
  await addFiles(database.db, { vo, now, accountId: 1, files })
  const found = await findDids(database.db, { vo, dids: made.map((m) => m.did) })
  for (const name of at) {
    for (const { did, content } of made) await put(name, did.name, content)
    const replicas = found.map((did) => ({ fileId: did!.id, rseId: rse[name].id }))
    await prepareReplicas(database.db, { now, replicas })
    await changeReplicaStates(database.db, { vo, now, replicas, from: ['COPYING'], to: 'AVAILABLE' })
  }
  return found.map((did) => ({
    ...{ fileId: did!.id, dstRseId: to.id, bytes: 2000n, activity: 'test', priority: 3, overwrite: false },
  }))
}
async function put(at: 'A' | 'B' | 'C', name: string, content: Buffer): Promise<void> {
  const path = computePath(rse[at], { scope: 's', name }).split('/')
  const body = async function* () {
    yield content
  }
  await drivers.get(at)!.write(path, body(), { overwrite: true })
}
const request = (list: TransferWish[]) =>
  requestTransfers(database.db, { vo, now: new Date(), ids, wishes: list })
const stateAt = async (wish: TransferWish) =>
  (
    await rows(
      database.db,
      sql<{
        state: string
      }>`select state::text from replica where file_id = ${wish.fileId} and rse_id = ${wish.dstRseId}`,
    )
  )[0]?.state
const logged = async (wish: TransferWish) =>
  (
    await rows(
      database.db,
      sql<{
        outcome: string
      }>`select outcome from transfer_log where file_id = ${wish.fileId} order by finished_at`,
    )
  ).map((r) => r.outcome)
async function until(what: () => unknown | Promise<unknown>): Promise<void> {
  for (let i = 0; i < 800; i++) {
    if (await what()) return
    await clock.sleep(20)
  }
  throw new Error('it did not come to pass')
}
/** Told inside the transaction that ends them; so wait until that is committed, too. */
const ended = (n: number) =>
  until(async () => {
    const over = outcomes.filter((o) => o.result !== 'retrying')
    if (over.length < n) return false
    const files = [...new Set(over.map((o) => o.fileId))]
    const committed = await rows(
      database.db,
      sql`select distinct file_id from transfer_log where file_id = any(${files}::bigint[])`,
    )
    return committed.length === files.length
  })
const gone = () =>
  new GridError({
    code: 'remote_unreachable',
    kind: 'transient',
    message: 'gone',
    details: { party: 'destination' },
  })

describe('transfers', () => {
  test('bring files to where they are wished, once, and make the copies available', async () => {
    const list = await wishes(200, ['A', 'C'], rse.B)
    expect(await request(list)).toEqual({ created: 200 })
    expect(await request(list)).toEqual({ created: 0 })
    expect(await stateAt(list[0]!)).toBe('C')
    start(directoryMover())
    await ended(200)
    expect(outcomes.every((o) => o.result === 'done')).toBe(true)
    for (const wish of list.slice(0, 5)) {
      expect(await stateAt(wish)).toBe('A')
      expect(await logged(wish)).toEqual(['done'])
    }
    expect(await rows(database.db, sql`select 1 from transfer`)).toEqual([])
  })

  test('try another source when one lost its file or holds other bytes, and suspect it', async () => {
    const [wish] = await wishes(1, ['A', 'C'], rse.B)
    const bad = await rows(
      database.db,
      sql<{ name: string }>`select name from file where id = ${wish!.fileId}`,
    )
    await put('A', bad[0]!.name, Buffer.from('other'))
    await request([wish!])
    const up = { A: true, C: false }
    start(directoryMover(), { up: (name) => name === 'B' || up[name as 'A' | 'C'] })
    await until(() => outcomes.length > 0)
    expect(outcomes[0]).toMatchObject({
      result: 'retrying',
      srcRseId: rse.A.id,
      error: { code: 'checksum_mismatch' },
    })
    expect(await stateAt(wish!)).toBe('C')
    up.C = true
    await ended(1)
    expect(outcomes.at(-1)).toMatchObject({ result: 'done', srcRseId: rse.C.id, attempts: 2 })
    const suspects = sql<{
      rse: number
    }>`select rse_id as rse from bad_replica where file_id = ${wish!.fileId}`
    expect(await rows(database.db, suspects)).toEqual([{ rse: rse.A.id }])
  })

  test('without any copy fail and say so', async () => {
    const list = await wishes(1, [], rse.B)
    await request(list)
    const asked = { vo, fileId: list[0]!.fileId, dstRseId: rse.B.id, now: new Date() }
    expect((await explainTransfer({ db: database.db, rses }, asked))?.reason).toContain('no copy')
    start(directoryMover())
    await ended(1)
    expect(outcomes[0]).toMatchObject({ result: 'failed', error: { code: 'no_source' } })
    expect(await stateAt(list[0]!)).toBeUndefined()
  })

  test('survive a gateway that is away for a while', async () => {
    const list = await wishes(3, ['A'], rse.B)
    await request(list)
    let away = true
    start(
      directoryMover(() => {
        if (away) throw gone()
      }),
    )
    await until(() => outcomes.length >= 6)
    away = false
    await ended(3)
    expect(outcomes.filter((o) => o.result === 'done')).toHaveLength(3)
  })

  test('whose outcome was lost are adopted when the bytes are there', async () => {
    const list = await wishes(1, ['A'], rse.B)
    await request(list)
    start(
      directoryMover((step) => {
        if (step === 'after') throw gone()
      }),
    )
    await ended(1)
    expect(outcomes.at(-1)).toMatchObject({ result: 'adopted', attempts: 2 })
    expect(await logged(list[0]!)).toEqual(['adopted'])
  })

  test('of a worker that lost its lease are finished by another, and the first writes nothing', async () => {
    const list = await wishes(1, ['A'], rse.B)
    await request(list)
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let reached = false
    const first = start(
      directoryMover(async (step) => {
        if (step !== 'after') return
        reached = true
        await held
      }),
    )
    await until(() => reached)
    await sql`update transfer set lease_until = now() - interval '1 s' where file_id = ${list[0]!.fileId}`.execute(
      database.db,
    )
    start(directoryMover())
    await ended(1)
    release()
    await first.stop()
    expect(outcomes.map((o) => o.result)).toEqual(['adopted'])
    expect(await logged(list[0]!)).toEqual(['adopted'])
  })

  test('claimed by two workers are each completed once', async () => {
    const list = await wishes(150, ['A'], rse.C)
    start(directoryMover())
    start(directoryMover())
    await request(list)
    await ended(150)
    expect(outcomes).toHaveLength(150)
    expect(new Set(outcomes.map((o) => o.fileId)).size).toBe(150)
  })

  test('taken back leave nothing behind, even while they run', async () => {
    const list = await wishes(2, ['A'], rse.B)
    await request(list)
    let aborted = 0
    const mover = directoryMover()
    start({
      ...mover,
      copy: ({ signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            aborted++
            reject(signal.reason)
          }),
        ),
    })
    await until(
      async () => (await rows(database.db, sql`select 1 from transfer where state = 'active'`)).length === 2,
    )
    expect(await cancelTransfers(database.db, { vo, now: new Date(), keys: list })).toBe(2)
    expect(await stateAt(list[0]!)).toBeUndefined()
    expect(await logged(list[0]!)).toEqual(['canceled'])
    await until(() => aborted === 2)
    expect(outcomes).toEqual([])
  })

  test('go back to the queue when the server stops', async () => {
    const list = await wishes(2, ['A'], rse.B)
    await request(list)
    const { stop } = start({
      ...directoryMover(),
      copy: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    await until(
      async () => (await rows(database.db, sql`select 1 from transfer where state = 'active'`)).length === 2,
    )
    await stop()
    const states = sql<{ state: string; owner: string | null }>`select state, owner from transfer`
    expect(await rows(database.db, states)).toEqual([
      { state: 'queued', owner: null },
      { state: 'queued', owner: null },
    ])
    start(directoryMover())
    await ended(2)
  })
})
