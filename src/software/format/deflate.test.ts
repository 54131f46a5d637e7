import { execFileSync } from 'node:child_process'
import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { missing } from '../../../test/harness/foreign.ts'
import { systemDeflate } from './deflate.ts'

/** Texts of every kind: noise, words again and again, few letters, and long rows of one. */
const words = fc.array(fc.constantFrom('foo ', '"name":', '{}\n', 'ab', 'c'), { maxLength: 3000 })
const texts = fc.oneof(
  fc.uint8Array({ maxLength: 6000 }).map((bytes) => Buffer.from(bytes)),
  fc.base64String({ maxLength: 4000 }).map((text) => Buffer.from(text)),
  words.map((list) => Buffer.from(list.join(''))),
  fc.nat(15_000).map((size) => Buffer.alloc(size, 'a')),
)

describe('a document packed as systems pack it', () => {
  test('has the bytes of zlib', () => {
    const text = Buffer.from('{"organisation":"demo","description":""}')
    expect(systemDeflate(text).toString('hex')).toBe(
      '789cab56ca2f4a4fcccb2c4e2cc9cccf53b2524a49cdcd57d20152c5c94599055041a55a0029ad0e00',
    )
  })

  test('is unpacked to what it was', () => {
    fc.assert(
      fc.property(texts, (text) => inflateSync(systemDeflate(text)).equals(text)),
      { numRuns: 100 },
    )
  })

  test.skipIf(missing('python3'))('has the bytes of the zlib of this system, whatever is in it', () => {
    const sample = fc.sample(texts, 200)
    const program =
      'import sys,json,zlib,base64\nfor text in json.load(sys.stdin): print(zlib.compress(base64.b64decode(text),6).hex())'
    const theirs = execFileSync('python3', ['-c', program], {
      ...{ input: JSON.stringify(sample.map((text) => text.toString('base64'))), encoding: 'utf8' },
      maxBuffer: 1 << 28,
    })
    const differ = theirs
      .trim()
      .split('\n')
      .flatMap((hex, i) => (systemDeflate(sample[i]!).toString('hex') === hex ? [] : [sample[i]!.length]))
    expect(differ).toEqual([])
  })

  test('is not too long', () => {
    expect(() => systemDeflate(Buffer.alloc(20_000))).toThrow('stored by Node')
  })
})
