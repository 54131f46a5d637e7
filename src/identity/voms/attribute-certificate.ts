import { defineError } from '../../kernel/errors.ts'
import { type Certificate, readCertificate } from '../x509/certificate.ts'
import * as der from '../x509/der.ts'
import { type Name, readName } from '../x509/names.ts'
import { signatureOidOf } from '../x509/signatures.ts'
import { type Fqan, parseFqan } from './fqan.ts'

export const invalidAttributeCertificate = defineError('invalid', 'invalid_attribute_certificate')

/** What RFC 5755 and VOMS call the parts. */
export const VOMS = {
  fqans: '1.3.6.1.4.1.8005.100.100.4',
  certificates: '1.3.6.1.4.1.8005.100.100.10',
  attributes: '1.3.6.1.4.1.8005.100.100.11',
  authorityKeyId: '2.5.29.35',
  targets: '2.5.29.55',
  noRevocation: '2.5.29.56',
} as const

/** Something a VO says of a member beside groups and roles, e.g. a nickname. */
export interface GenericAttribute {
  readonly name: string
  readonly value: string
  /** The group it was given through, or the VO. */
  readonly qualifier: string
}

/** The facts of a VOMS attribute certificate, read strictly; whether they count is decided by `verifyAttributes`. */
export interface AttributeCertificate {
  readonly der: Buffer
  /** Hexadecimal, as encoded. */
  readonly serial: string
  readonly holder: { readonly name: Name; readonly serial: string }
  readonly issuer: Name
  readonly notBefore: Date
  readonly notAfter: Date
  readonly vo: string
  /** Host name of the authority: with the VO it says which `.lsc` file describes its certificate. */
  readonly host: string
  readonly fqans: readonly Fqan[]
  readonly attributes: readonly GenericAttribute[]
  /** The only hosts it is meant for; null: everybody. */
  readonly targets: readonly string[] | null
  readonly authorityKeyId: string | null
  readonly noRevocation: boolean
  /** The authority's certificate first, then those between it and a root. */
  readonly certificates: readonly Certificate[]
  /** Object identifiers of extensions that must be understood. */
  readonly critical: readonly string[]
  readonly signed: { readonly oid: string; readonly content: Buffer; readonly signature: Buffer }
}

const MOST_CERTIFICATES = 8
const MOST_LISTED = 1000
const LONGEST_SERIAL = 20
const AUTHORITY =
  /^([A-Za-z0-9_][\w.-]*):\/\/([A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/

/** Throws `invalid_attribute_certificate` for anything that is not exactly one well-formed certificate of VOMS. */
export function readAttributeCertificate(bytes: Uint8Array): AttributeCertificate {
  return reading(() => attributeCertificateOf(der.parse(bytes)))
}

/** The attribute certificates that a proxy carries in its extension. */
export function readAttributeCertificates(extension: Uint8Array): AttributeCertificate[] {
  return reading(() => {
    const fields = der.fieldsOf(der.parse(extension))
    const list = fields.next(der.TAG.sequence)
    fields.end()
    return der.childrenOf(list).map(attributeCertificateOf)
  })
}

function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw invalidAttributeCertificate(
      `This is no usable attribute certificate: ${(cause as Error).message}`,
      undefined,
      cause,
    )
  }
}

function attributeCertificateOf(whole: der.Element): AttributeCertificate {
  const outer = der.fieldsOf(whole)
  const info = outer.next(der.TAG.sequence)
  const algorithm = outer.next()
  const signature = der.readBits(outer.next())
  outer.end()

  const fields = der.fieldsOf(info)
  if (der.readSmall(fields.next()) !== 1) throw der.invalidDer('Its version is unknown.')
  const holder = holderOf(fields.next(der.TAG.sequence))
  const issuer = issuerOf(fields.next())
  if (!fields.next().bytes.equals(algorithm.bytes)) throw der.invalidDer('It names two signature algorithms.')
  const serial = serialOf(fields.next())
  const validity = der.fieldsOf(fields.next())
  const [notBefore, notAfter] = [validity.next(), validity.next()].map((time) => {
    if (time.tag !== der.TAG.generalizedTime) throw der.invalidDer('A time has the wrong form.')
    return der.readTime(time)
  }) as [Date, Date]
  validity.end()
  const granted = grantedOf(fields.next(der.TAG.sequence))
  fields.optional(der.TAG.bits)
  const extensions = extensionsOf(fields.next(der.TAG.sequence))
  fields.end()

  const read = <T>(oid: string, reader: (element: der.Element) => T): T | null => {
    const extension = extensions.get(oid)
    return extension ? reader(der.parse(extension.value, extension.value.length)) : null
  }
  return {
    der: whole.bytes,
    serial,
    holder,
    issuer,
    notBefore,
    notAfter,
    ...granted,
    attributes: read(VOMS.attributes, genericAttributesOf) ?? [],
    targets: read(VOMS.targets, targetsOf),
    authorityKeyId: read(VOMS.authorityKeyId, (id) => {
      const keyId = der.fieldsOf(id).optional(der.context(0, false))
      return keyId ? keyId.content.toString('hex') : null
    }),
    noRevocation: extensions.has(VOMS.noRevocation),
    certificates: read(VOMS.certificates, certificatesOf) ?? [],
    critical: [...extensions].flatMap(([oid, { critical }]) => (critical ? [oid] : [])),
    signed: { oid: signatureOidOf(algorithm), content: info.bytes, signature },
  }
}

