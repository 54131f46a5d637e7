import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** One entry of a tar archive; a type by its letter of the format. */
export interface Packed {
  readonly name: string
  readonly type?: string
  readonly content?: string | Buffer
  readonly target?: string
  readonly mode?: number
  readonly mtime?: number
  /** Records of an extended header before it. */
  readonly records?: Readonly<Record<string, string | Buffer>>
  /** Size that the header says, when it is not that of the content. */
  readonly size?: number
}

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`

/** A header of POSIX.1-1988 with its checksum. */
export function tarHeader({
  name,
  type = '0',
  target = '',
  mode = 0o644,
  mtime = 0,
  size = 0,
}: Packed): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write(octal(mode, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(mtime, 11), 100, 'latin1')
  block.write(' '.repeat(8) + type, 148, 'latin1')
  block.write(target, 157, 100)
  block.write('ustar\x0000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)} `, 148, 'latin1')
  return block
}

/** Records of an extended header, each with its own length before it. */
export function extendedRecords(records: Readonly<Record<string, string | Buffer>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
      let length = rest.length + 1
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length
      return Buffer.concat([Buffer.from(String(length)), rest])
    }),
  )
}

const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])

/** A tar archive, entry by entry as it is said: nothing is corrected. */
export function tarOf(entries: readonly Packed[]): Buffer {
  const parts = entries.map((entry) => {
    const content = Buffer.from(entry.content ?? '')
    const header = tarHeader({ ...entry, size: entry.size ?? content.length })
    if (!entry.records) return Buffer.concat([header, padded(content)])
    const records = extendedRecords(entry.records)
    const before = tarHeader({ name: 'records', type: 'x', size: records.length })
    return Buffer.concat([before, padded(records), header, padded(content)])
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

export const sha256Of = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** An image as the files of an OCI layout by name; layers are plain archives, stored as `pack` makes them. */
export function ociLayout(
  layers: readonly Buffer[],
  options: {
    pack?: (plain: Buffer) => Buffer
    name?: string
    /** Takes the files before they are named, to spoil them. */
    manifest?: (manifest: Record<string, unknown>) => unknown
    config?: (config: Record<string, unknown>) => unknown
  } = {},
): Map<string, Buffer> {
  const { pack = gzipSync, name = 'koto:1', manifest = (same) => same, config = (same) => same } = options
  const files = new Map<string, Buffer>()
  const blob = (bytes: Buffer, mediaType: string) => {
    const digest = sha256Of(bytes)
    files.set(`blobs/${digest.replace(':', '/')}`, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const json = (value: unknown) => Buffer.from(JSON.stringify(value))
  const media = 'application/vnd.oci.image'
  const described = layers.map((layer) => blob(pack(layer), `${media}.layer.v1.tar+gzip`))
  const configuration = blob(
    json(
      config({
        ...{ os: 'linux', architecture: 'amd64' },
        rootfs: { type: 'layers', diff_ids: layers.map(sha256Of) },
      }),
    ),
    `${media}.config.v1+json`,
  )
  const made = blob(
    json(manifest({ schemaVersion: 2, config: configuration, layers: described })),
    `${media}.manifest.v1+json`,
  )
  files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
  const annotations = { 'org.opencontainers.image.ref.name': name }
  files.set(
    'index.json',
    json({
      schemaVersion: 2,
      manifests: [{ ...made, annotations, platform: { os: 'linux', architecture: 'amd64' } }],
    }),
  )
  return files
}

/** The same as `docker save` once wrote it: layers in directories, one of them a link to another. */
export function dockerArchive(layers: readonly Buffer[], name = 'koto:1'): Buffer {
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: layers.map(sha256Of) } }),
  )
  const file = `${sha256Of(config).slice(7)}.json`
  const seen = new Map<string, number>()
  const packed = layers.map((layer, i): Packed => {
    const before = seen.get(sha256Of(layer))
    seen.set(sha256Of(layer), i)
    return before === undefined
      ? { name: `${i}/layer.tar`, content: layer }
      : { name: `${i}/layer.tar`, type: '2', target: `../${before}/layer.tar` }
  })
  const list = [{ Config: file, RepoTags: [name], Layers: layers.map((_, i) => `${i}/layer.tar`) }]
  return tarOf([
    ...packed,
    { name: file, content: config },
    { name: 'manifest.json', content: JSON.stringify(list) },
  ])
}

export function writeFiles(files: ReadonlyMap<string, Buffer>, directory: string): string {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), bytes)
  }
  return directory
}

export const archiveOf = (files: ReadonlyMap<string, Buffer>): Buffer =>
  tarOf([...files].map(([name, content]) => ({ name, content })))
