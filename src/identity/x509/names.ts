import { createHash } from 'node:crypto'
import { defineError } from '../../kernel/errors.ts'
import * as der from './der.ts'

export const invalidName = defineError('invalid', 'invalid_name')

export interface Attribute {
  readonly oid: string
  readonly value: string
}

/** A distinguished name from the root down; each part is usually one attribute, rarely several. */
export type Name = readonly (readonly Attribute[])[]

const MOST_PARTS = 64
const LONGEST_VALUE = 1024

/** How each attribute is written, then how else it is met: OpenSSL, Globus, Java and directories differ. */
const ATTRIBUTES: readonly (readonly [oid: string, ...names: string[]])[] = [
  ['2.5.4.3', 'CN', 'commonName'],
  ['2.5.4.4', 'SN', 'surname'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.6', 'C', 'countryName'],
  ['2.5.4.7', 'L', 'localityName'],
  ['2.5.4.8', 'ST', 'S', 'SP', 'stateOrProvinceName'],
  ['2.5.4.9', 'street', 'streetAddress'],
  ['2.5.4.10', 'O', 'organizationName'],
  ['2.5.4.11', 'OU', 'organizationalUnitName'],
  ['2.5.4.12', 'title', 'T'],
  ['2.5.4.13', 'description'],
  ['2.5.4.17', 'postalCode'],
  ['2.5.4.41', 'name'],
  ['2.5.4.42', 'GN', 'givenName'],
  ['2.5.4.43', 'initials'],
  ['2.5.4.44', 'generationQualifier'],
  ['2.5.4.46', 'dnQualifier'],
  ['2.5.4.65', 'pseudonym'],
  ['2.5.4.97', 'organizationIdentifier'],
  ['0.9.2342.19200300.100.1.1', 'UID', 'USERID', 'userId'],
  ['0.9.2342.19200300.100.1.25', 'DC', 'domainComponent'],
  ['1.2.840.113549.1.9.1', 'emailAddress', 'Email', 'E'],
  ['1.2.840.113549.1.9.2', 'unstructuredName'],
]
const SHORT = new Map(ATTRIBUTES.map(([oid, name]) => [oid, name!]))
const OIDS = new Map(ATTRIBUTES.flatMap(([oid, ...names]) => names.map((name) => [name.toLowerCase(), oid])))
const DOMAIN_COMPONENT = '0.9.2342.19200300.100.1.25'
const EMAIL = '1.2.840.113549.1.9.1'
export const COMMON_NAME = '2.5.4.3'

// DER

export function readName(element: der.Element): Name {
  if (element.tag !== der.TAG.sequence) throw invalidName('A name has an unknown form.')
  const parts = der.childrenOf(element)
  if (parts.length > MOST_PARTS) throw invalidName('A name has too many parts.')
  return parts.map((part) => {
    if (part.tag !== der.TAG.set) throw invalidName('A name has an unknown form.')
    const attributes = der.childrenOf(part).map((attribute) => {
      const fields = der.fieldsOf(attribute)
      const oid = der.readOid(fields.next())
      const value = der.readText(fields.next())
      fields.end()
      return checked({ oid, value })
    })
    if (attributes.length === 0) throw invalidName('A name has an empty part.')
    return attributes
  })
}

export function writeName(name: Name): Buffer {
  return der.sequence(
    ...name.map((part) =>
      der.set(
        ...part.map((attribute) => {
          const { oid, value } = checked(attribute)
          return der.sequence(der.oid(oid), encodedValue(oid, value))
        }),
      ),
    ),
  )
}

function encodedValue(oid: string, value: string): Buffer {
  if ((oid === DOMAIN_COMPONENT || oid === EMAIL) && /^[\x20-\x7e]*$/.test(value)) return der.ia5(value)
  if ((oid === '2.5.4.6' || oid === '2.5.4.5') && /^[A-Za-z0-9 ]*$/.test(value)) return der.printable(value)
  return der.utf8(value)
}

/** A name that hides something behind a control character is nobody's name. */
function checked(attribute: Attribute): Attribute {
  const { value } = attribute
  if (value.length > LONGEST_VALUE) throw invalidName('A name is too long.')
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) throw invalidName('A name holds a control character.')
  }
  return attribute
}

