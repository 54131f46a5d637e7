import { execFileSync } from 'node:child_process'
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { missing } from '../../test/harness/foreign.ts'
import { REPOSITORY, type SoftwareWorld, softwareWorld, who } from '../../test/harness/software-world.ts'

const database = testDatabase()
let world: SoftwareWorld
let local: string
beforeAll(async () => {
  local = mkdtempSync(join(tmpdir(), 'kumi-release-'))
  world = softwareWorld(database)
  await world.begin()
})
afterAll(async () => {
  await world.close()
  rmSync(local, { recursive: true, force: true })
})

const write = (path: string, content: string | Buffer): void => {
  mkdirSync(join(local, path, '..'), { recursive: true })
  writeFileSync(join(local, path), content)
}

describe('a repository', () => {
  test('begins empty, signed and whole', async () => {
    expect(await world.problems()).toEqual([])
    expect((await world.reader()).manifest).toMatchObject({ revision: 1, repository: REPOSITORY, ttl: 240 })
  })

  test('takes a directory as it is, and costs only what changed when it comes again', async () => {
    const cacheFile = join(local, 'kumi.cache')
    write('08/bin/tool', '#!/bin/sh\n')
    write('08/lib/a.so', 'a')
    write('08/lib/big', Buffer.alloc(20 << 20, 'big '))
    symlinkSync('a.so', join(local, '08/lib/b.so'))
    linkSync(join(local, '08/lib/a.so'), join(local, '08/lib/c.so'))
    const past = new Date(Date.now() - 60_000)
    for (const file of ['bin/tool', 'lib/a.so', 'lib/big']) utimesSync(join(local, '08', file), past, past)
    const first = await world.publish(join(local, '08'), '/releases/08', { tag: 'release-08', cacheFile })
    expect(first).toMatchObject({ revision: 2, unchanged: false, added: 8, uploadedObjects: 4 })
    expect(Object.keys(await world.contents())).toEqual([
      ...['/releases/08/bin/tool', '/releases/08/lib/a.so', '/releases/08/lib/big', '/releases/08/lib/c.so'],
    ])
    const snapshot = await (await world.reader()).snapshot('release-08')
    expect(await snapshot.entry('/releases/08/lib/c.so')).toMatchObject({
      links: { first: 'a.so', count: 2 },
    })
    expect((await snapshot.entry('/releases/08/lib/big')).chunks).toHaveLength(3)
    expect(await snapshot.entry('/releases/08/lib/b.so')).toMatchObject({ kind: 'symlink', target: 'a.so' })

    expect(await world.publish(join(local, '08'), '/releases/08', { cacheFile })).toMatchObject({
      ...{ revision: 2, unchanged: true, uploadedObjects: 0 },
    })
    // Without what was noted the repository itself says what is there.
    expect(await world.publish(join(local, '08'), '/releases/08')).toMatchObject({
      revision: 2,
      unchanged: true,
    })
    write('08/lib/a.so', 'changed')
    rmSync(join(local, '08/bin'), { recursive: true })
    const second = await world.publish(join(local, '08'), '/releases/08', { cacheFile })
    expect(second).toMatchObject({ revision: 3, added: 0, removed: 2, uploadedObjects: 1 })
    expect((await world.contents())['/releases/08/lib/a.so']).toBe('changed')
    expect((await world.contents('release-08'))['/releases/08/lib/a.so']).toBe('a')
    expect(await world.problems()).toEqual([])
  })

  test('takes changes of two at different paths, and says who is at work at the same', async () => {
    const { software, door } = world
    const open = (path: string, account: string) =>
      software.openPublication({ ...who, repository: REPOSITORY, path, account })
    const [one, two] = [await open('/one', 'aki'), await open('/two', 'ben')]
    for (const path of ['/one', '/one/deeper', ''])
      await expect(open(path, 'cho')).rejects.toMatchObject({
        code: 'software_publication_conflict',
        message: expect.stringMatching(/aki has been publishing \/one/),
      })
    const directory = (path: string) =>
      Readable.from([`${JSON.stringify({ put: { path, kind: 'directory', mode: 0o755, mtime: 1 } })}\n`])
    await Promise.all([
      door.commit(one.id, directory('/one'), undefined),
      door.commit(two.id, directory('/two'), undefined),
    ])
    const names = (await (await (await world.reader()).snapshot()).list('')).map(({ path }) => path)
    expect(names).toEqual(['/one', '/releases', '/two'])
    await expect(door.commit(one.id, directory('/one'), undefined)).rejects.toMatchObject({
      code: 'software_publication_conflict',
    })
    expect(await world.problems()).toEqual([])
  })

  test('refuses what lies elsewhere, what was not uploaded and what is not what it is called', async () => {
    const { software, door } = world
    const opened = await software.openPublication({ ...who, repository: REPOSITORY, path: '/x' })
    const commit = (...lines: unknown[]) =>
      door.commit(opened.id, Readable.from([lines.map((line) => JSON.stringify(line)).join('\n')]), undefined)
    const file = { path: '/x/f', kind: 'file', mode: 0o644, mtime: 1, size: 1, compression: 'zlib' }
    await expect(commit({ put: { ...file, path: '/y' } })).rejects.toMatchObject({
      code: 'software_bad_change',
    })
    await expect(commit({ put: { ...file, path: '/x/../y' } })).rejects.toMatchObject({
      code: 'software_bad_change',
    })
    await expect(commit({ put: { ...file, content: `${'ab'.repeat(20)}-shake128` } })).rejects.toMatchObject({
      code: 'software_objects_missing',
    })
    await expect(commit({ remove: '/releases' })).rejects.toMatchObject({ code: 'software_bad_change' })
    const coming = new PassThrough()
    const breaking = door.commit(opened.id, coming, undefined)
    coming.write(`${JSON.stringify({ put: { ...file, path: '/x', kind: 'directory', size: 0 } })}\n`)
    coming.destroy(new Error('The publisher went away.'))
    await expect(breaking).rejects.toMatchObject({ code: 'software_changes_broken_off', kind: 'invalid' })
    await expect(software.acceptPack(opened.id, Buffer.from('nonsense'))).rejects.toMatchObject({
      code: 'software_format',
    })
    await software.cancel(opened.id)
    expect((await software.describe(REPOSITORY, 'demo')).revision).toBe(5n)
  })

  test('goes back to an earlier tree by a further revision', async () => {
    await world.software.rollback(REPOSITORY, 'demo', { tag: 'release-08', account: 'mika' })
    expect((await world.reader()).manifest.revision).toBe(6)
    expect(await world.contents()).toEqual(await world.contents('release-08'))
    expect(await world.problems()).toEqual([])
    expect(world.audited).toContain('software.rolled_back')
  })

  test('gives up what nobody can reach, and nothing else', async () => {
    const before = await world.contents()
    const plan = await world.software.planCollection(REPOSITORY, 'demo', 1)
    expect(plan.revisions).toEqual([1n, 3n, 4n, 5n])
    await world.software.collect(REPOSITORY, 'demo', { keep: 1, account: 'mika' })
    expect(await world.contents()).toEqual(before)
    expect(await world.contents('release-08')).toEqual(before)
    expect(await world.problems()).toEqual([])
    expect((await world.software.planCollection(REPOSITORY, 'demo', 1)).objects).toBe(0n)
    await expect(
      world.software.tag(REPOSITORY, 'demo', { name: 'old', revision: 3n, description: '', account: 'mika' }),
    ).rejects.toMatchObject({ code: 'software_no_such_revision' })
  })

  test('changes its signing key without anybody noticing', async () => {
    const before = (await world.reader()).manifest
    await world.software.rotateKey(REPOSITORY, 'demo', 'mika')
    const after = (await world.reader()).manifest
    expect(after.certificate).not.toEqual(before.certificate)
    expect(after.revision).toBe(before.revision)
    expect((await world.reader()).whitelist.fingerprints).toHaveLength(2)
    expect(await world.problems()).toEqual([])
  })
})

