// Needs openssl.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { isGridError } from '../../kernel/errors.ts'
import * as der from './der.ts'
import * as names from './names.ts'

const directory = mkdtempSync(join(tmpdir(), 'kumi-names-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, encoding: 'utf8' })

/** The subject of a certificate that OpenSSL made, and what OpenSSL calls it. */
function made(subject: string, file = 'c.pem') {
  openssl(
    ...[
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-utf8',
      '-days',
      '2',
    ],
    ...['-keyout', 'key.pem', '-out', file, '-subj', subject, '-multivalue-rdn'],
  )
  const pem = openssl('x509', '-in', file)
  const fields = der.fieldsOf(
    der.parse(
      der.fieldsOf(der.parse(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'))).next().bytes,
    ),
  )
  for (let i = 0; i < 5; i++) fields.next()
  const element = fields.next()
  const shown = (option: string) =>
    openssl('x509', '-in', file, '-noout', '-subject', '-nameopt', option).trim().slice('subject='.length)
  const hash = (option: string) => openssl('x509', '-in', file, '-noout', option).trim()
  return { element, name: names.readName(element), shown, hash }
}

const awkward =
  '/DC=jp/O=Käk+OU=a\\+b/CN=host\\/grid.example/UID=joe/emailAddress=a@b.c/CN=x\\, y/title=Ō  ō/2.5.4.97=V'

describe('a name made by OpenSSL', () => {
  test('is called the same in slash form, but "/" and "+" stand for themselves', () => {
    const { name, shown } = made(awkward)
    expect(names.slashOf(name)).toBe(shown('compat').replace(/\\([/+])/g, '$1'))
    expect(names.slashOf(made('/C=JP/O=Grid/CN=Mika').name)).toBe('/C=JP/O=Grid/CN=Mika')
  })

  test('is called the same by RFC 4514', () => {
    const { name, shown } = made(awkward)
    expect(names.rfc4514Of(name)).toBe(shown('RFC2253,utf8,-esc_msb'))
    for (const option of ['RFC2253', 'RFC2253,utf8,-esc_msb', 'RFC2253,dn_rev,dn_rev'])
      expect(names.keyOf(names.nameFromRfc4514(shown(option)))).toBe(names.keyOf(name))
  })

  test('has the hashes of a trust directory', () => {
    for (const subject of [awkward, '/C=JP/O=  Kumihimo   GRID /CN=Ä Ca']) {
      const { name, element, hash } = made(subject)
      expect(names.subjectHash(name)).toBe(hash('-subject_hash'))
      expect(names.oldSubjectHash(element.bytes)).toBe(hash('-subject_hash_old'))
    }
  })
})

describe('the key of a name', () => {
  const of = (text: string) => names.keyOf(names.nameFromSlash(text))
  test('is the same for other blanks, ASCII case, kinds of string and names of attributes', () => {
    expect(of('/C=jp/O=  Test   GRID/CN=Alice')).toBe(of('/C=JP/O=test grid/commonName=alice '))
    expect(of('/O=x/emailAddress=a@b')).toBe(of('/O=x/Email=A@B'))
    expect(of('/O=x/E=a@b')).toBe(of('/O=x/1.2.840.113549.1.9.1=a@b'))
    expect(of('/O=x/UID=joe')).toBe(of('/O=x/USERID=joe'))
    expect(of('/CN=K\\xC3\\xA4k')).toBe(of('/CN=Käk'))
    const part = (value: Buffer) => der.set(der.sequence(der.oid('2.5.4.3'), value))
    const read = (value: Buffer) => names.keyOf(names.readName(der.parse(der.sequence(part(value)))))
    const bmp = der.element(der.TAG.bmp, Buffer.from('Alice ä', 'utf16le').swap16())
    expect(read(bmp)).toBe(read(der.utf8('alice  ä')))
    expect(read(der.printable('Alice'))).toBe(read(der.utf8('alice')))
  })

  test('differs where folding would make two people one', () => {
    expect(of('/CN=Kelvin')).not.toBe(of('/CN=\u212Aelvin'))
    expect(of('/CN=Ärger')).not.toBe(of('/CN=ärger'))
    expect(of('/CN=a,2.5.4.3=b')).not.toBe(of('/CN=a/CN=b'))
    expect(of('/CN=a+b')).not.toBe(of('/CN=a+CN=b'))
    expect(of('/O=a/CN=b')).not.toBe(of('/CN=b/O=a'))
  })
})

describe('the slash form', () => {
  test('is cut only before a known attribute', () => {
    const name = names.nameFromSlash('/O=Grid/CN=host/a.example/CN=mika/3f=2')
    expect(name.map((part) => part[0]!.value)).toEqual(['Grid', 'host/a.example', 'mika/3f=2'])
    expect(names.keyOf(names.nameFromSlash('/O=Grid/CN=host\\/a.example'))).toBe(
      names.keyOf(names.nameFromSlash('/O=Grid/CN=host/a.example')),
    )
  })

  test('that could mean another name is known to be ambiguous', () => {
    const evil = [[{ oid: '2.5.4.10', value: 'Grid/CN=Mika' }]]
    expect(names.slashOf(evil)).toBe('/O=Grid/CN=Mika')
    expect(names.hasPlainSlash(evil)).toBe(false)
    expect(names.hasPlainSlash(names.nameFromSlash('/O=Grid/CN=host/a.example'))).toBe(true)
  })

  test('is refused without its beginning', () => {
    for (const text of [
      '',
      '/',
      'CN=Mika',
      '/Mika',
      '/XY=1',
      'x/CN=Mika',
      '/CN=a\u0000b',
      `/CN=${'x'.repeat(2000)}`,
    ])
      expect(() => names.nameFromSlash(text), text.slice(0, 20)).toThrow(
        expect.objectContaining({ code: 'invalid_name' }),
      )
  })
})

describe('RFC 4514', () => {
  test('is read with quotes, semicolons, blanks, escapes and OIDs', () => {
    const key = names.keyOf(names.nameFromSlash('/C=JP/O=a, b/CN=x y'))
    for (const text of [
      'CN=x y,O=a\\, b,C=JP',
      'cn = x\\20y ; OID.2.5.4.10="a, b" , c=JP',
      '2.5.4.3=x y,O=a\\2C b,C=JP',
    ])
      expect(names.keyOf(names.nameFromRfc4514(text))).toBe(key)
    expect(names.nameFromRfc4514('CN=\\ x\\ ')[0]![0]!.value).toBe(' x ')
    expect(names.nameFromRfc4514('CN=a+UID=b,C=JP')[1]).toHaveLength(2)
  })

  test('is refused when broken', () => {
    for (const text of ['', 'Mika', 'CN', '=x', 'CN=x,', 'CN="x', 'CN="x"y', 'CN=#0401', 'CN=x,,O=y'])
      expect(() => names.nameFromRfc4514(text), text).toThrow(
        expect.objectContaining({ code: 'invalid_name' }),
      )
  })
})

describe('any name', () => {
  const value = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
    .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
  const oid = fc.constantFrom(
    '2.5.4.3',
    '2.5.4.10',
    '0.9.2342.19200300.100.1.1',
    '1.2.840.113549.1.9.1',
    '1.2.3.4',
  )
  const name = fc.array(fc.array(fc.record({ oid, value }), { minLength: 1, maxLength: 2 }), {
    minLength: 1,
    maxLength: 4,
  })

  test('comes back from DER and from RFC 4514 with the same key', () => {
    fc.assert(
      fc.property(name, (parts) => {
        expect(names.keyOf(names.readName(der.parse(names.writeName(parts))))).toBe(names.keyOf(parts))
        expect(names.keyOf(names.nameFromRfc4514(names.rfc4514Of(parts)))).toBe(names.keyOf(parts))
      }),
    )
  })

  test('comes back from the slash form, or is known not to', () => {
    fc.assert(
      fc.property(name, (parts) => {
        if (!names.hasPlainSlash(parts)) return
        expect(names.keyOf(names.nameFromSlash(names.slashOf(parts)))).toBe(names.keyOf(parts))
      }),
    )
  })

  test('any text is a name or an error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '/CN=', 'CN="'), (text, head) => {
        for (const read of [names.nameFromSlash, names.nameFromRfc4514]) {
          try {
            read(head + text)
          } catch (error) {
            if (!isGridError(error, 'invalid_name')) throw error
          }
        }
      }),
    )
  })
})
