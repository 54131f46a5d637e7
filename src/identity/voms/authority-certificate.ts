import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { type Certificate, EXTENSION, KEY_USAGE, readCertificates } from '../x509/certificate.ts'
import type { Credential } from '../x509/certificates.ts'
import * as der from '../x509/der.ts'
import { extension, issueCertificate, keyIdOf, keyUsage, randomSerial } from '../x509/issue.ts'
import type { Name } from '../x509/names.ts'
import { toPem } from '../x509/pem.ts'
import { isSigned, privateKeyOf, spkiOf } from '../x509/signatures.ts'

const DAY_MS = 86_400_000
const LASTS_MS = 365 * DAY_MS
/** Long before the end, so that a server which is never restarted has a successor in time. */
const RENEW_BEFORE_MS = 60 * DAY_MS

/**
 * An RSA key with a certificate to sign attributes with, valid for a year. Java clients verify no other kind of signature,
 * and both kinds of clients find the key by the SHA-1 of it (RFC 5280 §4.2.1.2, method 1).
 */
export async function issueAuthorityCertificate(input: {
  readonly ca: Credential
  readonly name: Name
  readonly now: Date
}): Promise<Credential> {
  const { ca, name, now } = input
  const [certificate] = readCertificates(ca.certificatePem)
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const spki = spkiOf(publicKey)
  const known = certificate!.subjectKeyId
  const issuerId = known ? Buffer.from(known, 'hex') : keyIdOf(certificate!.spki)
  const bytes = issueCertificate({
    issuer: { certificate: certificate!, key: privateKeyOf(ca.privateKeyPem) },
    ...{ subject: name, spki, serial: randomSerial() },
    notBefore: new Date(now.getTime() - 3_600_000),
    notAfter: new Date(now.getTime() + LASTS_MS),
    extensions: [
      extension(EXTENSION.basicConstraints, true, der.sequence()),
      keyUsage([KEY_USAGE.digitalSignature]),
      extension(EXTENSION.subjectKeyId, false, der.octets(keyIdOf(spki))),
      extension(EXTENSION.authorityKeyId, false, der.sequence(der.element(der.context(0, false), issuerId))),
    ],
  })
  return {
    certificatePem: toPem('CERTIFICATE', bytes),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  }
}

/**
 * Whether `authority` is to be replaced by a fresh one of this CA: it ends soon, or the CA has a new key. One of another
 * CA is the operator's and stays.
 */
export function isDue(authority: Certificate, ca: Certificate, now: Date): boolean {
  if (authority.issuerKey !== ca.subjectKey) return false
  const ours = isSigned({ ...authority.signed, key: ca.publicKey })
  return !ours || authority.notAfter.getTime() - now.getTime() < RENEW_BEFORE_MS
}

/** Whether the key belongs to the certificate. */
export function isPair(certificate: Certificate, privateKeyPem: string): boolean {
  try {
    return spkiOf(privateKeyOf(privateKeyPem)).equals(certificate.spki)
  } catch {
    return false
  }
}
