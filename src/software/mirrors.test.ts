import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  everyEntry,
  type RepositoryFiles,
  repositoryFiles,
  signingCertificate,
} from '../../test/harness/software-files.ts'
import { fetchFrom, type SoftwareWorld, softwareWorld } from '../../test/harness/software-world.ts'
import { systemPorts } from '../kernel/index.ts'
import { objectPath } from './format/hash.ts'
import { checkRepository } from './reader/check.ts'
import { openRepository } from './reader/repository.ts'

/** Somebody else's server, and what it does with requests. */
async function original() {
  const repositories = new Map<string, RepositoryFiles>()
  const asked: string[] = []
  const state = { away: false, slow: '', huge: '' }
  const changed = new Map<string, Buffer>()
  const server: Server = createServer((request, response) => {
    const [, , name = '', ...rest] = request.url!.split('/')
    const path = rest.join('/')
    asked.push(path)
    if (state.away) return void response.writeHead(503).end()
    const bytes = changed.get(path) ?? repositories.get(name)?.files.get(path)
    if (!bytes) return void response.writeHead(404).end()
    response.writeHead(200)
    if (path === state.slow) return void response.write(bytes.subarray(0, 5))
    if (path !== state.huge) return void response.end(bytes)
    const flood = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 20)));
    }
    response.on('drain', flood)
    flood()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `localhost:${(server.address() as AddressInfo).port}`
  return { repositories, asked, state, changed, host, server, objects: () => asked.filter(isObject).length }
}
const isObject = (path: string) => path.startsWith('data/')

const database = testDatabase()
let [far, near]: Awaited<ReturnType<typeof original>>[] = []
let world: SoftwareWorld
let hours = 0
let count = 0

beforeAll(async () => {
  far = await original()
  near = await original()
  world = softwareWorld(database, {
    ...{ mirrored: [far.host, near.host], mirrorDeadlineMs: 1_000 },
    clock: { ...systemPorts.clock, now: () => new Date(Date.now() + hours * 3_600_000) },
  })
  await world.prepare()
})
afterAll(async () => {
  for (const { server } of [far!, near!]) {
    server.closeAllConnections()
    server.close()
  }
  await world.close()
})

afterEach(async () => {
  for (const { name } of await world.software.mirrors('demo'))
    await world.software.removeMirror({ name, vo: 'demo', account: 'boss' })
})

/** A repository of others with two revisions' worth of entries, mirrored here. */
async function mirrored(from: readonly Awaited<ReturnType<typeof original>>[] = [far!]) {
  hours = 0
  const name = `far-${++count}.example.org`
  const made = await repositoryFiles({ name })
  await made.publish(async (tree) => {
    for (const entry of everyEntry(made).entries) await tree.put(entry)
  })
  for (const one of from) one.repositories.set(name, made)
  const publicPem = made.master.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const urls = from.map(({ host }) => `http://${host}/cvmfs/@fqrn@/`)
  const added = () =>
    world.software.addMirror({ vo: 'demo', name, title: 'Far away', urls, publicPem, account: 'boss' })
  const fetch = (path: string) => fetchFrom(world.software, name, path)
  const read = async () => {
    const masterKeys = [made.master.publicKey]
    const repository = await openRepository({ name, fetch, masterKeys, now: world.clock.now() })
    const snapshot = await repository.snapshot()
    const { problems } = await checkRepository(repository, snapshot, { fetch, data: true })
    expect(problems).toEqual([])
    return repository.manifest.revision
  }
  const state = async () => (await world.software.describe(name, 'demo')).mirror!
  return { name, made, added, fetch, read, state }
}
/** The scheduled look, an hour later. */
async function look(): Promise<void> {
  hours++
  const one = worker('software-mirrors')
  while ((await one.tick(world.clock.now(), new AbortController().signal)).changed > 0);
}
const worker = (name: string) => world.software.workers.find((one) => one.name === name)!
async function copied(): Promise<void> {
  const one = worker('software-copies')
  while ((await one.tick(world.clock.now(), new AbortController().signal)).changed > 0);
}

