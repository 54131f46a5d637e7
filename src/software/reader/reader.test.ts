import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  everyEntry,
  type RepositoryFiles,
  repositoryFiles,
  signingCertificate,
} from '../../../test/harness/software-files.ts'
import { checkRepository } from './check.ts'
import { openRepository } from './repository.ts'

async function published(): Promise<RepositoryFiles> {
  const made = await repositoryFiles()
  await made.publish(async (tree) => {
    for (const entry of everyEntry(made).entries) await tree.put(entry)
  })
  return made
}
const open = (made: RepositoryFiles, more: { now?: Date; atLeast?: number; name?: string } = {}) =>
  openRepository({
    ...{ name: made.name, fetch: made.fetch, now: new Date(), masterKeys: [made.master.publicKey] },
    ...more,
  })

describe('a reader', () => {
  test('finds every entry as it was published, and its content', async () => {
    const made = await published()
    const { entries, contents } = everyEntry(made)
    const repository = await open(made)
    const snapshot = await repository.snapshot()
    const found = new Map<string, unknown>()
    for await (const entry of snapshot.walk()) found.set(entry.path, entry)
    expect([...found.keys()]).toEqual(['', ...entries.map(({ path }) => path).sort()])
    for (const entry of entries) expect(found.get(entry.path)).toEqual(entry)
    for (const [path, bytes] of contents) {
      const entry = await snapshot.entry(path)
      const parts = entry.chunks
        ? await Promise.all(
            entry.chunks.map((c) =>
              repository.object(c.hash, 'chunk', { size: c.size, compression: 'zlib' }),
            ),
          )
        : [await repository.object(entry.content!, 'file', entry)]
      expect(Buffer.concat(parts).equals(bytes), path).toBe(true)
    }
    expect((await snapshot.list('/releases/08')).map(({ path }) => path)).toEqual([
      '/releases/08/.cvmfscatalog',
      '/releases/08/deep',
      '/releases/08/名前 with blanks',
    ])
    await expect(snapshot.entry('/lib/none')).rejects.toMatchObject({ code: 'software_no_such_path' })
    await expect(repository.snapshot('v9')).rejects.toMatchObject({ code: 'software_no_such_tag' })
    expect(await checkRepository(repository, snapshot, { fetch: made.fetch, data: true })).toMatchObject({
      problems: [],
      catalogs: 3,
    })
  })

  /** What somebody between server and client, or at the server, may try; each in a repository of its own. */
  const attempts: Record<string, [(made: RepositoryFiles) => unknown, RegExp]> = {
    'a changed byte in the manifest': [
      ({ files }) => {
        const manifest = files.get('.cvmfspublished')!
        manifest.write(manifest.toString('latin1', 3, 4) === '9' ? '8' : '9', 3)
      },
      /changed after it was signed/,
    ],
    'a manifest signed by another key': [
      async (made) => made.sign({}, (await signingCertificate()).key),
      /not signed by its certificate/,
    ],
    'the manifest of another repository': [
      (made) => made.sign({ repository: 'other.example.org' }),
      /not of koto/,
    ],
    'an expired whitelist': [(made) => made.allow({ expiresAt: new Date(Date.now() - 1000) }), /expired/],
    'the whitelist of another repository': [
      (made) => made.allow({ repository: 'x.org' }),
      /whitelist is that of/,
    ],
    'a whitelist without the certificate': [
      (made) => made.allow({ fingerprints: [`AB${':AB'.repeat(19)}`] }),
      /does not name the certificate/,
    ],
    'a whitelist signed by another master key': [
      (made) => made.allow({}, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
      /not signed by a key/,
    ],
    'a changed byte in the whitelist': [
      ({ files }) => files.get('.cvmfswhitelist')!.write('9', 20),
      /changed after it was signed/,
    ],
    'no whitelist': [({ files }) => files.delete('.cvmfswhitelist'), /does not have .cvmfswhitelist/],
  }
  for (const [what, [tamper, message]] of Object.entries(attempts)) {
    test(`refuses ${what}`, async () => {
      const made = await published()
      await tamper(made)
      await expect(open(made)).rejects.toMatchObject({
        code: 'software_not_trusted',
        message: expect.stringMatching(message),
      })
    })
  }

  test('accepts a whitelist with comments and the smallest manifest', async () => {
    const made = await published()
    made.sign({ history: undefined, metainfo: undefined, reflog: undefined, publishedAt: undefined })
    expect((await open(made)).manifest.revision).toBe(1)
  })

  test('refuses an older revision than it saw before', async () => {
    await expect(open(await published(), { atLeast: 2 })).rejects.toMatchObject({
      code: 'software_not_trusted',
    })
  })

  test('refuses a damaged object and a damaged catalogue, and the check names them', async () => {
    const made = await published()
    const repository = await open(made)
    const snapshot = await repository.snapshot()
    const plain = await snapshot.entry('/lib/plain')
    const path = [...made.files.keys()].find((file) => file.includes(plain.content!.hex.slice(2)))!
    made.files.get(path)![4]! ^= 1
    await expect(repository.object(plain.content!, 'file', plain)).rejects.toMatchObject({
      code: 'software_damaged',
    })
    const { problems } = await checkRepository(repository, snapshot, { fetch: made.fetch, data: true })
    expect(problems).toEqual([`Object ${path} is damaged.`])
    const catalog = [...made.files.keys()].find((file) => file.endsWith('C'))!
    made.files.get(catalog)![4]! ^= 1
    await expect(all(snapshot.walk())).rejects.toMatchObject({ code: 'software_damaged' })
  })
})

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of source) found.push(one)
  return found
}
