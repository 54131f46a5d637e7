// Needs openssl.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { isGridError } from '../../kernel/errors.ts'
import { systemClock } from '../../kernel/ports.ts'
import { type Certificate, readCertificates } from '../x509/certificate.ts'
import { type TrustAnchors, verifyChain } from '../x509/chain.ts'
import { openTrustDirectory } from '../x509/trust.ts'
import {
  type AuthorityCredential,
  attributeExtension,
  buildAttributeCertificate,
  credentialOf,
  type NewAttributeCertificate,
} from './build.ts'
import { formatLsc, formatVomses, namesOf, parseLsc } from './contact-files.ts'
import { parseFqan, shortFqan } from './fqan.ts'
import { type AttributeTrust, verifyAttributes } from './verify.ts'
import { openVomsDirectory } from './voms-directory.ts'

const pki = opensslPki()
afterAll(() => pki.remove())
const now = new Date()
const inHours = (hours: number) => new Date(now.getTime() + hours * 3_600_000)
const AA = 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash'

let anchors: TrustAnchors
let root: Made
let middle: Made
let mika: Made
let noa: Made
let authority: AuthorityCredential

const one = (made: Made): Certificate => readCertificates(made.pem)[0]!
const credential = (...chain: Made[]): AuthorityCredential =>
  credentialOf(
    {
      certificatePem: chain.map(({ pem }) => pem).join(''),
      privateKeyPem: readFileSync(chain[0]!.key, 'utf8'),
    },
    { host: 'voms.test', port: 15000 },
  )

beforeAll(async () => {
  root = pki.authority('/C=JP/O=Grid/CN=Root')
  mika = pki.make({ subject: '/C=JP/O=Grid/CN=Mika', issuer: root })
  noa = pki.make({ subject: '/C=JP/O=Grid/CN=Noa', issuer: root })
  middle = pki.authority('/C=JP/O=Grid/CN=Middle', { issuer: root })
  const subjects = ['/C=JP/O=Grid/*']
  const directory = pki.trustDirectory([root, middle].map((each) => ({ authority: each, subjects })))
  anchors = await openTrustDirectory({ directories: [directory], clock: systemClock }).current()
  authority = credential(
    pki.make({ subject: '/C=JP/O=Grid/CN=voms.test', issuer: root, key: 'rsa:2048', extensions: AA }),
  )
})

const trusting = (known: AuthorityCredential | undefined = authority): AttributeTrust => ({
  anchors,
  authorities: openVomsDirectory({ directories: [vomsDirectory(known)] }),
})

function vomsDirectory(known: AuthorityCredential | undefined): string {
  const directory = mkdtempSync(join(pki.directory, 'vomsdir-'))
  mkdirSync(join(directory, 'demo'))
  const chain = known ? [known.certificate, ...known.intermediates].map(namesOf) : []
  writeFileSync(join(directory, 'demo', 'voms.test.lsc'), formatLsc(chain))
  return directory
}

/** A proxy of `owner` that carries attributes as they were built. */
function proxyWith(built: readonly Buffer[], owner = mika): Made[] {
  const extensions = `1.3.6.1.4.1.8005.100.100.5=DER:${attributeExtension(built).toString('hex')}`
  return [pki.proxy(owner, 'rfc', { extensions }), owner]
}
const built = (wish: Partial<NewAttributeCertificate> = {}): Buffer =>
  buildAttributeCertificate({
    ...{ holder: one(mika), authority, vo: 'demo', attributes: [], targets: [] },
    ...{ fqans: ['/demo/Role=production', '/demo'].map(parseFqan), notBefore: now, notAfter: inHours(12) },
    ...wish,
  }).der

/** The names that count, or why none do. */
async function outcome(
  chain: readonly Made[],
  options: { at?: Date; trust?: AttributeTrust; vo?: string } = {},
): Promise<string> {
  const at = options.at ?? now
  try {
    const found = await verifyAttributes(verifyChain(chain.map(one), { trust: anchors, now }), {
      ...{ vo: options.vo ?? 'demo', trust: options.trust ?? trusting(), hosts: ['se.test'], now: at },
    })
    return found ? found.fqans.map(shortFqan).join(' ') : 'none'
  } catch (error) {
    if (isGridError(error, 'attributes_refused')) return String(error.details.reason)
    throw error
  }
}
const GOOD = '/demo/Role=production /demo'

describe('the attributes of a proxy', () => {
  test('count when a known authority of the VO made them for its owner', async () => {
    expect(await outcome(proxyWith([built()]))).toBe(GOOD)
  })

  test('count for proxies made from that proxy, whose own attributes go first', async () => {
    const [first, ...rest] = proxyWith([built()])
    const second = pki.proxy(first!)
    expect(await outcome([second, first!, ...rest])).toBe(GOOD)
    const extensions = `1.3.6.1.4.1.8005.100.100.5=DER:${attributeExtension([built({ fqans: [parseFqan('/demo')] })]).toString('hex')}`
    expect(await outcome([pki.proxy(first!, 'rfc', { extensions }), first!, ...rest])).toBe('/demo')
  })

  test('of other VOs and of nobody are passed over', async () => {
    expect(await outcome(proxyWith([built({ vo: 'other' }), built()]))).toBe(GOOD)
    expect(await outcome(proxyWith([built({ vo: 'other' })]))).toBe('none')
    expect(await outcome([pki.proxy(mika), mika])).toBe('none')
    expect(await outcome([mika])).toBe('none')
  })

  test('count when intermediate authorities are brought and named', async () => {
    const leaf = pki.make({
      ...{ subject: '/C=JP/O=Grid/CN=voms2', issuer: middle, key: 'rsa:2048', extensions: AA },
    })
    const longer = credential(leaf, middle)
    const chain = proxyWith([built({ authority: longer })])
    expect(await outcome(chain, { trust: trusting(longer) })).toBe(GOOD)
    expect(await outcome(chain, { trust: trusting({ ...longer, intermediates: [] }) })).toBe(
      'unknown_authority',
    )
  })
})

