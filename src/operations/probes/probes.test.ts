import { describe, expect, test } from 'vitest'
import { adler32, adler32Hex } from '../../kernel/adler32.ts'
import type { WebdavClient } from '../../storage/index.ts'
import { testDoor, testStorage } from './storage-test.ts'

/** A storage in memory, as its client sees it; `broken` steps fail. */
function storage(broken: Partial<Pick<WebdavClient, 'put' | 'get' | 'stat' | 'list' | 'remove'>> = {}) {
  const files = new Map<string, Buffer>()
  const doors: Pick<WebdavClient, 'put' | 'get' | 'stat' | 'list' | 'remove' | 'time'> = {
    async put(url, _token, body) {
      const parts: Uint8Array[] = []
      for await (const part of body) parts.push(part)
      files.set(url, Buffer.concat(parts))
      return { created: true }
    },
    async get(url) {
      const bytes = files.get(url)!
      return (async function* () {
        yield bytes
      })()
    },
    async stat(url) {
      const bytes = files.get(url)
      return bytes && { size: BigInt(bytes.length), adler32: adler32Hex(adler32(bytes)) }
    },
    list: async (url) =>
      [...files.keys()].filter((one) => one.startsWith(url)).map((one) => new URL(one).pathname),
    remove: async (url) => files.delete(url),
    time: async () => new Date(),
    ...broken,
  }
  return { files, doors }
}
const file = { url: 'https://kek.example/demo/user/probe/active-tests/1', token: 't', text: 'a test' }
const told = (results: Awaited<ReturnType<typeof testStorage>>) =>
  results.map(({ test: name, ok }) => `${name} ${ok ? 'ok' : 'failed'}`)

describe('the test of a storage', () => {
  test('goes through put, get, checksum, list and delete, and leaves nothing behind', async () => {
    const { doors, files } = storage()
    expect(told(await testStorage(doors, file))).toEqual([
      ...['put ok', 'get ok', 'checksum ok', 'list ok', 'delete ok'],
    ])
    expect(files.size).toBe(0)
  })
  test('says which step failed and why, and still removes the file', async () => {
    const { doors, files } = storage({
      list: async () => [],
      get: async () =>
        (async function* () {
          yield Buffer.from('other')
        })(),
    })
    const results = await testStorage(doors, file)
    expect(told(results)).toEqual(['put ok', 'get failed', 'checksum ok', 'list failed', 'delete ok'])
    expect(results[1]!.message).toBe('The storage gave other bytes than it took.')
    expect(files.size).toBe(0)
  })
  test('ends with a put that fails', async () => {
    const { doors } = storage({
      put: async () => {
        throw new Error('507')
      },
    })
    expect(await testStorage(doors, file)).toMatchObject([{ test: 'put', ok: false, message: '507' }])
  })
})

describe('the test of a door', () => {
  const door = { url: 'https://kek.example/demo/', token: 't', now: () => new Date('2026-11-21T12:00:00Z') }
  const at = (seconds: number) => ({ time: async () => new Date(door.now().getTime() + seconds * 1000) })
  test('finds a clock that is too far from ours', async () => {
    expect(await testDoor(at(5), door)).toMatchObject([
      { test: 'port', ok: true },
      { test: 'clock', ok: true, offsetMs: 5500 },
    ])
    expect(await testDoor(at(-90), door)).toMatchObject([
      { ok: true },
      { test: 'clock', ok: false, message: 'Its clock is -89 s from ours.', offsetMs: -89_500 },
    ])
  })
  test('says nothing of a clock that it cannot ask', async () => {
    const away = {
      time: async () => {
        throw new Error('kek.example cannot be reached')
      },
    }
    expect(await testDoor(away, door)).toMatchObject([
      { test: 'port', ok: false, message: 'kek.example cannot be reached' },
    ])
  })
})
