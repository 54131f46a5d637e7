import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isGridError } from '../../kernel/errors.ts'
import { openCatalog } from './catalog.ts'
import { editCatalog, NO_COUNTERS } from './catalog-edit.ts'
import { hashFromPath, hashFromText, hashOf, objectPath, pathHash, textOf } from './hash.ts'
import { readHistory, writeHistory } from './history.ts'
import { readManifest, writeManifest } from './manifest.ts'
import { plainForm, storedForm } from './objects.ts'
import { readReflog, writeReflog } from './reflog.ts'
import { packXattrs, unpackXattrs } from './rows.ts'
import { readWhitelist, writeWhitelist } from './whitelist.ts'

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const hash = hashOf('x', 'shake128')
const manifest = {
  ...{ repository: 'koto.example.org', revision: 7, root: hash, rootSize: 1234, ttl: 240, certificate: hash },
  ...{ publishedAt: new Date('2026-01-02T03:04:05Z'), history: hash, metainfo: hash, reflog: hash },
  garbageCollectable: true,
}
const whitelist = {
  repository: 'koto.example.org',
  createdAt: new Date('2026-01-01T00:00:00Z'),
  expiresAt: new Date('2026-02-01T00:00:00Z'),
  fingerprints: ['AB:CD', 'EF:01-SHAKE128'],
}

/** Whatever comes in: either it is read, or refused with an error of ours. */
function refusesOrReads(read: (bytes: Buffer) => unknown, bytes: Buffer): void {
  try {
    read(bytes)
  } catch (error) {
    if (!isGridError(error)) throw error
  }
}
function fuzz(read: (bytes: Buffer) => unknown, good: Buffer, numRuns = 300): void {
  fc.assert(
    fc.property(
      fc.nat(good.length - 1),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.boolean(),
      (at, noise, cut) => {
        const bad = Buffer.from(good)
        Buffer.from(noise).copy(bad, at)
        refusesOrReads(read, cut ? bad.subarray(0, at) : bad)
      },
    ),
    { numRuns },
  )
}

describe('hashes', () => {
  test('are those of the format', () => {
    expect(pathHash('')).toEqual([338333539836370388n, 9098107892288553193n])
    expect(objectPath(hashFromText('9aaab00000000000000000000000000000008504-shake128'), 'catalog')).toBe(
      'data/9a/aab00000000000000000000000000000008504-shake128C',
    )
    const empty = plainForm(
      Buffer.from('789c030000000001', 'hex'),
      hashFromText('e8ec3d88b62ebf526e4e5a4ff6162a3aa48a6b78'),
    )
    expect(empty).toHaveLength(0)
  })

  test('come back from their texts and paths', () => {
    for (const algorithm of ['sha1', 'rmd160', 'shake128'] as const) {
      const made = hashOf('abc', algorithm)
      expect(hashFromText(textOf(made))).toEqual(made)
      expect(hashFromPath(objectPath(made, 'chunk'))).toEqual(made)
    }
    for (const other of [
      `data/zz/${'a'.repeat(38)}`,
      `data/aa/${'a'.repeat(37)}`,
      `data/aa/${'a'.repeat(38)}/a`,
      '',
    ])
      expect(hashFromPath(other)).toBeUndefined()
    expect(() => hashFromText(`${'a'.repeat(40)}-md4`)).toThrow(/not a content hash/)
  })
})

describe('documents', () => {
  test('come back as they were written', () => {
    const { signed: _, ...read } = readManifest(writeManifest(manifest, 'shake128', keys.privateKey))
    expect(read).toEqual(manifest)
    expect(readWhitelist(writeWhitelist(whitelist, 'sha1', keys.privateKey), [keys.publicKey])).toEqual(
      whitelist,
    )
    const tag = {
      name: 'v1',
      root: hash,
      rootSize: 5,
      revision: 3,
      at: new Date(1000),
      description: 'first – ⌘',
    }
    expect(readHistory(writeHistory('a.b', [tag], hash))).toEqual({ repository: 'a.b', tags: [tag] })
    const reference = { kind: 'history', hash, at: new Date(5000) } as const
    expect(readReflog(writeReflog('a.b', [reference, reference]))).toEqual([reference])
    expect(unpackXattrs(packXattrs({ 'user.a': 'eA==', 'user.b': '' })!)).toEqual({
      'user.a': 'eA==',
      'user.b': '',
    })
  })

  test('that were damaged are refused in words, whatever the damage', () => {
    fuzz(readManifest, writeManifest(manifest, 'sha1', keys.privateKey))
    fuzz(
      (bytes) => readWhitelist(bytes, [keys.publicKey]),
      writeWhitelist(whitelist, 'sha1', keys.privateKey),
    )
    fuzz((bytes) => unpackXattrs(bytes), packXattrs({ 'user.a': 'eA==', 'user.b': 'eHh4' })!)
    fuzz(readHistory, writeHistory('a.b', []), 60)
    fuzz(readReflog, writeReflog('a.b', []), 60)
    fuzz(
      (bytes) => {
        const catalog = openCatalog(bytes)
        try {
          for (const _ of catalog.walk());
        } finally {
          catalog.close()
        }
      },
      smallCatalog(),
      150,
    )
  })

  test('of stored objects are compared with their names and unpacked up to a limit', () => {
    const { hash: name, stored } = storedForm(Buffer.alloc(100_000), 'sha1')
    expect(plainForm(stored, name)).toHaveLength(100_000)
    expect(() => plainForm(stored, name, { most: 1000 })).toThrow(/longer than it should be/)
    stored[5]! ^= 1
    expect(() => plainForm(stored, name)).toThrow(/does not have the bytes/)
  })
})

function smallCatalog(): Buffer {
  const editor = editCatalog({ mountpoint: '' })
  const facts = { linkCount: 1, linkGroup: 0, algorithm: 'sha1' } as const
  const entry = { mode: 0o755, mtime: 1, mtimeNs: 2, size: 3 }
  editor.put({ ...entry, path: '', kind: 'directory' }, facts)
  editor.put({ ...entry, path: '/a', kind: 'directory' }, facts)
  editor.put({ ...entry, path: '/a/b', kind: 'file', content: hashOf('x', 'sha1') }, facts)
  editor.put(
    { ...entry, path: '/a/c', kind: 'file', chunks: [{ offset: 0, size: 3, hash: hashOf('x', 'sha1') }] },
    facts,
  )
  editor.writeFacts({ revision: 1, now: new Date(0), below: NO_COUNTERS })
  return editor.finish()
}
