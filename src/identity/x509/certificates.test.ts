import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { missing } from '../../../test/harness/foreign.ts'
import { createCa, issueHostCertificate, writeTrustDirectory } from './certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'kumi-ca-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, encoding: 'utf8' })

test.skipIf(missing('openssl'))(
  'OpenSSL finds the authority in the trust directory and accepts the host certificate it signed',
  async () => {
    const now = new Date()
    const ca = await createCa({ name: 'Kumihimo  test 2026-01-01', now })
    const host = await issueHostCertificate({ ca, names: ['localhost'], ips: ['127.0.0.1', '::1'], now })
    writeFileSync(join(directory, 'ca.pem'), ca.certificatePem)
    writeFileSync(join(directory, 'host.pem'), host.certificatePem)
    const { certificatePem } = ca
    await writeTrustDirectory(join(directory, 'trust'), { certificatePem, subjects: ['/O=Kumihimo/*'] })
    const hashes = ['-subject_hash', '-subject_hash_old'].map((option) =>
      openssl('x509', '-in', 'ca.pem', '-noout', option).trim(),
    )
    const files = hashes.flatMap((hash) => [`${hash}.0`, `${hash}.signing_policy`])
    expect(readdirSync(join(directory, 'trust')).sort()).toEqual(files.sort())
    expect(openssl('verify', '-CApath', 'trust', '-purpose', 'sslserver', 'host.pem')).toContain('OK')
    const text = openssl('x509', '-in', 'host.pem', '-noout', '-text')
    expect(text).toContain('DNS:localhost, IP Address:127.0.0.1')
    const foreign = await createCa({ name: 'somebody else', now })
    writeFileSync(join(directory, 'foreign.pem'), foreign.certificatePem)
    expect(() => openssl('verify', '-CAfile', 'foreign.pem', 'host.pem')).toThrow()
  },
)
