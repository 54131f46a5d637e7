import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { homeAt } from '../../src/embedded/home.ts'
import { prepareHome } from '../../src/embedded/prepare-home.ts'
import { testDatabase } from '../harness/database.ts'
import { freePort } from '../harness/free-port.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/src/main.js')
/** Shorter than anything a process keeps in mind by itself: only the news of the change can be as quick. */
const AT_ONCE_MS = 1000

describe('two server processes on one database', () => {
  const database = testDatabase()
  const directory = mkdtempSync(join(tmpdir(), 'kumi-two-'))
  const home = homeAt(directory)
  const children: ChildProcess[] = []
  const urls: string[] = []
  let agent: Agent
  let admin = ''

  const start = async (port: number, address: string): Promise<void> => {
    const environment = {
      ...process.env,
      DATABASE_URL: database.url,
      KUMI_PORT: String(port),
      KUMI_VOMS_PORT: '0',
      KUMI_URL: address,
    }
    const child = spawn(process.execPath, [PROGRAM, 'server', '--home', directory], {
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    children.push(child)
    const url = `https://localhost:${port}`
    urls.push(url)
    while (child.exitCode === null) {
      const answer = await request(`${url}/readyz`, { dispatcher: agent }).catch(() => null)
      await answer?.body.dump()
      if (answer?.statusCode === 200) return
      await delay(50)
    }
    throw new Error(`a server process ended with ${child.exitCode}`)
  }
  const ask = async (
    server: number,
    method: string,
    path: string,
    options: { token?: string; cookie?: string; json?: unknown; form?: Record<string, string> } = {},
  ) => {
    const { token, cookie, json, form } = options
    const answer = await request(urls[server] + path, {
      method: method as 'GET',
      dispatcher: agent,
      headers: {
        'x-kumi-console': '1',
        ...(token && { authorization: `Bearer ${token}` }),
        ...(cookie && { cookie }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(form && { body: new URLSearchParams(form).toString() }),
    })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  const login = async (server: number, username: string, password: string) => {
    const form = { grant_type: 'password', client_id: 'kumi-cli', username, password }
    const { status, text } = await ask(server, 'POST', '/iam/demo/token', { form })
    return { status, token: String(JSON.parse(text).access_token) }
  }

  /** A login that goes on: by device code, approved in the session of the cookie. */
  const refreshable = async (cookie: string): Promise<{ refresh_token: string }> => {
    const form = { client_id: 'kumi-cli', scope: 'grid offline_access' }
    const codes = JSON.parse((await ask(1, 'POST', '/iam/demo/devicecode', { form })).text)
    const json = { user_code: codes.user_code, decision: 'approve' }
    const agreed = await ask(1, 'POST', '/iam/demo/interaction/device/answer', { cookie, json })
    expect(agreed.status).toBe(204)
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    const grant = { grant_type, client_id: 'kumi-cli', device_code: codes.device_code }
    return JSON.parse((await ask(1, 'POST', '/iam/demo/token', { form: grant })).text)
  }

  beforeAll(async () => {
    const facts = await prepareHome(home, { empty: true }, new Date())
    agent = new Agent({ connect: { ca: readFileSync(join(home.ca, 'ca.pem')) } })
    const address = `https://localhost:${facts.port}`
    await start(facts.port, address)
    await start(await freePort(), address)
    const password = readFileSync(join(home.client, 'password'), 'utf8').trim()
    admin = (await login(0, 'admin', password)).token
  }, 120_000)
  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null) continue
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
    await agent?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  test('a suspension at one of them is felt at the other at once, as is its end', {
    timeout: 60_000,
  }, async () => {
    const user = { userName: 'mika', name: { givenName: 'Mika', familyName: 'Sato' } }
    expect((await ask(0, 'POST', '/scim/Users', { token: admin, json: user })).status).toBe(201)
    const password = 'a long enough word'
    const identity = { identity: 'mika', authtype: 'USERPASS', password, email: '' }
    const added = await ask(1, 'POST', '/rucio/accounts/mika/identities', { token: admin, json: identity })
    expect(added.status).toBe(201)
    const { token } = await login(1, 'mika', password)
    const begun = await ask(1, 'POST', '/iam/demo/session', { json: { username: 'mika', password } })
    const cookie = String(begun.headers['set-cookie']).split(';')[0]!
    const doors = async () => [
      (await ask(1, 'GET', '/rucio/accounts/whoami', { token })).status,
      (await ask(1, 'GET', '/iam/demo/session', { cookie })).status,
    ]
    const change = (verb: string) =>
      ask(0, 'POST', `/kumi/v1/people/mika/${verb}`, { token: admin, json: { reason: 'a test' } })
    for (let round = 0; round < 3; round++) {
      // Asked just before, so that the other process has the old answer in mind.
      expect(await doors()).toEqual([200, 200])
      expect((await change('suspend')).status).toBe(200)
      expect(await becomes(doors, [403, 401])).toEqual([403, 401])
      expect((await login(1, 'mika', password)).status).toBe(400)
      expect((await change('restore')).status).toBe(200)
      expect(await becomes(doors, [200, 200])).toEqual([200, 200])
    }
    let { refresh_token: kept } = await refreshable(cookie)
    const refresh = async () => {
      const form = { grant_type: 'refresh_token', client_id: 'kumi-cli', refresh_token: kept }
      const { status, text } = await ask(1, 'POST', '/iam/demo/token', { form })
      if (status === 200) kept = JSON.parse(text).refresh_token ?? kept
      return status
    }
    expect(await refresh()).toBe(200)
    expect((await change('suspend')).status).toBe(200)
    expect(await becomes(refresh, 400)).toBe(400)
  })
})

/** The value once it is the wanted one, or what it is when the time is over. */
async function becomes<T>(look: () => Promise<T>, wanted: T): Promise<T> {
  const end = Date.now() + AT_ONCE_MS
  for (;;) {
    const value = await look()
    if (JSON.stringify(value) === JSON.stringify(wanted) || Date.now() > end) return value
    await delay(10)
  }
}
