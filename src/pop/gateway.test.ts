import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing, mountsForbidden } from '../../test/harness/foreign.ts'
import { everything as all, gatewayWorld, type Site } from '../../test/harness/gateway-world.ts'
import { adler32, adler32Hex } from '../kernel/adler32.ts'

let world: Awaited<ReturnType<typeof gatewayWorld>>
let a: Site
let b: Site
let full: Site

beforeAll(async () => {
  world = await gatewayWorld(['a', 'b', 'full'])
  ;[a, b, full] = world.sites as [Site, Site, Site]
  await world.openIssuer()
  await Promise.all([world.startHere(a), world.startHere(b)])
})
afterAll(() => world.close())

const describeWithCurl = describe.skipIf(missing('curl'))
const curl: typeof world.curl = (...args) => world.curl(...args)
const status = async (...args: Parameters<typeof curl>): Promise<number> => (await curl(...args))[0]

async function put(site: Site, path: string, bytes: Buffer, scope = all, ...rest: string[]) {
  const file = join(world.home, `upload-${randomBytes(4).toString('hex')}`)
  writeFileSync(file, bytes)
  return curl(scope, '-T', file, site.url(path), ...rest)
}

/** Not expect().toEqual: that walks buffers byte by byte and needs seconds for a megabyte. */
const sameBytes = (left: string, right: string): boolean => readFileSync(left).equals(readFileSync(right))
const incoming = (site: Site): string[] => readdirSync(join(site.area, '.kumi/incoming'))

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(5)
}

describeWithCurl('files at the storage door', () => {
  test('are stored with their parents, and tell their checksum', async () => {
    const bytes = randomBytes(3_000_000)
    expect((await put(a, '/x/y/f1', bytes))[0]).toBe(201)
    const [code, head] = await curl(all, '-I', '-H', 'Want-Digest: MD5;q=0.5, ADLER32', a.url('/x/y/f1'))
    expect(code).toBe(200)
    expect(head).toContain(
      `adler32=${adler32Hex(adler32(bytes))},md5=${createHash('md5').update(bytes).digest('base64')}`,
    )
    expect(readFileSync(join(a.area, 'x/y/f1')).equals(bytes)).toBe(true)
  })

  test('are read in ranges', async () => {
    await put(a, '/digits', Buffer.from('0123456789'))
    const part = async (range: string) => {
      const [code, text] = await curl(all, '-H', `Range: ${range}`, a.url('/digits'))
      return `${code} ${text.split('\r\n\r\n')[1]}`
    }
    expect(await part('bytes=2-4')).toBe('206 234')
    expect(await part('bytes=7-')).toBe('206 789')
    expect(await part('bytes=-2')).toBe('206 89')
    expect(await part('bytes=5-99')).toBe('206 56789')
    expect(await part('bytes=10-')).toMatch('416')
    expect(await part('pages=1-2')).toBe('200 0123456789')
  })

  test('are not shown when their checksum is not the announced one', async () => {
    expect((await put(a, '/bad', Buffer.from('bytes'), all, '-H', 'Digest: adler32=00000001'))[0]).toBe(400)
    expect(await status(all, '-I', a.url('/bad'))).toBe(404)
    expect(incoming(a)).toEqual([])
  })

  test('leave nothing when the upload breaks off', async () => {
    const upload = request(a.url('/half'), {
      ...{ method: 'PUT', ca: readFileSync(world.ca), family: 4, agent: false },
      headers: { authorization: `Bearer ${await world.mint(all)}`, 'content-length': 5_000_000 },
    })
    upload.on('error', () => undefined)
    upload.write(Buffer.alloc(2_000_000, 7))
    await until(() => incoming(a).length > 0)
    upload.destroy()
    await until(() => incoming(a).length === 0)
    expect(existsSync(join(a.area, 'half'))).toBe(false)
  })

  test('stay as they were when a replacement is refused', async () => {
    await put(a, '/kept', Buffer.from('old'))
    expect((await put(a, '/kept', Buffer.from('new'), all, '-H', 'Digest: adler32=00000001'))[0]).toBe(400)
    expect(readFileSync(join(a.area, 'kept'), 'utf8')).toBe('old')
    expect(await status(all, '-I', '-H', 'Want-Digest: adler32', a.url('/kept'))).toBe(200)
  })

  test.skipIf(mountsForbidden())('do not fit on a full disk, and the next smaller one does', async () => {
    await world.startProgram(full, 4)
    expect((await put(full, '/big', randomBytes(6_000_000)))[0]).toBe(507)
    expect(await status(all, '-I', full.url('/big'))).toBe(404)
    expect((await put(full, '/small', randomBytes(1_000_000)))[0]).toBe(201)
    await put(a, '/big', randomBytes(6_000_000))
    const [code, text] = await copy(full, '/big', a.url('/big'))
    expect(code).toBe(202)
    expect(text).toMatch(/failure: .*\[code=storage_full party=destination class=final\]\n$/)
    expect(await status(all, '-I', full.url('/big'))).toBe(404)
  })

  test('that cannot be stored are refused before they are sent, by who asks first', async () => {
    const askFirst = async (url: string, scope: string): Promise<[number | undefined, boolean]> => {
      const upload = request(url, {
        ...{ method: 'PUT', ca: readFileSync(world.ca), family: 4, agent: false },
        headers: {
          authorization: `Bearer ${await world.mint(scope)}`,
          'content-length': 50_000_000,
          expect: '100-continue',
        },
      })
      let invited = false
      upload.on('continue', () => {
        invited = true
      })
      upload.flushHeaders()
      const [answer] = (await once(upload, 'response')) as [IncomingMessage]
      upload.destroy()
      return [answer.statusCode, invited]
    }
    expect(await askFirst(full.url('/huge'), all)).toEqual([507, false])
    expect(await askFirst(a.url('/huge'), 'storage.create:/elsewhere')).toEqual([403, false])
  })

  test('tell who sends them without asking what is wrong', async () => {
    const unannounced = ['-H', 'Transfer-Encoding: chunked', '-H', 'Expect:']
    const [code, text] = await put(full, '/stream', randomBytes(30_000_000), all, ...unannounced)
    expect(code).toBe(507)
    expect(text).toContain('The storage is full')
    expect(await status(all, '-I', full.url('/stream'))).toBe(404)
    expect((await put(a, '/x/y', randomBytes(30_000_000), all, '-H', 'Expect:'))[0]).toBe(409)
  })
})

