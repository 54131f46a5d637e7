import { defineError } from '../../kernel/errors.ts'

/**
 * DER (X.690), strictly: definite and shortest lengths, low tag numbers, nothing behind the end. Import as a whole:
 * `der.sequence(der.oid('2.5.4.3'), der.utf8('name'))` writes, `der.fieldsOf(der.parse(bytes))` reads.
 */
export interface Element {
  /** The identifier byte: class, constructed bit and number. */
  readonly tag: number
  readonly content: Buffer
  /** The whole element as it was given. */
  readonly bytes: Buffer
}

export const invalidDer = defineError('invalid', 'invalid_der')

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  nothing: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8: 0x0c,
  numeric: 0x12,
  printable: 0x13,
  t61: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visible: 0x1a,
  universal: 0x1c,
  bmp: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

const CONSTRUCTED = 0x20
const CONTEXT = 0x80
/** Certificates and requests are far smaller; lists of revoked certificates name their own limit. */
const MOST_BYTES = 64 * 1024

/** The identifier of `[number]`; constructed unless it replaces the tag of a simple value. */
export const context = (number: number, constructed = true): number =>
  CONTEXT | (constructed ? CONSTRUCTED : 0) | number

// Reading

/** Exactly one element that fills `bytes`. */
export function parse(bytes: Uint8Array, mostBytes = MOST_BYTES): Element {
  if (bytes.length > mostBytes) throw invalidDer(`This is larger than ${mostBytes} bytes.`)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const element = elementAt(buffer, 0)
  if (element.bytes.length !== buffer.length) throw invalidDer('Something follows the end.')
  return element
}

function elementAt(buffer: Buffer, at: number): Element {
  const tag = buffer[at]
  const first = buffer[at + 1]
  if (tag === undefined || first === undefined) throw invalidDer('An element is cut off.')
  if ((tag & 0x1f) === 0x1f) throw invalidDer('Long tags are not used here.')
  let start = at + 2
  let length = first
  if (first >= 0x80) {
    const count = first - 0x80
    if (count === 0 || count > 4) throw invalidDer('A length is indefinite or enormous.')
    if (start + count > buffer.length) throw invalidDer('A length is cut off.')
    length = buffer.readUIntBE(start, count)
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw invalidDer('A length is not the shortest.')
    start += count
  }
  const end = start + length
  if (end > buffer.length) throw invalidDer('An element is cut off.')
  return { tag, content: buffer.subarray(start, end), bytes: buffer.subarray(at, end) }
}

/** The elements inside a constructed one. */
export function childrenOf({ tag, content }: Element): Element[] {
  if ((tag & CONSTRUCTED) === 0) throw invalidDer('A simple value has no parts.')
  const found: Element[] = []
  for (let at = 0; at < content.length; ) {
    const element = elementAt(content, at)
    found.push(element)
    at += element.bytes.length
  }
  return found
}

/** Reads the parts of a structure from first to last. */
export interface Fields {
  /** The next part; it must be there and, if a tag is named, have it. */
  next(tag?: number): Element
  /** The next part if it has the tag. */
  optional(tag: number): Element | undefined
  readonly more: boolean
  /** Nothing may be left. */
  end(): void
}

export function fieldsOf(element: Element, tag: number = TAG.sequence): Fields {
  if (element.tag !== tag) throw unexpected(element.tag, tag)
  const parts = childrenOf(element)
  let at = 0
  return {
    next(wanted) {
      const part = parts[at]
      if (!part) throw invalidDer('A part is missing.')
      if (wanted !== undefined && part.tag !== wanted) throw unexpected(part.tag, wanted)
      at++
      return part
    },
    optional(wanted) {
      const part = parts[at]
      if (part?.tag !== wanted) return undefined
      at++
      return part
    },
    get more() {
      return at < parts.length
    },
    end() {
      if (at < parts.length) throw invalidDer('There are more parts than expected.')
    },
  }
}

function unexpected(found: number, wanted: number): Error {
  return invalidDer(`Tag 0x${found.toString(16)} stands where 0x${wanted.toString(16)} belongs.`)
}

function expect(element: Element, tag: number): Buffer {
  if (element.tag !== tag) throw unexpected(element.tag, tag)
  return element.content
}

