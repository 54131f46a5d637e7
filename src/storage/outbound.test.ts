import type { lookup } from 'node:dns'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCa, issueHostCertificate } from '../identity/x509/certificates.ts'
import { addressAllowed, guardedLookup, refuseAddress } from './addresses.ts'
import { fetchDocument } from './documents.ts'
import { guardedOutbound, type Outbound } from './outbound.ts'

const INSIDE = [
  '127.0.0.1',
  '127.1.2.3',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '::1',
  'fd00:ec2::254',
  'fc00::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
]
const NEVER = ['169.254.169.254', '0.0.0.0', '224.0.0.1', '255.255.255.255', 'fe80::1', '::', 'ff02::1']
const OUTSIDE = ['8.8.8.8', '130.87.104.1', '172.32.0.1', '2001:470::1', '2606:4700::1111']

describe('the guard of addresses', () => {
  test('lets nobody reach machines inside, and not even listed names reach the metadata services of clouds', () => {
    for (const address of INSIDE) {
      expect([address, addressAllowed(address, 'public')]).toEqual([address, false])
      expect([address, addressAllowed(address, 'listed')]).toEqual([address, true])
    }
    for (const address of [...NEVER, '::ffff:169.254.169.254']) {
      expect([address, addressAllowed(address, 'listed')]).toEqual([address, false])
      expect([address, addressAllowed(address, 'public')]).toEqual([address, false])
    }
    for (const address of OUTSIDE) expect(addressAllowed(address, 'public')).toBe(true)
  })

  test('whatever is written as the host, what is let through is an address that may be spoken to', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom(...INSIDE, ...NEVER)), (host) => {
        const url = new URL(`https://${host.includes(':') ? `[${host}]` : host}/`)
        let refused = false
        try {
          refuseAddress(url.hostname, 'public')
        } catch {
          refused = true
        }
        expect(refused).toBe(!addressAllowed(url.hostname.replace(/^\[|\]$/g, ''), 'public'))
      }),
    )
    for (const disguise of [
      'https://0x7f.1/',
      'https://2130706433/',
      'https://127.1/',
      'https://[::ffff:7f00:1]/',
    ]) {
      expect(() => refuseAddress(new URL(disguise).hostname, 'public')).toThrow(/may not be spoken to/)
    }
  })

  test('a name is connected to at the very address that was judged, once', async () => {
    const answers = [['127.0.0.1'], ['8.8.8.8', '10.0.0.1'], ['169.254.169.254']]
    const resolver = ((_host: string, _options: object, done: (e: null, found: object[]) => void) =>
      done(
        null,
        (answers.shift() ?? []).map((address) => ({ address, family: 4 })),
      )) as typeof lookup
    const ask = (trust: 'public' | 'listed') =>
      new Promise((resolve, reject) =>
        guardedLookup(trust, resolver)('rebind.example', { all: true }, (error, found) =>
          error ? reject(error) : resolve(found),
        ),
      )
    await expect(ask('public')).rejects.toMatchObject({ code: 'host_not_allowed' })
    await expect(ask('public')).resolves.toEqual([{ address: '8.8.8.8', family: 4 }])
    await expect(ask('listed')).rejects.toMatchObject({ code: 'host_not_allowed' })
  })
})

