import { badRequest } from './errors.ts'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (value: number): string => String(value).padStart(2, '0')

/** `Sat, 21 Nov 2026 02:57:24 UTC`: the client turns any text with " UTC" into a date by exactly this form. */
export function rucioDate(date: Date): string {
  const day = `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]}`
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  return `${day} ${date.getUTCFullYear()} ${time} UTC`
}

/** Accounts carry ISO dates without a zone. */
export function isoDate(date: Date | null | undefined): string | null {
  return date ? date.toISOString().slice(0, 19) : null
}

/** Any date the client may send: its own form, ISO with or without zone, or seconds since the epoch. */
export function readDate(text: string): Date {
  const zoned = /(UTC|GMT|Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`
  const date = /^\d+(\.\d+)?$/.test(text)
    ? new Date(Number(text) * 1000)
    : new Date(zoned.replace(' UTC', ' GMT'))
  if (Number.isNaN(date.getTime()))
    throw badRequest(`"${text.slice(0, 60)}" is not a date; use YYYY-MM-DDTHH:MM:SS.`)
  return date
}

/** Ids are 32 lower-case hexadecimal digits on the wire and UUIDs inside. */
export function wireId(uuid: string): string {
  return uuid.replaceAll('-', '').toLowerCase()
}

export function readId(text: string): string | undefined {
  const hex = text.replaceAll('-', '').toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** -1 means "without limit" to the client, which is given as a bare Infinity. */
export const UNLIMITED = Number.POSITIVE_INFINITY

/** JSON as the client's Python reads it: dates in its own form, big integers exact, Infinity bare. */
export function toJson(value: unknown): string {
  let marked = false
  const text = JSON.stringify(value, function replace(this: unknown, key, plain: unknown) {
    const raw = (this as Record<string, unknown>)[key]
    if (raw instanceof Date) return rucioDate(raw)
    if (typeof plain === 'bigint') {
      if (plain <= BigInt(Number.MAX_SAFE_INTEGER) && plain >= BigInt(Number.MIN_SAFE_INTEGER))
        return Number(plain)
      marked = true
      return `\u0001${plain}\u0001`
    }
    if (plain === Number.POSITIVE_INFINITY || plain === Number.NEGATIVE_INFINITY) {
      marked = true
      return `\u0001${plain}\u0001`
    }
    return plain
  })
  return marked ? text.replace(/"\\u0001(-?(?:\d+|Infinity))\\u0001"/g, '$1') : text
}

/** An escaped NUL, and not an escaped backslash before "u0000". */
const NUL = /(?<!\\)(?:\\\\)*\\u0000/

/** Reads a body whatever its declared type; Python writes Infinity and NaN bare. */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined
  if (NUL.test(text)) throw badRequest('The request body holds a NUL character.')
  try {
    return JSON.parse(text)
  } catch (error) {
    const repaired = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (found) =>
      found.startsWith('"')
        ? found
        : found === 'Infinity'
          ? '1e999'
          : found === '-Infinity'
            ? '-1e999'
            : 'null',
    )
    try {
      return JSON.parse(repaired)
    } catch {
      throw badRequest('The request body is not JSON.', undefined, error)
    }
  }
}

/** adler32 travels as eight hexadecimal digits and is kept as a signed 32-bit integer. */
export function adler32Text(value: number | null | undefined): string | null {
  return value === null || value === undefined ? null : (value >>> 0).toString(16).padStart(8, '0')
}

export function readAdler32(text: string): number {
  if (!/^[0-9a-fA-F]{1,8}$/.test(text)) throw badRequest(`"${text.slice(0, 40)}" is not an adler32 checksum.`)
  return Number.parseInt(text, 16) | 0
}

export const RULE_STATE_LETTERS: Readonly<Record<string, string>> = {
  R: 'REPLICATING',
  O: 'OK',
  S: 'STUCK',
  U: 'SUSPENDED',
  W: 'WAITING_APPROVAL',
  I: 'INJECT',
}

export const REPLICA_STATES: Readonly<Record<string, string>> = {
  A: 'AVAILABLE',
  U: 'UNAVAILABLE',
  C: 'COPYING',
  B: 'BEING_DELETED',
  D: 'BAD',
  S: 'UNAVAILABLE',
  T: 'TEMPORARY_UNAVAILABLE',
}
