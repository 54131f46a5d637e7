import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../test/harness/free-port.ts'
import { gatewayWorld, type Site } from '../../test/harness/gateway-world.ts'
import {
  type Giving,
  type GreatObject,
  giveGreat,
  greatObject,
  sumOf,
} from '../../test/harness/great-object.ts'
import { everyEntry, type RepositoryFiles, repositoryFiles } from '../../test/harness/software-files.ts'
import { silentLogger } from '../kernel/index.ts'
import { type ContentHash, objectPath } from '../software/format/hash.ts'
import { objectCache } from '../software/local/object-cache.ts'
import { checkRepository } from '../software/reader/check.ts'
import { openRepository, streamBy } from '../software/reader/repository.ts'

describe('what a site keeps of repositories', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-software-cache-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  async function kept(mostBytes: number) {
    const made = await repositoryFiles()
    await made.publish(async () => undefined)
    const asked: string[] = []
    let [now, away] = [0, false]
    const cache = await objectCache({
      ...{
        mostBytes,
        log: silentLogger,
        now: () => new Date(now),
        directory: join(directory, `${mostBytes}`),
      },
    })
    const fetch = async (path: string) => {
      asked.push(path)
      if (away) throw new Error('away')
      return made.files.get(path.slice(made.name.length + 1))
    }
    const object = (hash: ContentHash) =>
      cache.object(`${made.name}/${objectPath(hash, 'file')}`, hash, streamBy(fetch))
    const document = (path: string) => cache.document(`${made.name}/${path}`, fetch)
    return {
      ...{ made, asked, cache, object, document },
      wait: (ms: number) => {
        now += ms
      },
      leave: () => {
        away = true
      },
    }
  }

  test('is what was wanted last, as much as there is room for', async () => {
    const { made, object, cache, asked } = await kept(2500)
    const hashes = [1, 2, 3].map((n) => made.store(Buffer.alloc(1000, n), 'file', 'none'))
    await object(hashes[0]!)
    await object(hashes[1]!)
    expect((await object(hashes[0]!))?.hit).toBe(true)
    await object(hashes[2]!)
    expect(cache.counts()).toEqual({ hits: 1, misses: 3, evictions: 1, bytes: 2000, mostBytes: 2500 })
    expect([(await object(hashes[0]!))?.hit, (await object(hashes[1]!))?.hit]).toEqual([true, false])
    expect(asked).toHaveLength(4)
  })

  test('is a great object without the others that it has no room for, and stays readable when it has to go', async () => {
    const { cache } = await kept(60 << 20)
    let asked = 0
    const want = (great: GreatObject) =>
      cache.object(`x/${great.path}`, great.hash, async (_path, take) => {
        asked++
        return take({ length: great.size, body: Readable.from(great.pieces()) })
      })
    const [one, two, three] = [1, 2, 3].map((seed) => greatObject(25, seed))
    const first = (await want(one!))!
    await want(two!)
    expect(cache.counts()).toMatchObject({ evictions: 0, bytes: 50 << 20 })
    await want(one!)
    await want(three!)
    expect(cache.counts()).toMatchObject({ evictions: 1, bytes: 50 << 20, hits: 1 })
    expect((await want(one!))?.hit).toBe(true)
    expect((await want(two!))?.hit).toBe(false)
    expect((await want(three!))?.hit).toBe(false)
    expect(asked).toBe(5)
    expect(await buffer((await first.read({ start: 7, end: 9 })) as Readable)).toEqual(one!.part(7, 9))
    expect(asked).toBe(6)
  })

  test('is no great object for which the disk has no room', async () => {
    const { cache } = await kept(1 << 20)
    // So many fit that half a one is left: others use the disk meanwhile.
    const { bavail, bsize } = statfsSync(directory)
    const fit = Math.ceil((bavail * bsize) / (8 * 2 ** 30))
    const length = Math.floor((bavail * bsize) / (fit + 0.5))
    const ends: (() => void)[] = []
    let [begun, allBegan] = [0, (): void => undefined]
    const began = new Promise<void>((resolve) => {
      allBegan = resolve
    })
    const want = (n: number) => {
      const hash = { algorithm: 'sha1', hex: n.toString(16).padStart(40, '0') } as const
      return cache.object(`x/${objectPath(hash, 'file')}`, hash, (_path, take) => {
        const end = new Promise<void>((resolve) => ends.push(resolve))
        const body = async function* () {
          if (++begun === fit) allBegan()
          await end
          yield Buffer.from('not so much')
        }
        return take({ length, body: body() })
      })
    }
    // Nothing of them has come yet, but it will.
    const waiting = Array.from({ length: fit }, (_, n) => want(n))
    const all = Promise.allSettled(waiting)
    // Whoever is read from has room: it is the next one that has none.
    await began
    await expect(want(fit)).rejects.toMatchObject({ code: 'storage_full' })
    for (const end of ends) end()
    for (const one of await all) expect(one).toMatchObject({ reason: { code: 'software_damaged' } })
    const great = greatObject(25, 4)
    const again = await cache.object(`x/${great.path}`, great.hash, async (_path, take) =>
      take({ length: great.size, body: Readable.from(great.pieces()) }),
    )
    expect(again?.length).toBe(great.size)
    const left = readdirSync(directory, { recursive: true }).map(String)
    expect(left.filter((file) => file.endsWith('.part'))).toEqual([])
  })

  test('is one answer for all who ask at once, and for a minute that there is nothing', async () => {
    const { made, object, asked, wait } = await kept(1_000_000)
    const there = made.store(Buffer.from('there'), 'file')
    await Promise.all(Array.from({ length: 20 }, () => object(there)))
    const coming = { algorithm: 'sha1', hex: '0'.repeat(40) } as const
    for (let i = 0; i < 5; i++) expect(await object(coming)).toBe(undefined)
    expect(asked).toHaveLength(2)
    wait(60_000)
    await object(coming)
    expect(asked).toHaveLength(3)
  })

  test('is the last manifest while the server is away, and never an older one', async () => {
    const { made, cache, document, wait, leave } = await kept(1000)
    const manifest = () => document('.cvmfspublished')
    const first = made.files.get('.cvmfspublished')!
    await made.publish(async (tree) => tree.touch())
    const second = made.files.get('.cvmfspublished')!
    expect((await manifest())?.bytes.equals(second)).toBe(true)
    wait(60_000)
    made.files.set('.cvmfspublished', first)
    expect((await manifest())?.bytes.equals(second)).toBe(true)
    expect(cache.revisions()).toEqual({ [made.name]: 2 })
    leave()
    expect((await manifest())?.bytes.equals(second)).toBe(true)
    await expect(document('.cvmfswhitelist')).rejects.toThrow('away')
  })
})