describeWithCurl('the storage door', () => {
  test('denies before it tells what exists', async () => {
    expect(await status('storage.read:/other', a.url('/x/y/f1'))).toBe(403)
    expect(await status('storage.read:/other', a.url('/nothing'))).toBe(403)
    expect(await status('storage.read:/x/y/f', a.url('/x/y/f1'))).toBe(403)
    for (const method of ['PUT', 'DELETE', 'MKCOL', 'PROPFIND', 'COPY', 'MOVE'])
      for (const path of ['/x/y/f1', '/nothing']) {
        const to = ['-H', `Destination: ${a.url('/elsewhere')}`, '-H', 'Depth: 0']
        expect(await status('storage.read:/other', '-X', method, ...to, a.url(path))).toBe(403)
      }
  })

  test('takes no expired token, none for somebody else, none of a stranger, and no request without one', async () => {
    const ask = async (claims: Parameters<typeof world.mint>[1]) =>
      status({ token: await world.mint(all, claims) }, '-I', a.url('/x/y/f1'))
    expect(await ask({})).toBe(200)
    expect(await ask({ audience: a.endpoint })).toBe(200)
    expect(await ask({ audience: b.endpoint })).toBe(401)
    expect(await ask({ lifetime: -1800 })).toBe(401)
    expect(await ask({ issuer: 'https://localhost:1/iam/demo' })).toBe(401)
    const [code, text] = await curl({ token: '' }, '-I', a.url('/x/y/f1'))
    expect(code).toBe(401)
    expect(text.toLowerCase()).toContain('www-authenticate: bearer')
  })

  test('overwrites only with the modify right', async () => {
    expect((await put(a, '/once', Buffer.from('1'), 'storage.create:/'))[0]).toBe(201)
    expect((await put(a, '/once', Buffer.from('2'), 'storage.create:/'))[0]).toBe(403)
    expect((await put(a, '/once', Buffer.from('3')))[0]).toBe(204)
    expect((await put(a, '/once', Buffer.from('4'), all, '-H', 'If-None-Match: *'))[0]).toBe(412)
  })

  test('refuses paths that lead out of the area, reserved ones and names too long', async () => {
    const paths = [
      '/../a',
      '/x/../../a',
      '/%2e%2e/a',
      '/a%2fb',
      '/a%00',
      '/.kumi/digests/once',
      `/${'n'.repeat(300)}`,
    ]
    for (const path of paths) {
      expect([400, 403]).toContain(await status(all, a.url(path)))
      expect([400, 403]).toContain((await put(a, path, Buffer.from('x')))[0])
    }
    symlinkSync('/etc', join(a.area, 'leak'))
    expect(await status(all, a.url('/leak/passwd'))).toBe(400)
    expect((await put(a, '/leak/kumi', Buffer.from('x')))[0]).toBe(400)
  })

  test('lets no path out of the one a token is for, in any writing, as source or as destination', async () => {
    await put(a, '/x/f', Buffer.from('mine'))
    await put(a, '/xy/f', Buffer.from('theirs'))
    const scope = 'storage.read:/x storage.modify:/x'
    const elsewhere = ['/xy/f', '/x/../xy/f', '/x/%2e%2e/xy/f', '/x/..%2fxy/f', '/x/%252e%252e/xy/f']
    const more = ['/X/f', '/x%00/f', '/x\\../xy/f', '/x/%5c../xy/f', '/x;/../xy/f', '/.//xy/f']
    for (const path of [...elsewhere, ...more]) {
      expect([path, await status(scope, a.url(path))]).not.toEqual([path, 200])
      expect([400, 403]).toContain(await status(scope, a.url(path)))
      expect([400, 403]).toContain((await put(a, path, Buffer.from('x'), scope))[0])
      const to = ['-H', `Destination: ${a.url(path)}`]
      for (const method of ['MOVE', 'COPY']) {
        expect([400, 403]).toContain(await status(scope, '-X', method, ...to, a.url('/x/f')))
        const from = ['-H', `Destination: ${a.url('/x/stolen')}`]
        expect([400, 403]).toContain(await status(scope, '-X', method, ...from, a.url(path)))
      }
    }
    expect(readFileSync(join(a.area, 'xy/f'), 'utf8')).toBe('theirs')
    expect(existsSync(join(a.area, 'x/stolen'))).toBe(false)
  })

  test('lists, makes, renames and removes', async () => {
    expect(await status(all, '-X', 'MKCOL', a.url('/dir'))).toBe(201)
    expect(await status(all, '-X', 'MKCOL', a.url('/dir'))).toBe(405)
    expect(await status(all, '-X', 'MKCOL', a.url('/no/such/dir'))).toBe(409)
    await put(a, '/dir/one', Buffer.from('one'))
    const to = (path: string) => ['-X', 'MOVE', '-H', `Destination: ${a.url(path)}`]
    expect(await status(all, ...to('/dir/two'), a.url('/dir/one'))).toBe(201)
    const [code, listing] = await curl(all, '-X', 'PROPFIND', '-H', 'Depth: 1', a.url('/dir'))
    expect(code).toBe(207)
    expect(listing).toContain('/demo/dir/two')
    expect(await status(all, ...to('/once'), '-H', 'Overwrite: F', a.url('/dir/two'))).toBe(412)
    expect(await status(all, ...to('/.trash/d1'), a.url('/dir/two'))).toBe(201)
    const top = (await curl(all, '-X', 'PROPFIND', '-H', 'Depth: 1', a.url('/')))[1]
    expect(top).not.toMatch(/\.trash|\.kumi/)
    expect(await status('storage.read:/', a.url('/.trash/d1'))).toBe(403)
    expect(await status(all, '-X', 'DELETE', a.url('/.trash/d1'))).toBe(204)
    expect(await status(all, '-X', 'DELETE', a.url('/.trash/d1'))).toBe(404)
  })
})

