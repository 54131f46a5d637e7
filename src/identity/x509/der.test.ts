// Needs openssl.
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isGridError } from '../../kernel/errors.ts'
import * as der from './der.ts'

const asn1parse = (bytes: Buffer): string =>
  execFileSync('openssl', ['asn1parse', '-inform', 'DER'], { input: bytes, encoding: 'utf8' })

/** Reads everything there is to read, as deep as it goes. */
function walk(element: der.Element, depth = 0): number {
  if (depth > 50) throw der.invalidDer('too deep for a test')
  for (const read of [
    der.readInteger,
    der.readOid,
    der.readFlags,
    der.readTime,
    der.readText,
    der.readBoolean,
  ]) {
    try {
      read(element)
    } catch (error) {
      if (!isGridError(error, 'invalid_der')) throw error
    }
  }
  if ((element.tag & 0x20) === 0) return 1
  return der.childrenOf(element).reduce((count, child) => count + walk(child, depth + 1), 1)
}

describe('what is written', () => {
  test('is read back the same', () => {
    const oids = fc
      .tuple(
        fc.integer({ min: 0, max: 2 }),
        fc.nat(39),
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 128n }), { maxLength: 2 }),
      )
      .map(([root, second, rest]) => [root, second, ...rest].join('.'))
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
        oids,
        fc.string({ unit: 'grapheme' }),
        fc.uint8Array({ maxLength: 300 }),
        fc.uniqueArray(fc.nat(40)),
        fc.date({ min: new Date('1950-01-01'), max: new Date('2150-01-01'), noInvalidDate: true }),
        fc.boolean(),
        (number, oid, text, bytes, flags, date, yes) => {
          const whole = der.sequence(
            der.integer(number),
            der.oid(oid),
            der.utf8(text),
            der.octets(bytes),
            der.bits(bytes),
            der.flags(flags),
            der.time(date),
            der.boolean(yes),
            der.explicit(3, der.nothing()),
            der.implicit(1, der.octets(bytes)),
          )
          const fields = der.fieldsOf(der.parse(whole))
          expect(der.readInteger(fields.next())).toBe(number)
          expect(der.readOid(fields.next())).toBe(oid)
          expect(der.readText(fields.next(der.TAG.utf8))).toBe(text)
          expect(der.readOctets(fields.next()).equals(bytes)).toBe(true)
          expect(der.readBits(fields.next()).equals(bytes)).toBe(true)
          expect([...der.readFlags(fields.next())].sort()).toEqual([...flags].sort())
          expect(der.readTime(fields.next()).getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000)
          expect(der.readBoolean(fields.next())).toBe(yes)
          expect(der.inside(fields.next(der.context(3))).tag).toBe(der.TAG.nothing)
          expect(fields.optional(der.context(0))).toBeUndefined()
          expect(fields.next(der.context(1, false)).content.equals(bytes)).toBe(true)
          fields.end()
        },
      ),
    )
  })

  test('is what OpenSSL reads', () => {
    const text = asn1parse(
      der.sequence(
        der.integer(-129),
        der.integer(128),
        der.oid('1.3.6.1.5.5.7.1.14'),
        der.oid('2.999.340282366920938463463374607431768211456'),
        der.utf8('京都'),
        der.time(new Date('2049-12-31T23:59:59Z')),
        der.time(new Date('2050-01-01T00:00:00Z')),
        der.set(der.printable('b'), der.printable('a')),
      ),
    )
    for (const part of [
      'INTEGER           :-81',
      'INTEGER           :80',
      'Proxy Certificate Information',
      '491231235959Z',
      '20500101000000Z',
    ])
      expect(text).toContain(part)
    expect(text).toContain('2.999.340282366920938463463374607431768211456')
    expect(text.indexOf('PRINTABLESTRING   :a')).toBeLessThan(text.indexOf('PRINTABLESTRING   :b'))
  })
})

describe('what is not DER', () => {
  const refused = (hex: string, read: (element: der.Element) => unknown = (e) => e) =>
    expect(() => read(der.parse(Buffer.from(hex.replaceAll(' ', ''), 'hex')))).toThrow(
      expect.objectContaining({ code: 'invalid_der' }),
    )
  test('is refused: lengths that are indefinite, too long, cut off or followed by something', () => {
    for (const bad of [
      '',
      '30',
      '30 80 00 00',
      '04 81 01 00',
      '04 82 00 80',
      '04 85 00 00 00 00 01 00',
      '04 02 00',
      '05 00 00',
      '1f 81 00 00',
    ])
      refused(bad)
    refused('30 03 02 02 01', der.childrenOf)
    refused('04 01 00', der.childrenOf)
    expect(() => der.parse(der.octets(Buffer.alloc(70_000)))).toThrow(/larger/)
  })

  test('is refused: values in a form of several, or of another type', () => {
    refused('02 02 00 01', der.readInteger)
    refused('02 02 ff ff', der.readInteger)
    refused('02 00', der.readInteger)
    refused('04 01 01', der.readInteger)
    refused('02 01 ff', der.readSmall)
    refused('01 01 01', der.readBoolean)
    refused('06 00', der.readOid)
    refused('06 02 80 01', der.readOid)
    refused('06 02 2a 86', der.readOid)
    refused('03 02 01 01', der.readFlags)
    refused('03 02 08 00', der.readFlags)
    refused('03 02 01 00', der.readBits)
    refused('0c 01 ff', der.readText)
    refused('1e 01 41', der.readText)
    refused('16 01 e9', der.readText)
    for (const time of [
      '17 0d 3236303233303132303030305a',
      '17 0b 323630313031303030305a',
      '18 0f 32303236303130313234303030305a',
    ])
      refused(time, der.readTime)
    expect(() => der.oid('1.40.1')).toThrow(/no object identifier/)
    expect(() => der.oid('3.1')).toThrow(/no object identifier/)
  })

  test('never does more harm than an error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          walk(der.parse(bytes))
        } catch (error) {
          if (!isGridError(error, 'invalid_der')) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('neither does something nearly right', () => {
    const good = der.sequence(
      der.integer(5),
      der.sequence(der.oid('2.5.4.3'), der.utf8('x')),
      der.flags([0, 5]),
    )
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(good)
        bytes[at] = value
        try {
          walk(der.parse(bytes))
        } catch (error) {
          if (!isGridError(error, 'invalid_der')) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})
