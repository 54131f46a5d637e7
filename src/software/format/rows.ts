import {
  AUTOMATIC_MARKER,
  type Compression,
  type Entry,
  type EntryKind,
  MARKER,
  nameOf,
  parentOf,
} from './entry.ts'
import { notACvmfs } from './errors.ts'
import { type Algorithm, type ContentHash, DIGEST_BYTES, pathHash } from './hash.ts'
import { count, type SqlRow, type SqlValue, text } from './sqlite-file.ts'

/** Bits of the column `flags`. */
export const FLAG = {
  directory: 1,
  mountpoint: 2,
  file: 4,
  link: 8,
  special: 16,
  nestedRoot: 32,
  chunked: 64,
  external: 128,
} as const
const ALGORITHMS: readonly Algorithm[] = ['sha1', 'rmd160', 'shake128']
const COMPRESSIONS: readonly Compression[] = ['zlib', 'none']

const TYPE_BITS: Readonly<Record<EntryKind, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
}
const KIND_OF_BITS = new Map(Object.entries(TYPE_BITS).map(([kind, bits]) => [bits, kind as EntryKind]))

/** Bytes that a directory is said to have. */
const DIRECTORY_SIZE = 4096
const MAX_LINKS_GROUP = 2 ** 31

/** The columns in the order in which the format lists them. */
export const COLUMNS = [
  ...['md5path_1', 'md5path_2', 'parent_1', 'parent_2', 'hardlinks', 'hash', 'size', 'mode', 'mtime'],
  ...['mtimens', 'flags', 'name', 'symlink', 'uid', 'gid', 'xattr'],
] as const

export interface RowFacts {
  /** Link count; of a directory, two more than its sub-directories. */
  readonly linkCount: number
  readonly linkGroup: number
  readonly mountpoint?: boolean
  readonly nestedRoot?: boolean
  /** What the repository hashes with, for rows without a hash of their own. */
  readonly algorithm: Algorithm
}

/** Values of a row of table `catalog`, in the order of `COLUMNS`. */
export function rowOf(entry: Entry, facts: RowFacts): SqlValue[] {
  const parent: [bigint, bigint] = entry.path === '' ? [0n, 0n] : hashOfParent(parentOf(entry.path))
  return [
    ...pathHash(entry.path),
    ...parent,
    BigInt(facts.linkGroup) * 2n ** 32n + BigInt(facts.linkCount),
    entry.content ? Buffer.from(entry.content.hex, 'hex') : null,
    sizeOf(entry),
    TYPE_BITS[entry.kind] | entry.mode,
    entry.mtime,
    entry.mtimeNs,
    flagsOf(entry, facts),
    nameOf(entry.path),
    entry.target ?? '',
    // Clients show the one who mounts as the owner of everything; who published is nobody's business.
    0,
    0,
    entry.xattrs ? packXattrs(entry.xattrs) : null,
  ]
}

/** Whatever is in a directory comes together as a rule. */
function hashOfParent(path: string): [bigint, bigint] {
  if (path !== lastParent.path) lastParent = { path, hash: pathHash(path) }
  return lastParent.hash
}
let lastParent = { path: '', hash: pathHash('') }

function sizeOf({ kind, size, target = '', device = 0 }: Entry): number {
  if (kind === 'directory') return DIRECTORY_SIZE
  if (kind === 'symlink') return Buffer.byteLength(target)
  if (kind === 'character' || kind === 'block') return device
  return kind === 'file' ? size : 0
}

function flagsOf(entry: Entry, facts: RowFacts): number {
  if (entry.kind === 'directory')
    return (
      FLAG.directory | (facts.mountpoint ? FLAG.mountpoint : 0) | (facts.nestedRoot ? FLAG.nestedRoot : 0)
    )
  if (entry.kind === 'symlink') return FLAG.file | FLAG.link
  if (entry.kind !== 'file') return FLAG.file | FLAG.special
  const algorithm = entry.content?.algorithm ?? entry.chunks?.[0]?.hash.algorithm ?? facts.algorithm
  return (
    FLAG.file |
    (entry.chunks ? FLAG.chunked : 0) |
    (ALGORITHMS.indexOf(algorithm) << 8) |
    (COMPRESSIONS.indexOf(entry.compression ?? 'zlib') << 11)
  )
}

/** What a row says, as far as it says it: chunks and names of hard links stand elsewhere. */
export interface CatalogRow {
  readonly entry: Entry
  readonly flags: number
  readonly linkCount: number
  readonly linkGroup: number
  readonly algorithm: Algorithm
  readonly chunked: boolean
  readonly external: boolean
}

