import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { adler32, adler32Hex, adler32ToInt4, parseAdler32, plainAdler32 } from './adler32.ts'
import { adler32Module } from './adler32-module.ts'

/** The definition, byte by byte. */
function byDefinition(bytes: Uint8Array, previous = 1): number {
  let a = BigInt(previous & 0xffff)
  let b = BigInt(previous >>> 16)
  for (const byte of bytes) {
    a = (a + BigInt(byte)) % 65521n
    b = (b + a) % 65521n
  }
  return Number((b << 16n) | a)
}

describe('adler32', () => {
  test('knows the published example and the empty sum', () => {
    expect(adler32Hex(adler32(Buffer.from('Wikipedia')))).toBe('11e60398')
    expect(adler32Hex(adler32(new Uint8Array()))).toBe('00000001')
  })

  test('does not overflow on the largest bytes', () => {
    const bytes = new Uint8Array(100_003).fill(255)
    for (const sum of [adler32, plainAdler32]) {
      for (const previous of [1, 0xfff0fff0]) expect(sum(bytes, previous)).toBe(byDefinition(bytes, previous))
    }
  })

  test('has vector instructions where the tests run', () => expect(adler32Module).toBeDefined())

  test('equals its definition and may be computed piece by piece', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), fc.nat(9000), (bytes, cut) => {
        const whole = adler32(bytes)
        expect(whole).toBe(byDefinition(bytes))
        expect(adler32(bytes.subarray(cut), adler32(bytes.subarray(0, cut)))).toBe(whole)
        expect(plainAdler32(bytes.subarray(cut), plainAdler32(bytes.subarray(0, cut)))).toBe(whole)
        expect(parseAdler32(adler32Hex(whole))).toBe(whole)
        expect(adler32Hex(adler32ToInt4(whole))).toBe(adler32Hex(whole))
      }),
    )
  })
})
