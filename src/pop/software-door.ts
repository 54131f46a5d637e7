import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as httpsRequest, Agent as TlsAgent } from 'node:https'
import { CONTENT_TYPE, DOCUMENT_CACHE, MISSING_CACHE, OBJECT_CACHE } from '../doors/cvmfs/caching.ts'
import { end } from '../doors/webdav/answer.ts'
import { defineError, toGridError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import { hashFromPath } from '../software/format/hash.ts'
import { type CacheCounts, objectCache } from '../software/local/object-cache.ts'

const serverAway = defineError('transient', 'server_away')
const DOCUMENTS: readonly string[] = [
  ...['.cvmfspublished', '.cvmfswhitelist', '.cvmfsreflog', '.cvmfs_master_replica'],
]
const PREFIX = '/cvmfs/'
/** No object is greater: what cannot be compressed is stored in pieces. */
const MOST_BYTES = 64 << 20
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
  const fetch = (path: string): Promise<Buffer | undefined> =>
    new Promise((resolve, reject) => {
      const fail = (error: unknown) =>
        reject(serverAway(`${server} does not give ${PREFIX}${path}.`, {}, error))
      const asked = ask(`${server}${PREFIX}${path}`, { agent }, (answer) => {
        const parts: Buffer[] = []
        let bytes = 0
        answer.on('error', fail).on('aborted', () => fail(new Error('the answer broke off')))
        answer.on('data', (part: Buffer) => {
          bytes += part.length
          if (bytes > MOST_BYTES) asked.destroy(new Error('the answer is too long'))
          else parts.push(part)
        })
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(Buffer.concat(parts))
          else if (answer.statusCode === 404) resolve(undefined)
          else fail(new Error(`it answered ${answer.statusCode}`))
        })
      })
      asked.on('error', fail)
      asked.setTimeout(TIMEOUT_MS, () => asked.destroy(new Error('timeout')))
      asked.end()
    })
  const cache = await objectCache({ directory, mostBytes, now, log })
  const place = new URL(options.endpoint).host

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const [repository = '', first = '', second = '', rest = '', ...more] = path.split('/')
    const give = (kept: { bytes: Buffer; hit: boolean } | undefined, keep: string) => {
      if (!kept)
        return end(response, 404, { 'cache-control': MISSING_CACHE, 'content-type': 'text/plain' }, NOTHING)
      response.writeHead(200, {
        ...{ 'content-type': CONTENT_TYPE, 'content-length': kept.bytes.length, 'cache-control': keep },
        'x-cache': kept.hit ? 'HIT' : 'MISS',
      })
      response.end(response.req.method === 'HEAD' ? undefined : kept.bytes)
    }
    const named = /^[a-z0-9._-]{1,60}$/.test(repository) && !repository.startsWith('.')
    if (named && DOCUMENTS.includes(first) && !second)
      return give(await cache.document(`${repository}/${first}`, fetch), DOCUMENT_CACHE)
    const hash = named && first === 'data' && more.length === 0 ? hashFromPath(second, rest) : undefined
    if (hash) return give(await cache.object(path, hash, fetch), OBJECT_CACHE)
    if (named && path.startsWith(`${repository}/api/v1.0/geo/`) && more.length === 2) {
      const order = await fetch(`${repository}/api/v1.0/geo/${encodeURIComponent(place)}/${more[1]}`)
      if (order) return end(response, 200, { 'content-type': 'text/plain' }, order.toString())
    }
    give(undefined, MISSING_CACHE)
  }

  return {
    takes: ({ method, url = '' }) => (method === 'GET' || method === 'HEAD') && url.startsWith(PREFIX),
    handle(request, response) {
      const path = (request.url ?? '').slice(PREFIX.length).split('?')[0]!
      answer(path, response).catch((error) => {
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
