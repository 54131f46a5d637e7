import 'reflect-metadata'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

/** A certificate with its private key, both PEM. */
export interface Credential {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const YEAR_MS = 365 * 86_400_000
/** RFC 5280: a serial number is positive and at most 20 bytes. */
const SERIAL_BYTES = 16

x509.cryptoProvider.set(webcrypto)

/** A self-signed authority for one grid; valid for ten years. */
export async function createCa(input: { name: string; now: Date }): Promise<Credential> {
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ O: ['Kumihimo'] }, { CN: [input.name] }],
    notBefore: hourBefore(input.now),
    notAfter: new Date(input.now.getTime() + 10 * YEAR_MS),
    signingAlgorithm: EC,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: pem(certificate), privateKeyPem: await keyPem(keys.privateKey) }
}

/** A TLS certificate for a host: server and client use, one year. */
export async function issueHostCertificate(input: {
  ca: Credential
  names: readonly string[]
  ips?: readonly string[]
  now: Date
}): Promise<Credential> {
  const { ca, names, ips = [], now } = input
  const issuer = new x509.X509Certificate(ca.certificatePem)
  const [keys, signingKey] = await Promise.all([generateKeys(), importKey(ca.privateKeyPem)])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ O: ['Kumihimo'] }, { CN: [names[0] ?? ips[0] ?? 'host'] }],
    issuer: issuer.subjectName,
    notBefore: hourBefore(now),
    notAfter: new Date(now.getTime() + YEAR_MS),
    signingAlgorithm: EC,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: 'dns' as const, value })),
        ...ips.map((value) => ({ type: 'ip' as const, value })),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: pem(certificate), privateKeyPem: await keyPem(keys.privateKey) }
}

/**
 * Writes a trust directory as grid clients read it (X509_CERT_DIR): the authority under the hash of its subject,
 * with a signing policy that lets it sign names below its own organisation.
 */
export async function writeTrustDirectory(directory: string, caPem: string): Promise<void> {
  const ca = new x509.X509Certificate(caPem)
  const hash = subjectHash(ca)
  const subject = `/O=Kumihimo/CN=${ca.subjectName.getField('CN')[0]}`
  const policy = [
    `access_id_CA   X509    '${subject}'`,
    `pos_rights     globus  CA:sign`,
    `cond_subjects  globus  '"/O=Kumihimo/*"'`,
    '',
  ].join('\n')
  await mkdir(directory, { recursive: true, mode: 0o755 })
  await writeFile(join(directory, `${hash}.0`), caPem, { mode: 0o644 })
  await writeFile(join(directory, `${hash}.signing_policy`), policy, { mode: 0o644 })
}

/**
 * OpenSSL's hash of a subject (version 1 and later): SHA-1 over the canonical form of the name, first four bytes
 * little-endian. Canonical: each value a lower-case UTF8String with single blanks, the sets without the outer SEQUENCE.
 */
export function subjectHash(certificate: x509.X509Certificate): string {
  const sets = certificate.subjectName
    .toJSON()
    .flatMap((rdn) =>
      Object.entries(rdn).flatMap(([type, values]) => values.map((value) => attribute(type, value))),
    )
  const digest = createHash('sha1').update(Buffer.concat(sets)).digest()
  return digest.readUInt32LE(0).toString(16).padStart(8, '0')
}

const OIDS: Readonly<Record<string, readonly number[]>> = { CN: [0x55, 4, 3], O: [0x55, 4, 10] }

function attribute(type: string, value: string): Buffer {
  const oid = OIDS[type]
  if (!oid) throw new Error(`a subject of ours holds O and CN only, not ${type}`)
  const canonical = Buffer.from(value.trim().replace(/\s+/g, ' ').toLowerCase(), 'utf8')
  return der(0x31, der(0x30, Buffer.concat([der(0x06, Buffer.from(oid)), der(0x0c, canonical)])))
}

/** One DER element shorter than 128 bytes inside, which names of ours are. */
function der(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, content.length]), content])
}

const serial = (): string => {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** An hour back, so that a machine whose clock is a little late accepts it. */
const hourBefore = (now: Date): Date => new Date(now.getTime() - 3_600_000)

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key)
  const base64 = Buffer.from(pkcs8)
    .toString('base64')
    .match(/.{1,64}/g)!
  return `-----BEGIN PRIVATE KEY-----\n${base64.join('\n')}\n-----END PRIVATE KEY-----\n`
}

function importKey(text: string): Promise<webcrypto.CryptoKey> {
  const pkcs8 = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return webcrypto.subtle.importKey('pkcs8', pkcs8, EC, false, ['sign'])
}
