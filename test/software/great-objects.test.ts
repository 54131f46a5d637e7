// Objects that are not held in memory: from another's server through ours to whoever asks, and into a complete copy.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { get as fetchRelease } from '../../src/cli/software/get.ts'
import { registerCvmfsDoor } from '../../src/doors/cvmfs/index.ts'
import { createHttp, type Http } from '../../src/http/index.ts'
import { silentLogger, sql, systemClock } from '../../src/kernel/index.ts'
import { readPilotConfig } from '../../src/pilot/config.ts'
import { softwareShelf } from '../../src/pilot/software.ts'
import { insertObjects, insertPack, placeOf } from '../../src/software/object.store.ts'
import { testDatabase } from '../harness/database.ts'
import { type Giving, giveGreat, greatObject, shut, sumOf } from '../harness/great-object.ts'
import { heldDuring } from '../harness/held-memory.ts'
import { testIdentity } from '../harness/identity.ts'
import { type RepositoryFiles, repositoryFiles } from '../harness/software-files.ts'
import { type SoftwareWorld, softwareWorld } from '../harness/software-world.ts'

const database = testDatabase()
const great = greatObject(96, 1)
const path = great.path
/** Whoever holds it has all of it in the end. */
const MOST_HELD = great.size / 2

/** Somebody else's server. */
async function original() {
  const state = { giving: 'right' as Giving, away: false, asked: 0, gate: Promise.resolve() }
  const files = new Map<string, Buffer>()
  const server = createServer(async (request, response) => {
    if (state.away) return void response.writeHead(503).end()
    const inside = request.url!.split('/').slice(3).join('/')
    if (inside === path) {
      state.asked++
      await state.gate
      return giveGreat(response, great, state.giving)
    }
    const bytes = files.get(inside)
    response.writeHead(bytes ? 200 : 404).end(bytes)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { state, files, server, host: `localhost:${(server.address() as AddressInfo).port}` }
}

let [far, near]: Awaited<ReturnType<typeof original>>[] = []
let made: RepositoryFiles
let world: SoftwareWorld
let http: Http
let server: string
let count = 0

async function serve(directory?: string): Promise<void> {
  const mirrored = [far!.host, near!.host]
  world = softwareWorld(database, { mirrored, mirrorDeadlineMs: 60_000, ...(directory && { directory }) })
  await world.prepare()
  const identity = await testIdentity(database, systemClock)
  http = createHttp({
    identity,
    audience: ['https://localhost:7443'],
    ...{ log: silentLogger, clock: systemClock, port: 0 },
  })
  registerCvmfsDoor(http.app, { software: world.software, vo: 'demo', places: async () => [] })
  server = (await http.listen()).url
}

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  far = await original()
  near = await original()
  await serve()
  vi.stubEnv('XDG_CACHE_HOME', join(world.directory, 'cache'))
})
afterAll(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await http.close()
  shut(far!.server)
  shut(near!.server)
  await world.close()
})
let name: string
beforeEach(async () => {
  for (const { state } of [far!, near!]) Object.assign(state, { giving: 'right', away: false, asked: 0 })
  name = `great-${++count}.example.org`
  made = await repositoryFiles({ name, algorithm: 'sha1' })
  await made.publish(async (tree) => void (await tree.put(great.entry('/great') as never)))
  for (const one of [far!, near!]) for (const [at, bytes] of made.files) one.files.set(at, bytes)
  await world.software.addMirror({
    ...{ vo: 'demo', name, title: 'Far', account: 'boss' },
    urls: [far!, near!].map(({ host }) => `http://${host}/cvmfs/@fqrn@`),
    publicPem: made.master.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  })
})
afterEach(async () => {
  await world.software.removeMirror({ name, vo: 'demo', account: 'boss' })
  for (const inside of kept()) rmSync(inside)
})