describe('a mirror', () => {
  test('gives what its original has, fetched when it is asked for, once', async () => {
    const { name, added, read, fetch } = await mirrored()
    const state = await added()
    expect(state).toMatchObject({ revision: 1n, renewsItself: false, mirror: { account: 'boss' } })
    expect(state.mirror!.urls).toEqual([`http://${far!.host}/cvmfs/${name}`])
    expect(await read()).toBe(1)
    const asked = far!.objects()
    expect(await read()).toBe(1)
    await Promise.all(Array.from({ length: 10 }, () => fetch(`data/00/${'0'.repeat(38)}`)))
    expect(await fetch(`data/00/${'0'.repeat(38)}`)).toBe(undefined)
    expect(far!.objects()).toBe(asked + 1)
    expect(await fetch('.cvmfs_master_replica')).toBe(undefined)
  })

  test('follows to the next revision, and is never an older one again', async () => {
    const { name, made, added, read, state } = await mirrored()
    await added()
    const first = new Map(made.files)
    await made.publish(async (tree) => tree.touch())
    expect(await read()).toBe(1)
    await look()
    expect(await read()).toBe(2)
    expect((await world.software.revisions(name, 'demo', 9)).map((one) => [one.revision, one.kind])).toEqual([
      [2n, 'mirror'],
      [1n, 'mirror'],
    ])
    made.files.set('.cvmfspublished', first.get('.cvmfspublished')!)
    await look()
    expect(await read()).toBe(2)
    expect((await state()).failure).toMatch(/offers revision 1 of .* revision 2 was there before/)
  })

  const attempts: Record<string, [(made: RepositoryFiles) => unknown, RegExp]> = {
    'a changed manifest': [
      ({ files }) => {
        const manifest = files.get('.cvmfspublished')!
        manifest.write(manifest.toString('latin1', 3, 4) === '9' ? '8' : '9', 3)
      },
      /changed after/,
    ],
    'a manifest signed by another key': [
      async (made) => made.sign({}, (await signingCertificate()).key),
      /not signed by its certificate/,
    ],
    'the manifest of another repository': [
      (made) => made.sign({ repository: 'x.example.org' }),
      /not of far/,
    ],
    'a whitelist signed by another master key': [
      (made) => made.allow({}, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
      /not signed by a key/,
    ],
    'an expired whitelist': [
      (made) => made.allow({ expiresAt: new Date(Date.now() - 1000) }),
      /whitelist .* expired/,
    ],
    'a whitelist without the certificate': [
      (made) => made.allow({ fingerprints: [`AB${':AB'.repeat(19)}`] }),
      /does not name the certificate/,
    ],
    'no manifest': [({ files }) => files.delete('.cvmfspublished'), /does not have .cvmfspublished/],
  }
  for (const [what, [tamper, message]] of Object.entries(attempts))
    test(`goes on with what was verified when it is given ${what}, and is not added with it`, async () => {
      const { name, made, added, fetch, state } = await mirrored()
      await added()
      const served = await fetch('.cvmfspublished')
      await made.publish(async (tree) => tree.touch())
      await tamper(made)
      await look()
      expect((await fetch('.cvmfspublished'))?.equals(served!)).toBe(true)
      expect((await state()).failure).toMatch(message)
      await world.software.removeMirror({ name, vo: 'demo', account: 'boss' })
      await expect(added()).rejects.toMatchObject({
        code: 'software_originals_away',
        message: expect.stringMatching(message),
      })
      expect(await fetch('.cvmfspublished')).toBe(undefined)
    })

  test('gives no object that is not what its name says, and asks the next address instead', async () => {
    const { name, made, added, fetch, read } = await mirrored([far!, near!])
    await added()
    const path = objectPath(made.store(Buffer.from('right'), 'file'), 'file')
    far!.changed.set(path, Buffer.from('wrong'))
    near!.changed.set(path, Buffer.from('worse'))
    await expect(fetch(path)).rejects.toMatchObject({ code: 'software_originals_away' })
    near!.changed.delete(path)
    expect((await fetch(path))?.equals(made.files.get(path)!)).toBe(true)
    far!.state.away = true
    expect(await read()).toBe(1)
    await made.publish(async (tree) => tree.touch())
    await look()
    far!.state.away = false
    expect((await world.software.describe(name, 'demo')).revision).toBe(2n)
  })

  test('waits for nobody who is slow, and takes no flood', async () => {
    const { made, added, fetch, read, state } = await mirrored()
    await added()
    const path = objectPath(made.store(Buffer.from('there'), 'file'), 'file')
    for (const way of ['slow', 'huge'] as const) {
      far!.state[way] = path
      await expect(fetch(path)).rejects.toMatchObject({ code: 'software_originals_away' })
      far!.state[way] = '.cvmfspublished'
      await look()
      expect((await state()).failure).toMatch(/takes too long|sends more than/)
      far!.state[way] = ''
    }
    expect((await fetch(path))?.length).toBeGreaterThan(0)
    expect(await read()).toBe(1)
    await look()
    expect((await state()).failure).toBe(null)
  })

  test('gives nothing signed when its whitelist has ended and there is no newer one', async () => {
    const { made, added, fetch } = await mirrored()
    await added()
    hours = 24 * 31
    await expect(fetch('.cvmfspublished')).rejects.toMatchObject({ code: 'software_originals_away' })
    made.allow({ createdAt: world.clock.now(), expiresAt: new Date(Date.now() + 60 * 86_400_000) })
    await look()
    expect(await fetch('.cvmfspublished')).toBeDefined()
  })

  test('takes no older whitelist than it has', async () => {
    const { made, added, fetch } = await mirrored()
    const old = made.files.get('.cvmfswhitelist')!
    made.allow({ createdAt: new Date(Date.now() + 60_000) })
    await added()
    const served = await fetch('.cvmfswhitelist')
    made.files.set('.cvmfswhitelist', old)
    await look()
    expect((await fetch('.cvmfswhitelist'))?.equals(served!)).toBe(true)
  })

  test('is whole once it is copied, also while the original is away, and stays so', async () => {
    const { name, made, added, read, state } = await mirrored()
    await added()
    await world.software.completeMirror({ name, vo: 'demo', account: 'boss' })
    await copied()
    expect(await state()).toMatchObject({ copyComplete: true, copiedRevision: 1n, copyFailure: null })
    const before = await world.software.describe(name, 'demo')
    rmSync(join(world.directory, 'mirrors'), { recursive: true, force: true })
    far!.state.away = true
    expect(await read()).toBe(1)
    far!.state.away = false
    await made.publish(async (tree) => {
      await tree.remove('/lib')
    })
    await look()
    expect((await state()).copyComplete).toBe(false)
    far!.state.away = true
    await copied()
    expect((await state()).copyFailure).toMatch(/503/)
    far!.state.away = false
    await world.software.completeMirror({ name, vo: 'demo', account: 'boss' })
    hours += 1
    await copied()
    expect(await state()).toMatchObject({ copyComplete: true, copiedRevision: 2n, copyFailure: null })
    expect((await world.software.describe(name, 'demo')).objects).toBeLessThan(before.objects)
    far!.state.away = true
    expect(await read()).toBe(2)
    far!.state.away = false
  })

  test('is looked into and named by jobs as others are, and published in by nobody', async () => {
    const { name, made, added } = await mirrored()
    await added()
    const seen = await world.software.browser.look(name, 'demo', { path: '/lib/plain' })
    expect(seen.text).toBe('plain text\n')
    expect(await world.software.pin('demo', name)).toMatchObject({ revision: 1, root: made.root() })
    expect(await world.software.pin('demo', `${name}@#1`)).toMatchObject({ revision: 1 })
    await expect(world.software.pin('demo', `${name}@none`)).rejects.toMatchObject({
      code: 'software_no_such_tag',
    })
    const refused = { code: 'software_is_mirror' }
    const input = { vo: 'demo', repository: name, path: '', account: 'boss', source: '' }
    await expect(world.software.openPublication(input)).rejects.toMatchObject(refused)
    await expect(
      world.software.rollback(name, 'demo', { revision: 1n, account: 'boss' }),
    ).rejects.toMatchObject(refused)
    await expect(world.software.collect(name, 'demo', { keep: 1, account: 'boss' })).rejects.toMatchObject(
      refused,
    )
    await expect(world.software.rotateKey(name, 'demo', 'boss')).rejects.toMatchObject(refused)
  })

  test('goes with all that was here of it', async () => {
    const { name, added } = await mirrored()
    await added()
    await world.software.completeMirror({ name, vo: 'demo', account: 'boss' })
    await copied()
    await world.software.removeMirror({ name, vo: 'demo', account: 'boss' })
    expect((await world.software.mirrors('demo')).some((one) => one.name === name)).toBe(false)
    const left = await world.storage.list([name, 'packs'])
    for (const { name: inside } of left) expect(await world.storage.list([name, 'packs', inside])).toEqual([])
    await expect(world.software.removeMirror({ name, vo: 'demo', account: 'boss' })).rejects.toMatchObject({
      code: 'software_no_such_repository',
    })
  })

  test('comes from addresses that may be asked', async () => {
    const publicPem = (await repositoryFiles()).master.publicKey.export({ type: 'spki', format: 'pem' })
    const from = (...urls: string[]) =>
      world.software.addMirror({
        ...{ vo: 'demo', name: 'inside.example.org', title: '', urls, account: 'boss' },
        publicPem: publicPem.toString(),
      })
    for (const url of ['http://169.254.169.254/x', 'http://localhost:1/x', 'https://127.0.0.1/x'])
      await expect(from(url), url).rejects.toMatchObject({ code: 'software_originals_away' })
    for (const url of [
      'ftp://a.example.org/x',
      'http://me:secret@a.example.org/x',
      'x',
      'file:///etc/passwd',
    ])
      await expect(from(url), url).rejects.toMatchObject({ code: 'software_bad_mirror' })
  })
})
