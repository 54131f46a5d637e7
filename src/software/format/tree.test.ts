import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../../../test/harness/foreign.ts'
import { everyEntry, type RepositoryFiles, repositoryFiles } from '../../../test/harness/software-files.ts'
import { checkRepository } from '../reader/check.ts'
import { openRepository } from '../reader/repository.ts'
import { AUTOMATIC_MARKER, type Entry, isWithin, MARKER, parentOf } from './entry.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kumi-tree-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function snapshotOf(made: RepositoryFiles) {
  const masterKeys = [made.master.publicKey]
  const repository = await openRepository({ name: made.name, fetch: made.fetch, masterKeys, now: new Date() })
  return { repository, snapshot: await repository.snapshot() }
}

async function problemsOf(made: RepositoryFiles): Promise<readonly string[]> {
  const { repository, snapshot } = await snapshotOf(made)
  return (await checkRepository(repository, snapshot, { fetch: made.fetch, data: false })).problems
}

const names = fc.constantFrom('a', 'b', 'c', 'd')
const paths = fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`)
const operations = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('file' as const),
      path: paths,
      mode: fc.constantFrom(0o644, 0o755),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('directory' as const), path: paths, mode: fc.constant(0o755) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('remove' as const), path: paths, mode: fc.constant(0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('pair' as const), path: paths, mode: fc.constant(0o600) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('mark' as const), path: paths, mode: fc.constant(0o444) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('unmark' as const), path: paths, mode: fc.constant(0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('divide' as const), path: paths, mode: fc.constant(0) }),
  },
)

describe('a tree of catalogues', () => {
  test('is after any changes what a plain list of entries would be, however it is divided', async () => {
    const revisions = fc.array(fc.array(operations, { minLength: 1, maxLength: 25 }), {
      minLength: 1,
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(revisions, async (plan) => {
        const made = await repositoryFiles({ algorithm: 'sha1', limits: { most: 8, least: 3 } })
        const content = made.store(Buffer.from('x'), 'file')
        const model = new Map<string, Entry>()
        const common = { mtime: 1, mtimeNs: 0 }
        for (const changes of plan) {
          await made.publish(async (tree) => {
            const remove = async (path: string) => {
              for (const other of [...model.keys()]) if (isWithin(other, path)) model.delete(other)
              await tree.remove(path)
            }
            const put = async (entry: Entry) => {
              for (let above = parentOf(entry.path); above; above = parentOf(above)) {
                if (model.get(above)?.kind === 'directory') continue
                if (model.has(above)) await remove(above)
              }
              for (let above = parentOf(entry.path); above; above = parentOf(above))
                if (!model.has(above))
                  model.set(above, { ...common, path: above, kind: 'directory', mode: 0o755, size: 0 })
              if (entry.kind !== 'directory') await remove(entry.path)
              else if (model.has(entry.path) && model.get(entry.path)!.kind !== 'directory')
                await remove(entry.path)
              model.set(entry.path, entry)
              await tree.put(entry)
            }
            const file = (path: string, mode: number, more: Partial<Entry> = {}): Entry => ({
              ...{
                ...common,
                path,
                mode,
                kind: 'file',
                size: 1,
                content,
                compression: 'zlib' as const,
                ...more,
              },
            })
            const chunked = (path: string): Entry => ({
              ...{ ...common, path, mode: 0o755, kind: 'file', size: 2, compression: 'zlib' as const },
              chunks: [0, 1].map((offset) => ({ offset, size: 1, hash: content })),
              xattrs: { 'user.a': path },
            })
            for (const { do: what, path, mode } of changes) {
              if (what === 'file')
                await put(mode === 0o755 ? chunked(path) : file(path, mode, { size: path.length }))
              else if (what === 'directory') await put({ ...common, path, mode, kind: 'directory', size: 0 })
              else if (what === 'remove') await remove(path)
              else if (what === 'divide') await tree.divideAt(path)
              else if (what === 'mark') await put(file(`${path}/${MARKER}`, mode, { size: 0 }))
              else if (what === 'unmark') await remove(`${path}/${MARKER}`)
              else
                for (const name of ['1', '2'])
                  await put(file(`${path}/${name}`, mode, { links: { first: '1', count: 2 } }))
            }
          })
          const found = new Map<string, Entry>()
          const { snapshot } = await snapshotOf(made)
          for await (const entry of snapshot.walk()) found.set(entry.path, entry)
          for (const path of [...found.keys()])
            if (path.endsWith(AUTOMATIC_MARKER)) {
              found.delete(path)
              found.delete(`${parentOf(path)}/${MARKER}`)
            }
          // A marker that a person puts where the grid had put its own is the person's; the model has only his.
          const shown = (entries: Iterable<Entry>) =>
            [...entries]
              .filter(({ path }) => path !== '' && !path.endsWith(MARKER))
              .map(
                ({ path, kind, mode, links }) =>
                  `${path} ${kind} ${mode.toString(8)} ${JSON.stringify(links)}`,
              )
              .sort()
          expect(shown(found.values())).toEqual(shown(model.values()))
          expect(await problemsOf(made)).toEqual([])
        }
      }),
      { numRuns: 25 },
    )
  })

  test('takes a directory again that it has just made and divided', async () => {
    const made = await repositoryFiles({ limits: { most: 8, least: 3 } })
    await made.publish(async (tree) => {
      const put = (path: string, mode: number) =>
        tree.put({ path, kind: 'directory', mode, mtime: 1, mtimeNs: 0, size: 0 })
      for (const path of ['/a/a/a/a', '/b/a', '/c/a/a/a', '/d/a/a/a', '/d/b/b']) await put(path, 0o755)
      await put('/a', 0o700)
      await put('/d/b', 0o700)
    })
    const { snapshot } = await snapshotOf(made)
    expect(await problemsOf(made)).toEqual([])
    expect([(await snapshot.entry('/a')).mode, (await snapshot.entry('/d/b')).mode]).toEqual([0o700, 0o700])
    expect((await snapshot.entry('/a/a/a/a')).kind).toBe('directory')
  })

  test('is divided so that no part is great and none is tiny, and read the same', async () => {
    const made = await repositoryFiles({ limits: { most: 200, least: 20 } })
    const content = made.store(Buffer.from('x'), 'file')
    await made.publish(async (tree) => {
      for (let i = 0; i < 30; i++)
        for (let j = 0; j < 40; j++)
          await tree.put({
            ...{ path: `/rel/${i}/f${j}`, kind: 'file', mode: 0o644, mtime: 1, mtimeNs: 0, size: 1, content },
            compression: 'zlib',
          })
      await tree.divideAt('/rel')
    })
    const { snapshot } = await snapshotOf(made)
    const sizes: number[] = []
    const bytes: number[] = []
    for await (const { catalog, size } of snapshot.catalogs()) {
      sizes.push(catalog.rows())
      bytes.push(size)
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200)
    // What was moved out of the root leaves no room behind.
    expect(bytes[0]).toBeLessThan(100_000)
    expect(sizes.slice(1).every((size) => size >= 20)).toBe(true)
    expect(await problemsOf(made)).toEqual([])
  })

  // With a look at every entry it would take minutes.
  test('stays whole where there is no place to divide it, and does not look for one again and again', async () => {
    const made = await repositoryFiles({ limits: { most: 100, least: 20 } })
    const content = made.store(Buffer.from('x'), 'file')
    const beside = 1_500
    await made.publish(async (tree) => {
      for (let i = 0; i < beside; i++)
        for (let j = 0; j < 10; j++)
          await tree.put({
            ...{ path: `/rel/${i}/f${j}`, kind: 'file', mode: 0o644, mtime: 1, mtimeNs: 0, size: 1, content },
            compression: 'zlib',
          })
    })
    const { snapshot } = await snapshotOf(made)
    const sizes: number[] = []
    for await (const { catalog } of snapshot.catalogs()) sizes.push(catalog.rows())
    expect(Math.max(...sizes)).toBeGreaterThan(11 * beside)
    expect(await problemsOf(made)).toEqual([])
  })

  test('writes nothing but the catalogues on the way to a change', async () => {
    const made = await repositoryFiles()
    await made.publish(async (tree) => {
      for (const entry of everyEntry(made).entries) await tree.put(entry)
    })
    const before = new Set(made.files.keys())
    await made.publish(async (tree) => {
      await tree.put({
        path: '/lib/new',
        kind: 'symlink',
        mode: 0o777,
        mtime: 1,
        mtimeNs: 0,
        size: 1,
        target: 'x',
      })
    })
    expect([...made.files.keys()].filter((path) => !before.has(path) && path.endsWith('C'))).toHaveLength(1)
    expect(await problemsOf(made)).toEqual([])
  })
})

describe.skipIf(missing('python3', 'openssl'))('what is written', () => {
  for (const algorithm of ['sha1', 'shake128'] as const) {
    test(`is decoded by the standard library of Python and openssl (${algorithm})`, async () => {
      const made = await repositoryFiles({ algorithm })
      const { entries, contents } = everyEntry(made)
      await made.publish(async (tree) => {
        for (const entry of entries) await tree.put(entry)
      })
      const root = join(directory, algorithm)
      for (const [path, bytes] of made.files) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), bytes)
      }
      writeFileSync(join(root, 'master.pub'), made.master.publicKey.export({ type: 'spki', format: 'pem' }))
      const script = join(import.meta.dirname, '../../../test/clients/cvmfs-decode.py')
      const decoded = JSON.parse(execFileSync('python3', [script, root, made.name], { encoding: 'utf8' }))
      expect(decoded.problems).toEqual([])
      const expected = entries.map((entry) => {
        const bytes = contents.get(entry.path)
        return {
          ...{ path: entry.path, kind: entry.kind, mode: entry.mode, mtime: entry.mtime },
          ...(entry.target && { target: entry.target }),
          ...(bytes && { text: bytes.subarray(0, 40).toString('latin1'), size: bytes.length }),
          ...(entry.links && { links: entry.links.count }),
          ...(entry.device && { device: entry.device }),
          ...(entry.xattrs && { xattrs: { 'user.koto': 'yes' } }),
        }
      })
      const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1)
      expect(decoded.entries.sort(byPath)).toEqual(expected.sort(byPath))
    })
  }
})
