import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashOf, objectPath } from '../format/hash.ts'
import { writePack } from '../format/pack.ts'
import { fetchTogether, SMALL_BYTES, smallAtOnce } from './together.ts'

const objects = Array.from({ length: 400 }, (_, i) => {
  const stored = Buffer.from(`object ${i}`)
  const hash = hashOf(stored, i % 2 ? 'sha1' : 'shake128')
  return { hash, stored, path: objectPath(hash, i % 3 ? 'file' : 'chunk') }
})
const at = new Map(objects.map((object) => [object.path, object]))

/** A server that gives packs of what it has, and what it was asked for. */
function server(has: (path: string) => boolean = () => true) {
  const asked = { single: [] as string[], together: [] as (readonly string[])[] }
  const fetch = fetchTogether(
    async (path) => {
      asked.single.push(path)
      return at.get(path)?.stored
    },
    async (paths) => {
      asked.together.push(paths)
      return writePack(paths.filter(has).flatMap((path) => at.get(path) ?? []))
    },
  )
  return { asked, fetch }
}

describe('small objects that are asked for at once', () => {
  test('come in few answers, each as it is', async () => {
    const { asked, fetch } = server()
    const got = await Promise.all(objects.map(({ path }) => fetch(path, { size: 10 })))
    expect(got.map(String)).toEqual(objects.map(({ stored }) => String(stored)))
    expect(asked.together.map((paths) => paths.length)).toEqual([128, 128, 128, 16])
    expect(asked.single).toEqual([])
  })

  test('come by themselves when they are great, of unknown size, or not in the answer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            object: fc.constantFrom(...objects),
            size: fc.constantFrom(undefined, 1, SMALL_BYTES, SMALL_BYTES + 1),
          }),
        ),
        fc.nat(7),
        async (wanted, n) => {
          const { asked, fetch } = server((path) => path.charCodeAt(10) % 8 >= n)
          const got = await Promise.all(wanted.map(({ object, size }) => fetch(object.path, { size })))
          expect(got.map(String)).toEqual(wanted.map(({ object }) => String(object.stored)))
          const together = asked.together.flat()
          expect(together).toHaveLength(wanted.filter(({ size }) => size && size <= SMALL_BYTES).length)
        },
      ),
    )
  })

  test('come by themselves from who gives no packs, and nothing is asked for together again', async () => {
    let asked = 0
    const fetch = fetchTogether(
      async (path) => at.get(path)?.stored,
      async () => void asked++,
    )
    for (const { path, stored } of objects.slice(0, 3)) expect(await fetch(path, { size: 1 })).toEqual(stored)
    expect(asked).toBe(1)
  })

  test('fail with what the request failed with, and what is no pack is refused', async () => {
    const single = async () => undefined
    const away = fetchTogether(single, () => Promise.reject(new Error('away')))
    await expect(Promise.all(objects.map(({ path }) => away(path, { size: 1 })))).rejects.toThrow('away')
    const nonsense = fetchTogether(single, async () => Buffer.from('<html>no</html>'))
    await expect(nonsense(objects[0]!.path, { size: 1 })).rejects.toMatchObject({ code: 'software_format' })
    await expect(
      server().fetch(objects[0]!.path, { size: 1, signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough')
  })
})

describe('what is done with many', () => {
  const some = Array.from({ length: 2000 }, (_, i) => i)
  const isSmall = (one: number) => one % 2 === 0

  test('is done with each once, with many small ones at a time and few others', async () => {
    const done: number[] = []
    const most = { small: 0, others: 0 }
    const now = { small: 0, others: 0 }
    await smallAtOnce(some, isSmall, async (one) => {
      const kind = isSmall(one) ? 'small' : 'others'
      most[kind] = Math.max(most[kind], ++now[kind])
      await new Promise((later) => setImmediate(later))
      now[kind]--
      done.push(one)
    })
    expect(done.sort((a, b) => a - b)).toEqual(some)
    expect(most).toEqual({ small: 512, others: 16 })
  })

  test('is not begun with another after one that failed', async () => {
    const begun = new Set<number>()
    const work = async (one: number) => {
      begun.add(one)
      await new Promise((later) => setImmediate(later))
      if (one === 5) throw new Error('five')
    }
    await expect(smallAtOnce(some, isSmall, work)).rejects.toThrow('five')
    const those = begun.size
    for (let turn = 0; turn < 10; turn++) await new Promise((later) => setImmediate(later))
    expect(begun.size).toBe(those)
    expect(those).toBeLessThan(some.length)
  })
})
