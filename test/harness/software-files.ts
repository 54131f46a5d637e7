import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { Entry } from '../../src/software/format/entry.ts'
import {
  type Algorithm,
  type ContentHash,
  hashOf,
  objectPath,
  textOf,
} from '../../src/software/format/hash.ts'
import { writeHistory } from '../../src/software/format/history.ts'
import { type Manifest, writeManifest } from '../../src/software/format/manifest.ts'
import { plainForm, storedForm } from '../../src/software/format/objects.ts'
import { writeReflog } from '../../src/software/format/reflog.ts'
import { certificateFrom, fingerprintOf } from '../../src/software/format/signed.ts'
import { openTree, type Tree, type TreeLimits } from '../../src/software/format/tree.ts'
import { writeWhitelist } from '../../src/software/format/whitelist.ts'

/** Those of all repositories of a test file: whoever wants others makes them. Making them takes longer than most tests. */
let keys: { master: KeyPairKeyObjectResult; signing: { pem: string; key: KeyObject } } | undefined

/** A repository as files by path, made by the formats alone: what readers are tried with. */
export async function repositoryFiles(
  options: { name?: string; algorithm?: Algorithm; limits?: TreeLimits; now?: Date } = {},
) {
  const { name = 'koto.example.org', algorithm = 'shake128', now = new Date() } = options
  const files = new Map<string, Buffer>()
  keys ??= {
    master: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    signing: await signingCertificate(),
  }
  const { master, signing } = keys
  let root: ContentHash | undefined
  let revision = 0

  const store = (
    plain: Uint8Array,
    kind: Parameters<typeof objectPath>[1],
    compression: 'zlib' | 'none' = 'zlib',
  ) => {
    const { hash, stored } = storedForm(plain, algorithm, { compression })
    files.set(objectPath(hash, kind), stored)
    return hash
  }
  const load = async (hash: ContentHash) => plainForm(files.get(objectPath(hash, 'catalog'))!, hash)
  store(Buffer.alloc(0), 'file')

  function sign(changed: Partial<Manifest> = {}, key: KeyObject = signing.key): Manifest {
    const certificate = store(Buffer.from(signing.pem), 'certificate')
    const metainfo = store(Buffer.from('{}'), 'metainfo')
    const tag = { name: 'trunk', root: root!, rootSize: 0, revision, at: now, description: '' }
    const history = store(writeHistory(name, [tag]), 'history')
    const references = [
      { kind: 'catalog', hash: root!, at: now },
      { kind: 'certificate', hash: certificate, at: now },
      { kind: 'metainfo', hash: metainfo, at: now },
      { kind: 'history', hash: history, at: now },
    ] as const
    const reflog = writeReflog(name, references)
    files.set('.cvmfsreflog', reflog)
    const manifest: Manifest = {
      ...{ repository: name, revision, root: root!, rootSize: 0, ttl: 240, certificate, metainfo, history },
      ...{ publishedAt: now, garbageCollectable: true, reflog: hashOf(reflog, algorithm), ...changed },
    }
    files.set('.cvmfspublished', writeManifest(manifest, algorithm, key))
    return manifest
  }
  function allow(
    changed: { createdAt?: Date; expiresAt?: Date; repository?: string; fingerprints?: string[] } = {},
    key = master.privateKey,
  ): void {
    const list = {
      ...{ repository: name, createdAt: now, expiresAt: new Date(now.getTime() + 30 * 86_400_000) },
      fingerprints: [`${fingerprintOf(certificateFrom(signing.pem), algorithm)} # of the test`],
      ...changed,
    }
    files.set('.cvmfswhitelist', writeWhitelist(list, algorithm, key))
  }
  allow()
  files.set('.cvmfs_master_replica', Buffer.from(`${name}\n`))

  return {
    ...{ name, files, algorithm, master, signing, store, sign, allow, load },
    root: () => textOf(root!),
    fetch: async (path: string) => files.get(path),
    /** One more revision. */
    async publish(work: (tree: Tree) => Promise<void>): Promise<Manifest> {
      const tree = await openTree(root, {
        algorithm,
        load,
        now,
        ...(options.limits && { limits: options.limits }),
      })
      await work(tree)
      revision++
      const finished = await tree.finish(
        revision,
        async ({ hash, stored }) => void files.set(objectPath(hash, 'catalog'), stored),
      )
      root = finished.hash
      return sign({ rootSize: finished.size })
    },
  }
}

