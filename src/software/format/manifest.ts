import type { KeyObject } from 'node:crypto'
import { notACvmfs } from './errors.ts'
import { type Algorithm, type ContentHash, hashFromText, ROOT_PATH_MD5, textOf } from './hash.ts'
import { readSigned, type SignedDocument, signManifest } from './signed.ts'

/** What is served as `.cvmfspublished`: the one mutable, signed entry to a repository. */
export interface Manifest {
  readonly repository: string
  readonly revision: number
  readonly root: ContentHash
  /** Bytes of the root catalogue before compression. */
  readonly rootSize: number
  /** Seconds a client may go without asking again. */
  readonly ttl: number
  readonly certificate: ContentHash
  readonly publishedAt?: Date | undefined
  readonly history?: ContentHash | undefined
  readonly metainfo?: ContentHash | undefined
  /** Of the reflog as it is, uncompressed. */
  readonly reflog?: ContentHash | undefined
  readonly garbageCollectable?: boolean
}

export interface SignedManifest extends Manifest {
  readonly signed: SignedDocument
}

export function writeManifest(m: Manifest, algorithm: Algorithm, key: KeyObject): Buffer {
  const line = (letter: string, value: string | number | undefined) =>
    value === undefined ? '' : `${letter}${value}\n`
  const body = [
    line('C', textOf(m.root)),
    line('B', m.rootSize),
    line('R', ROOT_PATH_MD5),
    line('D', m.ttl),
    line('S', m.revision),
    line('G', m.garbageCollectable ? 'yes' : 'no'),
    line('N', m.repository),
    line('X', textOf(m.certificate)),
    line('H', m.history && textOf(m.history)),
    line('T', m.publishedAt && Math.floor(m.publishedAt.getTime() / 1000)),
    line('M', m.metainfo && textOf(m.metainfo)),
    line('Y', m.reflog && textOf(m.reflog)),
  ].join('')
  return signManifest(body, algorithm, key)
}

/** Reads what the lines say and that the hash is right; who signed it is for the reader to find out. */
export function readManifest(bytes: Buffer): SignedManifest {
  const signed = readSigned(bytes, 'manifest')
  const lines = new Map(signed.body.split('\n').map((line) => [line.slice(0, 1), line.slice(1)]))
  const need = (letter: string): string => {
    const value = lines.get(letter)
    if (value === undefined) throw notACvmfs(`The manifest has no line ${letter}.`)
    return value
  }
  const number = (letter: string, value: string): number => {
    if (!/^\d{1,15}$/.test(value)) throw notACvmfs(`Line ${letter} of the manifest is not a number.`)
    return Number(value)
  }
  const maybeHash = (letter: string) => {
    const value = lines.get(letter)
    return value ? hashFromText(value) : undefined
  }
  if (need('R') !== ROOT_PATH_MD5) throw notACvmfs('The manifest is not of the root of a repository.')
  const at = lines.get('T')
  return {
    repository: need('N'),
    revision: number('S', need('S')),
    root: hashFromText(need('C')),
    rootSize: number('B', lines.get('B') ?? '0'),
    ttl: number('D', need('D')),
    certificate: hashFromText(need('X')),
    publishedAt: at === undefined ? undefined : new Date(number('T', at) * 1000),
    history: maybeHash('H'),
    metainfo: maybeHash('M'),
    reflog: maybeHash('Y'),
    garbageCollectable: lines.get('G') === 'yes',
    signed,
  }
}
