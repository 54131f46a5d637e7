import { Agent, type Dispatcher, request } from 'undici'
import { type ErrorKind, GridError, isGridError } from '../kernel/errors.ts'
import { guardedLookup, refuseAddress } from './addresses.ts'
import { copyAnswerReader } from './copy-answer.ts'
import { announcedDigests, type Digests, digestHeader } from './digests.ts'
import type { ByteRange } from './driver.ts'
import { copyOutcomeUnknown, type Party, remoteFailed, remoteUnreachable, sizeMismatch } from './errors.ts'
import { type AllowedHosts, checkedUrl } from './outbound.ts'

export interface WebdavClientOptions {
  /** `host:port` that may be spoken to, or a rule; absent: every https host, for addresses only an operator sets. */
  readonly allowed?: AllowedHosts
  /** Certificate authorities of the storages, PEM. */
  readonly ca?: string | Buffer
  /** Connections per storage; each running copy holds one. */
  readonly connections?: number
  /** Shorter ones are for tests. */
  readonly timeouts?: Partial<typeof TIMEOUTS>
}

export interface RemoteFile extends Partial<Digests> {
  /** -1 when the storage does not tell. */
  readonly size: bigint
}

export interface CopyOrder {
  readonly destinationUrl: string
  readonly destinationToken: string
  readonly sourceUrl: string
  readonly sourceToken: string
  readonly overwrite: boolean
  readonly expected: Partial<Digests> & { readonly size?: bigint }
  readonly onProgress?: (bytes: bigint) => void
  readonly signal?: AbortSignal
}