export type RepositoryFiles = Awaited<ReturnType<typeof repositoryFiles>>

export async function signingCertificate(): Promise<{ pem: string; key: KeyObject }> {
  const algorithm = {
    ...{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 },
    publicExponent: new Uint8Array([1, 0, 1]),
  }
  x509.cryptoProvider.set(webcrypto)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: '01', name: 'CN=signs', keys, signingAlgorithm: algorithm },
    notBefore: new Date(Date.now() - 1000),
    notAfter: new Date(Date.now() + 86_400_000),
  })
  const { KeyObject: Keys } = await import('node:crypto')
  return { pem: made.toString('pem'), key: Keys.from(keys.privateKey) }
}

/** Entries of every type that a repository holds, in a repository made of files. */
export function everyEntry({ store }: RepositoryFiles): { entries: Entry[]; contents: Map<string, Buffer> } {
  const contents = new Map<string, Buffer>()
  const common = { mode: 0o644, mtime: 1_700_000_000, mtimeNs: 123_456_789 }
  const file = (path: string, text: string | Buffer, more: Partial<Entry> = {}): Entry => {
    const bytes = Buffer.from(text)
    contents.set(path, bytes)
    const compression = more.compression ?? 'zlib'
    return {
      ...common,
      path,
      kind: 'file',
      size: bytes.length,
      content: store(bytes, 'file', compression),
      compression,
      ...more,
    }
  }
  const directory = (path: string, mode = 0o755): Entry => ({
    ...common,
    path,
    kind: 'directory',
    mode,
    size: 0,
  })
  const big = Buffer.alloc(5_000_000, 'chunked, ')
  const chunks = [0, 1, 2, 3, 4].map((i) => {
    const part = big.subarray(i * 1_000_000, (i + 1) * 1_000_000)
    return { offset: i * 1_000_000, size: part.length, hash: store(part, 'chunk') }
  })
  contents.set('/lib/big', big)
  const target = '$(KOTO_ARCH:-x86_64)/lib'
  const entries: Entry[] = [
    directory('/lib', 0o2775),
    file('/lib/plain', 'plain text\n'),
    file('/lib/empty', ''),
    file('/lib/tool', '#!/bin/sh\necho koto\n', { mode: 0o755 }),
    file('/lib/raw', Buffer.from([1, 2, 3]), { compression: 'none' }),
    { ...common, path: '/lib/big', kind: 'file', size: big.length, compression: 'zlib', chunks },
    { ...common, path: '/lib/link', kind: 'symlink', mode: 0o777, size: 5, target: 'plain' },
    { ...common, path: '/lib/variant', kind: 'symlink', mode: 0o777, size: target.length, target },
    { ...common, path: '/lib/pipe', kind: 'fifo', size: 0 },
    { ...common, path: '/lib/null', kind: 'character', size: 0, device: 259 },
    file('/lib/one', 'one file, two names', { links: { first: 'one', count: 2 } }),
    file('/lib/two', 'one file, two names', { links: { first: 'one', count: 2 } }),
    file('/lib/noted', 'has attributes', { xattrs: { 'user.koto': Buffer.from('yes').toString('base64') } }),
    directory('/lib/nothing'),
    directory('/releases'),
    directory('/releases/08'),
    file('/releases/08/.cvmfscatalog', ''),
    file('/releases/08/名前 with blanks', 'unicode'),
    directory('/releases/08/deep'),
    directory('/releases/08/deep/er'),
    file('/releases/08/deep/er/.cvmfscatalog', ''),
    file('/releases/08/deep/er/leaf', 'a leaf'),
  ]
  return { entries, contents }
}
