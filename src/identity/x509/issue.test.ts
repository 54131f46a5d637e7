// Needs openssl.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { readCertificate, readCertificates } from './certificate.ts'
import { verifyChain } from './chain.ts'
import { requestedKey, writeCsr } from './csr.ts'
import { issueAuthority, issuePersonal, randomSerial } from './issue.ts'
import { nameFromSlash, slashOf } from './names.ts'
import { pemBlocks, toPem } from './pem.ts'
import { makeProxy, proxyFile } from './proxy.ts'
import { privateKeyOf, spkiOf } from './signatures.ts'
import { trustFromPem } from './trust.ts'

const pki = opensslPki()
afterAll(() => pki.remove())
const now = new Date()
const tomorrow = new Date(now.getTime() + 86_400_000)
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(join(pki.directory, name), content)
  return join(pki.directory, name)
}
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const signerOf = (made: Made) => ({
  certificate: readCertificates(made.pem)[0]!,
  key: privateKeyOf(readFileSync(made.key, 'utf8')),
})
const text = (path: string): string => pki.openssl('x509', '-in', path, '-noout', '-text')

describe('a certificate request', () => {
  test('of OpenSSL and of ours gives its key', () => {
    const key = rsa()
    const made = pki.make({ subject: '/O=x/CN=y' })
    const theirs = pki.openssl(
      'req',
      '-new',
      '-subj',
      '/CN=please make me an admin',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-key',
      made.key,
    )
    expect(requestedKey(theirs).spki.equals(spkiOf(privateKeyOf(readFileSync(made.key, 'utf8'))))).toBe(true)
    const ours = writeCsr(key, nameFromSlash('/O=Grid/CN=Mika'))
    expect(requestedKey(ours).spki.equals(spkiOf(key))).toBe(true)
    const checked = pki.openssl('req', '-in', file('ours.csr', ours), '-verify', '-noout', '-subject')
    expect(checked).toContain('O = Grid, CN = Mika')
  })

  test('is refused with a key that is weak or not its own', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    const subject = nameFromSlash('/O=Grid/CN=Mika')
    const codeOf = (request: string) => {
      try {
        requestedKey(request)
        return 'fine'
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(codeOf(writeCsr(weak, subject))).toBe('weak_key')
    expect(codeOf(writeCsr(generateKeyPairSync('ec', { namedCurve: 'P-224' }).privateKey, subject))).toBe(
      'weak_key',
    )
    expect(
      codeOf(
        writeCsr(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey, subject),
      ),
    ).toBe('weak_key')
    const [mine, yours] = [writeCsr(ec(), subject), writeCsr(ec(), subject)].map(
      (pem) => pemBlocks(pem)[0]!.der,
    )
    const spki = requestedKey(yours!).spki
    const forged = Buffer.from(mine!)
    spki.copy(forged, forged.indexOf(requestedKey(mine!).spki))
    expect(codeOf(toPem('CERTIFICATE REQUEST', forged))).toBe('invalid_certificate_request')
    expect(codeOf('hello')).toBe('invalid_certificate_request')
    const made = pki.make({ subject: '/O=x/CN=y', key: 'rsa:2048' })
    expect(codeOf(pki.openssl('req', '-new', '-sha1', '-subj', '/CN=x', '-key', made.key))).toBe(
      'invalid_certificate_request',
    )
  })
})

test('whatever byte of a request is wrong, it is refused', () => {
  const [good] = pemBlocks(writeCsr(ec(), nameFromSlash('/O=Grid/CN=Mika')))
  fc.assert(
    fc.property(fc.nat(good!.der.length - 1), fc.nat(255), (at, value) => {
      const bytes = Buffer.from(good!.der)
      bytes[at] = value
      if (bytes.equals(good!.der)) return
      expect(() => requestedKey(bytes)).toThrow(expect.objectContaining({ kind: 'invalid' }))
    }),
    { numRuns: 500 },
  )
})

describe('what is issued', () => {
  const root = pki.authority('/O=Kumihimo/CN=Root')
  const authorityKey = ec()
  const authorityPem = issueAuthority({
    ...{
      issuer: signerOf(root),
      subject: nameFromSlash('/O=Kumihimo/CN=People'),
      spki: spkiOf(authorityKey),
    },
    ...{ notBefore: now, notAfter: tomorrow },
  })
  const authority = { certificate: readCertificates(authorityPem)[0]!, key: authorityKey }
  const key = rsa()
  const personal = issuePersonal({
    ...{ issuer: authority, subject: nameFromSlash('/O=Kumihimo/OU=People/CN=mika'), spki: spkiOf(key) },
    ...{
      serial: randomSerial(),
      notBefore: now,
      notAfter: tomorrow,
      crlUrl: 'https://grid.example/ca/people.crl',
    },
  })
  const person = { certificate: readCertificate(personal), key }
  const trust = trustFromPem(root.pem + authorityPem)

  test('is accepted by OpenSSL and says what it should', () => {
    const path = file('personal.pem', toPem('CERTIFICATE', personal))
    const below = file('people.pem', authorityPem)
    const verified = pki.openssl(
      'verify',
      '-x509_strict',
      '-CAfile',
      root.certificate,
      '-untrusted',
      below,
      '-purpose',
      'sslclient',
      path,
    )
    expect(verified).toContain('OK')
    for (const part of [
      'CA:FALSE',
      'Digital Signature',
      'TLS Web Client Authentication',
      'URI:https://grid.example/ca/people.crl',
    ])
      expect(text(path)).toContain(part)
    for (const part of ['CA:TRUE, pathlen:0', 'Certificate Sign, CRL Sign'])
      expect(text(below)).toContain(part)
  })

  test('makes proxies of every key and level that OpenSSL and we accept', () => {
    const proxyKey = ec()
    const made = makeProxy({ signer: person, spki: spkiOf(proxyKey), hours: 12, now })
    const proxy = { certificate: readCertificate(made), key: proxyKey }
    const childKey = rsa()
    const child = readCertificate(
      makeProxy({ signer: proxy, spki: spkiOf(childKey), hours: 100, limited: true, now }),
    )
    const others = file(
      'others.pem',
      [proxy, person, authority].map(({ certificate }) => toPem('CERTIFICATE', certificate.der)).join(''),
    )
    const path = file('child.pem', toPem('CERTIFICATE', child.der))
    expect(
      pki.openssl('verify', '-allow_proxy_certs', '-CAfile', root.certificate, '-untrusted', others, path),
    ).toContain('OK')
    expect(text(path)).toContain('Policy Language: 1.3.6.1.4.1.3536.1.1.1.9')
    const full = verifyChain([proxy.certificate, person.certificate], { trust, now })
    expect([full.limited, slashOf(full.endEntity.subject)]).toEqual([false, '/O=Kumihimo/OU=People/CN=mika'])
    expect(full.expiresAt.getTime()).toBe(Math.floor((now.getTime() + 12 * 3_600_000) / 1000) * 1000)
    const limited = verifyChain([child, proxy.certificate, person.certificate], { trust, now })
    expect(limited.limited).toBe(true)
    expect(child.notAfter).toEqual(proxy.certificate.notAfter)
  })

  test('has a proxy file that curl and OpenSSL read', () => {
    for (const proxyKey of [rsa(), ec()]) {
      const made = makeProxy({ signer: person, spki: spkiOf(proxyKey), hours: 1, now })
      const path = file('x509up', proxyFile(made, proxyKey, [person.certificate]))
      expect(pki.openssl('x509', '-in', path, '-noout', '-issuer')).toContain('CN = mika')
      expect(pki.openssl('pkey', '-in', path, '-pubout')).toBe(
        pki.openssl('x509', '-in', path, '-noout', '-pubkey'),
      )
      expect(readFileSync(path, 'utf8')).toMatch(
        /BEGIN CERTIFICATE[\s\S]*BEGIN (RSA|EC) PRIVATE KEY[\s\S]*BEGIN CERTIFICATE/,
      )
    }
  })

  test('cannot make an authority’s certificate below an authority of people', () => {
    const rogueKey = ec()
    const rogue = readCertificates(
      issueAuthority({
        ...{ issuer: authority, subject: nameFromSlash('/O=Kumihimo/CN=More'), spki: spkiOf(rogueKey) },
        ...{ notBefore: now, notAfter: tomorrow },
      }),
    )[0]!
    const victim = readCertificate(
      issuePersonal({
        ...{
          issuer: { certificate: rogue, key: rogueKey },
          subject: nameFromSlash('/O=Kumihimo/OU=People/CN=admin'),
          spki: spkiOf(key),
        },
        ...{ serial: randomSerial(), notBefore: now, notAfter: tomorrow, crlUrl: 'https://x.example/' },
      }),
    )
    expect(() => verifyChain([victim, rogue], { trust, now })).toThrow(
      expect.objectContaining({ details: { reason: 'path_too_long' } }),
    )
  })
})
