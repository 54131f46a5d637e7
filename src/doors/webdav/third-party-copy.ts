import type { IncomingMessage, ServerResponse } from 'node:http'
import { toGridError } from '../../kernel/errors.ts'
import { announcedDigests, checkDigests } from '../../storage/digests.ts'
import type { StorageDriver, StoragePath, Written } from '../../storage/driver.ts'
import { badRequest, checksumMismatch } from '../../storage/errors.ts'
import type { Outbound } from '../../storage/outbound.ts'

const HOP = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'keep-alive',
  'expect',
])
const MARKER_MS = 5_000

/** The headers to send to the passive party: only what the client prefixed for it, without hop-by-hop ones. */
export function forwardedHeaders(request: IncomingMessage): Record<string, string> {
  const forwarded: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    const inner = /^transferheader(.+)$/.exec(name)?.[1]
    if (inner && !HOP.has(inner) && typeof value === 'string') forwarded[inner] = value
  }
  return forwarded
}

export interface CopyContext {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly driver: StorageDriver
  readonly outbound: Outbound
  readonly path: StoragePath
  readonly now: () => Date
}

/**
 * Fetches a remote file into this storage; errors known before the first byte have a real status. Undefined when it
 * failed later, which the client is told in the last line.
 */
export async function pull(
  context: CopyContext,
  source: string,
  overwrite: boolean,
): Promise<Written | undefined> {
  const { request, driver, path, outbound } = context
  const expected = announcedDigests(request.headers)
  const gone = whenGone(context.response)
  const headers = { ...forwardedHeaders(request), 'want-digest': 'adler32,md5' }
  const answer = await outbound({ method: 'GET', url: source, headers, party: 'source', signal: gone })
  const remote = `tcp:${answer.socket.remoteAddress?.includes(':') ? `[${answer.socket.remoteAddress}]` : answer.socket.remoteAddress}:${answer.socket.remotePort}`
  const announced = answer.headers.digest ? announcedDigests({ digest: answer.headers.digest }) : {}
  try {
    const known = Object.keys({ ...expected, ...announced }).length > 0
    if (!known && String(request.headers.requirechecksumverification).toLowerCase() !== 'false')
      throw checksumMismatch('The source tells no checksum, but verification is required.', {
        party: 'source',
        class: 'final',
      })
    checkDigests(expected, announced)
  } catch (error) {
    // An answer that nobody reads would hold its connection.
    answer.destroy()
    throw error
  }
  const length = answer.headers['content-length']
  return withMarkers(context, remote, (progress) => {
    const options = {
      overwrite,
      size: length === undefined ? undefined : Number(length),
      expected: { ...announced, ...expected },
      signal: gone,
    }
    return driver.write(path, counted(answer, progress), options)
  })
}

/** Sends a local file to a remote storage. */
export async function push(context: CopyContext, destination: string): Promise<void> {
  const { request, driver, path, outbound } = context
  const entry = await driver.stat(path)
  if (!entry || entry.directory) throw badRequest('Only files can be copied to another storage.')
  const sums = await driver.digest(path)
  const gone = whenGone(context.response)
  await withMarkers(context, undefined, async (progress) => {
    const answer = await outbound({
      method: 'PUT',
      url: destination,
      party: 'destination',
      signal: gone,
      headers: {
        ...forwardedHeaders(request),
        'content-length': String(entry.size),
        digest: `adler32=${sums.adler32}`,
      },
      body: counted(await driver.read(path), progress),
    })
    answer.resume()
  })
}

/** Answers 202 at once and reports progress, at least every five seconds, until one final line tells the outcome. */
async function withMarkers<T>(
  context: CopyContext,
  remote: string | undefined,
  work: (progress: (n: number) => void) => Promise<T>,
): Promise<T | undefined> {
  const { response, now } = context
  let bytes = 0
  response.writeHead(202, { 'content-type': 'text/perf-marker-stream' })
  const mark = (): void => {
    const connection = remote ? `    RemoteConnections: ${remote}\n` : ''
    response.write(
      `Perf Marker\n    Timestamp: ${Math.floor(now().getTime() / 1000)}\n    Stripe Index: 0\n` +
        `    Stripe Bytes Transferred: ${bytes}\n    Total Stripe Count: 1\n${connection}End\n`,
    )
  }
  mark()
  const timer = setInterval(mark, MARKER_MS - 1000)
  try {
    const done = await work((n) => {
      bytes += n
    })
    mark()
    response.end('success: Created\n')
    return done
  } catch (error) {
    const { code, message, details } = toGridError(error)
    response.end(
      `failure: ${message.replace(/\s+/g, ' ')} [code=${code} party=${details.party ?? 'destination'} class=${details.class ?? 'final'}]\n`,
    )
    return undefined
  } finally {
    clearInterval(timer)
  }
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  progress: (n: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    progress(chunk.length)
    yield chunk
  }
}

/** Aborts when the client hangs up: that is how a COPY is cancelled. */
function whenGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}
