import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { defineError } from '../../kernel/errors.ts'
import * as der from './der.ts'

export const weakKey = defineError('invalid', 'weak_key')
const unusableSignature = defineError('invalid', 'unusable_signature')

interface Algorithm {
  readonly oid: string
  readonly key: 'rsa' | 'ec'
  readonly hash: string
}

/** Signatures that count; MD5 and SHA-1 can be forged and are not among them. */
const ALGORITHMS: readonly Algorithm[] = [
  { oid: '1.2.840.113549.1.1.11', key: 'rsa', hash: 'sha256' },
  { oid: '1.2.840.113549.1.1.12', key: 'rsa', hash: 'sha384' },
  { oid: '1.2.840.113549.1.1.13', key: 'rsa', hash: 'sha512' },
  { oid: '1.2.840.10045.4.3.2', key: 'ec', hash: 'sha256' },
  { oid: '1.2.840.10045.4.3.3', key: 'ec', hash: 'sha384' },
  { oid: '1.2.840.10045.4.3.4', key: 'ec', hash: 'sha512' },
]
const LEAST_RSA_BITS = 2048
/** Larger ones would let a stranger make us calculate for seconds. */
const MOST_RSA_BITS = 8192
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** The object identifier of an AlgorithmIdentifier whose parameters are as they should be. */
export function signatureOidOf(identifier: der.Element): string {
  const fields = der.fieldsOf(identifier)
  const oid = der.readOid(fields.next())
  const known = ALGORITHMS.find((algorithm) => algorithm.oid === oid)
  const parameters = fields.more ? fields.next() : undefined
  fields.end()
  if (!known) return oid
  const good = parameters === undefined || (known.key === 'rsa' && parameters.tag === der.TAG.nothing)
  if (!good) throw unusableSignature('A signature algorithm has unexpected parameters.')
  return oid
}

export const isStrongSignature = (oid: string): boolean => ALGORITHMS.some((known) => known.oid === oid)

/** Whether `key` made this signature; false also for algorithms that do not count. */
export function isSigned(signed: {
  readonly oid: string
  readonly content: Uint8Array
  readonly signature: Uint8Array
  readonly key: KeyObject
}): boolean {
  const algorithm = ALGORITHMS.find(({ oid }) => oid === signed.oid)
  if (!algorithm || signed.key.asymmetricKeyType !== algorithm.key) return false
  try {
    return verify(algorithm.hash, signed.content, signed.key, signed.signature)
  } catch {
    return false
  }
}

/** `{ content, algorithm, signature }`: the shape of certificates, lists of revoked ones and requests. */
export function signedStructure(content: Uint8Array, key: KeyObject): Buffer {
  return der.sequence(content, algorithmOf(key), der.bits(sign('sha256', content, key)))
}

/** The AlgorithmIdentifier with which `key` signs here. */
export function algorithmOf(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa'
    ? der.sequence(der.oid('1.2.840.113549.1.1.11'), der.nothing())
    : der.sequence(der.oid('1.2.840.10045.4.3.2'))
}

/** RSA of 2048 to 8192 bits with a usual exponent, or P-256, P-384, P-521; says what is wrong otherwise. */
export function weaknessOf(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key
  if (type === 'ec') {
    return CURVES.has(details.namedCurve ?? '') ? undefined : 'its curve is not P-256, P-384 or P-521'
  }
  if (type !== 'rsa') return `it is neither RSA nor on a NIST curve`
  const { modulusLength = 0, publicExponent = 0n } = details
  if (modulusLength < LEAST_RSA_BITS)
    return `an RSA key needs ${LEAST_RSA_BITS} bits, this one has ${modulusLength}`
  if (modulusLength > MOST_RSA_BITS) return `an RSA key has at most ${MOST_RSA_BITS} bits here`
  if (publicExponent < 65537n || publicExponent % 2n === 0n) return 'its public exponent is too small or even'
  return undefined
}

/** A public key from its SubjectPublicKeyInfo. */
export const publicKeyOf = (spki: Buffer): KeyObject =>
  createPublicKey({ key: spki, format: 'der', type: 'spki' })

export const spkiOf = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' })

export const privateKeyOf = (pem: string): KeyObject => createPrivateKey(pem)
