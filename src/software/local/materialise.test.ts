import { randomBytes } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../../../test/harness/foreign.ts'
import { everyEntry, type RepositoryFiles, repositoryFiles } from '../../../test/harness/software-files.ts'
import { objectPath } from '../format/hash.ts'
import { HELD_BYTES } from '../format/incoming.ts'
import { type FetchStream, openRepository } from '../reader/repository.ts'
import { type Materialised, materialise, substitute } from './materialise.ts'
import { addAttributes } from './read-attributes.ts'
import { walkDirectory } from './walk.ts'

let directory: string
let made: RepositoryFiles
let contents: Map<string, Buffer>
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kumi-materialise-'))
  made = await repositoryFiles()
  const every = everyEntry(made)
  contents = every.contents
  await made.publish(async (tree) => {
    for (const entry of every.entries) await tree.put(entry)
  })
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function get(
  to: string,
  more: { copy?: boolean; path?: string; fetch?: RepositoryFiles['fetch'] } = {},
): Promise<Materialised> {
  const { fetch = made.fetch, ...rest } = more
  const masterKeys = [made.master.publicKey]
  const repository = await openRepository({ name: made.name, fetch, masterKeys, now: new Date() })
  const snapshot = await repository.snapshot()
  return materialise({
    ...{ repository, snapshot, directory: join(directory, to), store: join(directory, 'store'), ...rest },
    environment: { KOTO_ARCH: 'aarch64' },
  })
}

