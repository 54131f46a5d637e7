// Needs openssl.
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { isGridError } from '../../kernel/errors.ts'
import { type Certificate, readCertificates } from '../x509/certificate.ts'
import { createCa, issueHostCertificate } from '../x509/certificates.ts'
import { keyOf } from '../x509/names.ts'
import { isSigned, privateKeyOf } from '../x509/signatures.ts'
import { readAttributeCertificate, readAttributeCertificates } from './attribute-certificate.ts'
import { issueAuthorityCertificate } from './authority-certificate.ts'
import {
  type AuthorityCredential,
  attributeExtension,
  buildAttributeCertificate,
  type NewAttributeCertificate,
} from './build.ts'
import { groupOfFqan, parseFqan, shortFqan } from './fqan.ts'

const now = new Date('2026-11-21T12:00:00Z')
const later = new Date('2026-11-22T00:00:00Z')
const one = (pem: string): Certificate => readCertificates(pem)[0]!

let authority: AuthorityCredential
let holder: Certificate
let simple: NewAttributeCertificate

beforeAll(async () => {
  const ca = await createCa({ name: 'Test', now })
  const name = [[{ oid: '2.5.4.10', value: 'Kumihimo' }], [{ oid: '2.5.4.3', value: 'localhost' }]]
  const { certificatePem, privateKeyPem } = await issueAuthorityCertificate({ ca, name, now })
  authority = {
    certificate: one(certificatePem),
    key: privateKeyOf(privateKeyPem),
    intermediates: [],
    host: 'localhost',
    port: 8459,
  }
  holder = one((await issueHostCertificate({ ca, names: ['mika'], now })).certificatePem)
  simple = {
    ...{ holder, authority, vo: 'demo', notBefore: now, notAfter: later },
    fqans: ['/demo/Role=production', '/demo'].map(parseFqan),
    attributes: [{ name: 'nickname', value: 'mika', qualifier: 'demo' }],
    targets: ['ui.example.org'],
  }
})

const word = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}$/).filter((text) => text !== 'NULL')
const fqan = fc
  .record({ parts: fc.array(word, { minLength: 1, maxLength: 5 }), role: fc.option(word) })
  .map(({ parts, role }) => ({ group: parts.map((part) => `/${part}`).join(''), role }))
const second = fc
  .date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000))
const text = fc.string({ unit: 'grapheme', maxLength: 40 })

