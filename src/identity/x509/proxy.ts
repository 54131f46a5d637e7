import type { KeyObject } from 'node:crypto'
import { type Certificate, EXTENSION, KEY_USAGE } from './certificate.ts'
import * as der from './der.ts'
import { extension, issueCertificate, keyUsage, randomSerial } from './issue.ts'
import { COMMON_NAME } from './names.ts'
import { toPem } from './pem.ts'

const LANGUAGE = { full: '1.3.6.1.5.5.7.21.1', limited: '1.3.6.1.4.1.3536.1.1.1.9' } as const
/** Clocks of storages are a few minutes late. */
const BACKDATED_MS = 300_000

/**
 * A proxy certificate (RFC 3820) for a public key, signed by the certificate it stands for. It ends after `hours`, or
 * with its signer. Only the key of a request may be passed on: name and rights are decided here.
 */
export function makeProxy(wish: {
  readonly signer: { readonly certificate: Certificate; readonly key: KeyObject }
  readonly spki: Uint8Array
  readonly hours: number
  readonly limited?: boolean
  readonly now: Date
  /** What VOMS says of the owner, as the value of its extension. */
  readonly attributes?: Uint8Array | undefined
}): Buffer {
  const { signer, now } = wish
  const { notBefore, notAfter, subjectDer } = signer.certificate
  const serial = randomSerial()
  // The name of the signer stays as it is encoded, and one more part follows: its number, as the standard proposes.
  const number = String(serial.readUInt32BE(0))
  const added = der.set(der.sequence(der.oid(COMMON_NAME), der.printable(number)))
  return issueCertificate({
    issuer: signer,
    subject: der.sequence(der.parse(subjectDer).content, added),
    spki: wish.spki,
    serial,
    notBefore: new Date(Math.max(notBefore.getTime(), now.getTime() - BACKDATED_MS)),
    notAfter: new Date(Math.min(notAfter.getTime(), now.getTime() + wish.hours * 3_600_000)),
    extensions: [
      keyUsage([KEY_USAGE.digitalSignature]),
      extension(
        EXTENSION.proxyCertInfo,
        true,
        der.sequence(der.sequence(der.oid(wish.limited ? LANGUAGE.limited : LANGUAGE.full))),
      ),
      ...(wish.attributes ? [extension(EXTENSION.vomsAttributes, false, wish.attributes)] : []),
    ],
  })
}

/** The file grid clients keep: the proxy, its key, then the certificates down to the person's. */
export function proxyFile(proxy: Uint8Array, key: KeyObject, issuers: readonly Certificate[]): string {
  const rsa = key.asymmetricKeyType === 'rsa'
  // Older clients read the key only in the form of its own kind.
  const keyPem = key.export(rsa ? { format: 'pem', type: 'pkcs1' } : { format: 'pem', type: 'sec1' })
  return [
    toPem('CERTIFICATE', proxy),
    keyPem,
    ...issuers.map((issuer) => toPem('CERTIFICATE', issuer.der)),
  ].join('')
}