describe('a whitelist', () => {
  const DAY_MS = 86_400_000

  test('is renewed long before it ends, by whichever server is there', async () => {
    const before = (await world.software.describe(REPOSITORY, 'demo')).whitelistExpiresAt!
    const [worker] = world.software.workers
    const tick = async (days: number) => {
      await worker!.tick(new Date(Date.now() + days * DAY_MS), new AbortController().signal)
      return (await world.software.describe(REPOSITORY, 'demo')).whitelistExpiresAt!.getTime()
    }
    expect(await tick(14)).toBe(before.getTime())
    expect(await tick(16)).toBeGreaterThan(before.getTime() + 15 * DAY_MS)
  })

  test.skipIf(missing('openssl'))(
    'may be signed by openssl, with a master key that never was here',
    async () => {
      const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: local })
      openssl('genrsa', '-out', 'master.key', '2048')
      openssl('rsa', '-in', 'master.key', '-pubout', '-out', 'public.pem')
      const name = 'offline.example.org'
      const masterPublicPem = readFileSync(join(local, 'public.pem'), 'utf8')
      await world.software.create({ vo: 'demo', name, title: '', account: 'mika', masterPublicPem })
      const open = () => world.software.openPublication({ ...who, repository: name, path: '' })
      await expect(open()).rejects.toMatchObject({ code: 'software_no_whitelist' })
      writeFileSync(join(local, 'body'), await world.software.whitelistToSign(name, 'demo'))
      const sum = openssl('dgst', '-shake128', '-xoflen', '20', '-r', 'body').toString().slice(0, 40)
      writeFileSync(join(local, 'hash'), `${sum}-shake128`)
      openssl(
        'pkeyutl',
        '-sign',
        '-inkey',
        'master.key',
        '-pkeyopt',
        'rsa_padding_mode:pkcs1',
        '-in',
        'hash',
        '-out',
        'signature',
      )
      const read = (file: string) => readFileSync(join(local, file))
      const signed = Buffer.concat([
        read('body'),
        Buffer.from('--\n'),
        read('hash'),
        Buffer.from('\n'),
        read('signature'),
      ])
      const bring = (bytes: Buffer) => world.software.bringWhitelist(name, 'demo', 'mika', bytes)
      await expect(bring(Buffer.from(signed).fill('x', 0, 4))).rejects.toMatchObject({
        code: 'software_bad_whitelist',
      })
      expect((await bring(signed)).expiresAt.getTime()).toBeGreaterThan(Date.now() + 29 * DAY_MS)
      await expect(open()).resolves.toMatchObject({ revision: 1n })
      await expect(world.software.rotateKey(name, 'demo', 'mika')).rejects.toMatchObject({
        code: 'software_no_whitelist',
      })
    },
  )
})

