import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { Agent, type Dispatcher, request } from 'undici'
import { defineError, isGridError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/ports.ts'
import { backoffMs } from '../kernel/retry.ts'
import { uploadForm } from '../storage/archive/upload-form.ts'
import type { PilotConfig } from './config.ts'

const serverAway = defineError('transient', 'server_away')
const refused = defineError('conflict', 'server_refused')

/** The server as one pilot sees it: every question is asked again until it is answered, or half an hour has passed. */
export interface Server {
  ask<T>(what: string, body: unknown, options?: AskOptions): Promise<T>
  /** Reads from, and sends to, an address of the server that was signed for this. */
  fetchSigned(fields: Readonly<Record<string, string>>): Promise<AsyncIterable<Uint8Array>>
  sendSigned(fields: Readonly<Record<string, string>>, file: string, bytes: number): Promise<void>
  close(): Promise<void>
}

export interface AskOptions {
  readonly signal?: AbortSignal
  /** Give up after so long; 40 minutes when absent. */
  readonly patienceMs?: number
  /** Asked before another try: whether an answer is not wanted any more. */
  readonly unwanted?: () => boolean
}

const SIGNED = '/diracx/sandboxes'
const PATIENCE_MS = 40 * 60_000
/** What was signed is good for five minutes. */
const SIGNED_PATIENCE: AskOptions = { patienceMs: 5 * 60_000 }
const RENEW_BEFORE_MS = 2 * 3_600_000

export function pilotServer(config: PilotConfig, clock: Clock): Server {
  const ca = config.ca ? readFileSync(config.ca) : undefined
  const agent = new Agent({
    connections: 4,
    connect: { timeout: 10_000, ...(ca && { ca }) },
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  })
  let token = config.token
  let renewAt = expiryOf(token) - RENEW_BEFORE_MS

  const away = (error: unknown): never => {
    throw serverAway(`${config.server} cannot be reached.`, {}, error)
  }

  async function once(what: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    const answer = await request(`${config.server}/kumi/v1/pilots/${config.stamp}/${what}`, {
      method: 'POST',
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    }).catch((error) => {
      if (signal?.aborted) throw signal.reason
      return away(error)
    })
    const text = await answer.body.text().catch((error) => {
      throw serverAway(`${config.server} broke off its answer.`, {}, error)
    })
    const { statusCode: status } = answer
    if (status < 300) return text ? JSON.parse(text) : undefined
    if (status === 429 || status >= 500) throw serverAway(`The server answered ${status}.`, { status })
    const { code, message } = errorOf(text)
    throw refused(message, { status, code })
  }

  /** Answers of other kinds are errors as those of questions are. */
  async function accepted({ statusCode, body }: Dispatcher.ResponseData): Promise<void> {
    if (statusCode < 300) return
    const text = await body.text()
    if (statusCode === 429 || statusCode >= 500)
      throw serverAway(`The server answered ${statusCode}.`, { status: statusCode })
    throw refused(text.slice(0, 300), { status: statusCode, code: '' })
  }

  async function patiently<T>(
    work: () => Promise<T>,
    { signal, patienceMs = PATIENCE_MS, unwanted }: AskOptions = {},
  ): Promise<T> {
    const until = clock.now().getTime() + patienceMs
    for (let failures = 0; ; ) {
      try {
        return await work()
      } catch (error) {
        const away = isGridError(error) && error.kind === 'transient'
        if (!away || clock.now().getTime() >= until || unwanted?.()) throw error
        const wait = backoffMs(++failures, { firstMs: 500, capMs: 15_000 }, { next: Math.random })
        await clock.sleep(wait, signal)
        signal?.throwIfAborted()
      }
    }
  }

  async function renew(): Promise<void> {
    if (clock.now().getTime() < renewAt) return
    const fresh = (await once('token', {}).catch(() => undefined)) as { token: string } | undefined
    if (fresh) token = fresh.token
    renewAt = fresh ? expiryOf(token) - RENEW_BEFORE_MS : clock.now().getTime() + 60_000
  }

  return {
    ask: <T>(what: string, body: unknown, options: AskOptions = {}) =>
      patiently(async () => {
        await renew()
        return (await once(what, body, options.signal)) as T
      }, options),
    fetchSigned: (fields) =>
      patiently(async () => {
        const url = `${config.server}${SIGNED}?${new URLSearchParams(fields)}`
        const answer = await request(url, { dispatcher: agent }).catch(away)
        await accepted(answer)
        return answer.body
      }, SIGNED_PATIENCE),
    sendSigned: (fields, file, bytes) =>
      patiently(async () => {
        const { headers, body } = uploadForm(fields, file, bytes)
        const url = `${config.server}${SIGNED}`
        const sent = { method: 'POST', dispatcher: agent, headers, body: Readable.from(body()) } as const
        const answer = await request(url, sent).catch(away)
        await accepted(answer)
        await answer.body.dump()
      }, SIGNED_PATIENCE),
    close: () => agent.destroy(),
  }
}

/** The job or the pilot is somebody else's now: stop, and throw away what there is of it. */
export const isOver = (error: unknown): boolean =>
  isGridError(error, 'server_refused') &&
  ['attempt_over', 'pilot_over', 'pilot_not_found', 'job_not_found'].includes(String(error.details.code))

function errorOf(text: string): { code: string; message: string } {
  try {
    const { code, message } = JSON.parse(text) as { code?: string; message?: string }
    return { code: code ?? '', message: message ?? text }
  } catch {
    return { code: '', message: text.slice(0, 200) }
  }
}

function expiryOf(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { exp: number }
    return claims.exp * 1000
  } catch {
    return 0
  }
}
