// Needs openssl.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUTHORITY, type Made, opensslPki, PERSON } from '../../../test/harness/pki.ts'
import { isGridError } from '../../kernel/errors.ts'
import { systemClock } from '../../kernel/ports.ts'
import { readCertificate, readCertificates } from './certificate.ts'
import { type TrustAnchors, verifyChain } from './chain.ts'
import { slashOf } from './names.ts'
import { pemBlocks } from './pem.ts'
import { openTrustDirectory, trustFromPem } from './trust.ts'

const pki = opensslPki()
afterAll(() => pki.remove())
const DAY = 86_400_000
const now = new Date()

let root: Made
let mika: Made
let trust: TrustAnchors

beforeAll(async () => {
  root = pki.authority('/C=JP/O=Test Grid/CN=Root')
  mika = pki.make({ subject: '/C=JP/O=Test Grid/OU=People/CN=Mika', issuer: root, days: 60 })
  trust = await trusting([{ authority: root, subjects: ['/C=JP/O=Test Grid/*'] }])
})

const trusting = (authorities: Parameters<typeof pki.trustDirectory>[0]) =>
  openTrustDirectory({ directories: [pki.trustDirectory(authorities)], clock: systemClock }).current()

const certificates = (chain: readonly Made[]) => chain.map(({ pem }) => readCertificates(pem)[0]!)
const verify = (chain: readonly Made[], options: { at?: Date; by?: TrustAnchors } = {}) =>
  verifyChain(certificates(chain), { trust: options.by ?? trust, now: options.at ?? now })

/** `limited person (kinds)`, or why not. */
function outcome(chain: readonly Made[], options: Parameters<typeof verify>[1] = {}): string {
  try {
    const { endEntity, limited, proxies } = verify(chain, options)
    const kinds = proxies.map(({ kind }) => kind).join(' ')
    return `${limited ? 'limited ' : ''}${slashOf(endEntity.subject)}${kinds && ` by ${kinds}`}`
  } catch (error) {
    if (isGridError(error, 'certificate_refused')) return String(error.details.reason)
    throw error
  }
}
const MIKA = '/C=JP/O=Test Grid/OU=People/CN=Mika'