describe('refused are attributes', () => {
  test('of an authority that nobody named, though its certificate is good', async () => {
    const stranger = credential(
      pki.make({ subject: '/C=JP/O=Grid/CN=evil', issuer: root, key: 'rsa:2048', extensions: AA }),
    )
    expect(await outcome(proxyWith([built({ authority: stranger })]))).toBe('unknown_authority')
    expect(
      await outcome(proxyWith([built()]), { trust: trusting({ ...authority, certificate: one(mika) }) }),
    ).toBe('unknown_authority')
    expect(await outcome(proxyWith([built({ authority: { ...authority, host: 'else.test' } })]))).toBe(
      'unknown_authority',
    )
  })

  test('of somebody who only has the name of the authority', async () => {
    const rogueRoot = pki.authority('/C=JP/O=Grid/CN=Root')
    const rogue = credential(
      pki.make({ subject: '/C=JP/O=Grid/CN=voms.test', issuer: rogueRoot, key: 'rsa:2048', extensions: AA }),
    )
    await expect(outcome(proxyWith([built({ authority: rogue })]))).rejects.toMatchObject({
      code: 'certificate_refused',
    })
    const forged = { ...authority, key: rogue.key }
    expect(await outcome(proxyWith([built({ authority: forged })]))).toBe('bad_signature')
  })

  test('that belong to somebody else', async () => {
    expect(await outcome(proxyWith([built({ holder: one(noa) })]))).toBe('wrong_holder')
    const namesake = pki.make({ subject: mika.subject, issuer: root, serial: '424242' })
    expect(await outcome(proxyWith([built()], namesake))).toBe('wrong_holder')
  })

  test('that are over or have not begun, beyond five minutes', async () => {
    const chain = proxyWith([built({ notBefore: inHours(1), notAfter: inHours(2) })])
    const minutes = (count: number) => new Date(inHours(0).getTime() + count * 60_000)
    expect(await outcome(chain, { at: minutes(54) })).toBe('not_yet_valid')
    expect(await outcome(chain, { at: minutes(56) })).toBe(GOOD)
    expect(await outcome(chain, { at: minutes(124) })).toBe(GOOD)
    expect(await outcome(chain, { at: minutes(126) })).toBe('expired')
  })

  test('meant for other hosts', async () => {
    expect(await outcome(proxyWith([built({ targets: ['ui.test'] })]))).toBe('wrong_target')
    expect(await outcome(proxyWith([built({ targets: ['ui.test', 'SE.test'] })]))).toBe(GOOD)
  })

  test('with a group or role outside the tree of the VO', async () => {
    for (const fqan of ['/other', '/demo2', '/other/Role=admin'])
      expect(await outcome(proxyWith([built({ fqans: ['/demo', fqan].map(parseFqan) })]))).toBe('outside_vo')
  })

  test('that cannot be read, whoever signed the proxy', async () => {
    expect(await outcome(proxyWith([Buffer.from('300102', 'hex')]))).toBe('unreadable')
  })
})

describe('the files of the clients', () => {
  test('count as they are when asked for, and lie nowhere else', async () => {
    const directory = vomsDirectory(authority)
    const problems: string[] = []
    const known = openVomsDirectory({
      directories: [join(directory, 'none'), directory],
      onProblem: (file) => problems.push(file),
    })
    expect(await known.of('demo', 'voms.test')).toEqual([[namesOf(authority.certificate)]])
    const file = join(directory, 'demo', 'voms.test.lsc')
    writeFileSync(file, formatLsc([namesOf(one(mika)), namesOf(one(root))]))
    expect(await known.of('demo', 'voms.test')).toEqual([[namesOf(one(mika)), namesOf(one(root))]])
    writeFileSync(file, 'nonsense\nhere\n')
    expect([await known.of('demo', 'voms.test'), problems]).toEqual([[], [file]])
    for (const [vo, host] of [
      ['..', 'x'],
      ['demo/..', 'x'],
      ['demo', '../x'],
      ['', 'x'],
      ['other', 'voms.test'],
    ])
      expect(await known.of(vo!, host!)).toEqual([])
  })

  test('name chains of certificates, several behind a separator', () => {
    const text =
      '\n"/C=JP/O=Grid/CN=a"\n/C=JP/O=Grid/CN=Root\n------ NEXT CHAIN ------\n/CN=b\r\n/CN=c\n/CN=c\n/CN=d\n'
    expect(parseLsc(text)).toEqual([
      [{ subject: '/C=JP/O=Grid/CN=a', issuer: '/C=JP/O=Grid/CN=Root' }],
      [
        { subject: '/CN=b', issuer: '/CN=c' },
        { subject: '/CN=c', issuer: '/CN=d' },
      ],
    ])
    expect(() => parseLsc('no name\n')).toThrow(expect.objectContaining({ code: 'invalid_name' }))
    expect(formatVomses({ alias: 'demo', host: 'v.test', port: 7459, subject: '/CN=v', vo: 'demo' })).toBe(
      '"demo" "v.test" "7459" "/CN=v" "demo"\n',
    )
  })
})
