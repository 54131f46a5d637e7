import * as http from 'node:http'
import * as https from 'node:https'
import type { Readable } from 'node:stream'
import type { Place } from './home.ts'
import { CONNECT_MS, type Credential, connectionFailure, trustOf } from './trust.ts'

export interface Request {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer | Readable | undefined
  readonly signal?: AbortSignal | undefined
  /** How long the server may say nothing. */
  readonly patienceMs: number
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** To be read to its end, or thrown away with `resume`: its connection is then used again. */
  readonly body: Readable
}

/** Servers close what nobody uses for ten seconds or longer: a request must not meet a connection that just ends. */
const IDLE_MS = 8_000

/** Connections that are kept for the next request, at most 16 to a server. */
export interface Connections {
  request(target: URL, request: Request): Promise<Answer>
  close(): void
}

/**
 * By the client that Node.js has built in: of the others, the start alone would take a command as long as most commands
 * take in all.
 */
export function openConnections(place: Place, credential?: Credential): Connections {
  const kept = { keepAlive: true, maxSockets: 16, timeout: IDLE_MS }
  let secure: https.Agent | undefined
  let open: http.Agent | undefined
  const begin = (target: URL, options: http.RequestOptions): http.ClientRequest => {
    if (target.protocol === 'https:') {
      secure ??= new https.Agent({ ...kept, secureContext: trustOf(place, credential) })
      return https.request(target, { ...options, agent: secure })
    }
    open ??= new http.Agent(kept)
    return http.request(target, { ...options, agent: open })
  }
  return {
    async request(target, { method, headers, body, signal, patienceMs }) {
      signal?.throwIfAborted()
      const whole = typeof body === 'string' || Buffer.isBuffer(body)
      const length = whole && { 'content-length': String(Buffer.byteLength(body)) }
      const asked = begin(target, { method, headers: { ...length, ...headers } })
      const answered = answerTo(asked, patienceMs, signal)
      if (whole || body === undefined) asked.end(body)
      else send(body, asked)
      try {
        return await answered
      } catch (error) {
        throw connectionFailure(error, target, signal)
      }
    },
    close() {
      secure?.destroy()
      open?.destroy()
    },
  }
}

function answerTo(
  asked: http.ClientRequest,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  let answer: http.IncomingMessage | undefined
  const breakOff = (error: Error) => {
    answer?.destroy(error)
    asked.destroy(error)
  }
  const stop = () => breakOff(signal!.reason as Error)
  signal?.addEventListener('abort', stop, { once: true })
  asked.once('close', () => signal?.removeEventListener('abort', stop))
  asked.setTimeout(patienceMs, () => breakOff(late()))
  asked.once('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => asked.destroy(late()), CONNECT_MS)
    socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
  })
  return new Promise((resolve, reject) => {
    asked.on('error', reject)
    asked.once('response', (message) => {
      answer = message
      resolve({ status: message.statusCode!, headers: message.headers, body: message })
    })
  })
}

const late = (): Error =>
  Object.assign(new Error('The server did not answer in time.'), { code: 'ETIMEDOUT' })

/** Whoever breaks off, the other one hears of it. */
function send(body: Readable, asked: http.ClientRequest): void {
  // Whoever takes what comes may have to prepare for it.
  asked.flushHeaders()
  body.once('error', (error) => asked.destroy(error))
  asked.once('close', () => body.destroy())
  body.pipe(asked)
}
