import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { type Certificate, EXTENSION, KEY_USAGE, readCertificates } from '../x509/certificate.ts'
import type { Credential } from '../x509/certificates.ts'
import * as der from '../x509/der.ts'
import { type Name, writeName } from '../x509/names.ts'
import { toPem } from '../x509/pem.ts'
import { algorithmOf, isSigned, privateKeyOf, signedStructure, spkiOf } from '../x509/signatures.ts'
import { newSerial } from './serial.ts'

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
  const [issuer] = readCertificates(ca.certificatePem)
  const signer = privateKeyOf(ca.privateKeyPem)
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.element(der.TAG.integer, newSerial()),
    algorithmOf(signer),
    issuer!.subjectDer,
    der.sequence(der.time(new Date(now.getTime() - 3_600_000)), der.time(new Date(now.getTime() + LASTS_MS))),
    writeName(name),
    spkiOf(publicKey),
    der.explicit(3, der.sequence(...extensionsOf(publicKey, issuer!))),
  )
  return {
    certificatePem: toPem('CERTIFICATE', signedStructure(tbs, signer)),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  }
}

function extensionsOf(publicKey: KeyObject, issuer: Certificate): Buffer[] {
  const extension = (oid: string, value: Buffer, critical = false): Buffer =>
    der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value))
  const issuerId = Buffer.from(issuer.subjectKeyId ?? '', 'hex')
  return [
    extension(EXTENSION.basicConstraints, der.sequence(), true),
    extension(EXTENSION.keyUsage, der.flags([KEY_USAGE.digitalSignature]), true),
    extension(EXTENSION.subjectKeyId, der.octets(keyIdOf(publicKey))),
    ...(issuerId.length > 0
      ? [extension(EXTENSION.authorityKeyId, der.sequence(der.element(der.context(0, false), issuerId)))]
      : []),
  ]
}

/** SHA-1 over the bits of the public key. */
function keyIdOf(publicKey: KeyObject): Buffer {
  const fields = der.fieldsOf(der.parse(spkiOf(publicKey)))
  fields.next()
  return createHash('sha1').update(der.readBits(fields.next())).digest()
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
