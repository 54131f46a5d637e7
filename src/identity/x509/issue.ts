import { createHash, type KeyObject, randomBytes } from 'node:crypto'
import { type Certificate, EXTENDED_KEY_USAGE, EXTENSION, KEY_USAGE } from './certificate.ts'
import * as der from './der.ts'
import { type Name, writeName } from './names.ts'
import { toPem } from './pem.ts'
import { algorithmOf, signedStructure } from './signatures.ts'

export interface Issue {
  /** Whose name and key sign. */
  readonly issuer: { readonly certificate: Certificate; readonly key: KeyObject }
  /** A name, or its encoding where the issuer's must be repeated byte by byte. */
  readonly subject: Name | Buffer
  /** The SubjectPublicKeyInfo to certify. */
  readonly spki: Uint8Array
  readonly serial: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly extensions: readonly Buffer[]
}

/** A certificate of version 3, DER. Every field is given: nothing comes from a request but its key. */
export function issueCertificate(issue: Issue): Buffer {
  const { certificate, key } = issue.issuer
  const subject = Buffer.isBuffer(issue.subject) ? issue.subject : writeName(issue.subject)
  return signedStructure(
    der.sequence(
      der.explicit(0, der.integer(2)),
      der.element(der.TAG.integer, issue.serial),
      algorithmOf(key),
      certificate.subjectDer,
      der.sequence(der.time(issue.notBefore), der.time(issue.notAfter)),
      subject,
      issue.spki,
      der.explicit(3, der.sequence(...issue.extensions)),
    ),
    key,
  )
}

/** Positive, unpredictable and of 16 bytes (RFC 5280 §4.1.2.2). */
export function randomSerial(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes
}

export function extension(oid: string, critical: boolean, value: Uint8Array): Buffer {
  return der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value))
}

/** SHA-1 over the key's bits: how authorities name keys, RFC 5280 §4.2.1.2 (1). */
export function keyIdOf(spki: Uint8Array): Buffer {
  const fields = der.fieldsOf(der.parse(spki))
  fields.next()
  return createHash('sha1').update(der.readBits(fields.next())).digest()
}

export const keyUsage = (usages: readonly number[]): Buffer =>
  extension(EXTENSION.keyUsage, true, der.flags(usages))

const keyIds = ({ certificate }: Issue['issuer'], spki: Uint8Array): Buffer[] => [
  extension(EXTENSION.subjectKeyId, false, der.octets(keyIdOf(spki))),
  extension(
    EXTENSION.authorityKeyId,
    false,
    der.sequence(
      der.element(
        der.context(0, false),
        certificate.subjectKeyId ? Buffer.from(certificate.subjectKeyId, 'hex') : keyIdOf(certificate.spki),
      ),
    ),
  ),
]

/** An authority below another one that may issue certificates of people, but no further authorities. */
export function issueAuthority(wish: {
  readonly issuer: Issue['issuer']
  readonly subject: Name
  readonly spki: Uint8Array
  readonly notBefore: Date
  readonly notAfter: Date
}): string {
  return toPem(
    'CERTIFICATE',
    issueCertificate({
      ...wish,
      serial: randomSerial(),
      extensions: [
        extension(EXTENSION.basicConstraints, true, der.sequence(der.boolean(true), der.integer(0))),
        keyUsage([KEY_USAGE.keyCertSign, KEY_USAGE.crlSign]),
        ...keyIds(wish.issuer, wish.spki),
      ],
    }),
  )
}

/** A certificate with which a person, robot or gateway authenticates. */
export function issuePersonal(wish: {
  readonly issuer: Issue['issuer']
  readonly subject: Name
  readonly spki: Uint8Array
  readonly serial: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly crlUrl: string
}): Buffer {
  const point = der.element(
    der.context(0),
    der.element(der.context(0), der.element(der.context(6, false), Buffer.from(wish.crlUrl, 'latin1'))),
  )
  return issueCertificate({
    ...wish,
    extensions: [
      extension(EXTENSION.basicConstraints, true, der.sequence()),
      keyUsage([KEY_USAGE.digitalSignature]),
      extension(EXTENSION.extendedKeyUsage, false, der.sequence(der.oid(EXTENDED_KEY_USAGE.clientAuth))),
      extension(EXTENSION.crlDistributionPoints, false, der.sequence(der.sequence(point))),
      ...keyIds(wish.issuer, wish.spki),
    ],
  })
}