const get = (init: RequestInit = {}) => fetch(`${server}/cvmfs/${name}/${path}`, init)
const range = async (start: number, end: number) => {
  const answer = await get({ headers: { range: `bytes=${start}-${end}` } })
  expect([answer.status, answer.headers.get('content-range')]).toEqual([
    206,
    `bytes ${start}-${end}/${great.size}`,
  ])
  expect(Buffer.from(await answer.arrayBuffer()).equals(great.part(start, end))).toBe(true)
}
/** Files that are kept of the object, also unfinished ones. */
function kept(): string[] {
  const directory = join(world.directory, 'mirrors', great.hash.hex.slice(0, 2))
  try {
    return readdirSync(directory)
      .filter((file) => file.startsWith(great.hash.hex.slice(2)))
      .map((file) => join(directory, file))
  } catch {
    return []
  }
}
const right = { hex: great.hash.hex, bytes: great.size }
async function readWhole(): Promise<void> {
  const answer = await get()
  expect([answer.status, answer.headers.get('content-length')]).toEqual([200, String(great.size)])
  expect(await sumOf(answer, 'sha1')).toEqual(right)
}
async function expectHeldByNobody(work: () => Promise<unknown>): Promise<void> {
  const held = await heldDuring(MOST_HELD, work)
  expect(held).toBeGreaterThan(0)
  expect(held).toBeLessThanOrEqual(MOST_HELD)
}
async function copied(): Promise<void> {
  const one = world.software.workers.find((worker) => worker.name === 'software-copies')!
  while ((await one.tick(world.clock.now(), new AbortController().signal)).changed > 0);
}
const copyOf = async () => (await world.software.describe(name, 'demo')).mirror!

test('one is fetched once for all who ask at once, held by nobody, and kept', async () => {
  await expectHeldByNobody(() => Promise.all([readWhole(), readWhole(), readWhole()]))
  expect(far!.state.asked).toBe(1)
  await readWhole()
  expect(far!.state.asked).toBe(1)
  expect(kept()).toHaveLength(1)
  expect((await world.software.mirrorCache()).bytes).toBeGreaterThan(great.size)
})

test('one is given in parts, also by the next server, which looks first whether it is still right', async () => {
  await range(0, 0)
  await range((77 << 20) - 3, (77 << 20) + 5)
  await range(great.size - 4, great.size - 1)
  expect((await get({ headers: { range: `bytes=${great.size}-` } })).status).toBe(416)
  expect((await get({ method: 'HEAD' })).headers.get('content-length')).toBe(String(great.size))
  await http.close()
  await world.software.close()
  await serve(world.directory)
  await range(1 << 20, (1 << 20) + 9)
  expect(far!.state.asked).toBe(1)
  const [file] = kept()
  const handle = openSync(file!, 'r+')
  writeSync(handle, Buffer.from([great.part(100, 100)[0]! ^ 1]), 0, 1, 100)
  closeSync(handle)
  await range(90, 110)
  expect(far!.state.asked).toBe(2)
  truncateSync(kept()[0]!, great.size / 2)
  await readWhole()
  expect(far!.state.asked).toBe(3)
})

for (const giving of ['truncated', 'wrong', 'unsaid'] as const)
  test(`one that comes ${giving} is neither given nor kept, and the next address is asked`, async () => {
    far!.state.giving = giving
    near!.state.giving = giving
    const answer = await get()
    expect(answer.status).toBe(503)
    expect((await answer.arrayBuffer()).byteLength).toBeLessThan(1000)
    expect(kept()).toEqual([])
    near!.state.giving = 'right'
    await readWhole()
    expect(near!.state.asked).toBe(2)
  })

test('one goes on coming when who asked for it goes away, and who goes away later leaves no file open', async () => {
  let open = () => {}
  far!.state.gate = new Promise((resolve) => {
    open = resolve
  })
  const leaving = new AbortController()
  const left = get({ signal: leaving.signal })
  await expect.poll(() => far!.state.asked).toBe(1)
  const stays = readWhole()
  leaving.abort()
  await expect(left).rejects.toThrow('aborted')
  open()
  await stays
  expect(far!.state.asked).toBe(1)
  const later = new AbortController()
  const begun = await get({ signal: later.signal })
  await begun.body!.getReader().read()
  later.abort()
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(join('/proc/self/fd', fd)).startsWith(kept()[0]!)
      } catch {
        return false
      }
    })
  await expect.poll(openFiles).toEqual([])
  await readWhole()
})

