import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { everything, gatewayWorld, type Site } from '../../test/harness/gateway-world.ts'
import { digester } from '../storage/digests.ts'
import { type CopyOrder, type WebdavClient, webdavClient } from '../storage/webdav.ts'

let world: Awaited<ReturnType<typeof gatewayWorld>>
let a: Site
let b: Site
let token: string
let client: WebdavClient
/** Gives a copy without progress up soon. */
let impatient: WebdavClient

beforeAll(async () => {
  world = await gatewayWorld(['a', 'b'])
  ;[a, b] = world.sites as [Site, Site]
  await world.openIssuer()
  await Promise.all([world.startHere(a), world.startHere(b)])
  token = await world.mint(everything)
  client = webdavClient({ ca: readFileSync(world.ca) })
  impatient = webdavClient({ ca: readFileSync(world.ca), timeouts: { noProgressMs: 300 } })
})
afterAll(async () => {
  await Promise.all([client.close(), impatient.close()])
  await world.close()
})

async function* once(bytes: Uint8Array) {
  yield bytes
}
async function store(site: Site, path: string, bytes: Uint8Array) {
  const sums = digester()
  sums.update(bytes)
  const digests = sums.done()
  await client.put(site.url(path), token, once(bytes), { size: bytes.length, expected: digests })
  return { size: BigInt(bytes.length), ...digests }
}
const order = (from: string, to: string, more: Partial<CopyOrder> = {}): CopyOrder => ({
  ...{ sourceUrl: a.url(from), destinationUrl: b.url(to), sourceToken: token, destinationToken: token },
  ...{ overwrite: false, expected: {}, ...more },
})

describe('the client of storages', () => {
  test('stores, asks, reads, renames and removes', async () => {
    const bytes = randomBytes(100_000)
    const facts = await store(a, '/c/one', bytes)
    expect(await client.stat(a.url('/c/one'), token)).toEqual(facts)
    const parts: Uint8Array[] = []
    for await (const part of await client.get(a.url('/c/one'), token, { range: { start: 10, end: 99 } }))
      parts.push(part)
    expect(Buffer.concat(parts).equals(bytes.subarray(10, 100))).toBe(true)
    await client.move(a.url('/c/one'), token, a.url('/.trash/one'), false)
    expect(await client.stat(a.url('/c/one'), token)).toBeUndefined()
    expect(await client.remove(a.url('/.trash/one'), token)).toBe(true)
    expect(await client.remove(a.url('/.trash/one'), token)).toBe(false)
    await expect(client.move(a.url('/none'), token, a.url('/x'), true)).rejects.toMatchObject({
      code: 'no_such_file',
    })
  })

  test('lists a directory and tells the time of its storage', async () => {
    await store(a, '/d/with space & more', randomBytes(10))
    const paths = await client.list(a.url('/d/'), token)
    expect(paths.filter((path) => path.endsWith('/d/with space & more'))).toHaveLength(1)
    const time = await client.time(a.url('/'), token)
    expect(Math.abs(time!.getTime() - Date.now())).toBeLessThan(60_000)
    await expect(client.list(a.url('/none/'), token)).rejects.toMatchObject({ code: 'no_such_file' })
  })

  test('asks for the kept checksum, or for that of the bytes as they are now', async () => {
    const bytes = randomBytes(1000)
    const facts = await store(a, '/c/rots', bytes)
    const path = join(a.area, 'c/rots')
    const { atime, mtime } = statSync(path)
    bytes[500]! ^= 1
    writeFileSync(path, bytes)
    utimesSync(path, atime, mtime)
    expect(await client.stat(a.url('/c/rots'), token)).toEqual(facts)
    const sums = digester()
    sums.update(bytes)
    expect(await client.stat(a.url('/c/rots'), token, undefined, true)).toEqual({
      size: facts.size,
      ...sums.done(),
    })
  })

  test('lets a storage fetch a file and follows its progress', async () => {
    const facts = await store(a, '/c/two', randomBytes(2_000_000))
    const seen: bigint[] = []
    await client.copyFrom(
      order('/c/two', '/c/two', { expected: facts, onProgress: (bytes) => void seen.push(bytes) }),
    )
    expect(seen.at(-1)).toBe(2_000_000n)
    expect(await client.stat(b.url('/c/two'), token)).toEqual(facts)
    await expect(client.copyFrom(order('/c/two', '/c/two'))).rejects.toMatchObject({
      code: 'already_exists',
      kind: 'conflict',
      details: { party: 'destination', status: 412 },
    })
  })

  test('speaks to no metadata service, whatever somebody wrote as a storage', async () => {
    for (const host of ['169.254.169.254', '[fe80::1]', '0.0.0.0', '224.0.0.1']) {
      await expect(client.stat(`https://${host}/f`, 'secret')).rejects.toMatchObject({
        code: 'host_not_allowed',
      })
    }
  })

  test('says who is at fault', async () => {
    await expect(client.copyFrom(order('/c/none', '/c/three'))).rejects.toMatchObject({
      code: 'remote_rejected',
      details: { party: 'source', status: 404 },
    })
    const wrong = order('/c/two', '/c/three', { expected: { adler32: '00000001' } })
    await expect(client.copyFrom(wrong)).rejects.toMatchObject({
      code: 'checksum_mismatch',
      details: { party: 'source' },
    })
    const narrow = await world.mint('storage.read:/c')
    await expect(
      client.copyFrom(order('/c/two', '/c/x', { destinationToken: narrow })),
    ).rejects.toMatchObject({
      kind: 'denied',
      details: { party: 'destination', status: 403 },
    })
    await expect(client.copyFrom(order('/c/two', '/c/x', { sourceToken: 'bad' }))).rejects.toMatchObject({
      code: 'remote_refused',
      details: { party: 'source', status: 401 },
    })
    await expect(client.stat('https://localhost:1/demo/x', token)).rejects.toMatchObject({
      code: 'remote_unreachable',
      details: { party: 'destination' },
    })
  })
})