describe('the guarded fetcher', () => {
  let plain: Server
  let tls: ReturnType<typeof createTlsServer>
  let ca: string
  let listed = ''
  let secretSeen: string | undefined
  const fetchers: Outbound[] = []
  const fetcher = (options: { allowed: string[]; publicDocuments?: boolean; listedPlain?: boolean }) => {
    const made = guardedOutbound({ ca, ...options })
    fetchers.push(made)
    return made
  }
  const portOf = (server: Server | typeof tls) => (server.address() as AddressInfo).port

  beforeAll(async () => {
    const now = new Date()
    const authority = await createCa({ name: 'Test', now })
    const host = await issueHostCertificate({ ca: authority, names: ['localhost'], now })
    ca = authority.certificatePem
    plain = createServer((_request, response) => response.end('inside')).listen(0, '127.0.0.1')
    tls = createTlsServer({ cert: host.certificatePem, key: host.privateKeyPem }, (request, response) => {
      secretSeen = request.headers.authorization
      if (request.url === '/to-inside') {
        response.writeHead(302, { location: `http://127.0.0.1:${portOf(plain)}/` }).end()
      } else if (request.url === '/round') response.writeHead(302, { location: '/round' }).end()
      else response.end('x'.repeat(1000))
    }).listen(0, '127.0.0.1')
    await Promise.all(
      [plain, tls].map((server) => new Promise((resolve) => server.once('listening', resolve))),
    )
    listed = `localhost:${portOf(tls)}`
  })
  afterAll(() => {
    for (const each of fetchers) each.close()
    plain.close()
    tls.close()
  })

  test('reads a document of a listed host, and stops at the limit', async () => {
    const outbound = fetcher({ allowed: [listed], publicDocuments: true })
    const document = await fetchDocument(outbound, `https://${listed}/crl`, { maxBytes: 1000 })
    expect(document).toHaveLength(1000)
    await expect(fetchDocument(outbound, `https://${listed}/crl`, { maxBytes: 999 })).rejects.toMatchObject({
      code: 'document_too_large',
    })
  })

  test('goes to no unlisted host inside, by whatever name, scheme, port or redirect', async () => {
    const outbound = fetcher({ allowed: [listed], publicDocuments: true })
    for (const url of [
      `http://localhost:${portOf(plain)}/`,
      'http://localhost/',
      'https://localhost/',
      'http://127.0.0.1/',
      'http://[::1]/',
      'http://0x7f000001/',
      'http://169.254.169.254/latest/meta-data/',
      'http://user:word@8.8.8.8/',
      'https://8.8.8.8:22/',
      'ftp://8.8.8.8/',
      'file:///etc/passwd',
      'gopher://8.8.8.8/',
      `https://${listed}/to-inside`,
    ]) {
      const answer = fetchDocument(outbound, url, { maxBytes: 10 })
      await expect(answer, url).rejects.toMatchObject({ code: 'host_not_allowed' })
    }
    await expect(fetchDocument(outbound, `https://${listed}/round`, { maxBytes: 10 })).rejects.toMatchObject({
      code: 'remote_rejected',
    })
  })

  test('asks listed hosts by plain HTTP only where that was said, and never with credentials', async () => {
    const host = `localhost:${portOf(plain)}`
    const url = `http://${host}/`
    const refused = { code: 'host_not_allowed' }
    for (const outbound of [fetcher({ allowed: [host] }), fetcher({ allowed: [listed], listedPlain: true })])
      await expect(fetchDocument(outbound, url, { maxBytes: 10 })).rejects.toMatchObject(refused)
    const outbound = fetcher({ allowed: [host], listedPlain: true })
    expect(String(await fetchDocument(outbound, url, { maxBytes: 10 }))).toBe('inside')
    const headers = { authorization: 'Bearer secret' }
    const asked = { method: 'GET', url, headers, party: 'source' } as const
    await expect(outbound(asked)).rejects.toMatchObject(refused)
  })

  test('sends credentials to listed hosts only, and nothing to strangers when it may not', async () => {
    const strict = fetcher({ allowed: [listed] })
    const headers = { authorization: 'Bearer secret' }
    const answer = await strict({ method: 'GET', url: `https://${listed}/x`, headers, party: 'source' })
    answer.resume()
    expect(secretSeen).toBe('Bearer secret')
    for (const outbound of [strict, fetcher({ allowed: [listed], publicDocuments: true })]) {
      await expect(
        outbound({ method: 'GET', url: 'https://8.8.8.8/', headers, party: 'source' }),
      ).rejects.toMatchObject({ code: 'host_not_allowed' })
      await expect(
        outbound({ method: 'PUT', url: 'https://8.8.8.8/', party: 'source' }),
      ).rejects.toMatchObject({
        code: 'host_not_allowed',
      })
    }
    await expect(strict({ method: 'GET', url: 'https://8.8.8.8/', party: 'source' })).rejects.toMatchObject({
      code: 'host_not_allowed',
    })
  })
})
