import { randomBytes } from 'node:crypto'

/** A random serial number: positive, 16 bytes, of which RFC 5280 and 5755 allow 20. */
export function newSerial(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes
}
