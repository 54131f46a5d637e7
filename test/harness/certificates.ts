import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCa, issueHostCertificate, writeTrustDirectory } from '../../src/identity/x509/certificates.ts'

/**
 * An authority and the certificate of localhost it made, as files of a directory: `ca.pem`, `tls.pem`, `tls.key` and
 * the trust directory `certificates`. Some clients trust no server certificate that is its own issuer.
 */
export async function localCertificates(directory: string) {
  const now = new Date()
  const authority = await createCa({ name: 'Test authority', now })
  const host = await issueHostCertificate({ ca: authority, names: ['localhost'], ips: ['127.0.0.1'], now })
  const files = {
    ca: join(directory, 'ca.pem'),
    cert: join(directory, 'tls.pem'),
    key: join(directory, 'tls.key'),
    certificates: join(directory, 'certificates'),
  }
  writeFileSync(files.ca, authority.certificatePem)
  writeFileSync(files.cert, host.certificatePem)
  writeFileSync(files.key, host.privateKeyPem)
  await writeTrustDirectory(files.certificates, {
    certificatePem: authority.certificatePem,
    subjects: ['/O=Kumihimo/*'],
  })
  return { files, tls: { cert: host.certificatePem, key: host.privateKeyPem } }
}
