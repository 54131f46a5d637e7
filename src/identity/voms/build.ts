import type { KeyObject } from 'node:crypto'
import { type Certificate, readCertificates } from '../x509/certificate.ts'
import type { Credential } from '../x509/certificates.ts'
import * as der from '../x509/der.ts'
import { extension, randomSerial } from '../x509/issue.ts'
import { algorithmOf, privateKeyOf, signedStructure, weakKey } from '../x509/signatures.ts'
import { type GenericAttribute, VOMS } from './attribute-certificate.ts'
import { type Fqan, longFqan } from './fqan.ts'

/** The key and certificate with which a VO's attributes are signed, and where clients find who signs. */
export interface AuthorityCredential {
  /** RSA: the Java clients read no other signature. With a subject key identifier. */
  readonly certificate: Certificate
  readonly key: KeyObject
  /** Certificates between the authority's own and the root, in that order. */
  readonly intermediates: readonly Certificate[]
  readonly host: string
  readonly port: number
}

/** Throws `invalid_certificate`, or `weak_key` for a key with which clients could not verify anything. */
export function credentialOf(
  { certificatePem, privateKeyPem }: Credential,
  place: Pick<AuthorityCredential, 'host' | 'port'>,
): AuthorityCredential {
  const [certificate, ...intermediates] = readCertificates(certificatePem)
  const key = privateKeyOf(privateKeyPem)
  if (!certificate?.subjectKeyId || key.asymmetricKeyType !== 'rsa') {
    throw weakKey('The certificate of a VOMS authority needs an RSA key and a subject key identifier.')
  }
  return { certificate, key, intermediates, ...place }
}

export interface NewAttributeCertificate {
  /** The end entity's certificate, never a proxy's. */
  readonly holder: Certificate
  readonly authority: AuthorityCredential
  readonly vo: string
  readonly fqans: readonly Fqan[]
  readonly attributes: readonly GenericAttribute[]
  /** Hosts it is meant for; empty: everybody. */
  readonly targets: readonly string[]
  readonly notBefore: Date
  readonly notAfter: Date
}

/** An attribute certificate (RFC 5755) in the form the clients of VOMS accept. */
export function buildAttributeCertificate(input: NewAttributeCertificate): { der: Buffer; serial: string } {
  const { holder, authority, vo, fqans } = input
  const serial = randomSerial()
  const origin = der.implicit(6, der.ia5(`${vo}://${authority.host}:${authority.port}`))
  const info = der.sequence(
    der.integer(1),
    // The subject, not the issuer that RFC 5755 has here: servers of VOMS have always written it, and clients compare it.
    der.sequence(
      der.element(
        der.context(0),
        der.sequence(der.explicit(4, holder.subjectDer)),
        der.element(der.TAG.integer, Buffer.from(holder.serial, 'hex')),
      ),
    ),
    der.element(der.context(0), der.sequence(der.explicit(4, authority.certificate.subjectDer))),
    algorithmOf(authority.key),
    der.element(der.TAG.integer, serial),
    der.sequence(der.generalizedTime(input.notBefore), der.generalizedTime(input.notAfter)),
    der.sequence(
      der.sequence(
        der.oid(VOMS.fqans),
        der.set(
          der.sequence(
            der.element(der.context(0), origin),
            der.sequence(...fqans.map((fqan) => der.octets(Buffer.from(longFqan(fqan), 'latin1')))),
          ),
        ),
      ),
    ),
    der.sequence(...extensionsOf(input, origin)),
  )
  return { der: signedStructure(info, authority.key), serial: serial.toString('hex') }
}

function extensionsOf({ authority, attributes, targets }: NewAttributeCertificate, origin: Buffer): Buffer[] {
  const { certificate, intermediates } = authority
  const keyId = Buffer.from(certificate.subjectKeyId ?? '', 'hex')
  const text = (value: string): Buffer => der.octets(Buffer.from(value, 'utf8'))
  return [
    ...(targets.length > 0 ? [extension(VOMS.targets, true, targetsOf(targets))] : []),
    extension(VOMS.noRevocation, false, der.nothing()),
    extension(VOMS.authorityKeyId, false, der.sequence(der.element(der.context(0, false), keyId))),
    extension(
      VOMS.certificates,
      false,
      der.sequence(der.sequence(certificate.der, ...intermediates.map((one) => one.der))),
    ),
    ...(attributes.length > 0
      ? [
          extension(
            VOMS.attributes,
            false,
            der.sequence(
              der.sequence(
                der.sequence(
                  der.sequence(origin),
                  der.sequence(
                    ...attributes.map(({ name, value, qualifier }) =>
                      der.sequence(text(name), text(value), text(qualifier)),
                    ),
                  ),
                ),
              ),
            ),
          ),
        ]
      : []),
  ]
}

const targetsOf = (targets: readonly string[]): Buffer =>
  der.sequence(
    der.sequence(...targets.map((target) => der.sequence(der.explicit(0, der.implicit(6, der.ia5(target)))))),
  )

/** The value of the extension that carries attribute certificates in a proxy. */
export const attributeExtension = (certificates: readonly Uint8Array[]): Buffer =>
  der.sequence(der.sequence(...certificates))
