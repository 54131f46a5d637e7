import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { GridFacts, Home } from '../../embedded/index.ts'
import { defineError, isGridError } from '../../kernel/errors.ts'
import { type GridClient, openClient } from '../client/http.ts'
import { adminToken } from '../grid/login.ts'

const wrongAnswer = defineError('transient', 'wrong_answer')
const tookTooLong = defineError('fatal', 'took_too_long')

export interface RuleView {
  readonly id: string
  readonly state: string
  readonly error: string | null
  readonly rse_expression: string
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
  readonly client: GridClient
  call<T>(method: string, path: string, body?: unknown): Promise<T>
  rule(id: string): Promise<RuleView>
  /** Files of a dataset with the storages that hold them, whatever the state of the copy. */
  files(scope: string, name: string): Promise<FileView[]>
  /** The raw answer as it arrives, chunk by chunk. */
  stream(method: string, path: string, body?: unknown): Promise<AsyncIterable<Uint8Array>>
  read(pfn: string): Promise<AsyncIterable<Uint8Array>>
  /** Reads a copy back and returns the md5 of its bytes. */
  md5Of(pfn: string): Promise<string>
  close(): Promise<void>
}

const PATIENCE_MS = 30_000

export async function openDoors(home: Home, facts: GridFacts): Promise<Doors> {
  const login = { client: home.client, port: facts.port, vo: facts.vo }
  const token = await patiently(() => adminToken(login))
  const client = await openClient({ home: home.path }, { BEARER_TOKEN: token })
  const call = <T>(method: string, path: string, json?: unknown): Promise<T> =>
    patiently(() => client.json<T>(method, path, { json }))
  const read = async (method: string, url: string, json?: unknown) => {
    const { status, body } = await client.send(method, url, { json })
    if (status === 200) return body
    throw wrongAnswer(`${method} ${url} was answered with ${status}: ${(await text(body)).slice(0, 300)}`)
  }
  return {
    client,
    call,
    rule: (id) => call<RuleView>('GET', `/rucio/rules/${id}`),
    files: (scope, name) =>
      patiently(() =>
        collect<FileView>(
          client.lines('POST', '/rucio/replicas/list', {
            json: { dids: [{ scope, name }], all_states: true, schemes: ['https'] },
          }),
        ),
      ),
    stream: (method, path, body) => read(method, client.place.server + path, body),
    read: (pfn) => read('GET', pfn),
    async md5Of(pfn) {
      const hash = createHash('md5')
      for await (const chunk of await read('GET', pfn)) hash.update(chunk as Buffer)
      return hash.digest('hex')
    },
    close: async () => client.close(),
  }
}

async function collect<T>(list: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of list) all.push(item)
  return all
}

/** Repeats while nobody answers or the answer is "later": the server may be restarting. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const later = isGridError(error) ? error.kind === 'transient' : isBrokenConnection(error)
      if (!later || Date.now() > deadline) throw error
      await delay(200)
    }
  }
}

function isBrokenConnection(error: unknown): boolean {
  return /^(ECONN|EPIPE|ETIMEDOUT)/.test((error as { code?: string }).code ?? '')
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
      const last = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v)).slice(0, 400)
      throw tookTooLong(`${what} did not happen within ${timeoutMs / 1000} s; the last answer was ${last}`)
    }
    await delay(everyMs)
  }
}
