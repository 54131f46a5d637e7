// Needs openssl.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { issueAuthorityCertificate } from '../identity/voms/authority-certificate.ts'
import { parseLsc } from '../identity/voms/contact-files.ts'
import { type Certificate, readCertificates } from '../identity/x509/certificate.ts'
import { type Credential, createCa } from '../identity/x509/certificates.ts'
import { slashOf } from '../identity/x509/names.ts'
import { homeAt } from './home.ts'
import { ensureVomsAuthority } from './voms-authority.ts'

const now = new Date('2026-11-21T12:00:00Z')
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000)

describe('the key that attests groups and roles', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-voms-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const home = homeAt(directory)
  const file = join(home.server, 'voms.pem')
  const install = (ca: Credential) => {
    writeFileSync(join(home.ca, 'ca.pem'), ca.certificatePem)
    writeFileSync(join(home.ca, 'ca.key'), ca.privateKeyPem)
  }
  const ensured = async (at = now): Promise<Certificate> =>
    readCertificates(
      (await ensureVomsAuthority(home, { host: 'grid.test', vos: ['demo', 'other'] }, at)).certificatePem,
    )[0]!

  beforeAll(async () => {
    for (const path of [home.ca, home.server]) mkdirSync(path, { recursive: true })
    install(await createCa({ name: 'Test', now }))
  })

  test('is RSA with the identifier that clients compute, and OpenSSL accepts its certificate', async () => {
    const certificate = await ensured()
    expect(slashOf(certificate.subject)).toBe('/O=Kumihimo/OU=VOMS/CN=grid.test')
    expect(certificate.publicKey.asymmetricKeyType).toBe('rsa')
    const at = String(Math.floor(now.getTime() / 1000))
    const check = ['verify', '-attime', at, '-CAfile', join(home.ca, 'ca.pem'), file]
    expect(execFileSync('openssl', check, { encoding: 'utf8' })).toContain('OK')
    const bits = execFileSync('openssl', ['x509', '-in', file, '-noout', '-ocspid'], { encoding: 'utf8' })
    expect(/Public key OCSP hash: ([0-9A-F]{40})/.exec(bits)![1]!.toLowerCase()).toBe(
      certificate.subjectKeyId,
    )
  })

  test('stays until sixty days before its end, then has a successor of the same name', async () => {
    const first = await ensured()
    expect((await ensured(inDays(300))).fingerprint).toBe(first.fingerprint)
    const second = await ensured(inDays(310))
    expect(second.fingerprint).not.toBe(first.fingerprint)
    expect([second.subjectKey, second.notAfter]).toEqual([first.subjectKey, inDays(310 + 365)])
  })

  test('is replaced when the authority of the grid has a new key, or when its own key was lost', async () => {
    const { subjectKey, fingerprint } = await ensured()
    writeFileSync(join(home.server, 'voms.key'), '')
    const mended = await ensured()
    expect(mended.fingerprint).not.toBe(fingerprint)
    install(await createCa({ name: 'Test', now }))
    const renewed = await ensured()
    expect([renewed.subjectKey, renewed.fingerprint === mended.fingerprint]).toEqual([subjectKey, false])
  })

  test('is described for every VO, for those who check signatures', async () => {
    const certificate = await ensured()
    for (const vo of ['demo', 'other'])
      expect(parseLsc(readFileSync(join(home.ca, 'vomsdir', vo, 'grid.test.lsc'), 'utf8'))).toEqual([
        [{ subject: slashOf(certificate.subject), issuer: slashOf(certificate.issuer) }],
      ])
  })

  test('of another authority is the operator’s and stays, whatever its age', async () => {
    const foreign = await createCa({ name: 'Institute', now })
    const name = [[{ oid: '2.5.4.3', value: 'voms.institute.test' }]]
    const given = await issueAuthorityCertificate({ ca: foreign, name, now })
    writeFileSync(file, given.certificatePem)
    writeFileSync(join(home.server, 'voms.key'), given.privateKeyPem)
    expect(slashOf((await ensured(inDays(360))).subject)).toBe('/CN=voms.institute.test')
    writeFileSync(join(home.server, 'voms.key'), 'nonsense')
    await expect(ensured()).rejects.toMatchObject({ code: 'voms_authority_unusable' })
  })
})
