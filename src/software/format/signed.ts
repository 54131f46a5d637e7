import {
  constants,
  createHash,
  createPublicKey,
  createSign,
  createVerify,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  X509Certificate,
} from 'node:crypto'
import { notACvmfs, notTrusted } from './errors.ts'
import { type Algorithm, type ContentHash, hashFromText, hashOf, sameHash, textOf } from './hash.ts'

/** Text, then `--`, then the hash of the text, then a signature of the hash: the form of manifest and whitelist. */
export interface SignedDocument {
  /** Everything before the `--` line, with the newline that ends it. */
  readonly body: string
  readonly hash: ContentHash
  readonly signature: Buffer
}

/** Splits a document and compares its hash; the signature is looked at by its own verifier. */
export function readSigned(bytes: Buffer, what: string): SignedDocument {
  const mark = bytes.indexOf('\n--\n')
  if (mark < 0) throw notACvmfs(`The ${what} has no signature.`)
  const body = bytes.subarray(0, mark + 1)
  const rest = bytes.subarray(mark + 4)
  const end = rest.indexOf('\n')
  if (end < 0) throw notACvmfs(`The ${what} ends in the middle of its signature.`)
  const hash = hashFromText(rest.subarray(0, end).toString('latin1'))
  if (!sameHash(hash, hashOf(body, hash.algorithm)))
    throw notTrusted(`The ${what} was changed after it was signed.`)
  return { body: body.toString('utf8'), hash, signature: rest.subarray(end + 1) }
}

const withSignature = (body: string, hash: ContentHash, signature: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${body}--\n${textOf(hash)}\n`), signature])

/** Signed as manifests are: RSA with SHA-1 over the text of the hash, whatever algorithm made the hash. */
export function signManifest(body: string, algorithm: Algorithm, key: KeyObject): Buffer {
  const hash = hashOf(body, algorithm)
  return withSignature(body, hash, createSign('RSA-SHA1').update(textOf(hash)).sign(key))
}

export function manifestSignedBy({ hash, signature }: SignedDocument, certificate: X509Certificate): boolean {
  return createVerify('RSA-SHA1').update(textOf(hash)).verify(certificate.publicKey, signature)
}

/** Signed as whitelists are: the text of the hash itself in a PKCS#1 block of type 1, without a digest around it. */
export function signWhitelist(body: string, algorithm: Algorithm, key: KeyObject): Buffer {
  const hash = hashOf(body, algorithm)
  return withSignature(
    body,
    hash,
    privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from(textOf(hash))),
  )
}

export function whitelistSignedBy({ hash, signature }: SignedDocument, key: KeyObject): boolean {
  try {
    return publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature).equals(
      Buffer.from(textOf(hash)),
    )
  } catch {
    return false
  }
}

/** Digest of a certificate's DER as whitelists write it: `AB:CD:…`, with the algorithm behind it unless SHA-1. */
export function fingerprintOf(certificate: X509Certificate, algorithm: Algorithm): string {
  const digest = hashOf(certificate.raw, algorithm).hex.toUpperCase().match(/../g)!.join(':')
  return algorithm === 'sha1' ? digest : `${digest}-${algorithm.toUpperCase()}`
}

export function certificateFrom(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    throw notACvmfs('The certificate of the repository cannot be read.', {}, error)
  }
}

/** Public keys in a text of one or more PEM blocks. */
export function publicKeysFrom(pem: string): KeyObject[] {
  const blocks = pem.match(/-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g) ?? []
  if (blocks.length === 0) throw notACvmfs('There is no public key in what should hold some.')
  return blocks.map((block) => createPublicKey(block))
}

/** A short name of a public key, for people to compare. */
export function keyName(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16)
}
