// A program that publishes, tags, goes back and collects, and is killed at one of its steps:
//   node --import ./typescript-loader.mjs software-steps.ts DATABASE DIRECTORY STEP HOURS LETTER
// STEP counts what changes something outside the process: packs written, files removed, transactions committed. It ends
// with "done N" when it got to its end, where N is the number of steps there are. HOURS is how far its clock is ahead.
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openDatabase, silentLogger, systemPorts } from '../../src/kernel/index.ts'
import { storedForm } from '../../src/software/format/objects.ts'
import { writePack } from '../../src/software/format/pack.ts'
import { createSoftware } from '../../src/software/index.ts'
import { writeChange } from '../../src/software/local/change.ts'
import { posixDriver, type StorageDriver } from '../../src/storage/index.ts'
import { sha256 } from './software-world.ts'

const [url, directory, stopAt, hours, letter] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
let steps = 0
/** Runs a step; the process is gone right after the one that was chosen. */
async function step<T>(work: () => Promise<T>): Promise<T> {
  const done = await work()
  if (++steps === Number(stopAt)) process.kill(process.pid, 'SIGKILL')
  return done
}
const driver = posixDriver(join(directory, 'store'))
const storage: StorageDriver = {
  ...driver,
  write: (...of) => step(() => driver.write(...of)),
  remove: (...of) => step(() => driver.remove(...of)),
}
const database = openDatabase({ connection: url, poolSize: 2 })
database.pool.on('connect', (client) => {
  const query = client.query.bind(client) as (...of: unknown[]) => Promise<unknown>
  client.query = ((...of: unknown[]) =>
    of[0] === 'commit' ? step(() => query(...of)) : query(...of)) as typeof client.query
})
const clock = { ...systemPorts.clock, now: () => new Date(Date.now() + Number(hours) * 3_600_000) }
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
})
const name = 'koto.example.org'

async function publish(text: string): Promise<void> {
  const opened = await software.openPublication({
    ...{ vo: 'demo', account: 'mika', source: 'test', repository: name, path: '/a' },
  })
  const bytes = Buffer.from(text)
  const object = storedForm(bytes, opened.algorithm)
  await software.acceptPack(opened.id, writePack([{ ...object, plain: sha256(bytes) }]))
  const common = { mode: 0o644, mtime: 1, mtimeNs: 0, size: bytes.length, content: object.hash }
  // Two files that must always say the same.
  const lines = ['/a/one', '/a/two'].map((path) =>
    writeChange({ put: { ...common, path, kind: 'file', compression: 'zlib' } }),
  )
  await software.commit(opened.id, Readable.from(`${lines.join('\n')}\n`))
}

await publish(`${letter}1`)
await publish(`${letter}2`)
const { revision } = await software.describe(name, 'demo')
await software.tag(name, 'demo', {
  name: `t${letter}`,
  revision: revision - 1n,
  description: '',
  account: 'mika',
})
await software.rollback(name, 'demo', { tag: `t${letter}`, account: 'mika' })
await software.collect(name, 'demo', { keep: 1, account: 'mika' })
for (const worker of software.workers)
  await worker.tick(new Date(clock.now().getTime() + 600_000), new AbortController().signal)
await software.close()
await database.close()
process.stdout.write(`done ${steps}\n`)
