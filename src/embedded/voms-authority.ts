import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDue, isPair, issueAuthorityCertificate } from '../identity/voms/authority-certificate.ts'
import { formatLsc, namesOf } from '../identity/voms/contact-files.ts'
import { readCertificates } from '../identity/x509/certificate.ts'
import type { Credential } from '../identity/x509/certificates.ts'
import { defineError } from '../kernel/errors.ts'
import { type Home, writeWhole } from './home.ts'

const unusable = defineError('fatal', 'voms_authority_unusable')

/**
 * The key and certificate with which the VOs of this grid attest groups and roles: made by the grid's own authority when
 * there are none, renewed long before they end. Those of another authority were put there by the operator and stay.
 */
export async function ensureVomsAuthority(
  home: Home,
  { host, vos }: { host: string; vos: readonly string[] },
  now: Date,
): Promise<Credential> {
  const credential = await credentialIn(home, host, now)
  // Beside the trust directory: who trusts these authorities finds out there whose signature under attributes counts.
  const lsc = formatLsc(readCertificates(credential.certificatePem).map(namesOf))
  for (const vo of vos) writeWhole(join(home.ca, 'vomsdir', vo, `${host}.lsc`), lsc, 0o644)
  return credential
}

async function credentialIn(home: Home, host: string, now: Date): Promise<Credential> {
  const [certificateFile, keyFile] = ['voms.pem', 'voms.key'].map((name) => join(home.server, name)) as [
    string,
    string,
  ]
  const caPem = readFileSync(join(home.ca, 'ca.pem'), 'utf8')
  const [ca] = readCertificates(caPem)
  if (existsSync(certificateFile)) {
    const kept = {
      certificatePem: readFileSync(certificateFile, 'utf8'),
      privateKeyPem: existsSync(keyFile) ? readFileSync(keyFile, 'utf8') : '',
    }
    const [certificate] = readCertificates(kept.certificatePem)
    const own = certificate?.issuerKey === ca!.subjectKey
    const good = certificate !== undefined && isPair(certificate, kept.privateKeyPem)
    if (!own && !good) throw unusable(`${keyFile} does not fit ${certificateFile}.`)
    if (good && !isDue(certificate, ca!, now)) return kept
  }
  const issued = await issueAuthorityCertificate({
    ca: { certificatePem: caPem, privateKeyPem: readFileSync(join(home.ca, 'ca.key'), 'utf8') },
    name: [
      [{ oid: '2.5.4.10', value: 'Kumihimo' }],
      [{ oid: '2.5.4.11', value: 'VOMS' }],
      [{ oid: '2.5.4.3', value: host }],
    ],
    now,
  })
  writeWhole(keyFile, issued.privateKeyPem)
  writeWhole(certificateFile, issued.certificatePem, 0o644)
  return issued
}
