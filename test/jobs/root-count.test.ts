import { afterAll, describe, expect, test } from 'vitest'
import { writeRootTree } from '../../src/cli/run-data/root-tree.ts'
import { defineError } from '../../src/kernel/errors.ts'
import { createRootCounter } from '../../src/storage/index.ts'

const counter = createRootCounter()
afterAll(() => counter.close())

const tree = (name: string, entries: number): Buffer =>
  writeRootTree({
    ...{ name, entries },
    branches: [{ name: 'x', values: Float32Array.from({ length: entries }, (_, i) => i) }],
  })
const far = (content: Uint8Array) => {
  let bytes = 0
  return {
    bytes: content.length,
    read: async (from: number, length: number) => {
      bytes += length
      return content.subarray(from, from + length)
    },
    get asked() {
      return bytes
    },
  }
}

describe('events in a ROOT file', () => {
  test('are counted from its headers, whatever its size, many files at once', async () => {
    const large = far(tree('events', 400_000))
    expect(large.bytes).toBeGreaterThan(400_000)
    expect(await counter.entries(large, null)).toBe(400_000)
    expect(large.asked).toBeLessThan(20_000)
    const counted = [1, 2, 3, 4, 5, 6].map((n) => counter.entries(far(tree('t', n)), 't'))
    expect(await Promise.all(counted)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test.each<[string, Uint8Array, string | null, RegExp]>([
    ['of another tree', tree('events', 3), 'mdst', /holds no tree "mdst", but events/],
    ['of a text', Buffer.from('nothing of the kind'), null, /no ROOT file/],
    ['of three bytes', Buffer.from('roo'), null, /ROOT file/],
    ['of half a file', tree('events', 50_000).subarray(0, 20_000), null, /cannot be read|no tree/],
    [
      'of zeros behind the head',
      Buffer.concat([tree('events', 9).subarray(0, 60), Buffer.alloc(3000)]),
      null,
      /./,
    ],
  ])('%s are refused with the reason', async (_, content, name, why) => {
    await expect(counter.entries(far(content), name)).rejects.toMatchObject({
      ...{ code: 'root_not_counted', message: expect.stringMatching(why) },
    })
  })

  test('whatever a file holds, counting it ends with a number or a reason, and the next file is counted', async () => {
    const whole = tree('events', 700)
    for (let at = 0; at < whole.length; at += 397) {
      const broken = Buffer.from(whole)
      broken[at]! ^= 0xff
      const found = await counter.entries(far(broken), null).catch((error) => String(error.code))
      if (typeof found !== 'number') expect(found).toBe('root_not_counted')
    }
    expect(await counter.entries(far(whole), null)).toBe(700)
  })

  test('are not counted when the storage does not answer, and that is told as it is', async () => {
    const away = defineError('transient', 'storage_away')('Nobody is there.')
    const read = async () => {
      throw away
    }
    await expect(counter.entries({ bytes: 1000, read }, null)).rejects.toBe(away)
  })
})
