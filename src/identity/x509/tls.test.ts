// Needs openssl.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, createServer, get, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { slashOf } from './names.ts'
import { CLIENT_CERTIFICATE_OPTIONS, clientCertificates } from './tls.ts'
import { openTrustDirectory } from './trust.ts'

const run = promisify(execFile)
const pki = opensslPki()
const MIKA = '/O=Grid/CN=Mika'
let now = new Date()
const clock = { now: () => now }
let root: Made
let mika: Made
let directory: string
let server: Server
let port = 0

beforeAll(async () => {
  root = pki.authority('/O=Grid/CN=Root')
  mika = pki.make({ subject: MIKA, issuer: root })
  const host = pki.make({
    subject: '/O=Grid/CN=localhost',
    issuer: root,
    extensions: 'subjectAltName=DNS:localhost',
  })
  directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
  const certificates = clientCertificates({
    trust: openTrustDirectory({ directories: [directory], clock }),
    clock,
  })
  server = createServer({ ...CLIENT_CERTIFICATE_OPTIONS, cert: host.pem, key: readFileSync(host.key) })
  server.on('request', (request, response) => {
    certificates.of(request.socket).then(
      (chain) => response.end(chain ? described(chain) : 'nobody'),
      (error) => response.end(error.details?.reason ?? error.code),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  pki.remove()
})

function described(
  chain: NonNullable<Awaited<ReturnType<ReturnType<typeof clientCertificates>['of']>>>,
): string {
  const kinds = chain.proxies.map(({ kind }) => kind)
  return [chain.limited ? 'limited' : 'full', slashOf(chain.endEntity.subject), ...kinds].join(' ')
}

/** What the server takes curl for, which sends the whole proxy file in either version of TLS. */
async function seen(file: string | undefined, key = file): Promise<string> {
  const answers = new Set<string>()
  for (const version of ['1.2', '1.3']) {
    const own = file ? ['--cert', file, '--key', key!] : []
    const only = ['-sS', '--cacert', root.certificate, `--tlsv${version}`, '--tls-max', version]
    answers.add((await run('curl', [...only, ...own, `https://localhost:${port}/`])).stdout)
  }
  return [...answers].join(' | ')
}

describe('a connection with a client certificate', () => {
  test('tells every kind of chain as it was presented', async () => {
    expect(await seen(undefined)).toBe('nobody')
    expect(await seen(mika.certificate, mika.key)).toBe(`full ${MIKA}`)
    for (const [kind, name] of [
      ['rfc', 'rfc3820'],
      ['gt3', 'gt3'],
      ['gt2', 'gt2'],
    ] as const) {
      const first = pki.proxy(mika, kind)
      const second = pki.proxy(first, kind, { language: 'limited' })
      const third = pki.proxy(second, kind)
      expect(await seen(pki.proxyFile([first, mika]))).toBe(`full ${MIKA} ${name}`)
      expect(await seen(pki.proxyFile([second, first, mika]))).toBe(`limited ${MIKA} ${name} ${name}`)
      expect(await seen(pki.proxyFile([third, second, first, mika]))).toBe(
        `limited ${MIKA} ${name} ${name} ${name}`,
      )
    }
  })

  test('is let in by TLS and refused by the verifier when the chain is no good', async () => {
    const [proxy, rogue] = [pki.proxy(mika), pki.authority('/O=Grid/CN=Root')]
    const forged = pki.make({ subject: MIKA, issuer: rogue })
    expect(await seen(pki.proxyFile([proxy]))).toBe('issuer_missing')
    expect(await seen(forged.certificate, forged.key)).toBe('bad_signature')
    expect(await seen(pki.proxyFile([forged, rogue]))).toBe('unknown_authority')
    const other = pki.make({
      subject: '/O=Grid/CN=Rin/CN=1',
      issuer: mika,
      extensions: 'proxyCertInfo=critical,language:id-ppl-inheritAll',
    })
    expect(await seen(pki.proxyFile([other, mika]))).toBe('wrong_proxy_name')
    expect(await seen(pki.proxyFile([pki.make({ subject: '/O=Elsewhere/CN=Mika', issuer: root })]))).toBe(
      'outside_namespace',
    )
  })

  test('is never resumed: the chain of a second one is whole, in either version of TLS', async () => {
    const first = pki.proxy(mika, 'gt2')
    const file = readFileSync(pki.proxyFile([first, mika]), 'utf8')
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      let session: Buffer | undefined
      for (const attempt of [1, 2, 3]) {
        const socket = connect({
          ...{ host: 'localhost', port, ca: root.pem, cert: file, key: file },
          ...{ minVersion: version, maxVersion: version },
          ...(session && { session }),
        })
        socket.on('session', (offered) => {
          session = offered
        })
        await once(socket, 'secureConnect')
        const resumed = socket.isSessionReused()
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        let text = ''
        for await (const part of socket) text += part
        expect([version, attempt, resumed, text.split('\r\n\r\n')[1]]).toEqual([
          ...[version, attempt, false, expect.stringContaining(`full ${MIKA} gt2`)],
        ])
      }
    }
  })

  test('that stays open learns of a revocation within a minute, and of the end of the proxy at once', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: root.pem })
    const rin = pki.make({ subject: '/O=Grid/CN=Rin', issuer: root })
    const file = readFileSync(pki.proxyFile([pki.proxy(rin), rin]), 'utf8')
    const sockets = new Set<unknown>()
    const ask = async (): Promise<string> => {
      const request = get({ host: 'localhost', port, agent, cert: file, key: file })
      request.on('socket', (socket) => sockets.add(socket))
      const [answer] = await once(request, 'response')
      let text = ''
      for await (const part of answer) text += part
      return text
    }
    expect(await ask()).toBe('full /O=Grid/CN=Rin rfc3820')
    const base = readdirSync(directory)[0]!.slice(0, 8)
    writeFileSync(join(directory, `${base}.r0`), pki.crl(root, [rin]))
    expect(await ask()).toBe('full /O=Grid/CN=Rin rfc3820')
    now = new Date(+now + 60_000)
    expect(await ask()).toBe('revoked')
    writeFileSync(join(directory, `${base}.r0`), pki.crl(root))
    now = new Date(+now + 60_000)
    expect(await ask()).toBe('full /O=Grid/CN=Rin rfc3820')
    now = new Date(+now + 59_000)
    expect(await ask()).toBe('full /O=Grid/CN=Rin rfc3820')
    now = new Date(+now + 86_400_000)
    expect(await ask()).toBe('expired')
    expect(sockets.size).toBe(1)
    agent.destroy()
    now = new Date()
  })
})
