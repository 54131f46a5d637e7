import { appendFileSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { everyEntry, repositoryFiles } from '../../../test/harness/software-files.ts'
import type { Entry } from '../format/entry.ts'
import { openRepository } from '../reader/repository.ts'
import { keptListings } from './listings.ts'

const directory = mkdtempSync(join(tmpdir(), 'kumi-listings-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('listings of catalogues are kept whole, whatever is in them, and made anew when they are not what they were', async () => {
  const made = await repositoryFiles({ limits: { most: 5, least: 2 } })
  await made.publish(async (tree) => {
    for (const entry of everyEntry(made).entries) await tree.put(entry)
  })
  const kept = join(directory, 'kept')
  const walk = async (place?: string, path = '') => {
    let catalogs = 0
    const repository = await openRepository({
      ...{ name: made.name, masterKeys: [made.master.publicKey], now: new Date() },
      fetch: async (asked) => {
        if (asked.endsWith('C')) catalogs++
        return made.fetch(asked)
      },
      listings: place === undefined ? undefined : keptListings(place),
    })
    const entries: Entry[] = []
    for await (const entry of (await repository.snapshot()).walk(path, (at) => at !== '/lib/sub'))
      entries.push(entry)
    return { catalogs, entries }
  }
  const { entries, catalogs } = await walk()
  expect(catalogs).toBeGreaterThan(1)
  expect(entries.length).toBeGreaterThan(8)
  expect(await walk(kept)).toEqual({ entries, catalogs })
  expect(await walk(kept)).toEqual({ entries, catalogs: 0 })
  expect((await walk(kept, '/lib')).entries).toEqual((await walk(undefined, '/lib')).entries)

  const files = readdirSync(kept, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
  expect(files.length).toBe(catalogs)
  const spoilers = [
    (file: string) => truncateSync(file, 100),
    (file: string) => truncateSync(file, 0),
    (file: string) => appendFileSync(file, ' '),
  ]
  for (const spoil of spoilers) {
    for (const file of files) spoil(file)
    expect(await walk(kept)).toEqual({ entries, catalogs })
    expect(await walk(kept)).toEqual({ entries, catalogs: 0 })
  }

  writeFileSync(join(directory, 'file'), '')
  expect(await walk(join(directory, 'file'))).toEqual({ entries, catalogs })
})
