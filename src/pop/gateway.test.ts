import { execFile, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adler32, adler32Hex } from '../kernel/adler32.ts'
import { type Gateway, startGateway } from './gateway.ts'

const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'kumi-gateway-'))
const pem = join(home, 'tls.pem')
const key = join(home, 'tls.key')
const all = 'storage.read:/ storage.modify:/'
let issuer = ''
let a: Gateway
let b: Gateway
let mint: (scope: string) => Promise<string>
let stopIssuer: () => void

beforeAll(async () => {
  spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout',
    key,
    '-out',
    pem,
  ])
  const pair = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }
  const server = createServer({ cert: readFileSync(pem), key: readFileSync(key) }, (request, response) => {
    const discovery = { issuer, jwks_uri: `${issuer}/jwks`, token_endpoint: `${issuer}/token` }
    response.end(JSON.stringify(request.url?.endsWith('/jwks') ? { keys: [jwk] } : discovery))
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  issuer = `https://localhost:${(server.address() as AddressInfo).port}/iam/demo`
  stopIssuer = () => {
    server.closeAllConnections()
    server.close()
  }
  mint = (scope) =>
    new SignJWT({ scope, 'wlcg.ver': '1.0' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setSubject('tester')
      .setAudience('https://wlcg.cern.ch/jwt/v1/any')
      .setJti(randomBytes(8).toString('hex'))
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime('10m')
      .sign(pair.privateKey)
  const ports = [17451 + (process.pid % 500) * 2, 17452 + (process.pid % 500) * 2]
  const start = (name: string, port: number): Promise<Gateway> => {
    const directory = join(home, name)
    mkdirSync(directory)
    for (const file of ['tls.pem', 'tls.key'])
      writeFileSync(join(directory, file), readFileSync(join(home, file)))
    return startGateway({
      name,
      server: 'https://localhost:1',
      endpoint: `https://localhost:${port}`,
      host: '127.0.0.1',
      port,
      directory,
      ca: pem,
      vo: 'demo',
      issuer,
      logFile: join(home, `${name}.log`),
      scrubBytesPerSecond: 0,
      peers: ports.map((p) => `localhost:${p}`),
    })
  }
  a = await start('a', ports[0]!)
  b = await start('b', ports[1]!)
})

afterAll(async () => {
  await Promise.all([a?.close(), b?.close()])
  stopIssuer?.()
  rmSync(home, { recursive: true, force: true })
})

const url = (gateway: Gateway, path: string): string => `https://localhost:${gateway.port}/demo${path}`

/** curl with a fresh token: `[status, headers + body]`. */
async function curl(scope: string, ...rest: string[]): Promise<[number, string]> {
  const { stdout } = await run('curl', [
    '-sS',
    '-4',
    '--cacert',
    pem,
    '--path-as-is',
    '-i',
    '-w',
    '\n%{http_code}',
    '-H',
    `Authorization: Bearer ${await mint(scope)}`,
    ...rest,
  ])
  const at = stdout.lastIndexOf('\n')
  return [Number(stdout.slice(at + 1)), stdout.slice(0, at)]
}

async function put(
  gateway: Gateway,
  path: string,
  bytes: Buffer,
  scope = all,
  ...rest: string[]
): Promise<[number, string]> {
  const file = join(home, `upload-${randomBytes(4).toString('hex')}`)
  writeFileSync(file, bytes)
  return curl(scope, '-T', file, url(gateway, path), ...rest)
}

describe('the storage door of a gateway', () => {
  test('stores a file, makes its parents, and tells its checksum', async () => {
    const bytes = randomBytes(3_000_000)
    expect((await put(a, '/x/y/f1', bytes))[0]).toBe(201)
    const [status, head] = await curl(all, '-I', '-H', 'Want-Digest: MD5;q=0.5, ADLER32', url(a, '/x/y/f1'))
    expect(status).toBe(200)
    expect(head).toContain(
      `adler32=${adler32Hex(adler32(bytes))},md5=${createHash('md5').update(bytes).digest('base64')}`,
    )
    expect((await curl(all, '-r', '0-9', '-o', '/dev/null', url(a, '/x/y/f1')))[0]).toBe(206)
    expect((await curl(all, '-H', 'Range: bytes=9999999-', url(a, '/x/y/f1')))[0]).toBe(416)
  })

  test('shows nothing of an upload with a wrong checksum', async () => {
    expect((await put(a, '/bad', Buffer.from('bytes'), all, '-H', 'Digest: adler32=00000001'))[0]).toBe(400)
    expect((await curl(all, '-I', url(a, '/bad')))[0]).toBe(404)
    expect(readdirSync(join(home, 'a/storage/demo/.kumi/incoming'))).toEqual([])
  })

  test('denies before it tells what exists', async () => {
    expect((await curl('storage.read:/other', url(a, '/x/y/f1')))[0]).toBe(403)
    expect((await curl('storage.read:/other', url(a, '/nothing')))[0]).toBe(403)
    expect((await curl('storage.read:/x/y/f', url(a, '/x/y/f1')))[0]).toBe(403)
    const bare = await run('curl', [
      '-s',
      '-4',
      '--cacert',
      pem,
      '-w',
      '%{http_code}',
      '-o',
      '/dev/null',
      url(a, '/x/y/f1'),
    ])
    expect(bare.stdout).toBe('401')
  })

  test('overwrites only with the modify right', async () => {
    expect((await put(a, '/once', Buffer.from('1'), 'storage.create:/'))[0]).toBe(201)
    expect((await put(a, '/once', Buffer.from('2'), 'storage.create:/'))[0]).toBe(403)
    expect((await put(a, '/once', Buffer.from('3')))[0]).toBe(204)
  })

  test('refuses paths that lead out of the area', async () => {
    for (const path of ['/../a', '/%2e%2e/a', '/a%2fb', '/a%00', '/.kumi/digests/once']) {
      expect([400, 403]).toContain((await curl(all, url(a, path)))[0])
    }
    symlinkSync('/etc', join(home, 'a/storage/demo/leak'))
    expect((await curl(all, url(a, '/leak/passwd')))[0]).toBe(400)
  })

  test('lists, makes, renames and removes', async () => {
    expect((await curl(all, '-X', 'MKCOL', url(a, '/dir')))[0]).toBe(201)
    expect((await curl(all, '-X', 'MKCOL', url(a, '/dir')))[0]).toBe(405)
    expect((await curl(all, '-X', 'MKCOL', url(a, '/no/such/dir')))[0]).toBe(409)
    await put(a, '/dir/one', Buffer.from('one'))
    expect(
      (await curl(all, '-X', 'MOVE', '-H', `Destination: ${url(a, '/dir/two')}`, url(a, '/dir/one')))[0],
    ).toBe(201)
    const [status, listing] = await curl(all, '-X', 'PROPFIND', '-H', 'Depth: 1', url(a, '/dir'))
    expect(status).toBe(207)
    expect(listing).toContain('/demo/dir/two')
    expect(
      (await curl(all, '-X', 'MOVE', '-H', `Destination: ${url(a, '/.trash/d1')}`, url(a, '/dir/two')))[0],
    ).toBe(201)
    expect((await curl(all, '-X', 'PROPFIND', '-H', 'Depth: 1', url(a, '/')))[1]).not.toMatch(
      /\.trash|\.kumi/,
    )
    expect((await curl(all, '-X', 'DELETE', url(a, '/.trash/d1')))[0]).toBe(204)
    expect((await curl(all, '-I', url(a, '/')))[0]).toBe(200)
  })

  test('copies between gateways in both directions, and not from elsewhere', async () => {
    const token = await mint(all)
    const passive = ['-H', `TransferHeaderAuthorization: Bearer ${token}`]
    const pulled = await curl(
      all,
      '-X',
      'COPY',
      '-H',
      `Source: ${url(a, '/x/y/f1')}`,
      ...passive,
      url(b, '/p/f1'),
    )
    expect(pulled[0]).toBe(202)
    expect(pulled[1]).toMatch(/Perf Marker[\s\S]*success/)
    const pushed = await curl(
      all,
      '-X',
      'COPY',
      '-H',
      `Destination: ${url(b, '/q/f1')}`,
      ...passive,
      url(a, '/x/y/f1'),
    )
    expect(pushed[1]).toMatch(/success/)
    // Not toEqual: it walks buffers byte by byte and needs seconds for a megabyte.
    for (const path of ['p', 'q'])
      expect(
        readFileSync(join(home, 'b/storage/demo', path, 'f1')).equals(
          readFileSync(join(home, 'a/storage/demo/x/y/f1')),
        ),
      ).toBe(true)
    expect((await curl(all, '-X', 'COPY', '-H', 'Source: https://127.0.0.1:22/x', url(b, '/p/g')))[0]).toBe(
      403,
    )
    const wrong = await curl(
      all,
      '-X',
      'COPY',
      '-H',
      `Source: ${url(a, '/x/y/f1')}`,
      '-H',
      'Digest: adler32=00000001',
      ...passive,
      url(b, '/p/h'),
    )
    expect(wrong[0] === 400 || /failure/.test(wrong[1])).toBe(true)
    expect(existsSync(join(home, 'b/storage/demo/p/h'))).toBe(false)
  })
})
