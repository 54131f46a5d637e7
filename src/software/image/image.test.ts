import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../../../test/harness/foreign.ts'
import {
  archiveOf,
  dockerArchive,
  ociLayout,
  type Packed,
  sha256Of,
  tarHeader,
  tarOf,
  writeFiles,
} from '../../../test/harness/image-files.ts'
import { isGridError } from '../../kernel/errors.ts'
import { decompressed } from '../../storage/archive/archive.ts'
import { type Image, type ImageOptions, openImage } from './image.ts'
import { readTar } from './tar.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kumi-image-test-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let written = 0
const write = (bytes: Buffer): string => {
  const file = join(directory, `file-${written++}`)
  writeFileSync(file, bytes)
  return file
}

const open = (place: string, more: Partial<ImageOptions> = {}): Promise<Image> =>
  openImage(place, { to: '/image', temporary: directory, decompress: decompressed, ...more })

/** Paths of an image with what they are: contents, texts of links, kinds of others. */
async function seen(place: string, more: Partial<ImageOptions> = {}): Promise<Record<string, string>> {
  const image = await open(place, more)
  const found: Record<string, string> = {}
  for (const { entry, file, start = 0 } of image.tree.found) {
    if (entry.kind === 'file')
      found[entry.path] = readFileSync(file).toString('utf8', start, start + entry.size)
    else found[entry.path] = entry.kind === 'symlink' ? `-> ${entry.target}` : entry.kind
  }
  image.close()
  return found
}
const ofLayers = (...layers: Packed[][]) => seen(write(archiveOf(ociLayout(layers.map(tarOf)))))
const refused = (words: RegExp, ...layers: Packed[][]) =>
  expect(ofLayers(...layers)).rejects.toThrow(
    expect.objectContaining({ code: 'software_bad_image', message: expect.stringMatching(words) }),
  )

const system: Packed[] = [
  { name: './', type: '5', mode: 0o755, mtime: 5 },
  { name: './etc/', type: '5', mode: 0o755 },
  { name: './etc/motd', content: 'welcome' },
  { name: './etc/shadow', content: 'secret', mode: 0o640 },
  { name: './usr/lib/', type: '5' },
  { name: './usr/lib/libkoto.so', content: 'machine code', mode: 0o755 },
  { name: './usr/lib/libkoto.so.1', type: '1', target: './usr/lib/libkoto.so' },
  { name: './lib', type: '2', target: 'usr/lib' },
  { name: './usr/bin/koto', content: '#!/bin/sh', mode: 0o4755 },
  { name: './usr/bin/again', type: '1', target: 'usr/lib/libkoto.so' },
  { name: './dev/null', type: '3' },
  { name: './run/pipe', type: '6' },
]

