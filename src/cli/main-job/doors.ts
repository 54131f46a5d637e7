import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { GridFacts, Home } from '../../embedded/index.ts'
import { defineError } from '../../kernel/errors.ts'
import { adminToken } from '../grid/login.ts'

const doorFailed = defineError('transient', 'door_failed')
const tookTooLong = defineError('fatal', 'took_too_long')

export interface RuleView {
  readonly id: string
  readonly state: string
  readonly error: string | null
  readonly locks_ok_cnt: number
  readonly locks_replicating_cnt: number
  readonly locks_stuck_cnt: number
}

export interface FileView {
  readonly name: string
  readonly bytes: number
  readonly md5: string
  readonly pfns: Readonly<Record<string, { rse: string }>>
  readonly states: Readonly<Record<string, string>>
}

/** The doors as the main job uses them: what any client could do, with patience while a part restarts. */
export interface Doors {
  call<T>(method: string, path: string, body?: unknown): Promise<T>
  rule(id: string): Promise<RuleView>
  /** Files of a dataset with the storages that hold them, whatever the state of the copy. */
  files(scope: string, name: string): Promise<FileView[]>
  /** Reads a copy back and returns the md5 of its bytes. */
  md5Of(pfn: string): Promise<string>
  close(): Promise<void>
}

const PATIENCE_MS = 30_000

export async function openDoors(home: Home, facts: GridFacts): Promise<Doors> {
  const base = `http://127.0.0.1:${facts.port}`
  const token = await adminToken({ client: home.client, port: facts.port, vo: facts.vo })
  const authorization = `Bearer ${token}`
  const agent = new Agent({ connect: { ca: readFileSync(join(home.ca, 'ca.pem'), 'utf8') }, connections: 4 })

  const text = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await patiently(() =>
      fetch(`${base}${path}`, {
        method,
        headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    )
    const content = await answer.text()
    if (!answer.ok) throw doorFailed(`${method} ${path} was answered with ${answer.status}: ${content.slice(0, 300)}`)
    return content
  }
  const lines = async <T>(method: string, path: string, body?: unknown): Promise<T[]> =>
    (await text(method, path, body))
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as T)

  return {
    async call<T>(method: string, path: string, body?: unknown) {
      const content = await text(method, path, body)
      return (content === '' ? undefined : JSON.parse(content)) as T
    },
    rule: async (id) => JSON.parse(await text('GET', `/rucio/rules/${id}`)) as RuleView,
    files: (scope, name) =>
      lines<FileView>('POST', '/rucio/replicas/list', { dids: [{ scope, name }], all_states: true, schemes: ['https'] }),
    async md5Of(pfn) {
      const { statusCode, body } = await request(pfn, { dispatcher: agent, headers: { authorization } })
      if (statusCode !== 200) throw doorFailed(`GET ${pfn} was answered with ${statusCode}.`)
      const hash = createHash('md5')
      for await (const chunk of body) hash.update(chunk as Buffer)
      return hash.digest('hex')
    },
    close: () => agent.close(),
  }
}

/** Repeats while nobody answers: the server may be restarting. */
async function patiently(work: () => Promise<Response>): Promise<Response> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      const answer = await work()
      if (answer.status !== 503 || Date.now() > deadline) return answer
      await answer.body?.cancel()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await delay(200)
  }
}

/** Looks again until the value satisfies, or says what was still missing when time ran out. */
export async function until<T>(
  what: string,
  look: () => Promise<T>,
  satisfied: (value: T) => boolean,
  timeoutMs = 120_000,
  everyMs = 100,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await look()
    if (satisfied(value)) return value
    if (Date.now() > deadline) {
      throw tookTooLong(`${what} did not happen within ${timeoutMs / 1000} s; the last answer was ${JSON.stringify(value).slice(0, 400)}`)
    }
    await delay(everyMs)
  }
}
