// Publishes, goes back and collects, and dies at one of its steps, which are what changes something outside the process:
// packs written, files removed, transactions committed.
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type pg from 'pg'
import { openDatabase, silentLogger, systemPorts } from '../../src/kernel/index.ts'
import { storedForm } from '../../src/software/format/objects.ts'
import { writePack } from '../../src/software/format/pack.ts'
import { createSoftware } from '../../src/software/index.ts'
import { writeChange } from '../../src/software/local/change.ts'
import { guardedOutbound, posixDriver, type StorageDriver } from '../../src/storage/index.ts'
import { REPOSITORY } from './software-world.ts'

export interface StepsOptions {
  /** Of the database. */
  readonly url: string
  readonly directory: string
  /** The step after which it dies; it comes to its end when there are fewer. */
  readonly stopAt: number
  /** How far its clock is ahead. */
  readonly hours: number
  /** `publish`: publishes, goes back and collects. `approve`: proposes, lets that be approved, and collects. */
  readonly work: 'publish' | 'approve'
  /** What the published files say, and the tag. */
  readonly letter: string
  /** Ends everything at once. */
  readonly die: () => void
}

/** The number of steps, when it came to its end; never anything when it died. `gone` is what remains of it then. */
export function runSteps(options: StepsOptions): { done: Promise<number>; gone(): Promise<void> } {
  const { url, directory, stopAt, hours, work, letter, die } = options
  let [steps, commits] = [0, 0]
  /** The dead do nothing: what they began never ends. */
  const never = new Promise<never>(() => undefined)
  let dead = false
  async function step<T>(work: () => Promise<T>): Promise<T> {
    if (dead) return never
    const done = await work()
    if (++steps !== stopAt) return dead ? never : done
    dead = true
    die()
    return never
  }
  const driver = posixDriver(join(directory, 'store'))
  const storage: StorageDriver = {
    ...driver,
    write: (...of) => step(() => driver.write(...of)),
    remove: (...of) => step(() => driver.remove(...of)),
  }
  const database = openDatabase({ connection: url, poolSize: 2 })
  const clients = new Set<pg.PoolClient>()
  database.pool.on('connect', (client) => {
    clients.add(client)
    const query = client.query.bind(client) as (asked: { text: string }) => Promise<unknown>
    client.query = ((asked: { text: string }) => {
      if (dead) return never
      if (asked.text !== 'commit') return query(asked)
      commits++
      return step(() => query(asked))
    }) as typeof client.query
  })
  const clock = { ...systemPorts.clock, now: () => new Date(Date.now() + hours * 3_600_000) }
  const software = createSoftware({
    ...{
      db: database.db,
      clock,
      ids: systemPorts.ids,
      log: silentLogger,
      storage,
      sealKey: Buffer.alloc(32, 7),
    },
    ...{ workDirectory: join(directory, 'work'), graceSeconds: 0, audit: async () => undefined },
    ...{ proposalSeconds: 86_400, tell: async () => undefined, approvers: async () => [] },
    originals: {
      ...{ outbound: guardedOutbound({ allowed: [] }), directory: join(directory, 'mirrors'), mostBytes: 0 },
    },
  })

  async function publish(path: string, text: string, tag?: string) {
    const opened = await software.openPublication({
      ...{ vo: 'demo', account: 'mika', source: 'test', repository: REPOSITORY, path },
    })
    const bytes = Buffer.from(text)
    const object = storedForm(bytes, opened.algorithm)
    await software.acceptPack(
      opened.id,
      writePack([{ ...object, plain: createHash('sha256').update(bytes).digest('hex') }]),
    )
    const common = { mode: 0o644, mtime: 1, mtimeNs: 0, size: bytes.length, content: object.hash }
    // Two files that must always say the same.
    const lines = [`${path}/one`, `${path}/two`].map((file) =>
      writeChange({ put: { ...common, path: file, kind: 'file', compression: 'zlib' } }),
    )
    const named = tag === undefined ? undefined : { name: tag, description: '' }
    return software.commit(opened.id, Readable.from(`${lines.join('\n')}\n`), named)
  }

  async function publishing(): Promise<void> {
    await publish('/a', letter, letter)
    const { revision } = await software.describe(REPOSITORY, 'demo')
    await software.rollback(REPOSITORY, 'demo', { revision: revision - 1n, account: 'mika' })
  }

  async function approving(): Promise<void> {
    const by = (id: string) => ({ id, account: 'aki' })
    await software.setApproval(REPOSITORY, 'demo', { path: '/b', needed: true, account: 'mika' })
    const { proposal } = await publish('/b', letter, letter)
    const { revision } = await software.describe(REPOSITORY, 'demo')
    const back = await software.rollback(REPOSITORY, 'demo', { revision, account: 'mika' })
    await software.reject('demo', { ...by(back.proposal!.id), reason: 'no' })
    await software.approve('demo', by(proposal!.id))
    await publish('/b', `${letter} waits`)
  }

  async function all(): Promise<number> {
    await (work === 'publish' ? publishing() : approving())
    await software.collect(REPOSITORY, 'demo', { keep: 1, account: 'mika' })
    for (const worker of software.workers)
      await worker.tick(new Date(clock.now().getTime() + 600_000), new AbortController().signal)
    await software.close()
    await database.close()
    if (commits === 0) throw new Error('No transaction was seen to be committed.')
    return steps
  }
  return {
    done: all(),
    async gone() {
      // As when a process ends: connections break, threads are gone, nothing is said to anybody.
      for (const client of clients)
        (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy()
      await software.close()
    },
  }
}