describe('the layers of an image', () => {
  test('are one tree: later ones replace, add to and take from those before', async () => {
    const tree = await ofLayers(system, [
      { name: 'etc/', type: '5', mode: 0o700 },
      { name: 'etc/motd', content: 'good evening' },
      { name: 'etc/.wh.shadow' },
      { name: 'lib/libnew.so', content: 'new' },
      { name: 'usr/bin', content: 'a file now' },
    ])
    expect(tree).toEqual({
      ...{ '/image': 'directory', '/image/dev': 'directory', '/image/etc': 'directory' },
      ...{ '/image/etc/motd': 'good evening', '/image/lib': '-> usr/lib', '/image/run': 'directory' },
      ...{ '/image/run/pipe': 'fifo', '/image/usr': 'directory', '/image/usr/bin': 'a file now' },
      ...{ '/image/usr/lib': 'directory', '/image/usr/lib/libkoto.so': 'machine code' },
      ...{ '/image/usr/lib/libkoto.so.1': 'machine code', '/image/usr/lib/libnew.so': 'new' },
    })
  })

  test('hide what was in a directory, wherever in the layer that is said', async () => {
    const tree = await ofLayers(
      [
        { name: 'a/old', content: '1' },
        { name: 'a/deep/old', content: '2' },
        { name: 'b', type: '2', target: 'a' },
      ],
      [
        { name: 'a/new', content: '3' },
        { name: 'a/.wh..wh..opq' },
        { name: 'a/.wh..wh.aufs', content: '' },
        { name: 'b', type: '5' },
        { name: 'b/.wh..wh..opq' },
        { name: '.wh.nothing' },
      ],
    )
    expect(tree).toEqual({
      ...{ '/image': 'directory', '/image/a': 'directory', '/image/a/new': '3', '/image/b': 'directory' },
    })
  })

  test('keep modes, times, attributes and which files are one', async () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
    const { tree, ...image } = await open(
      write(
        archiveOf(
          ociLayout([
            tarOf(system),
            tarOf([
              {
                ...{ name: 'usr/bin/ping', content: 'ping', mode: 0o755, mtime: 1_700_000_000 },
                records: {
                  ...{ mtime: '1700000000.25', 'SCHILY.xattr.security.capability': capability },
                  ...{ 'SCHILY.xattr.user.koto': 'yes', 'SCHILY.xattr.security.selinux': 'label' },
                },
              },
              { name: 'elsewhere/koto', type: '1', target: 'usr/lib/libkoto.so' },
            ]),
          ]),
        ),
      ),
    )
    const entry = (path: string) => [...tree.found].find((one) => one.entry.path === `/image${path}`)?.entry
    expect(entry('/usr/bin/ping')).toMatchObject({
      ...{ mtime: 1_700_000_000, mtimeNs: 250_000_000 },
      xattrs: {
        'security.capability': capability.toString('base64'),
        'user.koto': Buffer.from('yes').toString('base64'),
      },
    })
    expect(entry('')).toMatchObject({ mode: 0o755, mtime: 5 })
    expect(entry('/usr/bin/koto')).toMatchObject({ mode: 0o4755 })
    expect(entry('/usr/lib/libkoto.so.1')?.links).toEqual({ first: 'libkoto.so', count: 2 })
    // Hard links are within a directory only; elsewhere the file is one more.
    expect(entry('/elsewhere/koto')).toMatchObject({ size: 12, mode: 0o755 })
    expect(entry('/elsewhere/koto')?.links).toBeUndefined()
    expect(tree.leftOut).toEqual(['/image/dev/null'])
    expect(tree.unreadable).toEqual(['/image/etc/shadow'])
    image.close()
  })

  test('are read from names however long', async () => {
    const long = `${'d'.repeat(200)}/${'f'.repeat(200)}`
    const gnu = (type: string, name: string) => ({ name: '././@LongLink', type, content: `${name}\0` })
    expect(
      await ofLayers([
        { name: 'short', content: 'extended', records: { path: `x/${long}` } },
        gnu('L', `y/${long}`),
        { name: 'short', content: 'gnu' },
        gnu('K', long),
        { name: 'link', type: '2' },
      ]),
    ).toMatchObject({
      ...{ [`/image/x/${long}`]: 'extended', [`/image/y/${long}`]: 'gnu', '/image/link': `-> ${long}` },
    })
  })
})

describe('an image', () => {
  test('is the same as layout, as archive, compressed, and as docker save writes it', async () => {
    const layers = [tarOf(system), tarOf([{ name: 'etc/.wh.motd' }]), tarOf(system)]
    const files = ociLayout(layers)
    const tree = await seen(writeFiles(files, join(directory, 'layout')))
    expect(tree['/image/etc/motd']).toBe('welcome')
    expect(await seen(write(archiveOf(files)))).toEqual(tree)
    expect(await seen(write(zlib.gzipSync(archiveOf(files))))).toEqual(tree)
    expect(await seen(write(archiveOf(ociLayout(layers, { pack: (plain) => plain }))))).toEqual(tree)
    expect(await seen(write(dockerArchive(layers)))).toEqual(tree)
    expect(await seen(write(zlib.gzipSync(dockerArchive(layers))))).toEqual(tree)
    expect(readdirSync(directory).filter((name) => name.startsWith('kumi-image-'))).toEqual([])
  })

  test('is chosen by name or platform when there are several', async () => {
    const [arm, intel] = [
      ociLayout([tarOf(system)], { name: 'koto:1' }),
      ociLayout([tarOf(system.slice(0, 3))]),
    ]
    const described = (files: Map<string, Buffer>) =>
      JSON.parse(files.get('index.json')!.toString()).manifests[0] as Record<string, unknown>
    const index = Buffer.from(
      JSON.stringify({
        manifests: [
          { ...described(arm), platform: { os: 'linux', architecture: 'arm64' } },
          described(intel),
          { ...described(intel), digest: `sha256:${'0'.repeat(64)}` },
          { ...described(arm), platform: { os: 'unknown', architecture: 'unknown' } },
        ],
      }),
    )
    const nested = {
      ...{
        mediaType: 'application/vnd.oci.image.index.v1+json',
        digest: sha256Of(index),
        size: index.length,
      },
      annotations: { 'org.opencontainers.image.ref.name': 'outer:1' },
    }
    const place = writeFiles(
      new Map<string, Buffer>([
        ...arm,
        ...intel,
        [`blobs/${sha256Of(index).replace(':', '/')}`, index],
        ['index.json', Buffer.from(JSON.stringify({ manifests: [nested] }))],
      ]),
      join(directory, 'several'),
    )
    await expect(open(place)).rejects.toThrow(/several: outer:1 for linux\/arm64, outer:1 for linux\/amd64/)
    await expect(open(place, { image: 'other' })).rejects.toMatchObject({ code: 'software_which_image' })
    expect(Object.keys(await seen(place, { platform: 'linux/amd64', image: 'outer:1' }))).toHaveLength(3)
    expect(Object.keys(await seen(place, { platform: 'linux/arm64' }))).toContain('/image/lib')
  })

  const { zstdCompressSync } = zlib as { zstdCompressSync?: (plain: Buffer) => Buffer }
  test.skipIf(!zstdCompressSync && missing('zstd'))('may be compressed with zstd', async () => {
    const plain = tarOf(system)
    // What `zstd` says of a frame that holds its content as it is: magic, descriptor, one raw block.
    const frame = (bytes: Buffer) => {
      const head = Buffer.from('28b52ffda0000000000000', 'hex').subarray(0, 9)
      head.writeUInt32LE(bytes.length, 5)
      const block = Buffer.alloc(3)
      block.writeUIntLE((bytes.length << 3) | 1, 0, 3)
      return Buffer.concat([head, block, bytes])
    }
    const place = write(archiveOf(ociLayout([plain], { pack: zstdCompressSync ?? frame })))
    expect((await seen(place))['/image/etc/motd']).toBe('welcome')
  })
})