describeWithCurl('the usage that a gateway tells', () => {
  const told = async (): Promise<{ bytes: number; files: number }> => {
    const [, answer] = await curl(all, `${a.endpoint}/api/v1/srr`)
    const [share] = JSON.parse(answer.slice(answer.indexOf('{'))).storageservice.storageshares
    return { bytes: share.usedsize, files: share.numberoffiles }
  }

  test('is true after every change, also of a whole directory', async () => {
    const before = await told()
    const more = async (bytes: number, files: number) =>
      expect(await told()).toEqual({ bytes: before.bytes + bytes, files: before.files + files })
    await put(a, '/usage/x/1', Buffer.alloc(1000))
    await put(a, '/usage/x/y/2', Buffer.alloc(200))
    await put(a, '/usage/3', Buffer.alloc(30))
    await more(1230, 3)
    await put(a, '/usage/3', Buffer.alloc(40))
    await more(1240, 3)
    const to = (path: string) => ['-X', 'MOVE', '-H', `Destination: ${a.url(path)}`]
    expect(await status(all, ...to('/usage/x/1'), a.url('/usage/3'))).toBe(204)
    await more(240, 2)
    // The trash fills the disk as well.
    expect(await status(all, ...to('/.trash/usage'), a.url('/usage/x/1'))).toBe(201)
    await more(240, 2)
    expect(await status(all, '-X', 'DELETE', a.url('/usage'))).toBe(204)
    await more(40, 1)
    expect(await status(all, '-X', 'DELETE', a.url('/usage'))).toBe(404)
    expect(await status(all, '-X', 'DELETE', a.url('/.trash/usage'))).toBe(204)
    await more(0, 0)
  })
})