/** A client of storages that speak WebDAV and third-party copy, ours or foreign; URLs are absolute and encoded. */
export interface WebdavClient {
  /**
   * Size and checksums; undefined when there is no such file. `anew`: the storage is asked to read the bytes again
   * (`Cache-Control: no-cache`) and not to answer from what it kept.
   */
  stat(url: string, token: string, signal?: AbortSignal, anew?: boolean): Promise<RemoteFile | undefined>
  /**
   * Lets the destination fetch a file. Errors carry `party`, `class` and, where a peer answered, `status` in their
   * details; `copy_outcome_unknown` means: ask the destination what is there.
   */
  copyFrom(order: CopyOrder): Promise<void>
  /** Errors: `no_such_file`, `already_exists` unless `overwrite`. */
  move(
    url: string,
    token: string,
    destinationUrl: string,
    overwrite: boolean,
    signal?: AbortSignal,
  ): Promise<void>
  /** False when there was nothing to remove. */
  remove(url: string, token: string, signal?: AbortSignal): Promise<boolean>
  get(url: string, token: string, options?: GetOptions): Promise<AsyncIterable<Uint8Array>>
  /** Whatever the body throws is thrown again. Errors of ours: `size_mismatch`, and those the storage tells. */
  put(url: string, token: string, body: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutAnswer>
  /** Paths of a directory and what lies directly in it, decoded. */
  list(url: string, token: string, signal?: AbortSignal): Promise<string[]>
  /** What the clock of the storage says, to the second; undefined when it does not tell. */
  time(url: string, token: string, signal?: AbortSignal): Promise<Date | undefined>
  close(): Promise<void>
}

export interface GetOptions {
  readonly range?: ByteRange
  readonly signal?: AbortSignal
}

export interface PutOptions {
  /** Exact size; without it the body is sent in chunks, which some storages refuse. */
  readonly size?: number | undefined
  readonly expected?: Partial<Digests> | undefined
  /** False: the storage refuses when the file exists. */
  readonly overwrite?: boolean
  readonly signal?: AbortSignal | undefined
}

/** What the storage says it has stored; our doors always tell the checksums. */
export interface PutAnswer extends Partial<Digests> {
  /** False when a file was replaced. */
  readonly created: boolean
}

const TIMEOUTS = {
  connectMs: 10_000,
  /** A gateway that is asked for a copy waits two minutes for its source before it answers. */
  firstByteMs: 130_000,
  /** A storage without kept checksums sums up the whole file before it answers a HEAD. */
  statMs: 300_000,
  noProgressMs: 120_000,
}
const WANT_DIGEST = { 'want-digest': 'adler32,md5' }

export function webdavClient(options: WebdavClientOptions = {}): WebdavClient {
  const timeouts = { ...TIMEOUTS, ...options.timeouts }
  const agent = new Agent({
    connections: options.connections ?? 128,
    keepAliveTimeout: 10_000,
    connect: {
      timeout: timeouts.connectMs,
      lookup: guardedLookup('listed'),
      ...(options.ca && { ca: options.ca }),
    },
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.noProgressMs,
  })

  async function send(wanted: {
    method: string
    url: string
    token: string
    headers?: Record<string, string>
    body?: AsyncIterable<Uint8Array>
    headersTimeout?: number
    signal?: AbortSignal | undefined
  }): Promise<Dispatcher.ResponseData> {
    const { method, token, headers, body, headersTimeout, signal } = wanted
    const url = checkedUrl(wanted.url, options.allowed)
    refuseAddress(url.hostname, 'listed')
    try {
      return await request(url, {
        method: method as Dispatcher.HttpMethod,
        dispatcher: agent,
        headers: { authorization: `Bearer ${token}`, ...headers },
        // The library would open a new connection after each HEAD, for servers that send a body with its answer.
        reset: false,
        ...(body && { body: body as Dispatcher.DispatchOptions['body'] & AsyncIterable<Uint8Array> }),
        ...(headersTimeout && { headersTimeout }),
        ...(signal && { signal }),
      })
    } catch (error) {
      throw unreachable(error, method, url, signal)
    }
  }

  return {
    async stat(url, token, signal, anew = false) {
      const answer = await send({
        method: 'HEAD',
        url,
        token,
        headers: { ...WANT_DIGEST, ...(anew && { 'cache-control': 'no-cache' }) },
        headersTimeout: timeouts.statMs,
        signal,
      })
      await answer.body.dump()
      if (answer.statusCode === 404) return undefined
      if (answer.statusCode !== 200) throw refusal(answer, '')
      return factsOf(answer)
    },

    async copyFrom(order) {
      const { expected, signal } = order
      const stalled = new AbortController()
      const both = signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal
      const digest = digestHeader(expected, ['adler32', 'md5'])
      const answer = await send({
        method: 'COPY',
        url: order.destinationUrl,
        token: order.destinationToken,
        headers: {
          transferheaderauthorization: `Bearer ${order.sourceToken}`,
          source: checkedUrl(order.sourceUrl, options.allowed).href,
          credential: 'none',
          overwrite: order.overwrite ? 'T' : 'F',
          // Foreign storages ignore this; ours refuses other bytes before they become visible.
          ...(digest && { digest }),
        },
        signal: both,
      })
      if (answer.statusCode >= 300) throw refusal(answer, await bodyText(answer))

      // Markers may keep coming while not one byte moves: that, too, must end some day.
      let reached = -1n
      let timer: NodeJS.Timeout | undefined
      const rearm = (): void => {
        clearTimeout(timer)
        timer = setTimeout(() => stalled.abort(), timeouts.noProgressMs)
      }
      rearm()
      const reader = copyAnswerReader((bytes) => {
        // All bytes are there: the storage may sync and sum for as long as it says that it is alive.
        if (bytes > reached || (expected.size !== undefined && bytes >= expected.size)) rearm()
        reached = bytes
        order.onProgress?.(bytes)
      })
      try {
        for await (const chunk of answer.body) reader.take(chunk)
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        const text = stalled.signal.aborted
          ? 'The copy made no progress.'
          : 'The connection broke during the copy.'
        throw copyOutcomeUnknown(text, { party: 'destination', class: 'transient' }, error)
      } finally {
        clearTimeout(timer)
      }
      reader.finish()
    },

    async move(url, token, destinationUrl, overwrite, signal) {
      const destination = checkedUrl(destinationUrl, options.allowed).href
      const headers = { destination, overwrite: overwrite ? 'T' : 'F' }
      await settled(await send({ method: 'MOVE', url, token, headers, signal }))
    },

    async remove(url, token, signal) {
      const answer = await send({ method: 'DELETE', url, token, signal })
      if (answer.statusCode !== 404) await settled(answer)
      else await answer.body.dump()
      return answer.statusCode !== 404
    },

    async get(url, token, { range, signal } = {}) {
      const headers: Record<string, string> = range ? { range: `bytes=${range.start}-${range.end}` } : {}
      const answer = await send({ method: 'GET', url, token, headers, signal })
      if (answer.statusCode !== (range ? 206 : 200)) throw refusal(answer, await bodyText(answer))
      return answer.body
    },

    async put(url, token, body, { size, expected = {}, overwrite = true, signal } = {}) {
      const digest = digestHeader(expected, ['adler32', 'md5'])
      const headers = {
        ...(size !== undefined && { 'content-length': String(size) }),
        ...(digest && { digest }),
        ...(!overwrite && { 'if-none-match': '*' }),
      }
      const watched = watchedBody(body)
      // The door answers only after the last byte is on disk, so the pause before the answer may be long.
      const wanted = { method: 'PUT', url, token, headers, headersTimeout: timeouts.statMs, signal }
      const answer = await send({ ...wanted, body: watched.body }).catch((error) => {
        throw watched.failure()?.error ?? error
      })
      await settled(answer)
      return { created: answer.statusCode === 201, ...toldDigests(answer) }
    },

    async list(url, token, signal) {
      const headers = { depth: '1' }
      const answer = await send({ method: 'PROPFIND', url, token, headers, signal })
      if (answer.statusCode !== 207) throw refusal(answer, await bodyText(answer))
      const document = await answer.body.text()
      return [...document.matchAll(/<(?:[\w-]+:)?href>([^<]*)</g)].map(([, href]) =>
        decodeURIComponent(new URL(unescaped(href!), url).pathname),
      )
    },

    async time(url, token, signal) {
      const answer = await send({ method: 'OPTIONS', url, token, signal })
      await answer.body.dump()
      const { date } = answer.headers
      return typeof date === 'string' && !Number.isNaN(Date.parse(date)) ? new Date(date) : undefined
    },

    close: () => agent.destroy(),
  }
}

async function settled(answer: Dispatcher.ResponseData): Promise<void> {
  const text = await bodyText(answer)
  if (answer.statusCode >= 300) throw refusal(answer, text)
}

async function bodyText(answer: Dispatcher.ResponseData): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of answer.body) {
      parts.push(chunk)
      length += chunk.length
      if (length > 16_384) break
    }
  } catch {
    // What was said until then is all there is.
  }
  return Buffer.concat(parts).toString('utf8').trim().slice(0, 500)
}

