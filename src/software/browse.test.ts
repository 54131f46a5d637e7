import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { REPOSITORY, type SoftwareWorld, softwareWorld } from '../../test/harness/software-world.ts'

const database = testDatabase()
let world: SoftwareWorld
let local: string
beforeAll(async () => {
  local = mkdtempSync(join(tmpdir(), 'kumi-browse-'))
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
const publish = (path = '/08') => world.publish(join(local, '08'), path, {})
const look = (path: string, revision?: bigint) =>
  world.software.browser.look(REPOSITORY, 'demo', { path, revision })
const compare = (from: number, to: number) =>
  world.software.browser.compare(REPOSITORY, 'demo', [BigInt(from), BigInt(to)])

describe('a tree looked into', () => {
  test('shows directories, links, the beginning of texts, and nothing of what is not text', async () => {
    write('08/bin/tool', '#!/bin/sh\necho 物理\n')
    write('08/lib/a.so', Buffer.from([0, 1, 2]))
    write('08/lib/empty', '')
    write('08/lib/long.txt', 'a line of text\n'.repeat(40_000))
    write('08/lib/big.txt', 'another line\n'.repeat(1_000_000))
    symlinkSync('a.so', join(local, '08/lib/b.so'))
    await publish()
    const top = await look('')
    expect(top).toMatchObject({ revision: 2n, files: 5, text: null, count: 1 })
    expect(top.content.map(({ path }) => path)).toEqual(['/08'])
    const { content } = await look('08/lib')
    expect(content.map(({ path, kind, target }) => [path, kind, target])).toContainEqual([
      '/08/lib/b.so',
      'symlink',
      'a.so',
    ])
    expect(await look('/08/bin/tool')).toMatchObject({ text: '#!/bin/sh\necho 物理\n', cut: false })
    expect(await look('/08/lib/a.so')).toMatchObject({ text: null })
    expect(await look('/08/lib/empty')).toMatchObject({ text: '' })
    for (const name of ['long.txt', 'big.txt']) {
      const { text, cut } = await look(`/08/lib/${name}`)
      expect(cut).toBe(true)
      expect(text!.length).toBeGreaterThan(200_000)
    }
    await expect(look('/09')).rejects.toMatchObject({ code: 'software_no_such_path' })
    await expect(look('', 99n)).rejects.toMatchObject({ code: 'software_no_such_revision' })
    await expect(world.software.browser.look(REPOSITORY, 'other', { path: '' })).rejects.toMatchObject({
      code: 'software_no_such_repository',
    })
  })

  test('is compared with another revision, also where only one of them has a catalogue of its own', async () => {
    write('08/lib/a.so', Buffer.from([0, 1, 2, 3]))
    write('08/new', 'new')
    rmSync(join(local, '08/lib/empty'))
    write('08/lib/.cvmfscatalog', '')
    await publish()
    const difference = await compare(2, 3)
    expect(difference).toMatchObject({ whole: true, added: 2, removed: 1 })
    const changes = Object.fromEntries(difference.paths.map(({ path, what }) => [path, what]))
    expect(changes).toMatchObject({
      '/08/lib/.cvmfscatalog': 'added',
      '/08/lib/a.so': 'changed',
      '/08/lib/empty': 'removed',
      '/08/new': 'added',
    })
    expect(changes).not.toHaveProperty('/08/bin/tool')
    expect(difference.paths.find(({ path }) => path === '/08/lib/a.so')).toMatchObject({
      before: 3,
      after: 4,
    })
    expect(await compare(3, 3)).toMatchObject({ added: 0, changed: 0, removed: 0, paths: [] })
    expect(await compare(3, 2)).toMatchObject({ added: 1, removed: 2 })
    write('08/lib/a.so', Buffer.from([9]))
    await publish()
    const inner = await compare(3, 4)
    expect(inner.paths.map(({ path }) => path)).toContain('/08/lib/a.so')
  })
})