describe('a hostile image', () => {
  test('cannot name anything outside', async () => {
    await refused(/absolute/, [{ name: '/etc/passwd', content: 'x' }])
    await refused(/leads out/, [{ name: '../etc/passwd', content: 'x' }])
    await refused(/leads out/, [{ name: 'a/../../etc/passwd', content: 'x' }])
    await refused(/leads out/, [{ name: 'x', content: 'x', records: { path: '../x' } }])
    await refused(/leads out/, [{ name: 'a/..', type: '5' }])
    await refused(/takes nothing away/, [{ name: 'a/.wh...' }])
    await refused(/leads out/, [{ name: 'x', type: '1', target: '../../etc/shadow' }])
    await refused(/no file of the image/, [{ name: 'x', type: '1', target: 'etc/shadow' }])
    await refused(/absolute/, [{ name: 'x', type: '1', target: '/etc/shadow' }])
    await refused(/leads out of the image/, [
      { name: 'way', type: '2', target: '../../../tmp' },
      { name: 'way/x', content: 'x' },
    ])
    await refused(/too many symbolic links/, [
      { name: 'a', type: '2', target: 'b' },
      { name: 'b', type: '2', target: 'a' },
      { name: 'a/x', content: 'x' },
    ])
    await refused(/no directory/, [
      { name: 'a', content: 'x' },
      { name: 'a/b', content: 'x' },
    ])
    await refused(/root/, [{ name: '.', content: 'x' }])
    // An absolute link is one inside the image.
    const inside = await ofLayers([
      { name: 'way', type: '2', target: '/tmp' },
      { name: 'way/x', content: 'x' },
    ])
    expect(inside['/image/tmp/x']).toBe('x')
  })

  test('is refused when bytes and digests differ, or something is missing', async () => {
    const layers = [tarOf(system)]
    const spoiled = (spoil: (files: Map<string, Buffer>) => void) => {
      const files = ociLayout(layers)
      spoil(files)
      return open(write(archiveOf(files)))
    }
    const blobs = (files: Map<string, Buffer>) =>
      [...files.keys()].filter((name) => name.startsWith('blobs/'))
    for (const i of [0, 1, 2]) {
      await expect(
        spoiled((files) => {
          const bytes = files.get(blobs(files)[i]!)!
          // The last bytes of gzip are its own sum; those of the documents a bracket.
          bytes[i === 0 ? 9 : bytes.length - 5]! ^= 1
        }),
      ).rejects.toMatchObject({ code: 'software_bad_image' })
      await expect(spoiled((files) => files.delete(blobs(files)[i]!))).rejects.toThrow(/missing|no image/)
    }
    const other = ociLayout(layers, {
      config: (config) => ({ ...config, rootfs: { diff_ids: [sha256Of(Buffer.from('other'))] } }),
    })
    await expect(open(write(archiveOf(other)))).rejects.toThrow(/configuration says/)
    const more = ociLayout(layers, { manifest: (m) => ({ ...m, layers: [] }) })
    await expect(open(write(archiveOf(more)))).rejects.toThrow(/same layers/)
    const artifact = ociLayout(layers, { config: () => ({}) })
    await expect(open(write(archiveOf(artifact)))).rejects.toThrow(/no image of a file system/)
    await expect(open(write(tarOf([])))).rejects.toThrow(/neither an index.json/)
    await expect(open(join(directory, 'nowhere'))).rejects.toThrow(/neither a directory nor a file/)
  })

  test('cannot fill the disk or the memory', async () => {
    const place = write(archiveOf(ociLayout([tarOf([{ name: 'zeros', content: Buffer.alloc(1 << 20) }])])))
    await expect(open(place, { mostBytes: 1 << 16 })).rejects.toThrow(/unpacks to more than/)
    const many = Array.from({ length: 50 }, (_, i) => ({ name: `f${i}` }))
    await expect(open(write(archiveOf(ociLayout([tarOf(many)]))), { mostEntries: 20 })).rejects.toThrow(
      /more than 20 entries/,
    )
    expect(readdirSync(directory).filter((name) => name.startsWith('kumi-image-'))).toEqual([])
  })

  test('says in words what is wrong with an archive', async () => {
    await refused(/sparse/, [{ name: 'x', records: { 'GNU.sparse.major': '1' } }])
    await refused(/type/, [{ name: 'x', type: 'M' }])
    await refused(/ends too early/, [{ name: 'x', size: 5000 }])
    await refused(/no UTF-8/, [{ name: 'x', records: { path: Buffer.from([0xff, 0xfe]) } }])
    await refused(/no UTF-8/, [{ name: 'x', records: { path: 'a\0b' } }])
    await refused(/too long/, [{ name: 'x', records: { path: 'n'.repeat(300) } }])
    await refused(/empty or too long/, [{ name: 'x', type: '2' }])
    await refused(/time/, [{ name: 'x', records: { mtime: 'yesterday' } }])
    const damaged = tarOf(system)
    damaged[600]! ^= 1
    await expect(open(write(archiveOf(ociLayout([damaged]))))).rejects.toThrow(/header.*damaged/)
  })
})