describe('accepted is', () => {
  test('the certificate itself, RSA or on a larger curve, also brought twice', () => {
    expect(outcome([mika])).toBe(MIKA)
    expect(outcome([mika, mika, root])).toBe(MIKA)
    for (const key of ['rsa:2048', 'P-384', 'P-521']) {
      const person = pki.make({ subject: `${MIKA} ${key}`, issuer: root, key })
      expect(outcome([person])).toBe(`${MIKA} ${key}`)
      expect(pki.accepts(root, [person])).toBe(true)
    }
  })

  test('a proxy of RFC 3820 and its descendants, whatever order they come in', () => {
    const chain = [mika]
    for (const level of [1, 2, 3]) {
      chain.unshift(pki.proxy(chain[0]!))
      expect(outcome(chain)).toBe(`${MIKA} by ${Array(level).fill('rfc3820').join(' ')}`)
      expect(pki.accepts(root, chain)).toBe(true)
    }
    const [leaf, ...others] = chain
    expect(outcome([leaf!, leaf!, ...others.reverse(), root])).toBe(`${MIKA} by rfc3820 rfc3820 rfc3820`)
  })

  test('a proxy of the two older kinds, with descendants', () => {
    for (const [kind, called] of [
      ['gt3', 'gt3'],
      ['gt2', 'gt2'],
    ] as const) {
      const first = pki.proxy(mika, kind)
      const second = pki.proxy(first, kind)
      expect(outcome([first, mika])).toBe(`${MIKA} by ${called}`)
      expect(outcome([second, first, mika])).toBe(`${MIKA} by ${called} ${called}`)
    }
  })

  test('a limited proxy as limited, and all of its descendants', () => {
    for (const [kind, called] of [
      ['rfc', 'rfc3820'],
      ['gt3', 'gt3'],
      ['gt2', 'gt2'],
    ] as const) {
      const limited = pki.proxy(mika, kind, { language: 'limited' })
      const full = pki.proxy(mika, kind)
      expect(outcome([limited, mika])).toBe(`limited ${MIKA} by ${called}`)
      expect(outcome([pki.proxy(limited, kind), limited, mika])).toBe(
        `limited ${MIKA} by ${called} ${called}`,
      )
      expect(outcome([pki.proxy(full, kind, { language: 'limited' }), full, mika])).toBe(
        `limited ${MIKA} by ${called} ${called}`,
      )
    }
  })

  test('a proxy whose name is written with another kind of string, blanks or case', () => {
    const shouted = pki.make({
      ...{ subject: '/C=jp/O=TEST  grid/OU=people/CN=mika', keyOf: mika },
      issuer: root,
    })
    const proxy = pki.proxy(mika)
    expect(outcome([proxy, shouted])).toBe('/C=jp/O=TEST  grid/OU=people/CN=mika by rfc3820')
    expect(pki.accepts(root, [proxy, shouted])).toBe(true)
  })

  test('a renewed certificate beside the one that made the proxy', () => {
    const renewed = pki.make({ subject: MIKA, issuer: root })
    expect(outcome([pki.proxy(mika), renewed, mika])).toBe(`${MIKA} by rfc3820`)
  })

  test('a path length that is kept', () => {
    const first = pki.proxy(mika, 'rfc', { pathLength: 1 })
    expect(outcome([pki.proxy(first), first, mika])).toBe(`${MIKA} by rfc3820 rfc3820`)
    const older = pki.proxy(mika, 'gt3', { pathLength: 1 })
    expect(outcome([pki.proxy(older, 'gt3'), older, mika])).toBe(`${MIKA} by gt3 gt3`)
  })

  test('a certificate of an authority below the root, when both are in the trust directory', async () => {
    const below = pki.authority('/C=JP/O=Test Grid/CN=Issuing', { issuer: root })
    const person = pki.make({ subject: MIKA, issuer: below })
    const by = await trusting([
      { authority: root, subjects: ['/C=JP/O=Test Grid/*'] },
      { authority: below, subjects: ['/C=JP/O=Test Grid/OU=People/*'] },
    ])
    expect(outcome([pki.proxy(person), person], { by })).toBe(`${MIKA} by rfc3820`)
    expect(verify([person], { by }).authorities.map(({ subject }) => slashOf(subject))).toEqual([
      '/C=JP/O=Test Grid/CN=Issuing',
      '/C=JP/O=Test Grid/CN=Root',
    ])
    expect(outcome([person, below])).toBe('outside_namespace')
    expect(outcome([person])).toBe('unknown_authority')
    expect(outcome([person, below], { by: trustFromPem(root.pem) })).toBe(MIKA)
  })

  test('the end of the chain that ends first', () => {
    const proxy = pki.proxy(mika, 'rfc', { days: 1 })
    expect(verify([proxy, mika]).expiresAt).toEqual(certificates([proxy])[0]!.notAfter)
  })
})

