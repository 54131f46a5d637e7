import { createHash, randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { adler32Hex, plainAdler32 } from '../kernel/adler32.ts'
import { createLongSums, PIECE_BYTES } from './long-sums.ts'
import { sumWhile } from './sum-while.ts'

const threads = createLongSums(2)
afterAll(() => threads.close())

/** A body cut at odd places, some pieces longer than what is summed at once. */
async function* inPieces(bytes: Uint8Array, length: number, after?: Error) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
  if (after) throw after
}
const right = (bytes: Uint8Array) => ({
  size: bytes.length,
  adler32: adler32Hex(plainAdler32(bytes)),
  md5: createHash('md5').update(bytes).digest('hex'),
})
const nowhere = async () => undefined

describe('a body that is summed while it is used', () => {
  test.each([
    [0, 1000],
    [1, 1],
    [PIECE_BYTES - 1, 70_000],
    [PIECE_BYTES, 70_000],
    [PIECE_BYTES + 1, PIECE_BYTES + 1],
    [3 * PIECE_BYTES, PIECE_BYTES],
    [5 * PIECE_BYTES + 12_345, 2 * PIECE_BYTES + 7],
    [5 * PIECE_BYTES + 12_345, 16_384],
  ])('of %d bytes in pieces of %d has the right sums, and every byte in its place', async (size, length) => {
    const bytes = randomBytes(size)
    const copy = Buffer.alloc(size)
    const use = async (part: Uint8Array, position: number) => void copy.set(part, position)
    expect(await sumWhile(inPieces(bytes, length), use, { sums: threads })).toEqual(right(bytes))
    expect(copy.equals(bytes)).toBe(true)
    const alone = { sums: null }
    expect(await sumWhile(inPieces(bytes, length), nowhere, alone)).toEqual(right(bytes))
  })

  test('shares a bounded memory with many others', async () => {
    const bodies = Array.from({ length: 24 }, () => randomBytes(3 * PIECE_BYTES + 99))
    let [now, most] = [0, 0]
    const use = async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      now--
    }
    const all = bodies.map((bytes) => sumWhile(inPieces(bytes, 65_536), use, { sums: threads }))
    expect(await Promise.all(all)).toEqual(bodies.map(right))
    expect(most).toBeLessThanOrEqual(8)
  })

  test('is read no further than a little beyond what was announced', async () => {
    let read = 0
    async function* endless() {
      for (;;) {
        read += 65_536
        yield Buffer.alloc(65_536)
      }
    }
    const { size } = await sumWhile(endless(), nowhere, { most: 2_000_000, sums: threads })
    expect(size).toBe(read)
    expect(read).toBeLessThan(2_100_000)
  })

  test('fails as the body or its use fails, after the last use has ended', async () => {
    const bytes = randomBytes(6 * PIECE_BYTES)
    let under = 0
    const slowly = (fails: boolean) => async (_: Uint8Array, position: number) => {
      under++
      await new Promise((resolve) => setTimeout(resolve, 5))
      under--
      if (fails && position >= PIECE_BYTES) throw new Error('the disk is full')
    }
    const broken = inPieces(bytes, 99_999, new Error('the sender is gone'))
    await expect(sumWhile(broken, slowly(false), { sums: threads })).rejects.toThrow('the sender is gone')
    expect(under).toBe(0)
    const whole = inPieces(bytes, 99_999)
    await expect(sumWhile(whole, slowly(true), { sums: threads })).rejects.toThrow('the disk is full')
    expect(under).toBe(0)
    const after = inPieces(bytes, 1000)
    expect(await sumWhile(after, nowhere, { sums: threads })).toEqual(right(bytes))
  })

  test('fails when its thread ends, and the next one has a new thread', async () => {
    const own = createLongSums(1)
    const bytes = randomBytes(4 * PIECE_BYTES)
    async function* interrupted() {
      yield bytes.subarray(0, 2 * PIECE_BYTES)
      await own.close()
      yield bytes.subarray(2 * PIECE_BYTES)
    }
    await expect(sumWhile(interrupted(), nowhere, { sums: own })).rejects.toMatchObject({
      code: 'storage_failed',
    })
    expect(await sumWhile(inPieces(bytes, 500_000), nowhere, { sums: own })).toEqual(right(bytes))
    await own.close()
  })
})
