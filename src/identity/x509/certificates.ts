import 'reflect-metadata'
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { readCertificates } from './certificate.ts'
import { issueAuthority } from './issue.ts'
import { privateKeyOf, spkiOf } from './signatures.ts'
import { type PublishedAuthority, trustFiles } from './trust-files.ts'

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
 * The authority below the grid's that signs short-lived certificates of people; valid for five years. RSA: Java clients
 * sign a proxy with the algorithm by which the person's certificate was signed, and keys of people are RSA for C++ clients.
 */
export function createPeopleAuthority(input: { ca: Credential; now: Date }): Credential {
  const certificate = readCertificates(input.ca.certificatePem)[0]!
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const common = certificate.subject.at(-1)!.map(({ oid, value }) => ({ oid, value: `${value} people` }))
  const ends = Math.min(input.now.getTime() + 5 * YEAR_MS, certificate.notAfter.getTime())
  return {
    certificatePem: issueAuthority({
      issuer: { certificate, key: privateKeyOf(input.ca.privateKeyPem) },
      subject: [...certificate.subject.slice(0, -1), common],
      spki: spkiOf(privateKey),
      notBefore: hourBefore(input.now),
      notAfter: new Date(ends),
    }),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  }
}

/** Writes an authority into a trust directory; `crl` is the list it begins with, DER. */
export async function writeTrustDirectory(
  directory: string,
  authority: PublishedAuthority & { readonly crl?: Uint8Array },
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 })
  for (const { name, content } of trustFiles(authority)) {
    await writeFile(join(directory, name), content, { mode: 0o644 })
    if (authority.crl && name.endsWith('.0'))
      await writeFile(join(directory, name.replace(/\.0$/, '.r0')), authority.crl, { mode: 0o644 })
  }
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