describe('refused is', () => {
  /** OpenSSL agrees, unless it cannot judge. */
  const refused = (reason: string, chain: readonly Made[], openssl: boolean | null = false) => {
    expect(outcome(chain)).toBe(reason)
    if (openssl !== null) expect(pki.accepts(root, chain)).toBe(openssl)
  }

  test('nothing, and too much', () => {
    refused('issuer_missing', [], null)
    const many = Array.from({ length: 17 }, (_, i) =>
      pki.make({ subject: `/O=x/CN=${i}`, keyOf: mika, issuer: root }),
    )
    refused('too_many_certificates', many, null)
  })

  test('a proxy without the certificate that made it', () => {
    const proxy = pki.proxy(mika)
    refused('issuer_missing', [proxy])
    refused('issuer_missing', [pki.proxy(proxy), mika])
  })

  test('a proxy with the name of another person', () => {
    refused('wrong_proxy_name', [
      pki.make({
        subject: '/C=JP/O=Test Grid/OU=People/CN=Rin/CN=1',
        issuer: mika,
        extensions: 'proxyCertInfo=critical,language:id-ppl-inheritAll',
      }),
      mika,
    ])
    refused('wrong_proxy_name', [pki.proxy(mika, 'rfc', { subject: `${MIKA}/CN=1/CN=2` }), mika])
    refused('wrong_proxy_name', [pki.proxy(mika, 'rfc', { subject: MIKA }), mika])
    refused('wrong_proxy_name', [pki.proxy(mika, 'rfc', { subject: `${MIKA}/OU=1` }), mika])
    refused('wrong_proxy_name', [pki.proxy(mika, 'gt3', { subject: `${MIKA}/CN=1+UID=2` }), mika], null)
  })

  test('a certificate that a person signed for somebody', () => {
    refused('unknown_authority', [pki.make({ subject: '/C=JP/O=Test Grid/CN=Rin', issuer: mika }), mika])
    const forged = pki.make({
      subject: MIKA,
      issuer: pki.make({ subject: root.subject, extensions: AUTHORITY }),
    })
    refused('bad_signature', [forged])
  })

  test('a proxy that claims an authority, other names, or nothing critical', () => {
    for (const extensions of [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign,digitalSignature',
      'subjectAltName=DNS:grid.example',
      'issuerAltName=DNS:grid.example',
    ])
      refused('bad_proxy', [pki.proxy(mika, 'rfc', { extensions }), mika], extensions.startsWith('keyUsage'))
    refused('bad_proxy', [pki.proxy(mika, 'rfc', { critical: false }), mika], null)
    refused('bad_proxy', [pki.proxy(mika, 'gt3', { critical: false }), mika], null)
    refused(
      'bad_proxy',
      [pki.proxy(mika, 'gt2', { extensions: 'subjectAltName=DNS:grid.example' }), mika],
      null,
    )
  })

  test('a proxy made by an authority, or by a key that may not sign', () => {
    refused('bad_proxy', [pki.proxy(root), root])
    const silent = pki.make({
      subject: `${MIKA} Silent`,
      issuer: root,
      key: 'rsa:2048',
      extensions: 'keyUsage=critical,keyEncipherment',
    })
    refused('bad_proxy', [pki.proxy(silent), silent])
  })

  test('a chain that mixes kinds', () => {
    const [rfc, gt3, gt2] = [pki.proxy(mika), pki.proxy(mika, 'gt3'), pki.proxy(mika, 'gt2')]
    refused('mixed_proxies', [pki.proxy(rfc, 'gt3'), rfc, mika])
    refused('mixed_proxies', [pki.proxy(rfc, 'gt2'), rfc, mika])
    refused('mixed_proxies', [pki.proxy(gt3, 'gt2'), gt3, mika])
    refused('mixed_proxies', [pki.proxy(gt2), gt2, mika])
  })

  test('a proxy beyond the path length', () => {
    const last = pki.proxy(mika, 'rfc', { pathLength: 0 })
    expect(outcome([last, mika])).toBe(`${MIKA} by rfc3820`)
    refused('path_too_long', [pki.proxy(last), last, mika])
    const older = pki.proxy(mika, 'gt3', { pathLength: 0 })
    refused('path_too_long', [pki.proxy(older, 'gt3'), older, mika])
    const one = pki.proxy(mika, 'rfc', { pathLength: 1 })
    const two = pki.proxy(one)
    refused('path_too_long', [pki.proxy(two), two, one, mika])
  })

  test('a path length below nothing, which would stay above any number', () => {
    for (const kind of ['rfc', 'gt3'] as const) {
      const strange = pki.proxy(mika, kind, { pathLength: -1 })
      expect(() => outcome([pki.proxy(strange, kind), strange, mika])).toThrow(/out of its range/)
    }
  })

  test('a proxy with the marks of two kinds', () => {
    const gt3 = '1.3.6.1.4.1.3536.1.222=critical,ASN1:SEQUENCE:both'
    const sections = `[both]\npolicy=SEQUENCE:all\n[all]\nlanguage=OID:1.3.6.1.5.5.7.21.1`
    const both = pki.proxy(mika, 'rfc', { language: 'limited', extensions: `${gt3}\n${sections}` })
    expect(() => outcome([both, mika])).toThrow(/kinds|two/)
  })

  test('a right that a descendant takes back: after a limited proxy all are limited, whatever they call themselves', () => {
    for (const kind of ['rfc', 'gt3', 'gt2'] as const) {
      const chain = [pki.proxy(mika, kind, { language: 'limited' }), mika]
      for (let level = 0; level < 3; level++) chain.unshift(pki.proxy(chain[0]!, kind))
      expect(verify(chain).limited).toBe(true)
    }
  })

  test('somebody certified under the name of a proxy of another: an authority makes none', () => {
    const named = pki.make({ subject: `${MIKA}/CN=proxy`, issuer: root })
    expect(outcome([named])).toBe(`${MIKA}/CN=proxy`)
    expect(outcome([named, mika])).toBe(`${MIKA}/CN=proxy`)
    refused('bad_proxy', [pki.make({ subject: `${root.subject}/CN=proxy`, issuer: root }), root], null)
    // The word alone makes no proxy: another kind of attribute, or two values in one, are names.
    refused('unknown_authority', [pki.make({ subject: `${MIKA}/OU=proxy`, issuer: mika }), mika])
  })

  test('an independent proxy, and one of an unknown language', () => {
    for (const language of ['independent', 'unknown'] as const)
      for (const kind of ['rfc', 'gt3'] as const)
        refused('unknown_policy_language', [pki.proxy(mika, kind, { language }), mika], null)
  })

  test('a proxy whose signature is another key’s, also of the same name', () => {
    const proxy = pki.proxy(mika)
    const rin = pki.make({ subject: MIKA, issuer: root })
    refused('bad_signature', [proxy, rin])
    const swapped = pki.proxy({ ...mika, key: rin.key, certificate: rin.certificate })
    refused('bad_signature', [swapped, mika])
  })

  test('a chain of which something has ended, or not begun', () => {
    const proxy = pki.proxy(mika, 'rfc', { days: 2 })
    expect(outcome([proxy, mika], { at: new Date(+now + 2.5 * DAY) })).toBe('expired')
    expect(outcome([mika], { at: new Date(+now + 61 * DAY) })).toBe('expired')
    const outliving = pki.proxy(mika, 'rfc', { days: 90 })
    expect(outcome([outliving, mika], { at: new Date(+now + 61 * DAY) })).toBe('expired')
    const [middle, ended] = [pki.proxy(mika, 'rfc', { days: 2 }), new Date(+now + 2.5 * DAY)]
    expect(outcome([pki.proxy(middle, 'rfc', { days: 5 }), middle, mika], { at: ended })).toBe('expired')
    const long = pki.make({ subject: `${MIKA} Long`, issuer: root, days: 900 })
    expect(outcome([long], { at: new Date(+now + 301 * DAY) })).toBe('expired')
    expect(outcome([proxy, mika], { at: new Date(+now - 240_000) })).toBe(`${MIKA} by rfc3820`)
    expect(outcome([proxy, mika], { at: new Date(+now - 600_000) })).toBe('not_yet_valid')
  })

  test('a weak key anywhere', async () => {
    const weak = pki.make({ subject: MIKA, issuer: root, key: 'rsa:1024' })
    refused('weak_key', [weak], null)
    refused('weak_key', [pki.proxy(mika, 'rfc', { key: 'rsa:1024' }), mika], null)
    refused('weak_key', [pki.make({ subject: MIKA, issuer: root, key: 'P-224' })], null)
    const old = pki.authority('/O=Old/CN=Root', { key: 'rsa:1024' })
    const by = await trusting([{ authority: old, subjects: ['*'] }])
    expect(outcome([pki.make({ subject: MIKA, issuer: old })], { by })).toBe('weak_key')
  })

  test('a signature with SHA-1 or MD5, but not that of a root by itself', async () => {
    const rsa = pki.authority('/O=Rsa/CN=Root', { key: 'rsa:2048' })
    const person = pki.make({ subject: '/O=Rsa/CN=Mika', issuer: rsa, keyOf: rsa })
    const trusted = await trusting([{ authority: rsa, subjects: ['*'] }])
    for (const digest of ['sha1', 'md5']) {
      const by = trusted
      expect(outcome([pki.make({ subject: MIKA, issuer: rsa, digest })], { by })).toBe('weak_signature')
      expect(outcome([pki.proxy(person, 'rfc', { digest }), person], { by })).toBe('weak_signature')
    }
    const old = pki.authority('/O=Old/CN=Root', { digest: 'sha1' })
    const by = await trusting([{ authority: old, subjects: ['/O=Old/*'] }])
    expect(outcome([pki.make({ subject: '/O=Old/CN=Mika', issuer: old })], { by })).toBe('/O=Old/CN=Mika')
  })

  test('an unknown critical extension anywhere', async () => {
    const odd = '1.2.3.4.5=critical,DER:0500'
    refused('unknown_critical_extension', [
      pki.make({ subject: MIKA, issuer: root, extensions: `${PERSON}\n${odd}` }),
    ])
    refused('unknown_critical_extension', [pki.proxy(mika, 'rfc', { extensions: odd }), mika])
    const harmless = '1.2.3.4.5=DER:0500'
    expect(outcome([pki.make({ subject: MIKA, issuer: root, extensions: `${PERSON}\n${harmless}` })])).toBe(
      MIKA,
    )
  })

  test('a certificate made for something else', () => {
    refused(
      'wrong_purpose',
      [pki.make({ subject: MIKA, issuer: root, extensions: 'extendedKeyUsage=serverAuth' })],
      null,
    )
    refused(
      'wrong_purpose',
      [pki.proxy(mika, 'rfc', { extensions: 'extendedKeyUsage=serverAuth' }), mika],
      null,
    )
    refused(
      'wrong_purpose',
      [pki.make({ subject: MIKA, issuer: root, extensions: 'keyUsage=keyAgreement' })],
      null,
    )
    refused('wrong_purpose', [pki.authority('/C=JP/O=Test Grid/CN=Sub', { issuer: root })], null)
    refused('wrong_purpose', [root], null)
  })

  test('an issuer that is no authority, or one too deep', async () => {
    const clerk = pki.make({
      subject: '/C=JP/O=Test Grid/CN=Clerk',
      issuer: root,
      extensions: 'keyUsage=keyCertSign',
    })
    const by = await trusting([
      { authority: root, subjects: ['*'] },
      { authority: clerk, subjects: ['*'] },
    ])
    expect(outcome([pki.make({ subject: MIKA, issuer: clerk })], { by })).toBe('no_authority')
    const narrow = pki.authority('/O=Narrow/CN=Root', {
      extensions: AUTHORITY.replace('CA:TRUE', 'CA:TRUE,pathlen:0'),
    })
    const below = pki.authority('/O=Narrow/CN=Below', { issuer: narrow })
    const deep = await trusting([
      { authority: narrow, subjects: ['*'] },
      { authority: below, subjects: ['*'] },
    ])
    const person = pki.make({ subject: '/O=Narrow/CN=Mika', issuer: below })
    expect(outcome([person], { by: deep })).toBe('path_too_long')
    expect(pki.accepts(narrow, [person, below])).toBe(false)
  })

  test('an authority that nobody here trusts, also with the name of one that is', async () => {
    const rogue = pki.authority('/C=JP/O=Test Grid/CN=Root')
    const person = pki.make({ subject: MIKA, issuer: rogue })
    refused('bad_signature', [person])
    refused('unknown_authority', [person, rogue])
    refused('unknown_authority', [pki.proxy(person), person, rogue])
    const stranger = pki.authority('/O=Stranger/CN=Root')
    refused('unknown_authority', [pki.make({ subject: MIKA, issuer: stranger }), stranger])
  })

  test('a name outside the signing policy, and any name without one', async () => {
    const person = pki.make({ subject: '/C=JP/O=Other Grid/CN=Mika', issuer: root })
    expect(outcome([person])).toBe('outside_namespace')
    const none = await trusting([{ authority: root, subjects: undefined }])
    expect(outcome([mika], { by: none })).toBe('outside_namespace')
    expect(outcome([mika], { by: trustFromPem(root.pem) })).toBe(MIKA)
  })

  test('a name outside the constraints of an authority', async () => {
    const limits = `nameConstraints=critical,permitted;dirName:base\n[base]\nC=JP\nO=Test Grid`
    const bound = pki.authority('/C=JP/O=Bound/CN=Root', { extensions: `${AUTHORITY}\n${limits}` })
    const by = await trusting([{ authority: bound, subjects: ['*'] }])
    const inside = pki.make({ subject: MIKA, issuer: bound })
    const outside = pki.make({ subject: '/C=JP/O=Other/CN=Mika', issuer: bound })
    expect(outcome([inside], { by })).toBe(MIKA)
    expect(outcome([outside], { by })).toBe('outside_namespace')
    expect(pki.accepts(bound, [inside])).toBe(true)
    expect(pki.accepts(bound, [outside])).toBe(false)
  })

  test('a revoked certificate, and any proxy of it', async () => {
    const rin = pki.make({ subject: '/C=JP/O=Test Grid/CN=Rin', issuer: root })
    const crl = pki.crl(root, [rin])
    const by = await trusting([{ authority: root, subjects: ['/C=JP/O=Test Grid/*'], crl }])
    expect(outcome([rin], { by })).toBe('revoked')
    expect(outcome([pki.proxy(rin), rin], { by })).toBe('revoked')
    expect(outcome([mika], { by })).toBe(MIKA)
  })

  test('everybody, when the list of revoked certificates is a day too old', async () => {
    const crl = pki.crl(root, [], { days: 3 })
    const by = await trusting([{ authority: root, subjects: ['/C=JP/O=Test Grid/*'], crl }])
    expect(outcome([mika], { by, at: new Date(+now + 3.9 * DAY) })).toBe(MIKA)
    expect(outcome([mika], { by, at: new Date(+now + 4.1 * DAY) })).toBe('revocation_unknown')
  })
})

