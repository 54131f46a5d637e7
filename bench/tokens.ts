import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { createTokenVerifier, type JwksDocument } from '../src/identity/verifier.ts'
import { type BenchGrid, withGrid } from './grid.ts'
import { measure, median } from './measure.ts'

const LANES = 32
const FAMILIES = 64

interface Answer {
  readonly access_token: string
  readonly refresh_token?: string
}

/**
 * Tokens through the issuer's door over TLS: by client credentials and by refresh tokens that are replaced each time,
 * `seconds` each, from as many connections as lanes; then their verification as a gateway does it. Server,
 * PostgreSQL and this client share the machine.
 */
export async function tokensBenchmark(seconds: number): Promise<Record<string, number>> {
  return withGrid(async (bench) => {
    const issuer = `https://localhost:${bench.facts.port}/iam/${bench.facts.vo}`
    const ca = readFileSync(join(bench.home.ca, 'ca.pem'))
    const agent = new Agent({ connections: LANES, connect: { ca } })
    const post = async (form: Record<string, string>): Promise<Answer> => {
      const answer = await request(`${issuer}/token`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(form).toString(),
      })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`)
      return JSON.parse(text) as Answer
    }
    const roots = [bench.pid('server'), bench.pid('postgres')]
    const service = await serviceForm(bench)
    await forAWhile(1, () => post(service).then(() => undefined))
    const kept: string[] = []
    const credentials = await measure(roots, () =>
      forAWhile(seconds, async () => {
        const { access_token } = await post(service)
        if (kept.length < 5000) kept.push(access_token)
      }),
    )
    const families = await loginFamilies(bench, post)
    const refresh = (lane: number) => async (): Promise<void> => {
      const { refresh_token } = await post({
        ...{ grant_type: 'refresh_token', client_id: 'kumi-cli', scope: 'storage.read:/raw' },
        refresh_token: families[lane]!,
      })
      families[lane] = refresh_token!
    }
    const refreshed = await measure(roots, () => forAWhile(seconds, refresh))
    const figures = {
      ...figuresOf('client_credentials', credentials),
      ...figuresOf('refresh', refreshed),
      ...(await verification(issuer, agent, kept)),
    }
    await agent.destroy()
    return figures
  })
}

interface Run {
  readonly count: number
  readonly milliseconds: readonly number[]
}

/** Lets every lane do its work again and again; counts what ended in time. */
async function forAWhile(
  seconds: number,
  work: (() => Promise<void>) | ((lane: number) => () => Promise<void>),
): Promise<Run> {
  const milliseconds: number[] = []
  const end = performance.now() + seconds * 1000
  const lane = async (n: number): Promise<void> => {
    const made = work.length === 1 ? (work as (lane: number) => () => Promise<void>)(n) : work
    while (performance.now() < end) {
      const start = performance.now()
      await made(n)
      milliseconds.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, n) => lane(n)))
  return { count: milliseconds.length, milliseconds }
}

function figuresOf(
  name: string,
  run: { value: Run; wallSeconds: number; cpuSeconds: number },
): Record<string, number> {
  const sorted = [...run.value.milliseconds].sort((a, b) => a - b)
  return {
    [`${name}_per_s`]: run.value.count / run.wallSeconds,
    [`${name}_median_ms`]: median(sorted),
    [`${name}_p99_ms`]: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    [`${name}_server_cpu_ms_each`]: (1000 * run.cpuSeconds) / run.value.count,
  }
}

async function serviceForm({ doors, facts }: BenchGrid): Promise<Record<string, string>> {
  const made = await doors.call<{ client_secret: string }>('POST', `/iam/${facts.vo}/api/clients`, {
    ...{ client_id: 'bench', account: 'admin', grant_types: ['client_credentials'] },
    scope: 'storage.read:/ storage.modify:/home',
  })
  return {
    ...{ grant_type: 'client_credentials', client_id: 'bench', client_secret: made.client_secret },
    ...{ scope: 'storage.read:/raw', audience: 'https://localhost' },
  }
}

async function loginFamilies(
  { home }: BenchGrid,
  post: (form: Record<string, string>) => Promise<Answer>,
): Promise<string[]> {
  const password = readFileSync(join(home.client, 'password'), 'utf8').trim()
  const tokens: string[] = []
  for (let i = 0; i < FAMILIES; i++) {
    const { refresh_token } = await post({
      ...{ grant_type: 'password', client_id: 'kumi-cli', username: 'admin', password },
      scope: 'offline_access storage.read:/',
    })
    tokens.push(refresh_token!)
  }
  return tokens
}

async function verification(
  issuer: string,
  agent: Agent,
  tokens: readonly string[],
): Promise<Record<string, number>> {
  const answer = await request(`${issuer}/jwks`, { dispatcher: agent })
  const keys = (await answer.body.json()) as JwksDocument
  const verifier = createTokenVerifier({
    issuers: [{ issuer, vo: 'demo', jwksUrl: `${issuer}/jwks` }],
    fetch: async () => ({ ok: true, json: async () => keys }),
    clock: { now: () => new Date() },
  })
  const each = async (): Promise<number> => {
    const start = performance.now()
    let next = 0
    const lane = async (): Promise<void> => {
      for (let i = next++; i < tokens.length; i = next++) {
        await verifier.verify(tokens[i]!, { audience: ['https://localhost'] })
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    return tokens.length / ((performance.now() - start) / 1000)
  }
  return { verify_new_token_per_s: await each(), verify_known_token_per_s: await each() }
}
