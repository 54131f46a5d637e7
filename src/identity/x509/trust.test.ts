// Needs openssl.
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { silentLogger } from '../../kernel/index.ts'
import { readCertificates } from './certificate.ts'
import { verifyChain } from './chain.ts'
import { crlState, isCrlOf, readCrl, writeCrl } from './crl.ts'
import { refreshCrls } from './crl-refresh.ts'
import * as der from './der.ts'
import { nameFromSlash } from './names.ts'
import { pemBlocks } from './pem.ts'
import { privateKeyOf, signedStructure } from './signatures.ts'
import { signingPolicyText } from './signing-policy.ts'
import { openTrustDirectory } from './trust.ts'

const pki = opensslPki()
afterAll(() => pki.remove())
const ROOT = '/O=Grid/CN=Root'
let root: Made
let mika: Made
let rin: Made
let now = new Date()
const clock = { now: () => now }

beforeAll(() => {
  root = pki.authority(ROOT)
  mika = pki.make({ subject: '/O=Grid/CN=Mika', issuer: root })
  rin = pki.make({ subject: '/O=Grid/CN=Rin', issuer: root })
})

/** Opens a directory and tells how it takes a person, after the pause between two looks. */
function opened(directory: string) {
  const problems: string[] = []
  const trust = openTrustDirectory({
    directories: [directory],
    clock,
    onProblem: (file) => problems.push(file.slice(directory.length + 1)),
  })
  const judge = async (person: Made) => {
    now = new Date(+now + 5000)
    try {
      verifyChain(readCertificates(person.pem), { trust: await trust.current(), now })
      return 'accepted'
    } catch (error) {
      return (error as { details: { reason: string } }).details.reason
    }
  }
  return { trust, judge, problems }
}