describe('a certificate that is not well-formed', () => {
  test('is refused, whatever byte is wrong, or changes nothing but what it says', () => {
    const [good] = pemBlocks(readFileSync(pki.proxy(mika, 'gt3', { pathLength: 3 }).certificate, 'utf8'))
    fc.assert(
      fc.property(fc.nat(good!.der.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(good!.der)
        bytes[at] = value
        const changed = !bytes.equals(good!.der)
        try {
          const leaf = readCertificate(bytes)
          verifyChain([leaf, ...certificates([mika])], { trust, now })
          expect(changed).toBe(false)
        } catch (error) {
          if (!isGridError(error) || !['invalid_certificate', 'certificate_refused'].includes(error.code))
            throw error
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('is refused with an extension twice', () => {
    const twice = pki.make({ subject: MIKA, issuer: root, extensions: '1.2.3.4=DER:0500\n1.2.3.5=DER:0500' })
    const [block] = pemBlocks(twice.pem)
    const bytes = Buffer.from(block!.der)
    bytes[bytes.indexOf(Buffer.from('06032a0305', 'hex')) + 4] = 4
    expect(() => readCertificate(bytes)).toThrow(/twice/)
    expect(() => readCertificate(Buffer.concat([block!.der, Buffer.from([0])]))).toThrow(/follows the end/)
  })
})
