import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as httpsRequest, Agent as TlsAgent } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { CONTENT_TYPE, DOCUMENT_CACHE, MISSING_CACHE, OBJECT_CACHE } from '../doors/cvmfs/caching.ts'
import { end } from '../doors/webdav/answer.ts'
import { parseRange } from '../doors/webdav/paths.ts'
import { defineError, toGridError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import { hashFromPath } from '../software/format/hash.ts'
import { incomingFrom } from '../software/format/incoming.ts'
import {
  type CacheCounts,
  type FetchObject,
  type KeptDocument,
  type KeptObject,
  objectCache,
} from '../software/local/object-cache.ts'

const serverAway = defineError('transient', 'server_away')
const DOCUMENTS: readonly string[] = [
  ...['.cvmfspublished', '.cvmfswhitelist', '.cvmfsreflog', '.cvmfs_master_replica'],
]
const PREFIX = '/cvmfs/'
const MOST_DOCUMENT_BYTES = 64 << 20
const TIMEOUT_MS = 30_000

export interface SoftwareDoor {
  /** Whether a request is one for software. */
  takes(request: IncomingMessage): boolean
  handle(request: IncomingMessage, response: ServerResponse): void
  /** What it did since it was opened, and what of each repository its clients see. */
  report(): CacheCounts & { readonly revisions: Readonly<Record<string, number>> }
  /** Asks for the manifests that clients asked for, as often as clients would. */
  refresh(): Promise<void>
  close(): void
}

export interface SoftwareDoorOptions {
  readonly server: string
  /** Public address of this gateway: clients that ask through it are near it. */
  readonly endpoint: string
  readonly ca: Buffer
  readonly directory: string
  readonly mostBytes: number
  readonly now: () => Date
  readonly log: Logger
}

/** Repositories of the server for the clients of a site: what one of them fetched, the others find here. */
export async function softwareDoor(options: SoftwareDoorOptions): Promise<SoftwareDoor> {
  const { server, directory, mostBytes, now, log } = options
  const secure = server.startsWith('https:')
  const agent = secure
    ? new TlsAgent({ keepAlive: true, maxSockets: 16, ca: options.ca })
    : new Agent({ keepAlive: true, maxSockets: 16 })
  const ask = secure ? httpsRequest : httpRequest
  const away = (path: string, error: unknown) =>
    serverAway(`${server} does not give ${PREFIX}${path}.`, {}, error)
  /** An answer as it begins to come. */
  const open = (path: string): Promise<IncomingMessage | undefined> =>
    new Promise((resolve, reject) => {
      const asked = ask(`${server}${PREFIX}${path}`, { agent }, (answer) => {
        if (answer.statusCode === 200) return resolve(answer)
        answer.resume()
        if (answer.statusCode === 404) resolve(undefined)
        else reject(away(path, new Error(`it answered ${answer.statusCode}`)))
      })
      asked.on('error', (error) => reject(away(path, error)))
      asked.setTimeout(TIMEOUT_MS, () => asked.destroy(new Error('timeout')))
      asked.end()
    })
  async function* bodyOf(path: string, answer: IncomingMessage): AsyncGenerator<Buffer> {
    try {
      yield* answer
    } catch (error) {
      throw away(path, error)
    }
  }
  async function fetch(path: string): Promise<Buffer | undefined> {
    const answer = await open(path)
    if (!answer) return undefined
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of bodyOf(path, answer)) {
      bytes += part.length
      if (bytes > MOST_DOCUMENT_BYTES) throw away(path, new Error('the answer is too long'))
      parts.push(part)
    }
    return Buffer.concat(parts)
  }
  const fetchObject: FetchObject = async (path, take) => {
    const answer = await open(path)
    if (!answer) return undefined
    try {
      return await take(incomingFrom(answer.headers, bodyOf(path, answer)))
    } finally {
      answer.destroy()
    }
  }
  const cache = await objectCache({ directory, mostBytes, now, log })
  const place = new URL(options.endpoint).host

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const [repository = '', ...inside] = path.split('/')
    const wanted = inside.join('/')
    const nothing = () =>
      end(response, 404, { 'cache-control': MISSING_CACHE, 'content-type': 'text/plain' }, NOTHING)
    const giveDocument = (kept: KeptDocument | undefined) => {
      if (!kept) return nothing()
      response.writeHead(200, headersOf(kept.bytes.length, DOCUMENT_CACHE, kept.hit))
      response.end(response.req.method === 'HEAD' ? undefined : kept.bytes)
    }
    const named = /^[a-z0-9._-]{1,60}$/.test(repository) && !repository.startsWith('.')
    if (named && DOCUMENTS.includes(wanted)) return giveDocument(await cache.document(path, fetch))
    const hash = named ? hashFromPath(wanted) : undefined
    if (hash) {
      const kept = await cache.object(path, hash, fetchObject)
      return kept ? giveObject(kept, response) : nothing()
    }
    const servers = named && /^api\/v1\.0\/geo\/[^/]*\/([^/]*)$/.exec(wanted)?.[1]
    if (servers) {
      const order = await fetch(`${repository}/api/v1.0/geo/${encodeURIComponent(place)}/${servers}`)
      if (order) return end(response, 200, { 'content-type': 'text/plain' }, order.toString())
    }
    nothing()
  }

  return {
    takes: ({ method, url = '' }) => (method === 'GET' || method === 'HEAD') && url.startsWith(PREFIX),
    handle(request, response) {
      const path = (request.url ?? '').slice(PREFIX.length).split('?')[0]!
      answer(path, response).catch((error) => {
        // Who asked has gone.
        if ((error as { code?: string }).code === 'ERR_STREAM_PREMATURE_CLOSE') return
        const { code, message } = toGridError(error)
        log.warn({ code, path }, message)
        if (response.headersSent) return response.destroy()
        end(response, 502, { 'cache-control': 'no-store', 'content-type': 'text/plain' }, `${message}\n`)
      })
    },
    report: () => ({ ...cache.counts(), revisions: cache.revisions() }),
    async refresh() {
      for (const repository of Object.keys(cache.revisions()))
        await cache.document(`${repository}/.cvmfspublished`, fetch)
    },
    close: () => agent.destroy(),
  }
}

const NOTHING = 'There is nothing here.\n'

const headersOf = (length: number, keep: string, hit: boolean) => ({
  ...{ 'content-type': CONTENT_TYPE, 'content-length': length, 'cache-control': keep },
  'x-cache': hit ? 'HIT' : 'MISS',
})

/** An object, or the part of it that is asked for. */
async function giveObject(kept: KeptObject, response: ServerResponse): Promise<void> {
  const { length, hit } = kept
  const { method, headers } = response.req
  const range = parseRange(headers['if-range'] ? undefined : headers.range, length)
  if (range === null) return end(response, 416, { 'content-range': `bytes */${length}` })
  const size = range ? range.end - range.start + 1 : length
  const answer = { ...headersOf(size, OBJECT_CACHE, hit), 'accept-ranges': 'bytes' }
  const part = range && { 'content-range': `bytes ${range.start}-${range.end}/${length}` }
  const body = method === 'HEAD' ? undefined : await kept.read(range)
  response.writeHead(range ? 206 : 200, { ...answer, ...part })
  if (body === undefined || Buffer.isBuffer(body)) return void response.end(body)
  await pipeline(body, response)
}
