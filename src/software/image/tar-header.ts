import { badImage } from './errors.ts'

export const BLOCK = 512

/** One header block of a tar archive (POSIX.1-1988 ustar, with what GNU tar writes differently). */
export interface Header {
  readonly type: string
  readonly name: Buffer
  readonly target: Buffer
  readonly mode: number
  readonly size: number
  /** Seconds since 1970. */
  readonly mtime: number
}

/** Reads a block whose checksum is right; throws `software_bad_image` otherwise. */
export function readHeader(block: Buffer): Header {
  if (number(block, 148, 8) !== checksum(block)) throw badImage('A header of the tar archive is damaged.')
  const magic = block.toString('latin1', 257, 263)
  const prefix = magic === 'ustar\0' ? cut(block, 345, 155) : Buffer.alloc(0)
  const name = cut(block, 0, 100)
  return {
    type: block.toString('latin1', 156, 157).replace('\0', '0').replace('7', '0'),
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    target: cut(block, 157, 100),
    mode: number(block, 100, 8),
    size: positive(number(block, 124, 12)),
    mtime: number(block, 136, 12),
  }
}

function checksum(block: Buffer): number {
  let sum = 8 * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!
  return sum
}

/** A field up to its first NUL. */
function cut(block: Buffer, from: number, length: number): Buffer {
  const field = block.subarray(from, from + length)
  const end = field.indexOf(0)
  return end < 0 ? field : field.subarray(0, end)
}

/** Octal digits, or, where these do not suffice, a big-endian two's complement behind a set bit, as GNU tar has it. */
function number(block: Buffer, from: number, length: number): number {
  const field = block.subarray(from, from + length)
  if (field[0]! & 0x80) {
    let value = field[0]! & 0x40 ? -1n : 0n
    value = (value << 6n) | BigInt(field[0]! & 0x3f)
    for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte)
    return safe(Number(value))
  }
  const digits = cut(block, from, length).toString('latin1').trim()
  if (!/^[0-7]*$/.test(digits)) throw badImage('A number in a header of the tar archive is none.')
  return safe(Number.parseInt(digits || '0', 8))
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw badImage('A number in a header of the tar archive is too great.')
  return value
}

function positive(value: number): number {
  if (value < 0) throw badImage('A size in the tar archive is negative.')
  return value
}

/** Records of an extended header (POSIX.1-2001): length, blank, keyword, `=`, value, newline. Values are bytes. */
export function readRecords(bytes: Buffer): Map<string, Buffer> {
  const broken = () => badImage('An extended header of the tar archive is damaged.')
  const records = new Map<string, Buffer>()
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at)
    const digits = blank < 0 ? '' : bytes.toString('latin1', at, blank)
    if (!/^[1-9]\d{0,8}$/.test(digits)) throw broken()
    const end = at + Number(digits)
    const equals = bytes.indexOf(0x3d, blank)
    if (end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) throw broken()
    records.set(bytes.toString('utf8', blank + 1, equals), bytes.subarray(equals + 1, end - 1))
    at = end
  }
  return records
}
