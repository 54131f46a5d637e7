import { once } from 'node:events'
import { Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request as tlsRequest } from 'node:https'
import { connect } from 'node:net'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anonymous, denied, invalidToken } from '../identity/verifier.ts'
import { createCa, issueHostCertificate } from '../identity/x509/certificates.ts'
import { silentLogger, systemClock } from '../kernel/index.ts'
import { type Authenticator, createHttp, type Http, route, sendNdjson } from './index.ts'

/** `reader` may read, by token or by session; every other word is neither. */
const readerOf = async (token: string) => {
  if (token !== 'reader') throw invalidToken('No such token.')
  return { ...anonymous, kind: 'user' as const, account: 'reader', accountId: 1, vo: 'demo' }
}
const authenticator: Authenticator = {
  verify: readerOf,
  verifySession: readerOf,
  authorize(_principal, action, resource) {
    if (action !== 'catalog.read' || resource.vo !== 'demo') throw denied(`Not allowed: ${action}.`)
  },
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
}

let ca = ''
let http: Http
let port = 0
let ended = 0
const agents = [new PlainAgent({ keepAlive: true }), new Agent({ keepAlive: true })] as const

function ask(
  protocol: 'http' | 'https',
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; port?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settings = {
      host: '127.0.0.1',
      port: options.port ?? port,
      path,
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
    }
    const request =
      protocol === 'https'
        ? tlsRequest({ ...settings, servername: 'localhost', ca, agent: agents[1] })
        : plainRequest({ ...settings, agent: agents[0] })
    request.on('error', reject)
    request.on('response', async (response) => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      resolve({ status: response.statusCode!, headers: response.headers, text })
    })
    request.end(options.body)
  })
}

const reader = { authorization: 'Bearer reader' }

async function* endless(): AsyncGenerator<unknown[]> {
  try {
    for (let at = 0; ; at++) yield Array.from({ length: 1000 }, () => ({ at, text: 'x'.repeat(100) }))
  } finally {
    ended++
  }
}

async function freshHost(): Promise<{ host: Http; port: number }> {
  const authority = await createCa({ name: 'Test', now: new Date() })
  const { certificatePem, privateKeyPem } = await issueHostCertificate({
    ca: authority,
    names: ['localhost'],
    now: new Date(),
  })
  ca = authority.certificatePem
  const host = createHttp({
    identity: authenticator,
    audience: ['here'],
    log: silentLogger,
    clock: systemClock,
    port: 0,
    tls: { cert: certificatePem, key: privateKeyPem },
    extraMethods: [{ name: 'PROPFIND', hasBody: true }],
  })
  const { app } = host
  route(app, {
    method: ['GET', 'POST', 'PUT', 'DELETE', 'PROPFIND'],
    url: '/echo',
    action: 'public',
    bodyLimit: 8 * 1024 * 1024,
    handler: ({ body, principal }) => ({
      body: body instanceof URLSearchParams ? Object.fromEntries(body) : body,
      account: principal.account,
      big: 2n ** 60n,
      small: 7n,
    }),
  })
  route(app, {
    method: 'POST',
    url: '/measured',
    action: 'public',
    schema: {
      querystring: Type.Object({ times: Type.Optional(Type.Integer()) }),
      body: Type.Object({
        figure: Type.Union([Type.Number(), Type.Null()]),
        any: Type.Optional(Type.Union([Type.Number(), Type.Boolean(), Type.String(), Type.Null()])),
      }),
    },
    handler: ({ query, body }) => ({ query, body }),
  })
  route(app, { method: 'GET', url: '/read', action: 'catalog.read', handler: () => 'read' })
  route(app, { method: ['GET', 'POST'], url: '/write', action: 'identity.write', handler: () => 'no' })
  route(app, {
    method: ['GET', 'POST'],
    url: '/of/:vo',
    action: 'catalog.read',
    resource: ({ params }) => ({ vo: (params as { vo: string }).vo }),
    handler: () => 'read',
  })
  route(app, {
    method: 'GET',
    url: '/endless',
    action: 'public',
    handler: (_request, reply) => sendNdjson(reply, endless()),
  })
  route(app, {
    method: 'GET',
    url: '/early',
    action: 'public',
    handler: (_request, reply) =>
      sendNdjson(
        reply,
        // biome-ignore lint/correctness/useYield: it fails before its first row.
        (async function* (): AsyncGenerator<unknown[]> {
          throw denied('Before the first row.')
        })(),
      ),
  })
  return { host, port: (await host.listen()).port }
}