describe('a copy whose storage misbehaves', () => {
  async function against(listener: RequestListener, by = impatient): Promise<Promise<unknown>> {
    const server = createServer(world.tls, listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const destinationUrl = `https://localhost:${(server.address() as AddressInfo).port}/demo/x`
    return by.copyFrom({ ...order('/c/two', '/c/x'), destinationUrl }).finally(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  const marker =
    'Perf Marker\n Timestamp: 1\n Stripe Index: 0\n Stripe Bytes Transferred: 5\n Total Stripe Count: 1\nEnd\n'

  test('has an unknown outcome when the connection ends, breaks or makes no progress', async () => {
    const unknown = { code: 'copy_outcome_unknown', kind: 'transient' }
    await expect(against((_, answer) => void answer.writeHead(202).end(marker))).rejects.toMatchObject(
      unknown,
    )
    await expect(
      against((_, answer) => {
        answer.writeHead(202).write(marker)
        setTimeout(() => answer.destroy(), 20)
      }),
    ).rejects.toMatchObject(unknown)
    await expect(against((asked) => void asked.socket.destroy())).rejects.toMatchObject(unknown)
    let timer: NodeJS.Timeout | undefined
    const stuck = against((_, answer) => {
      answer.writeHead(202)
      timer = setInterval(() => answer.write(marker), 50)
    })
    await expect(stuck).rejects.toMatchObject(unknown)
    clearInterval(timer)
  })

  test('reads foreign verdicts', async () => {
    await expect(
      against((_, answer) => void answer.writeHead(201).end('success'), client),
    ).resolves.toBeUndefined()
    await expect(
      against((_, answer) => void answer.writeHead(201).end('failure: Checksum differs\n'), client),
    ).rejects.toMatchObject({ code: 'checksum_mismatch' })
    await expect(
      against((_, answer) => void answer.writeHead(201).end('aborted'), client),
    ).rejects.toMatchObject({
      code: 'remote_failed',
    })
  })
})
