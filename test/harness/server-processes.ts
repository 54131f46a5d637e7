import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { homeAt } from '../../src/embedded/home.ts'
import { prepareHome } from '../../src/embedded/prepare-home.ts'
import { freePort } from './free-port.ts'

const PROGRAMS = join(import.meta.dirname, '../../dist/src')

export interface Asked {
  readonly token?: string
  readonly cookie?: string
  readonly json?: unknown
  readonly form?: Record<string, string>
  readonly body?: string
  /** Connections with a client certificate. */
  readonly as?: Agent
}

/** Compiled server processes on one database, each at a port of its own, and gateways of its demo sites. */
export async function serverProcesses(
  databaseUrl: string,
  options: { count?: number; empty?: boolean; environment?: Record<string, string>; voms?: boolean } = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-processes-'))
  const home = homeAt(directory)
  const facts = await prepareHome(home, { empty: options.empty ?? true }, new Date())
  const ca = readFileSync(join(home.ca, 'ca.pem'), 'utf8')
  const agent = new Agent({ connect: { ca } })
  const children: ChildProcess[] = []
  const urls: string[] = []
  const voms: string[] = []

  const launch = async (
    args: string[],
    environment: Record<string, string>,
    ready: string,
  ): Promise<void> => {
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    children.push(child)
    while (child.exitCode === null) {
      const answer = await request(ready, { dispatcher: agent }).catch(() => null)
      await answer?.body.dump()
      if (answer?.statusCode === 200) return
      await delay(50)
    }
    throw new Error(`a process ended with ${child.exitCode}`)
  }
  for (let i = 0; i < (options.count ?? 1); i++) {
    const port = i === 0 ? facts.port : await freePort()
    const url = `https://localhost:${port}`
    urls.push(url)
    const vomsPort = options.voms ? await freePort() : 0
    if (vomsPort) voms.push(`https://localhost:${vomsPort}`)
    const environment = {
      ...{ DATABASE_URL: databaseUrl, KUMI_PORT: String(port), KUMI_VOMS_PORT: String(vomsPort) },
      KUMI_URL: `https://localhost:${facts.port}`,
      ...options.environment,
    }
    await launch([join(PROGRAMS, 'main.js'), 'server', '--home', directory], environment, `${url}/readyz`)
  }

  /** A request to one of the servers by number, or to a whole address. */
  const ask = async (server: number, method: string, path: string, asked: Asked = {}) => {
    const { token, cookie, json, form, body, as = agent } = asked
    const answer = await request(path.startsWith('https:') ? path : urls[server] + path, {
      method: method as 'GET',
      dispatcher: as,
      headers: {
        'x-kumi-console': '1',
        ...(token && { authorization: `Bearer ${token}` }),
        ...(cookie && { cookie }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(body !== undefined && { body }),
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(form && { body: new URLSearchParams(form).toString() }),
    })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  const login = async (server: number, username: string, password: string, scope?: string) => {
    const form = {
      grant_type: 'password',
      client_id: 'kumi-cli',
      username,
      password,
      ...(scope && { scope }),
    }
    const { status, text } = await ask(server, 'POST', '/iam/demo/token', { form })
    return { status, token: String(JSON.parse(text).access_token) }
  }
  const password = readFileSync(join(home.client, 'password'), 'utf8').trim()
  const { token: admin } = await login(0, 'admin', password)
  return {
    ...{ home, facts, ca, agent, urls, voms, ask, login, admin },
    /** Starts the gateway of a demo site; returns the address of its storage door. */
    async gateway(site: string): Promise<string> {
      const { port } = facts.sites.find(({ name }) => name === site)!
      const config = join(home.sites, site, 'gateway.json')
      await launch(
        [join(PROGRAMS, 'pop/main.js'), '--config', config],
        {},
        `https://localhost:${port}/healthz`,
      )
      return `https://localhost:${port}`
    },
    /** As a machine that fails: without a word. */
    async kill(server: number): Promise<void> {
      const child = children[server]!
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
    async close(): Promise<void> {
      for (const child of children.toReversed()) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await gone
      }
      await agent.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export type ServerProcesses = Awaited<ReturnType<typeof serverProcesses>>

/** The value once it is the wanted one, or what it is after so many milliseconds; and how long that took. */
export async function becomes<T>(
  look: () => Promise<T>,
  wanted: T,
  mostMs: number,
): Promise<{ value: T; ms: number }> {
  const begun = performance.now()
  for (;;) {
    const value = await look()
    const ms = performance.now() - begun
    if (JSON.stringify(value) === JSON.stringify(wanted) || ms > mostMs) return { value, ms }
    await delay(10)
  }
}