/** Issuer and serial number of the certificate that it belongs to. Nobody uses the other two forms. */
function holderOf(element: der.Element): AttributeCertificate['holder'] {
  const fields = der.fieldsOf(element)
  const base = fields.next(der.context(0))
  fields.end()
  const [names, serial, ...more] = der.childrenOf(base)
  if (!names || !serial) throw der.invalidDer('Its holder is incomplete.')
  if (more.length > 1 || more.some(({ tag }) => tag !== der.TAG.bits)) {
    throw der.invalidDer('Its holder has an unknown form.')
  }
  return { name: directoryName(names), serial: serialOf(serial) }
}

function issuerOf(element: der.Element): Name {
  if (element.tag !== der.context(0)) throw der.invalidDer('Its issuer has an unknown form.')
  const [names, ...more] = der.childrenOf(element)
  if (!names || more.length > 0) throw der.invalidDer('Its issuer has an unknown form.')
  return directoryName(names)
}

/** The one name of a GeneralNames that has to be a directory name. */
function directoryName(names: der.Element): Name {
  const fields = der.fieldsOf(names)
  const name = readName(der.inside(fields.next(der.context(4))))
  fields.end()
  if (name.length === 0) throw der.invalidDer('A name is empty.')
  return name
}

function serialOf(element: der.Element): string {
  der.readInteger(element)
  if (element.tag !== der.TAG.integer || element.content.length > LONGEST_SERIAL) {
    throw der.invalidDer('A serial number is too long.')
  }
  return element.content.toString('hex')
}

/** Who grants what: exactly one attribute of VOMS with exactly one authority. */
function grantedOf(list: der.Element): Pick<AttributeCertificate, 'vo' | 'host' | 'fqans'> {
  const found = der.childrenOf(list).flatMap((attribute) => {
    const fields = der.fieldsOf(attribute)
    const oid = der.readOid(fields.next())
    const values = fields.next(der.TAG.set)
    fields.end()
    return oid === VOMS.fqans ? der.childrenOf(values) : []
  })
  const [syntax, ...more] = found
  if (!syntax || more.length > 0) throw der.invalidDer('It has not exactly one list of groups and roles.')
  const fields = der.fieldsOf(syntax)
  const [authority, ...others] = der.childrenOf(fields.next(der.context(0)))
  const values = der.childrenOf(fields.next(der.TAG.sequence))
  fields.end()
  if (!authority || others.length > 0) throw der.invalidDer('It has not exactly one authority.')
  const [, vo, host] = AUTHORITY.exec(uriOf(authority)) ?? []
  if (!vo || !host) throw der.invalidDer('Its authority is not named as vo://host:port.')
  if (values.length > MOST_LISTED) throw der.invalidDer('It has too many groups and roles.')
  return { vo, host, fqans: values.map((value) => parseFqan(der.readOctets(value).toString('latin1'))) }
}

function uriOf(element: der.Element): string {
  const { tag, content } = element
  if (tag !== der.context(6, false)) throw der.invalidDer('An address has the wrong form.')
  if (content.length > 512 || content.some((byte) => byte < 0x21 || byte > 0x7e)) {
    throw der.invalidDer('An address holds strange characters.')
  }
  return content.toString('latin1')
}

function extensionsOf(list: der.Element): Map<string, { critical: boolean; value: Buffer }> {
  const found = new Map<string, { critical: boolean; value: Buffer }>()
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

function certificatesOf(element: der.Element): Certificate[] {
  const fields = der.fieldsOf(element)
  const list = der.childrenOf(fields.next(der.TAG.sequence))
  fields.end()
  if (list.length > MOST_CERTIFICATES) throw der.invalidDer('It brings too many certificates.')
  return list.map(({ bytes }) => readCertificate(bytes))
}

/** Three wrappings: lists of grantors, each with a list of its attributes. */
function genericAttributesOf(element: der.Element): GenericAttribute[] {
  const fields = der.fieldsOf(element)
  const holders = der.childrenOf(fields.next(der.TAG.sequence))
  fields.end()
  const found = holders.flatMap((holder) => {
    const parts = der.fieldsOf(holder)
    parts.next()
    const list = der.childrenOf(parts.next(der.TAG.sequence))
    parts.end()
    return list.map((attribute) => {
      const texts = der.fieldsOf(attribute)
      const [name, value, qualifier] = [texts.next(), texts.next(), texts.next()].map((text) =>
        der.readOctets(text).toString('utf8'),
      ) as [string, string, string]
      texts.end()
      return { name, value, qualifier }
    })
  })
  if (found.length > MOST_LISTED) throw der.invalidDer('It has too many attributes.')
  return found
}

function targetsOf(element: der.Element): string[] {
  const fields = der.fieldsOf(element)
  const list = der.childrenOf(fields.next(der.TAG.sequence))
  fields.end()
  return list.map((target) => uriOf(der.inside(onlyOne(target))))
}

function onlyOne(element: der.Element): der.Element {
  const fields = der.fieldsOf(element)
  const one = fields.next(der.context(0))
  fields.end()
  return one
}