test('a publication begins while its changes still come; what another publishes meanwhile is in it, too', async () => {
  const { software, door } = world
  const open = (path: string) => software.openPublication({ ...who, repository: REPOSITORY, path })
  const [slow, quick, lost] = [await open('/slow'), await open('/quick'), await open('/lost')]
  const directory = (path: string) =>
    `${JSON.stringify({ put: { path, kind: 'directory', mode: 0o755, mtime: 1 } })}\n`
  const [coming, breaking] = [new PassThrough(), new PassThrough()]
  // More than is gathered before it is looked at.
  const many = Array.from({ length: 3000 }, (_, i) => directory(`/slow/${i}`)).join('')
  const made = door.commit(slow.id, coming, undefined)
  coming.write(directory('/slow'))
  coming.write(many)
  await vi.waitFor(() => expect(coming.writableLength).toBe(0))
  await door.commit(quick.id, Readable.from([directory('/quick')]), undefined)
  coming.end(directory('/slow/last'))
  await made
  const before = (await world.reader()).manifest.revision

  const broken = door.commit(lost.id, breaking, undefined)
  breaking.write(directory('/lost'))
  breaking.destroy(new Error('The publisher is gone.'))
  await expect(broken).rejects.toThrow()
  await software.cancel(lost.id)

  const repository = await world.reader()
  expect(repository.manifest.revision).toBe(before)
  const snapshot = await repository.snapshot()
  expect((await snapshot.list('')).map(({ path }) => path)).toEqual(
    expect.arrayContaining(['/quick', '/slow']),
  )
  const inside = await snapshot.list('/slow')
  expect(inside.filter(({ kind }) => kind === 'directory')).toHaveLength(3001)
  expect(await world.problems()).toEqual([])
})