/** The one element inside `[n] EXPLICIT`, or inside an octet string that wraps one. */
export const inside = (element: Element): Element => parse(element.content, element.content.length)

export function readBoolean(element: Element): boolean {
  const content = expect(element, TAG.boolean)
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw invalidDer('No boolean.')
  return content[0] === 0xff
}

export function readInteger(element: Element): bigint {
  const content = expect(element, element.tag === TAG.enumerated ? TAG.enumerated : TAG.integer)
  const [first, second] = content
  if (first === undefined || content.length > 4096) throw invalidDer('An integer is empty or enormous.')
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw invalidDer('An integer is not the shortest.')
  }
  const value = BigInt(`0x${content.toString('hex')}`)
  return first < 0x80 ? value : value - (1n << BigInt(8 * content.length))
}

/** A count or a version: not negative, at most 2^31. */
export function readSmall(element: Element): number {
  const value = readInteger(element)
  if (value < 0n || value > 0x7fffffffn) throw invalidDer('A number is out of its range.')
  return Number(value)
}

export function readOid(element: Element): string {
  const content = expect(element, TAG.oid)
  if (content.length === 0 || content.length > 64 || content.at(-1)! >= 0x80) {
    throw invalidDer('An object identifier is empty, enormous or cut off.')
  }
  const arcs: bigint[] = []
  let arc = 0n
  let begun = false
  for (const byte of content) {
    if (!begun && byte === 0x80) throw invalidDer('An object identifier is not the shortest.')
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    begun = byte >= 0x80
    if (begun) continue
    arcs.push(arc)
    arc = 0n
  }
  const head = arcs[0]!
  const root = head < 80n ? head / 40n : 2n
  return [root, head - 40n * root, ...arcs.slice(1)].join('.')
}

export const readOctets = (element: Element): Buffer => expect(element, TAG.octets)

/** A bit string of whole bytes: signatures and keys. */
export function readBits(element: Element): Buffer {
  const content = expect(element, TAG.bits)
  if (content[0] !== 0) throw invalidDer('A bit string does not consist of whole bytes.')
  return content.subarray(1)
}

/** A bit string of named flags; flag 0 is the first. */
export function readFlags(element: Element): ReadonlySet<number> {
  const content = expect(element, TAG.bits)
  const unused = content[0] ?? 8
  const bytes = content.subarray(1)
  if (unused > 7 || bytes.length > 8 || (bytes.length === 0 && unused > 0)) {
    throw invalidDer('A list of flags is broken.')
  }
  if (bytes.length > 0 && (bytes.at(-1)! & ((1 << unused) - 1)) !== 0) {
    throw invalidDer('A list of flags has bits behind its end.')
  }
  const flags = new Set<number>()
  for (let i = 0; i < bytes.length * 8; i++) if ((bytes[i >> 3]! >> (7 - (i & 7))) & 1) flags.add(i)
  return flags
}

/** UTCTime (1950 to 2049) or GeneralizedTime, in UTC with seconds and without fractions, as RFC 5280 has them. */
export function readTime(element: Element): Date {
  const short = element.tag === TAG.utcTime
  const text = expect(element, short ? TAG.utcTime : TAG.generalizedTime).toString('latin1')
  const match = /^(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (!match || (match[1]!.length === 2) !== short) throw invalidDer('A time has an unknown form.')
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  const full = short ? year + (year < 50 ? 2000 : 1900) : year
  const date = new Date(0)
  date.setUTCFullYear(full, month - 1, day)
  date.setUTCHours(hour, minute, second)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCHours() !== hour) {
    throw invalidDer('A time does not exist.')
  }
  if (date.getUTCMinutes() !== minute || date.getUTCSeconds() !== second)
    throw invalidDer('A time does not exist.')
  return date
}

const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Any of the character strings names are made of. */
export function readText({ tag, content }: Element): string {
  switch (tag) {
    case TAG.utf8:
      try {
        return fatalUtf8.decode(content)
      } catch (cause) {
        throw invalidDer('A text is not UTF-8.', undefined, cause)
      }
    case TAG.t61:
      return content.toString('latin1')
    case TAG.bmp:
      if (content.length % 2 !== 0) throw invalidDer('A text is cut off.')
      return Buffer.from(content).swap16().toString('utf16le')
    case TAG.universal:
      return wideText(content)
    case TAG.numeric:
    case TAG.printable:
    case TAG.ia5:
    case TAG.visible:
      if (content.some((byte) => byte >= 0x80)) throw invalidDer('A text is not ASCII.')
      return content.toString('latin1')
    default:
      throw invalidDer(`Tag 0x${tag.toString(16)} is no text.`)
  }
}

