import { createHash, type Hash, hash } from 'node:crypto'
import { notACvmfs } from './errors.ts'

/** How a repository names its content. CVMFS knows rmd160, too; repositories that use it can be read. */
export type Algorithm = 'sha1' | 'rmd160' | 'shake128'

/** What kind of object a name belongs to; the letter stands behind the hash in its path. */
export const SUFFIX = {
  file: '',
  chunk: 'P',
  catalog: 'C',
  history: 'H',
  certificate: 'X',
  metainfo: 'M',
} as const
export type ObjectKind = keyof typeof SUFFIX

/** Digest of the bytes as stored, that is, after compression. */
export interface ContentHash {
  readonly algorithm: Algorithm
  /** 40 lower-case hexadecimal digits; every algorithm here gives 160 bits. */
  readonly hex: string
}

export const DIGEST_BYTES = 20
const TEXT = /^([0-9a-f]{40})(-rmd160|-shake128)?$/

export function hasher(algorithm: Algorithm): Hash {
  if (algorithm === 'shake128') return createHash('shake128', { outputLength: DIGEST_BYTES })
  return createHash(algorithm === 'rmd160' ? 'ripemd160' : 'sha1')
}

export function hashOf(bytes: Uint8Array | string, algorithm: Algorithm): ContentHash {
  return { algorithm, hex: hasher(algorithm).update(bytes).digest('hex') }
}

/** `9aaab…8504-shake128`; SHA-1 goes without its name. */
export function textOf({ algorithm, hex }: ContentHash): string {
  return algorithm === 'sha1' ? hex : `${hex}-${algorithm}`
}

/** The reverse; throws `software_format` when it is no hash. */
export function hashFromText(text: string): ContentHash {
  const [, hex, name] = TEXT.exec(text) ?? []
  if (!hex) throw notACvmfs(`"${text.slice(0, 60)}" is not a content hash of CVMFS.`)
  return { algorithm: (name?.slice(1) as Algorithm | undefined) ?? 'sha1', hex }
}

/** Path below the repository's address: `data/9a/aab…8504-shake128C`. */
export function objectPath(hash: ContentHash, kind: ObjectKind): string {
  const text = textOf(hash)
  return `data/${text.slice(0, 2)}/${text.slice(2)}${SUFFIX[kind]}`
}

/** The hash that an object path (`data/9a/aab…`) names, whatever its suffix; undefined when it is no such path. */
export function hashFromPath(path: string): ContentHash | undefined {
  const found = /^data\/([0-9a-f]{2})\/([0-9a-f]{38})(-rmd160|-shake128)?[A-Z]?$/.exec(path)
  return found ? hashFromText(`${found[1]}${found[2]}${found[3] ?? ''}`) : undefined
}

/** The letter behind the hash in an object path, if there is one. */
export const letterOf = (path: string): string | undefined => /[A-Z]$/.exec(path)?.[0]

export const sameHash = (a: ContentHash, b: ContentHash): boolean =>
  a.hex === b.hex && a.algorithm === b.algorithm

/** `''` for the root, `/lib/a` for others: the MD5 halves of CVMFS, little-endian and signed. */
export function pathHash(path: string): [bigint, bigint] {
  // Asked for as text, it is there in a third of the time.
  MD5.write(hash('md5', path, 'binary'), 'latin1')
  return [HALVES.getBigInt64(0, true), HALVES.getBigInt64(8, true)]
}
const MD5 = Buffer.alloc(16)
const HALVES = new DataView(MD5.buffer, MD5.byteOffset, MD5.length)

export const ROOT_PATH_MD5 = 'd41d8cd98f00b204e9800998ecf8427e'