/** The entry of a row below `parent`; `atRoot` for the catalogue's own root, whose path is known otherwise. */
export function entryOfRow(row: SqlRow, path: string): CatalogRow {
  const mode = count(row.mode)
  const kind = KIND_OF_BITS.get(mode & 0o170000)
  if (!kind) throw notACvmfs(`${path} is of no known type.`)
  const flags = count(row.flags)
  const algorithm = ALGORITHMS[(flags >> 8) & 7]
  const compression = COMPRESSIONS[(flags >> 11) & 7]
  if (!algorithm || !compression) throw notACvmfs(`${path} is hashed or compressed in an unknown way.`)
  const { linkCount, linkGroup } = linksOf(row.hardlinks)
  const file = kind === 'file'
  const device = kind === 'character' || kind === 'block'
  const entry: Entry = {
    path,
    kind,
    mode: mode & 0o7777,
    mtime: count(row.mtime),
    mtimeNs: count(row.mtimens),
    size: kind === 'directory' || device ? 0 : count(row.size),
    target: kind === 'symlink' ? text(row.symlink) : undefined,
    device: device ? count(row.size) : undefined,
    content: file ? digestOf(row.hash, algorithm) : undefined,
    compression: file ? compression : undefined,
    chunks: undefined,
    xattrs: row.xattr ? unpackXattrs(row.xattr as Uint8Array) : undefined,
    links: undefined,
  }
  return {
    entry,
    flags,
    algorithm,
    linkCount,
    linkGroup,
    chunked: file && (flags & FLAG.chunked) !== 0,
    external: file && (flags & FLAG.external) !== 0,
  }
}

/** One number of 64 bits: the group above, the count below. */
function linksOf(value: SqlValue | undefined): { linkCount: number; linkGroup: number } {
  // As with nearly every file.
  if (value === 1) return ALONE
  const links = BigInt((value as number | bigint | null | undefined) ?? 1)
  return {
    linkCount: Number(BigInt.asUintN(32, links)),
    linkGroup: Number(links >> 32n) % MAX_LINKS_GROUP,
  }
}
const ALONE = { linkCount: 1, linkGroup: 0 }

export function digestOf(value: SqlValue | undefined, algorithm: Algorithm): ContentHash | undefined {
  if (value === null || value === undefined) return undefined
  if (!(value instanceof Uint8Array) || value.length !== DIGEST_BYTES)
    throw notACvmfs('A hash in the catalogue is no hash.')
  return { algorithm, hex: Buffer.from(value).toString('hex') }
}

/** A name as it comes from a catalogue may be anything; it must not lead out of its directory. */
export function checkName(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw notACvmfs('A name in the catalogue is not a name of a file.')
  return name
}

/** Version, number, then for each: length of the key, length of the value, both. */
export function packXattrs(xattrs: Readonly<Record<string, string>>): Buffer | null {
  const pairs = Object.entries(xattrs).sort(([a], [b]) => (a < b ? -1 : 1))
  if (pairs.length === 0) return null
  const parts = pairs.map(([key, value]) => {
    const [k, v] = [Buffer.from(key), Buffer.from(value, 'base64')]
    if (k.length > 255 || v.length > 255)
      throw notACvmfs(`The extended attribute ${key} is too long: CVMFS holds at most 255 bytes.`)
    return Buffer.concat([Buffer.from([k.length, v.length]), k, v])
  })
  if (parts.length > 255) throw notACvmfs('A file has more than 255 extended attributes.')
  return Buffer.concat([Buffer.from([1, parts.length]), ...parts])
}

export function unpackXattrs(bytes: Uint8Array): Record<string, string> {
  const buffer = Buffer.from(bytes)
  const broken = () => notACvmfs('The extended attributes of an entry cannot be read.')
  if (buffer[0] !== 1 || buffer.length < 2) throw broken()
  const found: [string, string][] = []
  let at = 2
  for (let i = 0; i < buffer[1]!; i++) {
    const [k, v] = [buffer[at], buffer[at + 1]]
    if (k === undefined || v === undefined || at + 2 + k + v > buffer.length) throw broken()
    found.push([
      buffer.toString('utf8', at + 2, at + 2 + k),
      buffer.toString('base64', at + 2 + k, at + 2 + k + v),
    ])
    at += 2 + k + v
  }
  return Object.fromEntries(found)
}

export const isMarker = (name: string): boolean => name === MARKER || name === AUTOMATIC_MARKER