describe('the gateway as a cache of software', () => {
  let world: Awaited<ReturnType<typeof gatewayWorld>>
  let site: Site
  let made: RepositoryFiles
  let server: Server
  let plain: string
  let program: ChildProcess
  const asked: string[] = []
  const great = greatObject(96, 5)
  let giving: Giving = 'right'
  let gate = Promise.resolve()

  beforeAll(async () => {
    world = await gatewayWorld(['a'])
    site = world.sites[0]!
    made = await repositoryFiles()
    await made.publish(async (tree) => {
      for (const entry of everyEntry(made).entries) await tree.put(entry)
    })
    server = createServer(world.tls, async (request, response) => {
      asked.push(request.url!)
      if (request.url!.endsWith(great.path)) {
        await gate
        return giveGreat(response, great, giving)
      }
      const bytes = made.files.get(request.url!.slice(`/cvmfs/${made.name}/`.length))
      response.writeHead(bytes ? 200 : 404).end(bytes)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const softwarePort = await freePort()
    plain = `http://127.0.0.1:${softwarePort}`
    const config = JSON.parse(readFileSync(site.configFile, 'utf8'))
    const address = `https://localhost:${(server.address() as AddressInfo).port}`
    writeFileSync(site.configFile, JSON.stringify({ ...config, server: address, softwarePort }))
    program = await world.startProgram(site)
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await world.close()
  })

  const get = (path: string) => fetch(`${plain}/cvmfs/${made.name}/${path}`)
  const objectsAsked = () => asked.filter((url) => url.includes('/data/')).length
  async function readEverything(): Promise<void> {
    const throughGateway = async (path: string) => {
      const answer = await get(path)
      return answer.status === 404 ? undefined : Buffer.from(await answer.arrayBuffer())
    }
    const masterKeys = [made.master.publicKey]
    const repository = await openRepository({
      ...{ name: made.name, masterKeys, fetch: throughGateway, now: new Date() },
    })
    const snapshot = await repository.snapshot()
    const { problems } = await checkRepository(repository, snapshot, { fetch: throughGateway, data: true })
    expect(problems).toEqual([])
  }

  test('fetches a repository once for all clients, and serves it without the server, also after a restart', async () => {
    await readEverything()
    const first = objectsAsked()
    expect(first).toBeGreaterThan(10)
    await readEverything()
    expect(objectsAsked()).toBe(first)
    program.kill('SIGKILL')
    await once(program, 'exit')
    program = await world.startProgram(site)
    await readEverything()
    expect(objectsAsked()).toBe(first)
  })

  test('gives nothing on that is not what it is called', async () => {
    const hash = made.store(Buffer.from('right'), 'file')
    const path = objectPath(hash, 'file')
    const right = made.files.get(path)!
    made.files.set(path, Buffer.from('wrong'))
    expect((await get(path)).status).toBe(502)
    made.files.set(path, right)
    const answer = await get(path)
    expect([answer.status, answer.headers.get('x-cache')]).toEqual([200, 'MISS'])
    expect(Buffer.from(await answer.arrayBuffer()).equals(right)).toBe(true)
    expect((await get(path)).headers.get('x-cache')).toBe('HIT')
  })

  describe('with great objects', () => {
    const askedFor = () => asked.filter((url) => url.endsWith(great.path)).length
    const right = { hex: great.hash.hex, bytes: great.size }
    const read = async () => sumOf(await get(great.path), 'sha1')
    const part = async (start: number, end: number) => {
      const answer = await fetch(`${plain}/cvmfs/${made.name}/${great.path}`, {
        headers: { range: `bytes=${start}-${end}` },
      })
      expect([answer.status, answer.headers.get('content-range')]).toEqual([
        206,
        `bytes ${start}-${end}/${great.size}`,
      ])
      expect(Buffer.from(await answer.arrayBuffer()).equals(great.part(start, end))).toBe(true)
    }

    test('gives none on that comes truncated or wrong', async () => {
      for (const way of ['truncated', 'wrong', 'unsaid'] as const) {
        giving = way
        expect((await get(great.path)).status, way).toBe(502)
      }
      giving = 'right'
    })

    test.skipIf(!existsSync('/proc/self/status'))(
      'fetches one once for all clients, also when the first goes away, and never holds it',
      async () => {
        const peak = () => {
          const status = readFileSync(`/proc/${program.pid}/status`, 'utf8')
          return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024
        }
        // What it took for earlier tests does not count.
        program.kill('SIGKILL')
        await once(program, 'exit')
        program = await world.startProgram(site)
        await get('.cvmfspublished')
        const [before, asks] = [peak(), askedFor()]
        let open = () => {}
        gate = new Promise((resolve) => {
          open = resolve
        })
        const leaving = new AbortController()
        const left = fetch(`${plain}/cvmfs/${made.name}/${great.path}`, { signal: leaving.signal })
        await expect.poll(() => askedFor() - asks).toBe(1)
        const others = Promise.all([read(), read()])
        leaving.abort()
        await expect(left).rejects.toThrow('aborted')
        open()
        expect(await others).toEqual([right, right])
        expect(await read()).toEqual(right)
        expect(askedFor() - asks).toBe(1)
        expect(peak() - before).toBeLessThan(great.size)
      },
    )

    test('gives parts of one, also when it finds it after a restart', async () => {
      const asks = askedFor()
      await part(5, 5)
      program.kill('SIGKILL')
      await once(program, 'exit')
      program = await world.startProgram(site)
      await part((90 << 20) - 2, (90 << 20) + 2)
      await part(great.size - 1, great.size - 1)
      const beyond = { headers: { range: `bytes=${great.size}-` } }
      expect((await fetch(`${plain}/cvmfs/${made.name}/${great.path}`, beyond)).status).toBe(416)
      expect(askedFor()).toBe(asks)
    })
  })

  test('says software without TLS, and files only with it', async () => {
    expect((await get('.cvmfspublished')).headers.get('cache-control')).toBe('public, max-age=61')
    expect((await get('data/zz/none')).status).toBe(404)
    expect((await fetch(`${plain}/cvmfs/../demo/x`)).status).toBe(403)
    expect((await fetch(`${plain}/healthz`)).status).toBe(403)
    expect((await fetch(`${plain}/cvmfs/${made.name}/.cvmfspublished`, { method: 'PUT' })).status).toBe(403)
  })
})
