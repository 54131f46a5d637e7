import { createHash, type KeyObject } from 'node:crypto'
import { defineError } from '../../kernel/errors.ts'
import * as der from './der.ts'
import { keyOf, type Name, readName } from './names.ts'
import { pemBlocks } from './pem.ts'
import { publicKeyOf, signatureOidOf } from './signatures.ts'

export const invalidCertificate = defineError('invalid', 'invalid_certificate')

export interface Extension {
  readonly critical: boolean
  readonly value: Buffer
}

/** Object identifiers of the extensions that mean something here. */
export const EXTENSION = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  proxyCertInfo: '1.3.6.1.5.5.7.1.14',
  gt3ProxyCertInfo: '1.3.6.1.4.1.3536.1.222',
  vomsAttributes: '1.3.6.1.4.1.8005.100.100.5',
} as const

export const KEY_USAGE = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, crlSign: 6 } as const
export const EXTENDED_KEY_USAGE = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  any: '2.5.29.37.0',
} as const

/** What a proxy certificate says of itself by its extension; the oldest kind has none. */
export interface ProxyInfo {
  readonly kind: 'rfc3820' | 'gt3'
  readonly critical: boolean
  /** How many proxies may follow; null: any number. */
  readonly pathLength: number | null
  /** Object identifier of the policy language. */
  readonly language: string
}

/** The facts of a certificate, read strictly; whether it is any good is decided by `verifyChain`. */
export interface Certificate {
  readonly der: Buffer
  /** SHA-256 in hexadecimal. */
  readonly fingerprint: string
  /** Hexadecimal, as encoded. */
  readonly serial: string
  readonly issuer: Name
  readonly issuerKey: string
  readonly subject: Name
  readonly subjectKey: string
  /** As it is encoded, for issuing below it. */
  readonly subjectDer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly spki: Buffer
  readonly publicKey: KeyObject
  readonly signed: { readonly oid: string; readonly content: Buffer; readonly signature: Buffer }
  readonly extensions: ReadonlyMap<string, Extension>
  readonly ca: boolean
  readonly pathLength: number | null
  readonly keyUsage: ReadonlySet<number> | null
  readonly extendedKeyUsage: readonly string[] | null
  readonly subjectKeyId: string | null
  readonly authorityKeyId: string | null
  /** Directory names below which an authority may or may not issue. */
  readonly nameConstraints: { readonly permitted: readonly Name[]; readonly excluded: readonly Name[] } | null
  readonly proxy: ProxyInfo | null
}

/** Throws `invalid_certificate` for anything that is not exactly one well-formed certificate of version 3 or 1. */
export function readCertificate(bytes: Uint8Array): Certificate {
  try {
    return certificateOf(der.parse(bytes))
  } catch (cause) {
    throw invalidCertificate(`This is no usable certificate: ${(cause as Error).message}`, undefined, cause)
  }
}

/** The certificates of a PEM text, in order; other blocks are passed over. */
export function readCertificates(pem: string): Certificate[] {
  return pemBlocks(pem)
    .filter(
      ({ label }) =>
        label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' || label === 'TRUSTED CERTIFICATE',
    )
    .map(({ der: bytes }) => readCertificate(bytes))
}

function certificateOf(whole: der.Element): Certificate {
  const outer = der.fieldsOf(whole)
  const tbs = outer.next(der.TAG.sequence)
  const algorithm = outer.next()
  const signature = der.readBits(outer.next())
  outer.end()

  const fields = der.fieldsOf(tbs)
  const versionField = fields.optional(der.context(0))
  const version = versionField ? der.readSmall(der.inside(versionField)) + 1 : 1
  const serial = fields.next(der.TAG.integer)
  der.readInteger(serial)
  if (serial.content.length > 32) throw der.invalidDer('Its serial number is too long.')
  if (!fields.next().bytes.equals(algorithm.bytes)) throw der.invalidDer('It names two signature algorithms.')
  const issuer = readName(fields.next())
  const validity = der.fieldsOf(fields.next())
  const [notBefore, notAfter] = [der.readTime(validity.next()), der.readTime(validity.next())]
  validity.end()
  const subjectField = fields.next()
  const subject = readName(subjectField)
  if (issuer.length === 0 || subject.length === 0) throw der.invalidDer('A name is empty.')
  const spki = fields.next(der.TAG.sequence).bytes
  fields.optional(der.context(1, false))
  fields.optional(der.context(2, false))
  const list = fields.optional(der.context(3))
  fields.end()
  if ((list !== undefined && version !== 3) || version > 3) throw der.invalidDer('Its version is wrong.')
  const extensions = list ? extensionsOf(der.inside(list)) : new Map<string, Extension>()

  return {
    der: whole.bytes,
    fingerprint: createHash('sha256').update(whole.bytes).digest('hex'),
    serial: serial.content.toString('hex'),
    issuer,
    issuerKey: keyOf(issuer),
    subject,
    subjectKey: keyOf(subject),
    subjectDer: subjectField.bytes,
    notBefore,
    notAfter,
    spki,
    publicKey: publicKeyOf(spki),
    signed: { oid: signatureOidOf(algorithm), content: tbs.bytes, signature },
    extensions,
    ...factsOf(extensions),
  }
}