describe('whatever comes in', () => {
  const good = tarOf([
    ...system,
    { name: 'x', content: 'y', records: { path: 'extended/name', mtime: '1.5', 'SCHILY.xattr.user.a': 'b' } },
  ])

  test('as an archive is read or refused in words, and stays inside', async () => {
    const noise = fc.record({
      at: fc.nat(good.length - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
      cut: fc.option(fc.nat(good.length)),
      mend: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(noise, async ({ at, bytes, cut, mend }) => {
        const bad = Buffer.from(good)
        Buffer.from(bytes).copy(bad, at)
        // A header whose sum is right again gets further.
        const block = at - (at % 512)
        if (mend) withRightSum(bad.subarray(block, block + 512))
        const tar = cut === null ? bad : bad.subarray(0, cut)
        const place = write(archiveOf(ociLayout([tar], { pack: (plain) => plain })))
        try {
          for (const path of Object.keys(await seen(place)))
            expect(path.split('/').some((name) => name === '..' || name === '.')).toBe(false)
        } catch (error) {
          if (!isGridError(error)) throw error
        }
        rmSync(place)
      }),
      { numRuns: 150 },
    )
  })

  test('as a document is read or refused in words', async () => {
    const files = ociLayout([good])
    const index = files.get('index.json')!
    const made = (where: string, json: string, at: number): Map<string, Buffer> => {
      const said = () => JSON.parse(json) as unknown
      if (where === 'manifest')
        return ociLayout([good], { manifest: (m) => ({ ...m, [['config', 'layers'][at % 2]!]: said() }) })
      if (where === 'config') return ociLayout([good], { config: (c) => ({ ...c, rootfs: said() }) })
      const spoiled = Buffer.from(index)
      spoiled[at % index.length] = json.charCodeAt(0)
      return new Map([...files, ['index.json', where === 'index' ? Buffer.from(json) : spoiled]])
    }
    await fc.assert(
      fc.asyncProperty(
        ...([fc.constantFrom('index', 'a letter of it', 'manifest', 'config'), fc.json(), fc.nat()] as const),
        async (where, json, at) => {
          const place = write(archiveOf(made(where, json, at)))
          try {
            await seen(place)
          } catch (error) {
            if (!isGridError(error)) throw error
          }
          rmSync(place)
        },
      ),
      { numRuns: 150 },
    )
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.json(), async (list, config) => {
        const place = write(
          tarOf([
            { name: 'manifest.json', content: list },
            { name: 'c', content: config },
          ]),
        )
        await expect(seen(place)).rejects.toSatisfy((error) => isGridError(error))
        rmSync(place)
      }),
      { numRuns: 100 },
    )
  })

  test('as numbers of a header is what GNU tar means by them', () => {
    const block = tarHeader({ name: 'x', size: 0 })
    // Beyond octal digits: a set bit and big-endian bytes.
    Buffer.from('ffffffffffffffffffffffff', 'hex').copy(block, 136)
    withRightSum(block)
    const place = write(Buffer.concat([block, Buffer.alloc(1024)]))
    const [entry] = [...readTar({ file: place, start: 0, length: 1536 })]
    expect(entry).toMatchObject({ mtime: -1, kind: 'file' })
  })
})

function withRightSum(block: Buffer): void {
  if (block.length < 512) return
  block.write(' '.repeat(8), 148, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}