const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')

function factsOf(answer: Dispatcher.ResponseData): RemoteFile {
  const length = answer.headers['content-length']
  const size = typeof length === 'string' && /^\d{1,18}$/.test(length) ? BigInt(length) : -1n
  return { size, ...toldDigests(answer) }
}

function toldDigests(answer: Dispatcher.ResponseData): Partial<Digests> {
  try {
    return announcedDigests({ digest: answer.headers.digest })
  } catch {
    // A storage that writes nonsense tells no checksum; the comparison fails where one is needed.
    return {}
  }
}

/** Remembers what a body threw: the connection that breaks because of it only says that it broke. */
function watchedBody(body: AsyncIterable<Uint8Array>) {
  let failed: { error: unknown } | undefined
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      failed = { error }
      throw error
    }
  }
  return { body: watched(), failure: () => failed }
}

function refusal(answer: Dispatcher.ResponseData, text: string): GridError {
  const { statusCode } = answer
  const named = answer.headers['x-error-code']
  const code = typeof named === 'string' && /^[a-z_]{1,64}$/.test(named) ? named : undefined
  // Our door answers with a status also when it was the other party that refused.
  const remote = code?.startsWith('remote_') ?? false
  const told = /answered (\d{3})\b/.exec(text)?.[1]
  const status = remote ? (told ? Number(told) : undefined) : statusCode
  const party: Party = remote || code === 'checksum_mismatch' ? 'source' : 'destination'
  const overload = statusCode === 429 || statusCode === 503 || code === 'remote_overloaded'
  const details = {
    party,
    class: overload ? 'overload' : statusCode >= 500 && statusCode !== 507 ? 'transient' : 'final',
    ...(status && { status }),
  }
  const kind = kindOf(statusCode)
  return new GridError({
    code: code ?? CODES[statusCode] ?? (kind === 'transient' ? 'remote_failed' : 'remote_rejected'),
    kind,
    message: text || `The storage answered ${statusCode}.`,
    details,
  })
}

const CODES: Readonly<Record<number, string>> = {
  401: 'remote_refused',
  403: 'remote_refused',
  404: 'no_such_file',
  412: 'already_exists',
  429: 'remote_overloaded',
  503: 'remote_overloaded',
  507: 'storage_full',
}

function kindOf(status: number): ErrorKind {
  if (status === 401 || status === 403) return 'denied'
  if (status === 404 || status === 410) return 'missing'
  if (status === 409 || status === 412) return 'conflict'
  if (status === 507) return 'exhausted'
  if (status === 408 || status === 429 || status >= 500) return 'transient'
  return 'invalid'
}

function unreachable(error: unknown, method: string, url: URL, signal: AbortSignal | undefined): unknown {
  if (isGridError(error)) return error
  if (signal?.aborted) return signal.reason ?? error
  const code = (error as { code?: unknown }).code
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH')
    return sizeMismatch('The body is not as long as was announced.', { class: 'transient' }, error)
  const facts = { party: 'destination', class: 'overload' }
  const sent = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(String(code))
  if (sent && method === 'COPY')
    return copyOutcomeUnknown(
      `${url.host} took the copy but did not answer.`,
      { ...facts, class: 'transient' },
      error,
    )
  if (code === 'UND_ERR_HEADERS_TIMEOUT')
    return remoteFailed(`${url.host} did not answer in time.`, facts, error)
  return remoteUnreachable(`${url.host} cannot be reached (${String(code ?? error)}).`, facts, error)
}