function wideText(content: Buffer): string {
  if (content.length % 4 !== 0) throw invalidDer('A text is cut off.')
  let text = ''
  for (let at = 0; at < content.length; at += 4) {
    const point = content.readUInt32BE(at)
    if (point > 0x10ffff) throw invalidDer('A text holds no such character.')
    text += String.fromCodePoint(point)
  }
  return text
}

// Writing

/** Any element: its identifier and the parts of its content. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const count = Math.ceil((32 - Math.clz32(length)) / 8)
  const header = Buffer.alloc(2 + count)
  header[0] = tag
  header[1] = 0x80 | count
  header.writeUIntBE(length, 2, count)
  return Buffer.concat([header, content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(TAG.sequence, ...parts)
/** SET OF: in the order of the encodings, as DER wants. */
export const set = (...parts: readonly Uint8Array[]): Buffer =>
  element(TAG.set, ...[...parts].sort(Buffer.compare))
export const explicit = (number: number, part: Uint8Array): Buffer => element(context(number), part)
/** The content of `part` under `[number]`. */
export function implicit(number: number, part: Uint8Array): Buffer {
  const { tag, content } = parse(part, part.length)
  return element(context(number, (tag & CONSTRUCTED) !== 0), content)
}
export const boolean = (value: boolean): Buffer => Buffer.from([TAG.boolean, 1, value ? 0xff : 0])
export const nothing = (): Buffer => Buffer.from([TAG.nothing, 0])
export const octets = (bytes: Uint8Array): Buffer => element(TAG.octets, bytes)
export const bits = (bytes: Uint8Array): Buffer => element(TAG.bits, Buffer.from([0]), bytes)
export const utf8 = (text: string): Buffer => element(TAG.utf8, Buffer.from(text, 'utf8'))
export const printable = (text: string): Buffer => element(TAG.printable, Buffer.from(text, 'latin1'))
export const ia5 = (text: string): Buffer => element(TAG.ia5, Buffer.from(text, 'latin1'))

export function integer(value: bigint | number): Buffer {
  const number = BigInt(value)
  let length = 1
  while (BigInt.asIntN(8 * length, number) !== number) length++
  const hex = BigInt.asUintN(8 * length, number)
    .toString(16)
    .padStart(2 * length, '0')
  return element(TAG.integer, Buffer.from(hex, 'hex'))
}

export function oid(text: string): Buffer {
  const [root = -1n, second = -1n, ...rest] = /^[012](\.\d+)+$/.test(text) ? text.split('.').map(BigInt) : []
  if (root < 0n || second < 0n || (root < 2n && second > 39n))
    throw invalidDer(`"${text}" is no object identifier.`)
  const bytes = [40n * root + second, ...rest].flatMap((arc) => {
    const groups = [Number(arc & 0x7fn)]
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80)
    return groups
  })
  return element(TAG.oid, Buffer.from(bytes))
}

/** Named flags without trailing zero bits, as DER wants. */
export function flags(numbers: Iterable<number>): Buffer {
  const list = [...numbers]
  if (list.length === 0) return element(TAG.bits, Buffer.from([0]))
  const last = Math.max(...list)
  const bytes = Buffer.alloc((last >> 3) + 1)
  for (const number of list) bytes[number >> 3] = bytes[number >> 3]! | (0x80 >> (number & 7))
  return element(TAG.bits, Buffer.from([7 - (last & 7)]), bytes)
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). Whole seconds. */
export function time(date: Date): Buffer {
  const text = date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '')
  const year = date.getUTCFullYear()
  if (year < 1950 || year > 2049) return generalizedTime(date)
  return element(TAG.utcTime, Buffer.from(text.slice(2), 'latin1'))
}

export function generalizedTime(date: Date): Buffer {
  const year = date.getUTCFullYear()
  if (!(year >= 0 && year <= 9999)) throw invalidDer('A time is out of its range.')
  const text = date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '')
  return element(TAG.generalizedTime, Buffer.from(text, 'latin1'))
}