describe('the host', () => {
  beforeAll(async () => {
    const fresh = await freshHost()
    http = fresh.host
    port = fresh.port
  })
  afterAll(async () => {
    for (const agent of agents) agent.destroy()
    await http?.close()
  })

  test('speaks TLS and plain HTTP on one port, on connections that stay open', async () => {
    for (const protocol of ['http', 'https', 'http', 'https', 'https', 'http'] as const) {
      const answer = await ask(protocol, '/read', { headers: reader })
      expect([answer.status, answer.text]).toEqual([200, 'read'])
    }
    const many = Array.from({ length: 40 }, (_, i) => ask(i % 2 ? 'http' : 'https', '/healthz'))
    expect((await Promise.all(many)).every(({ status }) => status === 200)).toBe(true)
  })

  test('takes large bodies through the sniffed connection whole', async () => {
    const body = JSON.stringify({ text: 'y'.repeat(4_000_000) })
    for (const protocol of ['http', 'https'] as const) {
      const answer = await ask(protocol, '/echo', { method: 'POST', body })
      expect(JSON.parse(answer.text).body.text).toHaveLength(4_000_000)
    }
    const tooLarge = await ask('https', '/write', { method: 'POST', headers: reader, body })
    expect([403, 413]).toContain(tooLarge.status)
  })

  test('refuses plain HTTP to everybody but its own machine', async () => {
    const from = (remoteAddress: string) => http.app.inject({ url: '/healthz', remoteAddress })
    for (const address of ['10.0.0.7', '192.168.1.1', '2001:db8::1', '::ffff:10.0.0.7', '128.0.0.1']) {
      const answer = await from(address)
      expect([address, answer.statusCode, answer.json().code]).toEqual([address, 403, 'use_https'])
    }
    for (const address of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) {
      expect((await from(address)).statusCode).toBe(200)
    }
  })

  test('reads a body without a content type as JSON, on any method, and an absent one as nothing', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PROPFIND']) {
      const body = '{"a":1}'
      const headers = { 'content-length': String(body.length) }
      const answer = await ask('http', '/echo', { method, body, headers })
      expect([method, JSON.parse(answer.text).body]).toEqual([method, { a: 1 }])
      expect((await ask('http', '/echo', { method })).status).toBe(200)
    }
  })

  test('reads lines and forms, and calls broken ones the caller’s error', async () => {
    const post = async (type: string, body: string) => {
      const answer = await ask('http', '/echo', { method: 'POST', body, headers: { 'content-type': type } })
      return answer.status === 200 ? JSON.parse(answer.text).body : JSON.parse(answer.text).code
    }
    expect(await post('application/x-ndjson', '{"a":1}\n\n{"a":2}\n')).toEqual([{ a: 1 }, { a: 2 }])
    expect(await post('application/x-www-form-urlencoded', 'a=1&b=%20')).toEqual({ a: '1', b: ' ' })
    expect(await post('application/json; charset=utf-8', '{"a":')).toBe('invalid_json')
    expect(await post('application/x-ndjson', '{"a":1}\n{')).toBe('invalid_json')
    expect(await post('text/plain', 'hello')).toBe('invalid_json')
    expect(await post('application/json', '{"__proto__":{"admin":true},"a":1}')).toEqual({ a: 1 })
  })

  test('refuses texts that no database takes, in addresses and bodies', async () => {
    const code = async (path: string, type?: string, body?: string) => {
      const answer = await ask('http', path, {
        ...(body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': type! } }),
      })
      return [answer.status, JSON.parse(answer.text).code]
    }
    for (const bad of [
      code('/echo?a=b%00'),
      code('/echo', 'application/x-www-form-urlencoded', 'a=b%00'),
      code('/echo', 'application/json', '{"a":["b\\u0000"]}'),
      code('/echo', 'application/json', '{"b\\u0000":1}'),
      code('/echo', 'application/json', '{"a":"\\ud800"}'),
      code('/echo', 'application/x-ndjson', '{"a":1}\n{"a":"\\u0000"}'),
    ])
      expect(await bad).toEqual([400, 'invalid_text'])
    expect(await code('/echo', 'application/json', '{"a":"\\ud83d\\ude00 \\\\u0000"}')).toEqual([
      200,
      undefined,
    ])
  })

  test('writes a bigint as a number while a double holds it, else as text', async () => {
    const answer = JSON.parse((await ask('http', '/echo')).text)
    expect([answer.small, answer.big]).toEqual([7, '1152921504606846976'])
  })

  test('asks for a token, checks it, and decides on the resource', async () => {
    const status = async (path: string, headers = {}) => (await ask('https', path, { headers })).status
    expect(await status('/read')).toBe(401)
    expect(await status('/read', { authorization: 'Bearer wrong' })).toBe(401)
    expect(await status('/read', { 'x-rucio-auth-token': 'reader' })).toBe(200)
    expect(await status('/write', reader)).toBe(403)
    expect(await status('/of/demo', reader)).toBe(200)
    expect(await status('/of/other', reader)).toBe(403)
    expect(await status('/nowhere', reader)).toBe(404)
    expect(await status('/nowhere', { authorization: 'Bearer wrong' })).toBe(404)
  })

  test('what a body says stays what it is; a query is text and is read', async () => {
    const send = async (body: unknown, query = '') => {
      const headers = { 'content-type': 'application/json' }
      const answer = await ask('http', `/measured${query}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
      return { status: answer.status, said: JSON.parse(answer.text) }
    }
    for (const any of [null, true, false, '', '0012', 0, 1.5]) {
      const { said } = await send({ figure: null, any }, '?times=5')
      expect(said).toEqual({ query: { times: 5 }, body: { figure: null, any } })
    }
    for (const figure of ['5', true, '', []]) expect((await send({ figure })).status).toBe(400)
    expect((await send({ figure: 1 }, '?times=often')).status).toBe(400)
  })

  test('a bad token on a public route is nobody', async () => {
    const answer = await ask('http', '/echo', { headers: { authorization: 'Bearer wrong' } })
    expect([answer.status, JSON.parse(answer.text).account]).toEqual([200, null])
  })

  test('a cookie reads, but changes something only with the console’s header', async () => {
    const cookie = { cookie: 'a=b; kumi_session=reader' }
    expect((await ask('http', '/of/demo', { headers: cookie })).status).toBe(200)
    const post = (headers: Record<string, string>) => ask('http', '/of/demo', { method: 'POST', headers })
    expect((await post(cookie)).status).toBe(401)
    expect((await post({ ...cookie, 'x-kumi-console': '1' })).status).toBe(200)
  })

  test('an error answer names its code, and 401 says how to authenticate', async () => {
    const answer = await ask('http', '/read')
    expect(answer.headers['www-authenticate']).toBe('Bearer error="not_authenticated"')
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'not_authenticated', details: {} })
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('an error before the first line of a stream is an ordinary error', async () => {
    expect((await ask('http', '/early')).status).toBe(403)
  })

  test('stops the source of a stream when the reader goes away', async () => {
    for (const base of [ended, ended + 1]) {
      const stop = new AbortController()
      const answer = await fetch(`http://127.0.0.1:${port}/endless`, { signal: stop.signal })
      expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
      await answer.body!.getReader().read()
      stop.abort()
      await expect.poll(() => ended).toBe(base + 1)
    }
  })

  test('the readiness of the process is for everybody, its figures for its own machine', async () => {
    expect((await ask('https', '/readyz')).status).toBe(200)
    expect((await ask('http', '/metrics')).status).toBe(200)
  })
})

describe('the end of the host', () => {
  test('comes although connections are idle, undecided, half in TLS or in the middle of a stream', async () => {
    const { host, port: here } = await freshHost()
    const silent = connect(here, '127.0.0.1')
    const halfTls = connect(here, '127.0.0.1')
    await Promise.all([once(silent, 'connect'), once(halfTls, 'connect')])
    halfTls.write(Buffer.from([0x16, 0x03, 0x01]))
    const gone = [silent, halfTls].map((socket) => {
      socket.on('error', () => undefined)
      return new Promise((resolve) => socket.once('close', resolve))
    })
    await ask('http', '/healthz', { port: here })
    await ask('https', '/healthz', { port: here })
    const reading = await fetch(`http://127.0.0.1:${here}/endless`)
    await reading.body!.getReader().read()
    const before = ended
    await host.close()
    await Promise.all(gone)
    await expect.poll(() => ended).toBe(before + 1)
    await expect(fetch(`http://127.0.0.1:${here}/healthz`)).rejects.toThrow()
  })
})