describe('a tree that is fetched', () => {
  test('has every entry with its content, mode and time, and shares files with other trees', async () => {
    const first = await get('one')
    expect(first).toMatchObject({ unchanged: false, leftOut: ['/lib/null', '/lib/pipe'], present: 0 })
    for (const [path, bytes] of contents)
      expect(readFileSync(join(directory, 'one', path)).equals(bytes), path).toBe(true)
    expect(statSync(join(directory, 'one/lib/tool'))).toMatchObject({ mtimeMs: 1_700_000_000_000 })
    expect((statSync(join(directory, 'one/lib/tool')).mode & 0o777).toString(8)).toBe('555')
    expect(readlinkSync(join(directory, 'one/lib/variant'))).toBe('aarch64/lib')
    expect(existsSync(join(directory, 'one/lib/nothing'))).toBe(true)
    expect(await get('one')).toMatchObject({ unchanged: true })
    expect(await get('two')).toMatchObject({ fetched: 0 })
    const inode = (tree: string) => lstatSync(join(directory, tree, 'lib/plain')).ino
    expect(inode('two')).toBe(inode('one'))
  })

  test('has great files, which come piece by piece, and anew from the next server when one gives them wrong', async () => {
    const strange = await repositoryFiles()
    const bytes = randomBytes(HELD_BYTES + (3 << 20))
    const common = { kind: 'file', mode: 0o644, mtime: 1, mtimeNs: 0, size: bytes.length } as const
    const hashes = { none: strange.store(bytes, 'file', 'none'), zlib: strange.store(bytes, 'file', 'zlib') }
    const parts = [randomBytes(1000), bytes, randomBytes(10)]
    const chunks = parts.map((part, i) => ({
      ...{ size: part.length, hash: strange.store(part, 'chunk') },
      offset: [0, 1000, 1000 + bytes.length][i]!,
    }))
    await strange.publish(async (tree) => {
      for (const compression of ['none', 'zlib'] as const)
        await tree.put({ ...common, path: `/${compression}`, compression, content: hashes[compression] })
      const size = bytes.length + 1010
      await tree.put({ ...common, path: '/chunked', compression: 'zlib', chunks, size })
    })
    const great = [
      ...Object.values(hashes).map((hash) => objectPath(hash, 'file')),
      objectPath(chunks[1]!.hash, 'chunk'),
    ]
    const asked: string[] = []
    const spoil: Record<string, (stored: Buffer) => Buffer> = {
      'cut off': (stored) => stored.subarray(0, stored.length - 1),
      changed: (stored) => Buffer.concat([stored.subarray(0, -1), Buffer.from([stored.at(-1)! ^ 1])]),
      right: (stored) => stored,
    }
    const from =
      (...servers: string[]): FetchStream =>
      async (path, take) => {
        const stored = strange.files.get(path)!
        for (const [i, server] of servers.entries()) {
          asked.push(path)
          const given = spoil[server]!(stored)
          const pieces = async function* () {
            for (let at = 0; at < given.length; at += 1 << 16) yield given.subarray(at, at + (1 << 16))
          }
          const taken = take({ length: stored.length, body: pieces() })
          if (i === servers.length - 1) return taken
          await expect(taken).rejects.toMatchObject({ code: 'software_damaged' })
        }
      }
    const fetch = async (path: string) => {
      expect(great).not.toContain(path)
      return strange.files.get(path)
    }
    const getFrom = async (to: string, stream: FetchStream) => {
      const repository = await openRepository({
        ...{ name: strange.name, masterKeys: [strange.master.publicKey], fetch, stream, now: new Date() },
      })
      const snapshot = await repository.snapshot()
      const store = join(directory, 'store')
      return materialise({ repository, snapshot, directory: join(directory, to), store })
    }
    await expect(getFrom('great', from('changed'))).rejects.toMatchObject({ code: 'software_damaged' })
    expect(existsSync(join(directory, 'great'))).toBe(false)
    asked.length = 0
    expect(await getFrom('great', from('cut off', 'changed', 'right'))).toMatchObject({ fetched: 3 })
    expect(asked.length).toBe(9)
    for (const name of ['none', 'zlib'])
      expect(readFileSync(join(directory, 'great', name)).equals(bytes), name).toBe(true)
    expect(readFileSync(join(directory, 'great', 'chunked')).equals(Buffer.concat(parts))).toBe(true)
  })

  test.skipIf(!existsSync('/proc/self/fd'))(
    'has many small files, asked for at once, of which none is open before its content is there',
    async () => {
      const many = await repositoryFiles()
      const small = Array.from({ length: 300 }, (_, i) => Buffer.from(`small ${i}`))
      const common = { kind: 'file', mode: 0o644, mtime: 1, mtimeNs: 0, compression: 'zlib' } as const
      const hashes = small.map((bytes) => many.store(bytes, 'file'))
      await many.publish(async (tree) => {
        for (const [i, bytes] of small.entries())
          await tree.put({ ...common, path: `/${i}`, size: bytes.length, content: hashes[i] })
      })
      const store = join(directory, 'many.store')
      const openFiles = () =>
        readdirSync('/proc/self/fd').filter((fd) => {
          try {
            return readlinkSync(join('/proc/self/fd', fd)).startsWith(store)
          } catch {
            return false
          }
        }).length
      const paths = new Set(hashes.map((hash) => objectPath(hash, 'file')))
      let [asked, open, go] = [0, -1, () => {}]
      const all = new Promise<void>((resolve) => {
        go = resolve
      })
      const fetch = async (path: string) => {
        if (paths.has(path)) {
          if (++asked === small.length) {
            open = openFiles()
            go()
          }
          await all
        }
        return many.files.get(path)
      }
      const repository = await openRepository({
        ...{ name: many.name, masterKeys: [many.master.publicKey], fetch, now: new Date() },
      })
      const snapshot = await repository.snapshot()
      await materialise({ repository, snapshot, directory: join(directory, 'many'), store })
      expect(open).toBe(0)
      for (const [i, bytes] of small.entries())
        expect(readFileSync(join(directory, 'many', String(i)))).toEqual(bytes)
    },
  )

  test('has very many files, linked by several threads; what lacks bytes in the store is fetched anew', async () => {
    const many = await repositoryFiles()
    const common = { mtime: 1, mtimeNs: 0 }
    const file = { ...common, kind: 'file', mode: 0o644, compression: 'zlib' } as const
    const hashes = Array.from({ length: 10 }, (_, i) => many.store(Buffer.from(`content ${i}`), 'file'))
    const paths = Array.from({ length: 3000 }, (_, i) => `/d${i % 30}/f${i}`)
    await many.publish(async (tree) => {
      for (let i = 0; i < 30; i++)
        await tree.put({ ...common, kind: 'directory', mode: 0o755, size: 0, path: `/d${i}` })
      for (const [i, path] of paths.entries())
        await tree.put({ ...file, path, size: 9, content: hashes[i % 10] })
    })
    const store = join(directory, 'linked.store')
    const linked = async (to: string) => {
      const repository = await openRepository({
        ...{ name: many.name, masterKeys: [many.master.publicKey], fetch: many.fetch, now: new Date() },
      })
      let files = 0
      const done = await materialise({
        ...{ repository, snapshot: await repository.snapshot(), directory: join(directory, to), store },
        onFile: () => files++,
      })
      const wrong = paths.filter(
        (path, i) => readFileSync(join(directory, to, path), 'utf8') !== `content ${i % 10}`,
      )
      expect(wrong).toEqual([])
      return { files, fetched: done.fetched, present: done.present }
    }
    expect(await linked('linked')).toEqual({ files: 3000, fetched: 10, present: 0 })
    expect(await linked('again')).toEqual({ files: 3000, fetched: 0, present: 10 })
    const inode = (tree: string) => lstatSync(join(directory, tree, paths[0]!)).ino
    expect(inode('again')).toBe(inode('linked'))
    const [inside] = readdirSync(store)
    const [kept] = readdirSync(join(store, inside!))
    writeFileSync(join(store, inside!, `${kept}.short`), 'short')
    renameSync(join(store, inside!, `${kept}.short`), join(store, inside!, kept!))
    expect(await linked('mended')).toEqual({ files: 3000, fetched: 1, present: 9 })
  })

  test.skipIf(missing('getfattr', 'setfattr'))('has the attributes that give no powers', async () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    const xattrs = { 'user.a=b\\': base64('yes\0'), 'user.empty': '', 'security.capability': base64('all') }
    const strange = await repositoryFiles()
    const content = strange.store(Buffer.from('x'), 'file')
    const common = { mode: 0o644, mtime: 1, mtimeNs: 0, xattrs }
    await strange.publish(async (tree) => {
      await tree.put({ ...common, path: '/in\\side\n', kind: 'directory', size: 0, mode: 0o755 })
      for (const path of ['/in\\side\n/a=b', '/plain']) {
        const own = path === '/plain' ? { xattrs: undefined } : {}
        await tree.put({ ...common, path, kind: 'file', size: 1, compression: 'zlib', content, ...own })
      }
    })
    const repository = await openRepository({
      ...{
        name: strange.name,
        fetch: strange.fetch,
        masterKeys: [strange.master.publicKey],
        now: new Date(),
      },
    })
    for (const copy of [false, true]) {
      const to = join(directory, `noted-${copy}`)
      const done = await materialise({
        ...{ repository, snapshot: await repository.snapshot(), directory: to, copy },
        store: join(directory, 'noted'),
      })
      if (done.withoutAttributes.length > 0) return console.warn('No attributes on this file system.')
      const found = [...addAttributes((await walkDirectory(to, '')).found)]
      const of = (path: string) => found.find(({ entry }) => entry.path === path)?.entry.xattrs
      const { 'security.capability': _, ...given } = xattrs
      expect(of('/in\\side\n')).toEqual(given)
      expect(of('/in\\side\n/a=b')).toEqual(given)
      expect(of('/plain')).toBeUndefined()
    }
  })

  test('may be a copy that belongs to whoever fetched it, and a part', async () => {
    await get('own', { copy: true, path: '/lib' })
    const file = join(directory, 'own/plain')
    expect((statSync(file).mode & 0o777).toString(8)).toBe('644')
    writeFileSync(file, 'mine')
    expect(readFileSync(join(directory, 'one/lib/plain'), 'utf8')).toBe('plain text\n')
  })

  test('is not there at all when something of it is damaged, and goes on where it stopped', async () => {
    rmSync(join(directory, 'store'), { recursive: true, force: true })
    let asked = 0
    const failing = async (path: string) => {
      const bytes = await made.fetch(path)
      if (!bytes || !/^data.*[0-9a-f]$|8$/.test(path) || ++asked < 5) return bytes
      return Buffer.concat([bytes, Buffer.from('x')])
    }
    await expect(get('three', { fetch: failing })).rejects.toMatchObject({ code: 'software_damaged' })
    expect(existsSync(join(directory, 'three'))).toBe(false)
    expect((await get('three')).present).toBeGreaterThan(0)
  })

  test('does not replace a directory that it did not make', async () => {
    writeFileSync(join(directory, 'one/lib/../../file'), '')
    await expect(get('.')).rejects.toMatchObject({ code: 'software_directory_in_use' })
    await expect(get('file')).rejects.toMatchObject({ code: 'software_directory_in_use' })
  })
})

test('variables in links are those of the environment, or what the link says otherwise', () => {
  expect(substitute('$(A)/x/$(B:-b c)/$(C)', { A: '1' })).toBe('1/x/b c/')
})