// The canonical key

/**
 * Equal for names that mean the same however they were encoded: attribute by attribute without regard to ASCII case,
 * surrounding and repeated blanks and the kind of string (RFC 5280 §7.1 as OpenSSL does it). Other letters keep their
 * case: folding them could make two people one.
 */
export function keyOf(name: Name): string {
  return name
    .map((part) =>
      part
        .map(({ oid, value }) => `${oid}=${folded(value).replace(/[\\,+]/g, '\\$&')}`)
        .sort()
        .join('+'),
    )
    .join(',')
}

function folded(value: string): string {
  return value
    .replace(/^[\t-\r ]+|[\t-\r ]+$/g, '')
    .replace(/[\t-\r ]+/g, ' ')
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

export const sameName = (a: Name, b: Name): boolean => keyOf(a) === keyOf(b)

// Slash form

/** `/C=JP/O=Grid/CN=Mika`: as grid-mapfiles, VOMS, Rucio and DIRAC write names. "/" inside a value is not escaped. */
export function slashOf(name: Name): string {
  return name
    .map((part) => `/${part.map(({ oid, value }) => `${nameOf(oid)}=${slashValue(value)}`).join('+')}`)
    .join('')
}

const nameOf = (oid: string): string => SHORT.get(oid) ?? oid

/** Bytes beyond ASCII as `\xE4`, as OpenSSL has always done it. */
function slashValue(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value
  return [...Buffer.from(value, 'utf8')]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')
}

const TYPES = `(?:${[...OIDS.keys()].join('|')}|\\d+(?:\\.\\d+)+)`
/** Only a known attribute begins a part, so that `CN=host/grid.example` stays one. */
const PART = new RegExp(`(?<!\\\\)/(?=${TYPES}=)`, 'i')
const VALUE_OF_PART = new RegExp(`(?<!\\\\)\\+(?=${TYPES}=)`, 'i')

/** Reads the slash form, also with OpenSSL 3's escapes `\/` and `\+`. */
export function nameFromSlash(text: string): Name {
  const parts = text.trim().split(PART)
  if (text.length > 16 * LONGEST_VALUE || parts.shift() !== '' || parts.length === 0)
    throw invalidName(`"${text.slice(0, 200)}" is no name like /C=JP/O=Grid/CN=Mika.`)
  if (parts.length > MOST_PARTS) throw invalidName('A name has too many parts.')
  return parts.map((part) => part.split(VALUE_OF_PART).map((attribute) => slashAttribute(attribute)))
}

function slashAttribute(text: string): Attribute {
  const at = text.indexOf('=')
  const escaped = text.slice(at + 1).replace(/\\([/+])/g, '$1')
  const bytes = escaped
    .split(/(\\x[0-9A-Fa-f]{2})/)
    .map((piece, i) => (i % 2 ? Buffer.from(piece.slice(2), 'hex') : Buffer.from(piece, 'utf8')))
  return checked({ oid: oidOf(text.slice(0, at)), value: Buffer.concat(bytes).toString('utf8') })
}

function oidOf(type: string): string {
  const plain = type.trim().replace(/^OID\./i, '')
  const oid = /^\d+(\.\d+)+$/.test(plain) ? plain : OIDS.get(plain.toLowerCase())
  if (!oid) throw invalidName(`"${type}" is no known part of a name.`)
  return oid
}

/** Whether the slash form means this name only; a `/CN=` inside a value makes it mean another one, too. */
export function hasPlainSlash(name: Name): boolean {
  try {
    return keyOf(nameFromSlash(slashOf(name))) === keyOf(name)
  } catch {
    return false
  }
}

// RFC 4514

/** `CN=Mika,O=Grid,C=JP`: from the leaf up, escaped. */
export function rfc4514Of(name: Name): string {
  return [...name]
    .reverse()
    .map((part) =>
      [...part]
        .reverse()
        .map(({ oid, value }) => `${nameOf(oid)}=${rfcValue(value)}`)
        .join('+'),
    )
    .join(',')
}

function rfcValue(value: string): string {
  return value.replace(/[,+"\\<>;]/g, '\\$&').replace(/^[ #]| $/g, '\\$&')
}

/** A name in either writing; throws invalid_name. */
export const nameFromText = (text: string): Name =>
  text.startsWith('/') ? nameFromSlash(text) : nameFromRfc4514(text)

// Other kinds of white space belong to the value.
const BLANK = /^ *$/

/** Reads RFC 4514 and its predecessors: also `;` between parts, blanks around them and quoted values. */
export function nameFromRfc4514(text: string): Name {
  if (text.length > 16 * LONGEST_VALUE) throw invalidName('A name is too long.')
  const parts: Attribute[][] = [[]]
  let rest = text
  while (!BLANK.test(rest)) {
    const [whole, type] = /^ *([^=,+;"\\]+?) *= */.exec(rest) ?? []
    if (!whole || !type) throw invalidName(`"${text.slice(0, 200)}" is no name like CN=Mika,O=Grid,C=JP.`)
    const { value, length } = rfcValueAt(rest, whole.length)
    parts.at(-1)!.push(checked({ oid: oidOf(type), value }))
    const separator = rest[length]
    rest = rest.slice(length + 1)
    if (separator !== undefined && BLANK.test(rest)) throw invalidName('A name ends with a separator.')
    if (separator === ',' || separator === ';') parts.push([])
  }
  if (parts[0]!.length === 0) throw invalidName('The name is empty.')
  if (parts.length > MOST_PARTS) throw invalidName('A name has too many parts.')
  return parts.reverse()
}

/** The value that starts at `from` and the place of the separator behind it. */
function rfcValueAt(text: string, from: number): { value: string; length: number } {
  const quoted = text[from] === '"'
  if (text[from] === '#') throw invalidName('Encoded values in a name are not supported.')
  const bytes: Buffer[] = []
  // Blanks at the end count only if they were escaped.
  let kept = 0
  let at = quoted ? from + 1 : from
  for (; at < text.length; ) {
    const rest = text.slice(at, at + 3)
    const hex = /^\\([0-9A-Fa-f]{2})/.exec(rest)?.[1]
    const escaped = hex === undefined && rest[0] === '\\' ? rest[1] : undefined
    if (hex === undefined && escaped === undefined && (quoted ? rest[0] === '"' : /^[,;+]/.test(rest))) break
    const letter = escaped ?? String.fromCodePoint(text.codePointAt(at)!)
    bytes.push(hex === undefined ? Buffer.from(letter, 'utf8') : Buffer.from(hex, 'hex'))
    if (quoted || hex !== undefined || escaped !== undefined || letter !== ' ') kept = bytes.length
    at += hex !== undefined ? 3 : escaped !== undefined ? 2 : letter.length
  }
  if (quoted) {
    if (text[at] !== '"') throw invalidName('A quoted value has no end.')
    at += 1 + (/^ */.exec(text.slice(at + 1))?.[0].length ?? 0)
    if (at < text.length && !/^[,;+]/.test(text.slice(at)))
      throw invalidName('A name has something behind a quote.')
  }
  return { value: Buffer.concat(bytes.slice(0, kept)).toString('utf8'), length: at }
}

// Hashes of trust directories

/** The name of a file in a trust directory, as OpenSSL since 1.0 makes it: SHA-1 over the canonical name. */
export function subjectHash(name: Name): string {
  const parts = name.map((part) =>
    der.set(...part.map(({ oid, value }) => der.sequence(der.oid(oid), der.utf8(folded(value))))),
  )
  return shortHash('sha1', Buffer.concat(parts))
}

/** The same as OpenSSL before 1.0 made it, for older clients: MD5 over the name as it is encoded. */
export const oldSubjectHash = (nameDer: Uint8Array): string => shortHash('md5', nameDer)

function shortHash(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest().readUInt32LE(0).toString(16).padStart(8, '0')
}
