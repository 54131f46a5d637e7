import type { Readable } from 'node:stream'
import { text as textIn } from 'node:stream/consumers'
import { type Answer, openConnections } from './connections.ts'
import { failureOf } from './failure.ts'
import { keepFresh } from './fresh-token.ts'
import { type ClientOptions, findPlace, type Place } from './home.ts'
import { readJsonLines } from './ndjson.ts'
import { findToken } from './token.ts'
import type { Credential } from './trust.ts'

export interface Call {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly body?: Readable | Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Without a token, for the few calls that make one. */
  readonly anonymous?: boolean
  readonly signal?: AbortSignal | undefined
  /** How long the server may think before it answers; two minutes unless it has much to do. */
  readonly patienceMs?: number
}

export type { Answer }

/** Speaks HTTP to the doors of one grid: trust, token, keep-alive connections, errors as sentences. */
export interface GridClient {
  readonly place: Place
  token(): string
  /** Any address, any status: for storages, whose statuses mean something to the caller. */
  send(method: string, url: string, call?: Call): Promise<Answer>
  /** One JSON value of the server; throws what the server says when it refuses. */
  json<T>(method: string, path: string, call?: Call): Promise<T>
  /** The lines of a streamed list. */
  lines<T>(method: string, path: string, call?: Call): AsyncGenerator<T>
  close(): void
}

const PATIENCE_MS = 120_000

export async function openClient(
  options: ClientOptions,
  environment: NodeJS.ProcessEnv = process.env,
  credential?: Credential,
): Promise<GridClient> {
  const place = findPlace(options, environment)
  await keepFresh(place, environment)
  const connections = openConnections(place, credential)
  let known: string | undefined
  const token = () => {
    known ??= findToken(place.home, environment).token
    return known
  }

  const send: GridClient['send'] = async (method, url, call = {}) => {
    const { body, type } = bodyOf(call)
    const target = new URL(url)
    for (const [name, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) target.searchParams.set(name, String(value))
    return connections.request(target, {
      method,
      headers: {
        'user-agent': 'kumi',
        ...(!call.anonymous && { authorization: `Bearer ${token()}` }),
        ...(type && { 'content-type': type }),
        ...call.headers,
      },
      ...{ body, signal: call.signal, patienceMs: call.patienceMs ?? PATIENCE_MS },
    })
  }
  const asked = async (method: string, path: string, call?: Call): Promise<Answer> => {
    const answer = await send(method, place.server + path, call)
    if (answer.status < 300) return answer
    throw failureOf(answer.status, await textIn(answer.body), `${method} ${path}`)
  }
  return {
    place,
    token,
    send,
    async json<T>(method: string, path: string, call?: Call) {
      const text = await textIn((await asked(method, path, call)).body)
      return (text.trim() ? parseJson(text) : undefined) as T
    },
    async *lines<T>(method: string, path: string, call?: Call) {
      yield* readJsonLines<T>((await asked(method, path, call)).body)
    },
    close: connections.close,
  }
}

/** Runs `work` with a client and closes its connections afterwards, whatever happens. */
export async function withClient<T>(
  options: ClientOptions,
  work: (client: GridClient) => Promise<T>,
  credential?: Credential,
): Promise<T> {
  const client = await openClient(options, process.env, credential)
  try {
    return await work(client)
  } finally {
    client.close()
  }
}

function bodyOf(call: Call): { body?: string | Buffer | Readable; type?: string } {
  if (call.json !== undefined) return { body: JSON.stringify(call.json), type: 'application/json' }
  if (call.form)
    return { body: new URLSearchParams(call.form).toString(), type: 'application/x-www-form-urlencoded' }
  return call.body === undefined ? {} : { body: call.body }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text.trim()
  }
}