/** Asks `to` to fetch `source`. */
async function copy(to: Site, path: string, source: string, ...headers: string[]): Promise<[number, string]> {
  const passive = ['-H', `TransferHeaderAuthorization: Bearer ${await world.mint(all)}`]
  return curl(all, '-X', 'COPY', '-H', `Source: ${source}`, ...passive, ...headers, to.url(path))
}

describeWithCurl('third-party copy', () => {
  test('pulls and pushes with markers and a last line', async () => {
    const [code, text] = await copy(b, '/p/f1', a.url('/x/y/f1'))
    expect(code).toBe(202)
    expect(text).toMatch(/Stripe Bytes Transferred: 3000000\n[\s\S]*success: Created\n$/)
    expect(text).toMatch(/RemoteConnections: tcp:127\.0\.0\.1:\d+\n/)
    const passive = ['-H', `TransferHeaderAuthorization: Bearer ${await world.mint(all)}`]
    const there = ['-X', 'COPY', '-H', `Destination: ${b.url('/q/f1')}`]
    expect((await curl(all, ...there, ...passive, a.url('/x/y/f1')))[1]).toMatch(/success: Created\n$/)
    for (const path of ['p/f1', 'q/f1'])
      expect(sameBytes(join(b.area, path), join(a.area, 'x/y/f1'))).toBe(true)
  })

  test('refuses other hosts, other bytes, and what exists unless it may be replaced', async () => {
    expect(await status(all, '-X', 'COPY', '-H', 'Source: https://127.0.0.1:22/x', b.url('/p/g'))).toBe(403)
    const wrong = await copy(b, '/p/h', a.url('/x/y/f1'), '-H', 'Digest: adler32=00000001')
    expect(wrong[0]).toBe(400)
    expect(existsSync(join(b.area, 'p/h'))).toBe(false)
    expect((await copy(b, '/p/f1', a.url('/x/y/f1'), '-H', 'Overwrite: F'))[0]).toBe(412)
    expect((await copy(b, '/p/f1', a.url('/x/y/f1')))[0]).toBe(202)
    const [code, text] = await copy(b, '/p/none', a.url('/no/such/file'))
    expect(code).toBe(502)
    expect(text).toContain('answered 404')
  })

  test('is cancelled when its client goes away', async () => {
    await put(a, '/long', randomBytes(200_000_000))
    const asked = request(b.url('/cancelled'), {
      ...{ method: 'COPY', ca: readFileSync(world.ca), family: 4, agent: false },
      headers: {
        authorization: `Bearer ${await world.mint(all)}`,
        transferheaderauthorization: `Bearer ${await world.mint(all)}`,
        source: a.url('/long'),
      },
    })
    asked.on('error', () => undefined)
    asked.end()
    const answer = await new Promise<IncomingMessage>((resolve) => asked.once('response', resolve))
    expect(answer.statusCode).toBe(202)
    await until(() => incoming(b).length > 0)
    asked.destroy()
    await until(() => incoming(b).length === 0)
    expect(existsSync(join(b.area, 'cancelled'))).toBe(false)
  })
})
