import { createHash, randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { decodeJwt } from 'jose'
import { pino } from 'pino'
import { Agent, type Dispatcher, request } from 'undici'
import { oidcDoor } from '../../src/doors/oidc/index.ts'
import { createHttp } from '../../src/http/index.ts'
import { createIdentity, type NewClient } from '../../src/identity/index.ts'
import { createCa, issueHostCertificate } from '../../src/identity/x509/certificates.ts'
import { type Database, redact, systemPorts } from '../../src/kernel/index.ts'

export const PASSWORD = 'a long enough word'
export const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const CALLBACK = 'https://portal.example/callback'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: JSON of foreign shape, looked into by tests.
  readonly json: any
}

interface Ask {
  readonly form?: Record<string, string> | URLSearchParams
  readonly json?: unknown
  readonly headers?: Record<string, string>
}

/** The issuer's real door over TLS on the test's own database, with a clock that can be put forward and its whole log. */
export async function issuerWorld(database: Database, options: { clientRegistration?: boolean } = {}) {
  const now = new Date()
  const ca = await createCa({ name: 'Test authority', now })
  const tls = await issueHostCertificate({ ca, names: ['localhost'], ips: ['127.0.0.1'], now })
  let ahead = 0
  const clock = { now: () => new Date(Date.now() + ahead), sleep: systemPorts.clock.sleep }
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const formatters = { log: (fields: object) => redact(fields) as Record<string, unknown> }
  const log = pino({ level: 'trace', formatters }, sink)
  // The issuer's name holds a port, which is known only after listening: so one is kept free for it.
  const port = await freePort()
  const issuerBase = `https://localhost:${port}`
  const identity = createIdentity({
    ...{ db: database.db, clock, ids: systemPorts.ids, log },
    ...{ issuerBase, sealKey: randomBytes(32) },
    // Nothing here is about who owns which directory: everybody owns all.
    areasOf: async () => ['/'],
  })
  await identity.createVo({ id: 'demo', title: 'Demo' })
  await identity.createVo({ id: 'other', title: 'Other' })
  const [mika, aya, robot] = await identity.createAccounts([
    { vo: 'demo', name: 'mika', email: 'mika@example.org' },
    { vo: 'demo', name: 'aya' },
    { vo: 'demo', name: 'robot', kind: 'SERVICE' },
  ])
  for (const account of [mika!, aya!]) await identity.setPassword(account.id, account.name, PASSWORD)
  const http = createHttp({
    ...{ identity, audience: [issuerBase], log, clock, port },
    tls: { cert: tls.certificatePem, key: tls.privateKeyPem },
  })
  const { clientRegistration = false } = options
  await http.app.register(oidcDoor({ identity, clock, clientRegistration }))
  await http.listen()
  const agent = new Agent({ connect: { ca: ca.certificatePem } })
  const issuer = `${issuerBase}/iam/demo`

  const send = async (method: string, path: string, ask: Ask = {}): Promise<Reply> => {
    const url = /^https:/.test(path)
      ? path
      : path.startsWith('//')
        ? issuerBase + path.slice(1)
        : issuer + path
    const body = ask.form ? new URLSearchParams(ask.form).toString() : JSON.stringify(ask.json)
    const type = ask.form ? 'application/x-www-form-urlencoded' : 'application/json'
    const answer = await request(url, {
      ...{ method: method as Dispatcher.HttpMethod, dispatcher: agent },
      headers: { ...(body !== undefined && { 'content-type': type }), ...ask.headers },
      ...(body !== undefined && { body }),
    })
    const text = await answer.body.text()
    const json = /json/.test(String(answer.headers['content-type'])) ? JSON.parse(text) : undefined
    return { status: answer.statusCode, headers: answer.headers, text, json }
  }
  const login = async (username = 'mika'): Promise<Record<string, string>> => {
    const begun = await send('POST', '/session', {
      json: { username, password: PASSWORD },
      headers: { 'x-kumi-console': '1', 'user-agent': 'a browser' },
    })
    const cookie = String(begun.headers['set-cookie']).split(';')[0]!
    return { cookie, 'x-kumi-console': '1' }
  }
  const world = {
    ...{ identity, clock, issuer, issuerBase, lines, log, send, login },
    accounts: { mika: mika!, aya: aya!, robot: robot! },
    ca: ca.certificatePem,
    pass(ms: number): void {
      ahead += ms
    },
    async client(facts: Partial<NewClient> & { id: string }): Promise<string> {
      const { secret } = await identity.putClient({ vo: 'demo', scopes: ['openid'], ...facts })
      return secret ?? ''
    },
    token: (form: Record<string, string>, headers: Record<string, string> = {}) =>
      send('POST', '/token', { form, headers }),
    basic: (id: string, secret: string) => ({
      authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
    }),
    bearer: (token: string) => ({ authorization: `Bearer ${token}` }),
    claims: (token: string) => decodeJwt(token) as Record<string, unknown>,
    /** From the client's request to the code in the browser's address, as a person who agrees to everything. */
    async code(query: Record<string, string>, person?: Record<string, string>) {
      const verifier = randomBytes(32).toString('base64url')
      const challenge = createHash('sha256').update(verifier).digest('base64url')
      const asked = {
        response_type: 'code',
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...query,
      }
      const first = await send('GET', `/authorize?${new URLSearchParams(asked)}`)
      const interaction = interactionOf(first)
      const answer = await send('POST', `/interaction/${interaction}`, {
        json: { decision: 'approve' },
        headers: person ?? (await login()),
      })
      const back = new URL(answer.json.redirect_to)
      return { back, verifier, code: back.searchParams.get('code') ?? '' }
    },
    /** A device flow as far as its codes, approved by mika unless told otherwise. */
    async device(form: Record<string, string>, headers: Record<string, string>, approve = true) {
      const { json: codes } = await send('POST', '/devicecode', { form, headers })
      const body = { user_code: codes.user_code, decision: approve ? 'approve' : 'deny' }
      await send('POST', '/interaction/device/answer', { json: body, headers: await login() })
      return codes
    },
    async close() {
      await agent.destroy()
      await http.close()
      await identity.close()
    },
  }
  return world
}

export type IssuerWorld = Awaited<ReturnType<typeof issuerWorld>>

/** The interaction a browser was sent to. */
export function interactionOf(answer: Reply): string {
  return new URLSearchParams(String(answer.headers.location).split('?')[1]).get('request') ?? ''
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