describe('a trust directory', () => {
  test('has every authority once, under whichever hashes', async () => {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    const { trust } = opened(directory)
    const { all } = await trust.current()
    expect(all).toHaveLength(1)
    const hashes = new Set(readdirSync(directory).map((file) => file.slice(0, 8)))
    expect(all[0]!.bases).toEqual([...hashes].map((hash) => join(directory, hash)))
    expect(all[0]!.bases).toHaveLength(2)
  })

  test('is read again when something in it changes, comes or goes', async () => {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    const { judge } = opened(directory)
    const [base] = readdirSync(directory).map((file) => file.slice(0, 8))
    expect(await judge(rin)).toBe('accepted')
    const list = join(directory, `${base}.r0`)
    writeFileSync(list, pki.crl(root, [rin]))
    expect(await judge(rin)).toBe('revoked')
    writeFileSync(list, pki.crl(root, [mika]))
    expect(await judge(rin)).toBe('accepted')
    expect(await judge(mika)).toBe('revoked')
    rmSync(list)
    expect(await judge(mika)).toBe('accepted')
    for (const file of readdirSync(directory).filter((name) => name.endsWith('signing_policy')))
      writeFileSync(join(directory, file), signingPolicyText(nameFromSlash(ROOT), ['/O=Elsewhere/*']))
    expect(await judge(mika)).toBe('outside_namespace')
    rmSync(directory, { recursive: true })
    expect(await judge(mika)).toBe('unknown_authority')
  })

  test('that never was there trusts nobody', async () => {
    const { judge, problems } = opened(join(pki.directory, 'nowhere'))
    expect(await judge(mika)).toBe('unknown_authority')
    expect(problems).toHaveLength(1)
  })

  test('with a broken file goes on without it and says so', async () => {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    for (const [file, text] of [
      ['00000000.0', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
      ['00000000.signing_policy', 'nonsense'],
      ['00000000.r0', 'x'],
      ['notes.txt', 'x'],
    ])
      writeFileSync(join(directory, file!), text!)
    const { judge, problems } = opened(directory)
    expect(await judge(mika)).toBe('accepted')
    expect(problems.sort()).toEqual(['00000000.0', '00000000.r0', '00000000.signing_policy'])
  })

  test('takes both files that limit an authority at their word', async () => {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    const base = readdirSync(directory)[0]!.slice(0, 8)
    writeFileSync(
      join(directory, `${base}.namespaces`),
      `TO Issuer "${ROOT}" PERMIT Subject "/O=Grid/CN=Mi.*"\n`,
    )
    const { judge } = opened(directory)
    expect([await judge(mika), await judge(rin)]).toEqual(['accepted', 'outside_namespace'])
  })

  test('wants the list of an authority that publishes one', async () => {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    const base = readdirSync(directory)[0]!.slice(0, 8)
    writeFileSync(join(directory, `${base}.crl_url`), 'http://ca.example/root.crl\n')
    const { judge, trust } = opened(directory)
    expect(await judge(mika)).toBe('revocation_unknown')
    expect((await trust.current()).all[0]!.crlUrls).toEqual(['http://ca.example/root.crl'])
    writeFileSync(join(directory, `${base}.r0`), pki.crl(root))
    expect(await judge(mika)).toBe('accepted')
  })

  test('does not take a list that somebody else signed, nor the lack of a usable one', async () => {
    const rogue = pki.authority(ROOT)
    const directory = pki.trustDirectory([
      { authority: root, subjects: ['/O=Grid/*'], crl: pki.crl(rogue, [mika]) },
    ])
    expect(await opened(directory).judge(rin)).toBe('revocation_unknown')
  })

  test('may be a mere list of authorities, which are trusted without limits', async () => {
    const list = join(pki.directory, 'list.pem')
    writeFileSync(list, `${root.pem}${pki.authority('/O=Other/CN=Root').pem}`)
    const { judge, problems } = opened(list)
    expect([await judge(mika), problems]).toEqual(['accepted', []])
    const below = pki.authority('/O=Grid/CN=Below', { issuer: root })
    const person = pki.make({ subject: '/O=Anywhere/CN=Mika', issuer: below })
    const trust = openTrustDirectory({ directories: [list], clock })
    const chain = [...readCertificates(person.pem), ...readCertificates(below.pem)]
    expect(verifyChain(chain, { trust: await trust.current(), now }).authorities).toHaveLength(2)
    writeFileSync(list, pki.authority('/O=Other/CN=Root').pem)
    expect(await judge(mika)).toBe('unknown_authority')
  })

  test('is not read again for nothing', async () => {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    const { trust } = opened(directory)
    const before = await trust.current()
    now = new Date(+now + 60_000)
    expect(await trust.current()).toBe(before)
    const file = join(directory, readdirSync(directory)[0]!)
    utimesSync(file, new Date(), new Date(1))
    expect(await trust.current()).toBe(before)
    now = new Date(+now + 60_000)
    expect(await trust.current()).not.toBe(before)
  })
})

describe('the lists of authorities that say where theirs are', () => {
  /** A directory of one such authority, and what lies at its address. */
  async function published(content: () => string | Buffer | undefined) {
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    for (const base of new Set(readdirSync(directory).map((file) => file.slice(0, 8))))
      writeFileSync(join(directory, `${base}.crl_url`), 'http://gone.example/x http://ca.example/root.crl\n')
    const { trust, judge } = opened(directory)
    let asked = 0
    const fetch = async (url: string): Promise<Buffer> => {
      asked++
      const found = url.includes('ca.example') ? content() : undefined
      if (found === undefined) throw new Error('nothing there')
      return Buffer.from(found)
    }
    const refresh = async () => {
      now = new Date(+now + 5000)
      return refreshCrls({ trust, fetch, log: silentLogger }, now)
    }
    return { directory, judge, refresh, asked: () => asked }
  }

  test('are fetched, checked, written under every hash, and fetched again after six hours', async () => {
    const { directory, judge, refresh, asked } = await published(() => pki.crl(root, [rin]))
    expect(await refresh()).toEqual({ updated: 1, failed: [] })
    expect([await judge(rin), await judge(mika)]).toEqual(['revoked', 'accepted'])
    expect(readdirSync(directory).filter((file) => file.endsWith('.r0'))).toHaveLength(2)
    expect(asked()).toBe(2)
    expect(await refresh()).toEqual({ updated: 0, failed: [] })
    now = new Date(+now + 6 * 3_600_000)
    expect(await refresh()).toEqual({ updated: 1, failed: [] })
    now = new Date()
  })

  test('stay as they are when the new one is forged, older, no list, or not there', async () => {
    const [issuer] = readCertificates(root.pem)
    const key = privateKeyOf(readFileSync(root.key, 'utf8'))
    const thisUpdate = new Date(Date.now() - 86_400_000)
    const nextUpdate = new Date(Date.now() + 86_400_000)
    const earlier = writeCrl({ issuer: issuer!, key, number: 1, thisUpdate, nextUpdate, revoked: [] })
    let content: string | Buffer | undefined = pki.crl(root, [rin])
    const { judge, refresh } = await published(() => content)
    await refresh()
    for (const bad of [pki.crl(pki.authority(ROOT)), earlier, 'nonsense', undefined]) {
      content = bad
      now = new Date(+now + 6 * 3_600_000)
      expect(await refresh()).toEqual({ updated: 0, failed: [ROOT] })
      expect(await judge(rin)).toBe('revoked')
    }
    now = new Date()
  })
})

describe('a list of revoked certificates', () => {
  test('of ours is one OpenSSL checks and reads', () => {
    const [issuer] = readCertificates(root.pem)
    const key = privateKeyOf(readFileSync(root.key, 'utf8'))
    const [person] = readCertificates(rin.pem)
    const at = new Date('2030-01-01T00:00:00Z')
    const thisUpdate = new Date('2026-01-01T00:00:00Z')
    const bytes = writeCrl({
      issuer: issuer!,
      key,
      number: 7,
      thisUpdate,
      nextUpdate: at,
      revoked: [{ serial: person!.serial, at: thisUpdate }],
    })
    const file = join(pki.directory, 'ours.crl')
    writeFileSync(file, bytes)
    const text = pki.openssl(
      'crl',
      '-inform',
      'DER',
      '-in',
      file,
      '-noout',
      '-text',
      '-CAfile',
      root.certificate,
    )
    expect(text).toContain(`Serial Number: ${person!.serial.toUpperCase()}`)
    expect(text).toMatch(/X509v3 CRL Number:\s+7/)
    const crl = readCrl(bytes)
    expect(isCrlOf(crl, issuer!)).toBe(true)
    expect([...crl.revoked]).toEqual([person!.serial])
    expect(
      writeCrl({ issuer: issuer!, key, number: 8, thisUpdate, nextUpdate: at, revoked: [] }).length,
    ).toBeGreaterThan(100)
    expect(
      readCrl(writeCrl({ issuer: issuer!, key, number: 8, thisUpdate, nextUpdate: at, revoked: [] })).revoked
        .size,
    ).toBe(0)
  })

  test('is read as PEM and DER, and refused when it is forged, partial or without an end', () => {
    const [issuer] = readCertificates(root.pem)
    const pem = Buffer.from(pki.crl(root, [rin]))
    const crl = readCrl(pem)
    expect(isCrlOf(crl, issuer!)).toBe(true)
    expect(isCrlOf(crl, readCertificates(mika.pem)[0]!)).toBe(false)
    const key = privateKeyOf(readFileSync(root.key, 'utf8'))
    const time = der.time(new Date())
    const algorithm = der.sequence(der.oid('1.2.840.10045.4.3.2'))
    const partial = der.explicit(
      0,
      der.sequence(der.sequence(der.oid('2.5.29.28'), der.boolean(true), der.octets(der.sequence()))),
    )
    const list = (...rest: Buffer[]) =>
      signedStructure(der.sequence(der.integer(1), algorithm, issuer!.subjectDer, time, ...rest), key)
    expect(readCrl(list(time)).revoked.size).toBe(0)
    expect(() => readCrl(list(time, partial))).toThrow(/critical extension 2.5.29.28/)
    expect(() => readCrl(list())).toThrow(/when the next one comes/)
    expect(() => readCrl(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'invalid_crl' }))
  })

  test('is not the authority’s any more when a byte of it is changed', () => {
    const [issuer] = readCertificates(root.pem)
    const good = pemBlocks(pki.crl(root, [rin, mika]))[0]!.der
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(good)
        bytes[at] = value
        if (bytes.equals(good)) return
        try {
          expect(isCrlOf(readCrl(bytes), issuer!)).toBe(false)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_crl' })
        }
      }),
      { numRuns: 500 },
    )
  })

  test('of a hundred thousand is read', () => {
    const [issuer] = readCertificates(root.pem)
    const key = privateKeyOf(readFileSync(root.key, 'utf8'))
    const at = new Date()
    const revoked = Array.from({ length: 100_000 }, (_, i) => ({
      serial: `40${i.toString(16).padStart(14, '0')}`,
      at,
    }))
    const crl = readCrl(
      writeCrl({ issuer: issuer!, key, number: 1, thisUpdate: at, nextUpdate: at, revoked }),
    )
    expect(crl.revoked.size).toBe(100_000)
    expect(crl.revoked.has(revoked[77_777]!.serial)).toBe(true)
  })

  test('is fresh until its successor is due, late within the grace, and then counts no longer', () => {
    const [thisUpdate, nextUpdate] = [new Date('2026-01-01'), new Date('2026-01-08')]
    const crl = { ...readCrl(Buffer.from(pki.crl(root))), thisUpdate, nextUpdate }
    const state = (at: string) => crlState(crl, new Date(at), 86_400_000)
    expect([
      state('2026-01-02'),
      state('2026-01-08T12:00Z'),
      state('2026-01-09'),
      state('2025-12-01'),
    ]).toEqual(['fresh', 'late', 'expired', 'expired'])
  })
})