describe('an attribute certificate', () => {
  test('is read as it was built', () => {
    const wish = fc.record({
      vo: word,
      fqans: fc.array(fqan, { maxLength: 8 }),
      attributes: fc.array(fc.record({ name: text, value: text, qualifier: text }), { maxLength: 4 }),
      targets: fc.array(fc.domain(), { maxLength: 3 }),
      notBefore: second,
      notAfter: second,
    })
    fc.assert(
      fc.property(wish, (wanted) => {
        const { der, serial } = buildAttributeCertificate({ ...simple, ...wanted })
        const { vo, fqans, attributes, targets, notBefore, notAfter, ...read } = readAttributeCertificate(der)
        expect({ vo, fqans, attributes, targets: targets ?? [], notBefore, notAfter }).toEqual(wanted)
        expect(read).toMatchObject({ serial, host: 'localhost', noRevocation: true })
        expect(read.holder.serial).toBe(holder.serial)
        expect(keyOf(read.holder.name)).toBe(holder.subjectKey)
        expect(keyOf(read.issuer)).toBe(authority.certificate.subjectKey)
        expect(read.authorityKeyId).toBe(authority.certificate.subjectKeyId)
        expect(read.certificates.map(({ der: bytes }) => bytes)).toEqual([authority.certificate.der])
        expect(read.critical).toEqual(wanted.targets.length > 0 ? ['2.5.29.55'] : [])
        expect(isSigned({ ...read.signed, key: authority.certificate.publicKey })).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  test('has the structure of RFC 5755 and VOMS, as OpenSSL sees it', () => {
    const { der } = buildAttributeCertificate(simple)
    const seen = execFileSync('openssl', ['asn1parse', '-inform', 'DER'], { input: der, encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => /d=(\d+) .*(?:cons|prim): (.*)$/.exec(line)!)
      .map(
        ([, depth, what]) =>
          `${depth} ${what!
            .replace(/\s+/g, ' ')
            .replace(/ ?\[HEX DUMP\].*/, '')
            .trim()}`,
      )
      .map((line) => line.replace(/:[0-9A-F]{32}$/, ':serial'))
    const name = (depth: number, string: string, common: string) => [
      ...[`${depth} SEQUENCE`, `${depth + 1} SET`, `${depth + 2} SEQUENCE`],
      ...[`${depth + 3} OBJECT :organizationName`, `${depth + 3} ${string} :Kumihimo`],
      ...[`${depth + 1} SET`, `${depth + 2} SEQUENCE`],
      ...[`${depth + 3} OBJECT :commonName`, `${depth + 3} ${string} :${common}`],
    ]
    const extension = (oid: string) => ['3 SEQUENCE', `4 OBJECT :${oid}`, '4 OCTET STRING']
    expect(seen).toEqual([
      ...['0 SEQUENCE', '1 SEQUENCE', '2 INTEGER :01'],
      ...['2 SEQUENCE', '3 cont [ 0 ]', '4 SEQUENCE', '5 cont [ 4 ]', ...name(6, 'PRINTABLESTRING', 'mika')],
      '4 INTEGER :serial',
      ...['2 cont [ 0 ]', '3 SEQUENCE', '4 cont [ 4 ]', ...name(5, 'UTF8STRING', 'localhost')],
      ...['2 SEQUENCE', '3 OBJECT :sha256WithRSAEncryption', '3 NULL', '2 INTEGER :serial'],
      ...['2 SEQUENCE', '3 GENERALIZEDTIME :20261121120000Z', '3 GENERALIZEDTIME :20261122000000Z'],
      ...['2 SEQUENCE', '3 SEQUENCE', '4 OBJECT :1.3.6.1.4.1.8005.100.100.4', '4 SET', '5 SEQUENCE'],
      ...['6 cont [ 0 ]', '7 cont [ 6 ]', '6 SEQUENCE'],
      '7 OCTET STRING :/demo/Role=production/Capability=NULL',
      '7 OCTET STRING :/demo/Role=NULL/Capability=NULL',
      '2 SEQUENCE',
      ...['3 SEQUENCE', '4 OBJECT :X509v3 AC Targeting', '4 BOOLEAN :255', '4 OCTET STRING'],
      ...extension('X509v3 No Revocation Available'),
      ...extension('X509v3 Authority Key Identifier'),
      ...extension('1.3.6.1.4.1.8005.100.100.10'),
      ...extension('1.3.6.1.4.1.8005.100.100.11'),
      ...['1 SEQUENCE', '2 OBJECT :sha256WithRSAEncryption', '2 NULL', '1 BIT STRING'],
    ])
  })

  test('is refused when it is cut off, changed at any place or not one at all', () => {
    const { der } = buildAttributeCertificate(simple)
    const outcome = (bytes: Uint8Array): string => {
      try {
        const read = readAttributeCertificate(bytes)
        return isSigned({ ...read.signed, key: authority.certificate.publicKey }) ? 'good' : 'bad signature'
      } catch (error) {
        if (!isGridError(error, 'invalid_attribute_certificate')) throw error
        return 'refused'
      }
    }
    expect(outcome(der)).toBe('good')
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(der)
        bytes[at]! ^= change
        expect(outcome(bytes)).not.toBe('good')
        expect(outcome(der.subarray(0, at))).toBe('refused')
      }),
      { numRuns: 1500 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => outcome(bytes) === 'refused'))
  })

  test('comes in a list in a proxy', () => {
    const built = [simple, { ...simple, vo: 'other', fqans: [] }].map((wish) =>
      buildAttributeCertificate(wish),
    )
    const read = readAttributeCertificates(attributeExtension(built.map(({ der }) => der)))
    expect(read.map(({ vo }) => vo)).toEqual(['demo', 'other'])
    expect(() => readAttributeCertificates(built[0]!.der)).toThrow(/no usable attribute certificate/)
  })
})

describe('the name of a group or role', () => {
  test('is understood in its short and its long form', () => {
    for (const form of [
      '/demo/a',
      '/demo/a/Role=NULL',
      '/demo/a/Capability=NULL',
      '/demo/a/Role=NULL/Capability=NULL',
    ])
      expect(parseFqan(form)).toEqual({ group: '/demo/a', role: null })
    for (const form of ['/test.vo/Role=p-1', '/test.vo/Role=p-1/Capability=NULL'])
      expect(shortFqan(parseFqan(form))).toBe('/test.vo/Role=p-1')
    expect(groupOfFqan(parseFqan('/demo/a/Role=production'))).toBe('/demo/a/production')
  })

  test('is refused when it is anything else', () => {
    const bad = [
      '',
      '/',
      'demo',
      '/demo/',
      '/demo//a',
      '/demo/../a',
      '/demo/a b',
      '/demo/ä',
      '/Role=x',
      '/demo/Role=',
    ]
    for (const form of [...bad, '/demo/Role=a/Role=b', '/demo/Role=a/b', '/demo\n', `/${'x'.repeat(255)}`])
      expect(() => parseFqan(form)).toThrow(expect.objectContaining({ code: 'invalid_fqan' }))
  })
})