function extensionsOf(list: der.Element): Map<string, Extension> {
  const found = new Map<string, Extension>()
  if (list.tag !== der.TAG.sequence) throw der.invalidDer('Its extensions have an unknown form.')
  for (const part of der.childrenOf(list)) {
    const fields = der.fieldsOf(part)
    const oid = der.readOid(fields.next())
    const criticalField = fields.optional(der.TAG.boolean)
    const critical = criticalField ? der.readBoolean(criticalField) : false
    const value = der.readOctets(fields.next())
    fields.end()
    if (found.has(oid)) throw der.invalidDer(`It has the extension ${oid} twice.`)
    found.set(oid, { critical, value })
  }
  return found
}

function factsOf(extensions: ReadonlyMap<string, Extension>) {
  const read = <T>(oid: string, reader: (element: der.Element) => T): T | null => {
    const extension = extensions.get(oid)
    return extension ? reader(der.parse(extension.value)) : null
  }
  const basic = read(EXTENSION.basicConstraints, basicConstraintsOf)
  return {
    ca: basic?.ca ?? false,
    pathLength: basic?.pathLength ?? null,
    keyUsage: read(EXTENSION.keyUsage, der.readFlags),
    extendedKeyUsage: read(EXTENSION.extendedKeyUsage, (list) => {
      if (list.tag !== der.TAG.sequence) throw der.invalidDer('Its purposes have an unknown form.')
      return der.childrenOf(list).map(der.readOid)
    }),
    subjectKeyId: read(EXTENSION.subjectKeyId, (id) => der.readOctets(id).toString('hex')),
    authorityKeyId: read(EXTENSION.authorityKeyId, (id) => {
      const keyId = der.fieldsOf(id).optional(der.context(0, false))
      return keyId ? keyId.content.toString('hex') : null
    }),
    nameConstraints: read(EXTENSION.nameConstraints, nameConstraintsOf),
    proxy: proxyOf(extensions),
  }
}

function basicConstraintsOf(element: der.Element): { ca: boolean; pathLength: number | null } {
  const fields = der.fieldsOf(element)
  const caField = fields.optional(der.TAG.boolean)
  const pathField = fields.optional(der.TAG.integer)
  fields.end()
  const ca = caField ? der.readBoolean(caField) : false
  return { ca, pathLength: pathField ? der.readSmall(pathField) : null }
}

/** Only directory names count: people are known here by nothing else. */
function nameConstraintsOf(element: der.Element): { permitted: Name[]; excluded: Name[] } {
  const fields = der.fieldsOf(element)
  const subtrees = (number: number): Name[] => {
    const list = fields.optional(der.context(number))
    return (list ? der.childrenOf(list) : []).flatMap((subtree) => {
      const base = der.fieldsOf(subtree).next()
      return base.tag === der.context(4) ? [readName(der.inside(base))] : []
    })
  }
  const [permitted, excluded] = [subtrees(0), subtrees(1)]
  fields.end()
  return { permitted, excluded }
}

function proxyOf(extensions: ReadonlyMap<string, Extension>): ProxyInfo | null {
  const standard = extensions.get(EXTENSION.proxyCertInfo)
  const draft = extensions.get(EXTENSION.gt3ProxyCertInfo)
  if (standard && draft) throw der.invalidDer('It is a proxy of two kinds.')
  const extension = standard ?? draft
  if (!extension) return null
  const fields = der.fieldsOf(der.parse(extension.value))
  const pathField = standard && fields.optional(der.TAG.integer)
  const policy = der.fieldsOf(fields.next())
  const wrappedPath = draft && fields.optional(der.context(1))
  fields.end()
  const language = der.readOid(policy.next())
  policy.optional(der.TAG.octets)
  policy.end()
  const path = pathField ?? (wrappedPath && der.inside(wrappedPath))
  return {
    kind: standard ? 'rfc3820' : 'gt3',
    critical: extension.critical,
    pathLength: path ? der.readSmall(path) : null,
    language,
  }
}
