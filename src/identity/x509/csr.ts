import type { KeyObject } from 'node:crypto'
import { defineError } from '../../kernel/errors.ts'
import * as der from './der.ts'
import type { Name } from './names.ts'
import { writeName } from './names.ts'
import { pemBlocks, toPem } from './pem.ts'
import {
  isSigned,
  publicKeyOf,
  signatureOidOf,
  signedStructure,
  spkiOf,
  weakKey,
  weaknessOf,
} from './signatures.ts'

export const invalidCsr = defineError('invalid', 'invalid_certificate_request')

/**
 * The public key of a request (PKCS#10, PEM or DER) whose holder proved to have the private one. Everything else in
 * it (name, extensions) is only wished and not looked at. Throws `invalid_certificate_request`, and `weak_key` for RSA
 * below 2048 bits and curves other than NIST's.
 */
export function requestedKey(request: string | Uint8Array): { spki: Buffer; key: KeyObject } {
  const block =
    typeof request === 'string'
      ? pemBlocks(request).find(({ label }) => /^(NEW )?CERTIFICATE REQUEST$/.test(label))?.der
      : request
  if (!block) throw invalidCsr('This is no certificate request; make one with "openssl req -new".')
  let found: { spki: Buffer; key: KeyObject; good: boolean }
  try {
    const outer = der.fieldsOf(der.parse(block))
    const info = outer.next(der.TAG.sequence)
    const oid = signatureOidOf(outer.next())
    const signature = der.readBits(outer.next())
    outer.end()
    const fields = der.fieldsOf(info)
    fields.next(der.TAG.integer)
    fields.next(der.TAG.sequence)
    const spki = fields.next(der.TAG.sequence).bytes
    const key = publicKeyOf(spki)
    found = { spki, key, good: isSigned({ oid, content: info.bytes, signature, key }) }
  } catch (cause) {
    throw invalidCsr(`This certificate request cannot be read: ${(cause as Error).message}`, {}, cause)
  }
  const weakness = weaknessOf(found.key)
  if (weakness) throw weakKey(`The key of the certificate request is too weak: ${weakness}.`)
  if (!found.good) throw invalidCsr('The certificate request is not signed by its own key with SHA-2.')
  return { spki: found.spki, key: found.key }
}

/** A request for a key, signed by it, PEM. */
export function writeCsr(key: KeyObject, subject: Name): string {
  const info = der.sequence(der.integer(0), writeName(subject), spkiOf(key), der.element(der.context(0)))
  return toPem('CERTIFICATE REQUEST', signedStructure(info, key))
}
