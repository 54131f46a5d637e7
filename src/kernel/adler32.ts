import { adler32Module, engine, PAGE_BYTES } from './adler32-module.ts'

/**
 * Adler-32 as the field uses it: eight lowercase hexadecimal digits on the wire, a signed int4 in the database.
 *
 * Long inputs go through vector instructions, ten times as fast as plain code. Plain code reduces its sums only every
 * 3800 bytes, the longest run for which both stay inside a signed 32-bit integer, which the engine keeps in registers.
 */
const BASE = 65521
const RUN = 3800
/** Below this, entering the module costs more than it saves. */
const SHORT = 512

const vectors = (() => {
  if (!adler32Module) return undefined
  const memory = new engine.Memory({ initial: 1, maximum: 1, shared: true })
  const { adler32: sum } = new engine.Instance(adler32Module, { host: { memory } }).exports
  return { page: new Uint8Array(memory.buffer), sum }
})()

/** The checksum (unsigned 32 bit) of `bytes` following those already summed in `previous`; 1 is the empty sum. */
export function adler32(bytes: Uint8Array, previous = 1): number {
  if (!vectors || bytes.length < SHORT) return plainAdler32(bytes, previous)
  let sum = previous
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    const part = bytes.subarray(at, at + PAGE_BYTES)
    vectors.page.set(part)
    sum = vectors.sum(0, part.length, sum)
  }
  return sum >>> 0
}

/** The same without vector instructions. */
export function plainAdler32(bytes: Uint8Array, previous = 1): number {
  let a = previous & 0xffff
  let b = previous >>> 16
  let i = 0
  while (i < bytes.length) {
    const end = Math.min(i + RUN, bytes.length)
    const unrolled = end - ((end - i) & 7)
    while (i < unrolled) {
      a += bytes[i]!
      b += a
      a += bytes[i + 1]!
      b += a
      a += bytes[i + 2]!
      b += a
      a += bytes[i + 3]!
      b += a
      a += bytes[i + 4]!
      b += a
      a += bytes[i + 5]!
      b += a
      a += bytes[i + 6]!
      b += a
      a += bytes[i + 7]!
      b += a
      i += 8
    }
    while (i < end) {
      a += bytes[i++]!
      b += a
    }
    a %= BASE
    b %= BASE
  }
  return ((b << 16) | a) >>> 0
}

/** Wire form: eight lowercase hexadecimal digits. Accepts the unsigned and the signed (database) number. */
export function adler32Hex(sum: number): string {
  return (sum >>> 0).toString(16).padStart(8, '0')
}

/** The unsigned number of a wire form of one to eight digits, in either case; undefined if it is none. */
export function parseAdler32(text: string): number | undefined {
  return /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : undefined
}

/** Database form of a checksum: the same 32 bits read as a signed integer. */
export function adler32ToInt4(sum: number): number {
  return sum | 0
}
