import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { archiveOf, ociLayout, tarOf } from '../../../test/harness/image-files.ts'
import { type SoftwareWorld, softwareWorld } from '../../../test/harness/software-world.ts'
import { decompressed } from '../../storage/archive/archive.ts'
import { materialise } from '../local/materialise.ts'
import { type PublishReport, publishTree } from '../local/publish.ts'
import { openImage } from './image.ts'

const database = testDatabase()
let world: SoftwareWorld
let local: string
beforeAll(async () => {
  local = mkdtempSync(join(tmpdir(), 'kumi-ingest-'))
  world = softwareWorld(database)
  await world.begin()
})
afterAll(async () => {
  await world.close()
  rmSync(local, { recursive: true, force: true })
})

/** Nearly three pieces, so that the middle one is not where a file of its own would have it. */
const big = Buffer.alloc(20 << 20, 'a picture of a detector ')
const base = tarOf([
  { name: 'etc/shadow', content: 'root:*:0:0', mode: 0 },
  { name: 'opt/big', content: big, mode: 0o755, mtime: 1_700_000_000 },
  { name: 'bin/sh', content: 'a shell', mode: 0o4755 },
  { name: 'bin/bash', type: '1', target: 'bin/sh' },
  { name: 'lib', type: '2', target: 'usr/lib' },
  { name: 'usr/lib/libc.so', content: 'C', records: { 'SCHILY.xattr.user.origin': 'debian' } },
])

async function ingest(layers: readonly Buffer[], more: { cacheFile?: string } = {}): Promise<PublishReport> {
  const file = join(local, 'image.tar')
  writeFileSync(file, archiveOf(ociLayout(layers)))
  const seenAt = Date.now()
  const image = await openImage(file, { to: '/images/koto', temporary: local, decompress: decompressed })
  try {
    return await publishTree(image.tree, seenAt, {
      ...{ door: world.door, to: '/images/koto', source: `laptop:${file} ${image.digest}` },
      cacheFile: more.cacheFile,
    })
  } finally {
    image.close()
  }
}

test('an image becomes a directory of a repository, and costs nothing when it comes again', async () => {
  const cacheFile = join(local, 'kumi.cache')
  expect(await ingest([base], { cacheFile })).toMatchObject({ revision: 2, unchanged: false, entries: 12 })
  expect(await world.contents()).toMatchObject({
    '/images/koto/bin/bash': 'a shell',
    '/images/koto/opt/big': big.toString('latin1'),
  })
  expect(await world.problems()).toEqual([])
  for (const more of [{ cacheFile }, {}])
    expect(await ingest([base], more)).toMatchObject({ revision: 2, unchanged: true, uploadedObjects: 0 })
})

test('the next version of an image changes what its layers changed', async () => {
  const cacheFile = join(local, 'kumi.cache')
  const next = tarOf([{ name: 'bin/.wh.bash' }, { name: 'etc/motd', content: 'welcome' }])
  const report = await ingest([base, next], { cacheFile })
  expect(report).toMatchObject({ revision: 3, added: 1, removed: 1, uploadedObjects: 1 })
  const snapshot = await (await world.reader()).snapshot()
  // Of two names one is left: it is no hard link any more.
  expect((await snapshot.entry('/images/koto/bin/sh')).links).toBeUndefined()
  expect((await snapshot.entry('/images/koto/usr/lib/libc.so')).xattrs).toEqual({
    'user.origin': Buffer.from('debian').toString('base64'),
  })
  expect(await world.problems()).toEqual([])
})

test('what is fetched of an image is what its layers hold, without powers of another owner', async () => {
  const repository = await world.reader()
  const get = async (directory: string, copy: boolean) =>
    materialise({
      ...{ repository, snapshot: await repository.snapshot(), directory: join(local, directory), copy },
      ...{ store: join(local, 'store'), path: '/images/koto' },
    })
  const modes = (directory: string) =>
    ['bin/sh', 'etc/shadow'].map((file) => (statSync(join(local, directory, file)).mode & 0o7777).toString(8))
  await get('got', false)
  expect(readFileSync(join(local, 'got/opt/big')).equals(big)).toBe(true)
  expect(statSync(join(local, 'got/opt/big')).mtimeMs).toBe(1_700_000_000_000)
  expect(readFileSync(join(local, 'got/lib/libc.so'), 'utf8')).toBe('C')
  expect(modes('got')).toEqual(['555', '400'])
  await get('own', true)
  expect(modes('own')).toEqual(['755', '0'])
})
