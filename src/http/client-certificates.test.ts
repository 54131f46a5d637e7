// Needs openssl.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Made, opensslPki } from '../../test/harness/pki.ts'
import {
  anonymous,
  clientCertificates,
  denied,
  invalidToken,
  openTrustDirectory,
  slashOf,
} from '../identity/verifier.ts'
import { silentLogger, systemClock } from '../kernel/index.ts'
import { type Authenticator, createHttp, type Http, route } from './index.ts'

const run = promisify(execFile)
const pki = opensslPki()
let root: Made
let mika: Made
let http: Http
let url = ''

const someone = { ...anonymous, kind: 'user', vo: 'demo' } as const
const authenticator: Authenticator = {
  async verify(token) {
    if (token !== 'good') throw invalidToken('No such token.')
    return { ...someone, account: 'bearer' }
  },
  async verifyCertificate(chain, { vo = 'demo' }) {
    return {
      ...someone,
      vo,
      account: slashOf(chain.endEntity.subject),
      method: 'x509',
      limited: chain.limited,
    }
  },
  authorize(principal, action) {
    if (principal.limited && action !== 'catalog.read') throw denied('Not with a limited proxy.')
  },
}

beforeAll(async () => {
  root = pki.authority('/O=Grid/CN=Root')
  mika = pki.make({ subject: '/O=Grid/CN=Mika', issuer: root })
  const host = pki.make({
    subject: '/O=Grid/CN=localhost',
    issuer: root,
    extensions: 'subjectAltName=DNS:localhost',
  })
  const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
  const trust = openTrustDirectory({ directories: [directory], clock: systemClock })
  http = createHttp({
    ...{ identity: authenticator, audience: ['here'], log: silentLogger, clock: systemClock, port: 0 },
    tls: { cert: host.pem, key: readFileSync(host.key) },
    clientCertificates: {
      verifier: clientCertificates({ trust, clock: systemClock }),
      authorities: root.pem,
    },
  })
  const who = ({ principal }: { principal: typeof anonymous }) => ({
    account: principal.account,
    vo: principal.vo,
  })
  route(http.app, { method: ['GET', 'POST'], url: '/who', action: 'catalog.read', handler: who })
  route(http.app, {
    method: 'GET',
    url: '/iam/:vo/who',
    action: 'catalog.read',
    resource: () => ({ vo: 'demo' }),
    handler: who,
  })
  route(http.app, { method: 'POST', url: '/delegate', action: 'identity.write', handler: who })
  route(http.app, {
    ...{ method: 'GET', url: '/both', action: 'public' },
    handler: async (request) => ({
      account: request.principal.account,
      certificate: (await request.clientCertificate())?.endEntity.subjectKey ?? null,
    }),
  })
  url = (await http.listen()).url
})
afterAll(async () => {
  await http?.close()
  pki.remove()
})

async function ask(
  path: string,
  file: string | undefined,
  ...rest: string[]
): Promise<[number, Record<string, unknown>]> {
  const own = file ? ['--cert', file, '--key', file] : []
  const { stdout } = await run('curl', [
    '-sS',
    '--cacert',
    root.certificate,
    '-w',
    '\n%{http_code}',
    ...own,
    ...rest,
    url + path,
  ])
  const at = stdout.lastIndexOf('\n')
  return [Number(stdout.slice(at + 1)), JSON.parse(stdout.slice(0, at))]
}
const bearer = (token: string) => ['-H', `Authorization: Bearer ${token}`]

describe('a request with a client certificate', () => {
  test('is the person’s whose certificate it is', async () => {
    const file = pki.proxyFile([pki.proxy(mika), mika])
    expect(await ask('/who', file)).toEqual([200, { account: '/O=Grid/CN=Mika', vo: 'demo' }])
    expect(await ask('/iam/other/who', file)).toEqual([200, { account: '/O=Grid/CN=Mika', vo: 'other' }])
    expect(await ask('/who', undefined)).toEqual([
      401,
      expect.objectContaining({ code: 'not_authenticated' }),
    ])
  })

  test('and a token is the token’s, good or bad', async () => {
    const file = pki.proxyFile([pki.proxy(mika), mika])
    expect(await ask('/who', file, ...bearer('good'))).toEqual([200, { account: 'bearer', vo: 'demo' }])
    expect((await ask('/who', file, ...bearer('bad')))[0]).toBe(401)
    const forged = pki.proxyFile([pki.proxy(mika)])
    expect((await ask('/who', forged, ...bearer('good')))[0]).toBe(200)
    expect(await ask('/both', file, ...bearer('good'))).toEqual([
      200,
      { account: 'bearer', certificate: '2.5.4.10=grid,2.5.4.3=mika' },
    ])
  })

  test('says why a bad one does not count', async () => {
    const [status, error] = await ask('/who', pki.proxyFile([pki.proxy(mika)]))
    expect([status, error.code, (error.details as { reason: string }).reason]).toEqual([
      401,
      'certificate_refused',
      'issuer_missing',
    ])
  })

  test('by a limited proxy reads, and does not delegate', async () => {
    const file = pki.proxyFile([pki.proxy(mika, 'rfc', { language: 'limited' }), mika])
    expect((await ask('/who', file))[0]).toBe(200)
    expect((await ask('/delegate', file, '-X', 'POST'))[0]).toBe(403)
    expect((await ask('/delegate', pki.proxyFile([pki.proxy(mika), mika]), '-X', 'POST'))[0]).toBe(200)
  })

  test('from a page in a browser is nobody’s, unless the console itself asks', async () => {
    const file = pki.proxyFile([pki.proxy(mika), mika])
    for (const header of [
      'Origin: https://evil.example',
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Site: none',
    ])
      expect((await ask('/who', file, '-X', 'POST', '-H', header))[0]).toBe(401)
    expect((await ask('/both', file, '-H', 'Origin: https://evil.example'))[1]).toEqual({
      account: null,
      certificate: null,
    })
    const console = ['-H', 'Origin: https://localhost', '-H', 'X-Kumi-Console: 1']
    expect((await ask('/who', file, '-X', 'POST', ...console))[0]).toBe(200)
  })
})