test('one is a pack of its own in a complete copy, and read from it piece by piece', async () => {
  await world.software.completeMirror({ name, vo: 'demo', account: 'boss' })
  far!.state.giving = 'wrong'
  near!.state.giving = 'truncated'
  await copied()
  expect((await copyOf()).copyFailure).toMatch(/other bytes than its name says.*broke off/)
  expect(await packs()).not.toContain(true)
  near!.state.giving = 'right'
  await world.software.completeMirror({ name, vo: 'demo', account: 'boss' })
  await expectHeldByNobody(copied)
  expect(await copyOf()).toMatchObject({ copyComplete: true, copyFailure: null })
  expect((await packs()).filter(Boolean)).toEqual([true])
  for (const { state } of [far!, near!]) state.away = true
  expect(kept()).toEqual([])
  for (let i = 0; i < 6; i++) await range(i << 20, (i << 20) + 10)
  await expectHeldByNobody(readWhole)
})
/** Whether each pack is that of the object. */
async function packs(): Promise<boolean[]> {
  const found: boolean[] = []
  if (!(await world.storage.stat([name, 'packs']))) return found
  for (const inside of await world.storage.list([name, 'packs']))
    for (const { size } of await world.storage.list([name, 'packs', inside.name]))
      found.push(size > great.size)
  return found
}

async function sumOfFile(file: string): Promise<{ hex: string; bytes: number }> {
  const sum = createHash('sha1')
  let bytes = 0
  for await (const piece of createReadStream(file)) {
    sum.update(piece)
    bytes += piece.length
  }
  return { hex: sum.digest('hex'), bytes }
}

test('one is fetched by the command line without being held', async () => {
  const directory = join(world.directory, name)
  const key = `${directory}.pub`
  writeFileSync(key, made.master.publicKey.export({ type: 'spki', format: 'pem' }))
  const options = { server, home: join(world.directory, 'home'), quiet: true, store: `${directory}.store` }
  await expectHeldByNobody(() =>
    fetchRelease(name, directory, { ...options, url: `${server}/cvmfs/${name}`, key }),
  )
  expect(await sumOfFile(join(directory, 'great'))).toEqual(right)
})

test('one is fetched by a pilot, from the server when the cache nearby does not give it right', async () => {
  near!.state.giving = 'truncated'
  const file = join(world.directory, 'pilot.json')
  const directory = join(world.directory, `${name}.shelf`)
  const softwareServers = [`http://${near!.host}`]
  writeFileSync(file, JSON.stringify({ server, softwareServers, directory, stamp: 'x', token: 'x' }))
  const shelf = softwareShelf(readPilotConfig(file), systemClock)
  const masterPublicPem = made.master.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const release = { repository: name, revision: 1, root: made.root(), masterPublicPem }
  let tree = ''
  await expectHeldByNobody(async () => {
    tree = (await shelf.provide(release, new AbortController().signal)).tree
  })
  expect(await sumOfFile(join(tree, 'great'))).toEqual(right)
  expect([near!.state.asked, far!.state.asked]).toEqual([1, 1])
  await shelf.close()
})

test('one may be longer than the 2 GiB that four bytes can say', async () => {
  const { db } = database
  const { id } = (
    await sql<{ id: number }>`select id from software_repository where name = ${name}`.execute(db)
  ).rows[0]!
  const pack = '00000000-0000-4000-8000-000000000001'
  const length = 8 * 2 ** 30
  const hex = 'ab'.repeat(20)
  await db.transaction().execute(async (tx) => {
    await insertPack(tx, new Date(), { id: pack, repositoryId: id, bytes: length })
    await insertObjects(tx, new Date(), id, pack, [{ hex, start: 60, length }])
  })
  expect(await placeOf(db, id, hex)).toMatchObject({ packId: pack, start: 60n, length: BigInt(length) })
  await sql`delete from software_object where pack_id = ${pack}`.execute(db)
  await sql`delete from software_pack where id = ${pack}`.execute(db)
})
