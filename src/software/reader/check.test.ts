import { expect, test } from 'vitest'
import { everyEntry, repositoryFiles } from '../../../test/harness/software-files.ts'
import { hashFromText, objectPath, textOf } from '../format/hash.ts'
import { openSqlite } from '../format/sqlite-file.ts'
import { checkRepository } from './check.ts'
import { openRepository, snapshotOf } from './repository.ts'

const made = await repositoryFiles()
await made.publish(async (tree) => {
  for (const entry of everyEntry(made).entries) await tree.put(entry)
})
const repository = await openRepository({
  ...{ name: made.name, fetch: made.fetch, now: new Date(), masterKeys: [made.master.publicKey] },
})

/** What the check says when the root's catalogue is changed by a statement. */
async function problemsAfter(sql: string): Promise<readonly string[]> {
  const root = hashFromText(made.root())
  const changed = openSqlite(await made.load(root))
  changed.exec(`${sql}; commit`)
  const bytes = changed.finish()
  const snapshot = await snapshotOf(made.name, root, 1, async (hash) =>
    textOf(hash) === textOf(root) ? bytes : made.load(hash),
  )
  return (await checkRepository(repository, snapshot, { fetch: made.fetch, data: false })).problems
}

const WRONG: Record<string, [sql: string, problem: RegExp]> = {
  'a row that nobody finds by its path': [
    "update catalog set md5path_1 = 7 where name = 'plain'",
    /: \/lib\/plain is not found by its path$/,
  ],
  'a row that belongs to no directory': [
    "update catalog set parent_1 = 7 where name = 'plain'",
    /: 1 entries belong to no directory$/,
  ],
  'a directory of another number of links': [
    "update catalog set hardlinks = 9 where name = 'lib'",
    /: \/lib has 9 links instead of \d+$/,
  ],
  'a link of another length than its text': [
    "update catalog set size = 1 where symlink <> ''",
    /has another length than its text$/,
  ],
  'a count of its own that is not so': [
    "update statistics set value = value + 1 where counter = 'self_regular'",
    /: self_regular is \d+ instead of \d+$/,
  ],
  'a count of what is below that is not so': [
    "update statistics set value = value + 1 where counter = 'subtree_dir'",
    /: subtree_dir is \d+ instead of \d+$/,
  ],
  'a file without content': [
    "update catalog set hash = null where name = 'plain'",
    /\/lib\/plain has no content$/,
  ],
  'a nested catalogue of another size': [
    'update nested_catalogs set size = size + 1',
    /bytes instead of \d+$/,
  ],
  'a mount point of nothing': ['delete from nested_catalogs', /is a mount point of nothing$/],
}
test.each(Object.entries(WRONG))('a catalogue with %s is named', async (_what, [sql, problem]) => {
  expect(await problemsAfter('select 1')).toEqual([])
  expect(await problemsAfter(sql)).toEqual(expect.arrayContaining([expect.stringMatching(problem)]))
})

test('small objects are asked for many at once, and each that is missing or damaged is named', async () => {
  const snapshot = await repository.snapshot()
  const missing = objectPath((await snapshot.entry('/lib/plain')).content!, 'file')
  const damaged = objectPath((await snapshot.entry('/lib/big')).chunks![3]!.hash, 'chunk')
  const read: number[] = []
  let [asked, most] = [0, 0]
  const report = await checkRepository(repository, snapshot, {
    data: true,
    onObject: (bytes) => void read.push(bytes),
    fetch: async (path) => {
      most = Math.max(most, ++asked)
      await new Promise((done) => setImmediate(done))
      asked--
      const stored = path === missing ? undefined : await made.fetch(path)
      return path === damaged ? Buffer.concat([stored!, Buffer.from('!')]) : stored
    },
  })
  expect([...report.problems].sort()).toEqual(
    [`Object ${missing} is missing.`, `Object ${damaged} is damaged.`].sort(),
  )
  expect(read).toHaveLength(report.objects)
  // All but the reflog, which is read alone.
  expect(most).toBe(report.objects)
})
