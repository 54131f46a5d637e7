import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RepositoryFiles, repositoryFiles } from '../../../test/harness/software-files.ts'
import type { Entry } from '../format/entry.ts'
import { textOf } from '../format/hash.ts'
import { openRepository } from '../reader/repository.ts'
import { type Cleaned, cleanStore } from './clean.ts'
import { keptListings } from './listings.ts'
import { materialise } from './materialise.ts'
import { NOTE } from './tree-note.ts'

let root: string
let made: RepositoryFiles
/** Of each revision: what all have, and what it alone has. */
const revisions: string[] = []
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'kumi-clean-'))
  made = await repositoryFiles()
  const file = (path: string, text: string): Entry => ({
    ...{ path, kind: 'file', mode: 0o644, mtime: 1, mtimeNs: 0, size: text.length, compression: 'zlib' },
    content: made.store(Buffer.from(text), 'file'),
  })
  for (const own of ['old', 'new', 'elsewhere']) {
    await made.publish(async (tree) => {
      await tree.put(file('/shared', 'shared by all'))
      await tree.put(file('/own', own))
    })
    revisions.push(made.root())
  }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A store with trees of the first two revisions in it, the first not used any more, and of the third one elsewhere. */
async function shelf(name: string) {
  const directory = join(root, name)
  const repository = await openRepository({
    ...{ name: made.name, masterKeys: [made.master.publicKey], fetch: made.fetch, now: new Date() },
    listings: keptListings(join(directory, 'catalogs')),
  })
  const treeOf = (i: number) => join(directory, 'trees', made.name, revisions[i]!)
  const get = async (i: number, to = treeOf(i)) =>
    materialise({
      ...{ repository, snapshot: await repository.snapshot(revisions[i]), directory: to },
      store: join(directory, 'files'),
    })
  await get(0)
  await get(1)
  await get(2, join(root, `${name}-elsewhere`))
  const away = new Date(Date.now() + 3_600_000)
  utimesSync(join(treeOf(1), NOTE), away, away)
  // Half of a tree, as a get that was ended from outside leaves it.
  mkdirSync(`${treeOf(0)}.1234abcd.part`)
  writeFileSync(join(`${treeOf(0)}.1234abcd.part`, 'half'), 'half')
  const files = () =>
    readdirSync(join(directory, 'files'), { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile())
      .map((one) => readFileSync(join(one.parentPath, one.name), 'utf8'))
      .sort()
  const trees = () => readdirSync(join(directory, 'trees', made.name)).sort()
  const clean = (more: { dryRun?: boolean; looseBefore?: Date } = {}): Cleaned =>
    cleanStore({ directory, before: new Date(Date.now() + 60_000), ...more })
  return {
    directory,
    repository,
    get,
    treeOf,
    files,
    trees,
    clean,
    elsewhere: join(root, `${name}-elsewhere`),
  }
}

test('trees that nobody used for long go, with the files that only they have, and come again', async () => {
  const { directory, repository, get, treeOf, files, trees, clean, elsewhere } = await shelf('one')
  expect(files()).toEqual(['elsewhere', 'new', 'old', 'shared by all'])
  const [before, listings] = [trees(), readdirSync(join(directory, 'catalogs')).length]
  expect(listings).toBeGreaterThan(0)

  const would = clean({ dryRun: true })
  expect([trees(), files().length]).toEqual([before, 4])
  const done = clean()
  expect(done).toEqual(would)
  expect([...done.trees].sort()).toEqual([treeOf(0), `${treeOf(0)}.1234abcd.part`].sort())
  expect(trees()).toEqual([revisions[1]])
  expect(files()).toEqual(['elsewhere', 'new', 'shared by all'])
  expect(readFileSync(join(elsewhere, 'own'), 'utf8')).toBe('elsewhere')
  expect(clean()).toEqual({ trees: [], files: 0, bytes: 0 })

  expect(await get(0)).toMatchObject({ fetched: 1, present: 1 })
  expect(readFileSync(join(treeOf(0), 'own'), 'utf8')).toBe('old')
  expect(textOf((await repository.snapshot()).root)).toBe(revisions[2])
})

test('a file that no tree shows yet may be wanted by one that is being made', async () => {
  const { directory, elsewhere, files, clean } = await shelf('two')
  rmSync(elsewhere, { recursive: true })
  expect(clean({ looseBefore: new Date(Date.now() - 60_000) }).trees.length).toBe(2)
  expect(files()).toEqual(['elsewhere', 'new', 'old', 'shared by all'])
  clean()
  expect(files()).toEqual(['new', 'shared by all'])
  rmSync(directory, { recursive: true })
  expect(clean()).toEqual({ trees: [], files: 0, bytes: 0 })
  expect(existsSync(directory)).toBe(false)
})

test('whoever wants a tree again keeps it', async () => {
  const { get, treeOf, trees, directory } = await shelf('three')
  const long = new Date(Date.now() - 40 * 86_400_000)
  utimesSync(join(treeOf(0), NOTE), long, long)
  expect(await get(0)).toMatchObject({ unchanged: true })
  cleanStore({ directory, before: new Date(Date.now() - 60_000) })
  expect(trees()).toContain(revisions[0])
})

test('what a clean that was ended left goes the next time, and only what one removed itself is counted', () => {
  const directory = join(root, 'ended')
  const old = join(directory, 'trees', made.name, 'some.1234abcd.old')
  mkdirSync(join(old, 'sub'), { recursive: true })
  for (const file of [NOTE, 'sub/one']) {
    writeFileSync(join(old, file), 'four')
    utimesSync(join(old, file), 1, 1)
  }
  const clean = (dryRun: boolean) => cleanStore({ directory, before: new Date(), dryRun })
  expect(clean(true)).toEqual({ trees: [], files: 2, bytes: 8 })
  expect(clean(false)).toEqual({ trees: [], files: 2, bytes: 8 })
  expect(readdirSync(join(directory, 'trees', made.name))).toEqual([])
})

test('several may clean the same at the same time, as pilots do that end together', async () => {
  const directory = join(root, 'together')
  for (let i = 0; i < 300; i++) {
    const tree = join(directory, 'trees', made.name, String(i))
    mkdirSync(tree, { recursive: true })
    writeFileSync(join(tree, NOTE), '')
    utimesSync(join(tree, NOTE), 1, 1)
  }
  const program = `import { cleanStore } from ${JSON.stringify(new URL('./clean.ts', import.meta.url).href)}
    const before = new Date(Date.now() - 3600_000)
    const { trees, files } = cleanStore({ directory: ${JSON.stringify(directory)}, before })
    console.log(JSON.stringify([trees.length, files]))`
  const loader = new URL('../../../test/harness/typescript-loader.mjs', import.meta.url).href
  const cleaning = () =>
    promisify(execFile)(process.execPath, ['--import', loader, '--input-type=module', '-e', program])
  const done = await Promise.all(Array.from({ length: 4 }, cleaning))
  const counts = done.map(({ stdout }) => JSON.parse(stdout) as [number, number])
  // No tree is said by two; of each there is a file, its note.
  for (const i of [0, 1] as const) expect(counts.reduce((sum, one) => sum + one[i], 0)).toBe(300)
  expect(readdirSync(join(directory, 'trees', made.name))).toEqual([])
})
