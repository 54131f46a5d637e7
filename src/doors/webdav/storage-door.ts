import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import {
  ANY_AUDIENCE,
  denied,
  notAuthenticated,
  type Principal,
  pathAllowed,
  type StorageOperation,
  type TokenVerifier,
} from '../../identity/verifier.ts'
import { type ErrorKind, toGridError } from '../../kernel/errors.ts'
import type { Logger } from '../../kernel/log.ts'
import { announcedDigests, digestHeader, reprDigestHeader, wantedDigests } from '../../storage/digests.ts'
import type { Entry, StorageDriver, StoragePath } from '../../storage/driver.ts'
import { alreadyExists, badRequest, isADirectory, noSuchFile } from '../../storage/errors.ts'
import type { Outbound } from '../../storage/outbound.ts'
import { amountBelow } from '../../storage/walk.ts'
import { bodyOf, end, json } from './answer.ts'
import { etag, responseElement } from './multistatus.ts'
import { encodePath, parseRange, segmentsOfTarget } from './paths.ts'
import { pull, push } from './third-party-copy.ts'

export interface StorageDoorOptions {
  /** The VO whose area this is; its name is the first path segment. */
  readonly vo: string
  readonly driver: StorageDriver
  readonly verifier: TokenVerifier
  /** Who stands behind the client certificate of a connection, if there is one; counts where no token came. */
  readonly bearerOf?: (socket: Socket) => Promise<Principal | undefined>
  /** Public base URL; also the audience of tokens made for this door. */
  readonly endpoint: string
  readonly outbound: Outbound
  readonly log: Logger
  readonly now: () => Date
  /** The storage resource report, served at /api/v1/srr. */
  readonly resourceReport: () => Promise<unknown>
  readonly onChange?: (bytes: number, files: number) => void
}

const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  missing: 404,
  conflict: 409,
  exhausted: 507,
  transient: 503,
  fatal: 500,
}
const SPECIAL: Readonly<Record<string, number>> = {
  already_exists: 412,
  remote_refused: 403,
  remote_rejected: 502,
  remote_failed: 502,
  remote_unreachable: 502,
}
const METHODS = 'OPTIONS, HEAD, GET, PUT, DELETE, MKCOL, MOVE, COPY, PROPFIND'

interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly principal: Principal
  readonly path: StoragePath
}

/**
 * The request handler of a gateway's storage door: WebDAV and third-party copy as the grid speaks them. To be given the
 * server's `checkContinue` too, so that uploads which will be refused are refused before they are sent.
 */
export function storageDoor(
  options: StorageDoorOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { driver, vo } = options
  const handlers: Readonly<Record<string, (call: Call) => Promise<void>>> = {
    HEAD: get,
    GET: get,
    PUT: put,
    DELETE: remove,
    MKCOL: makeCollection,
    MOVE: move,
    COPY: copy,
    PROPFIND: propfind,
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? ''
    if (method === 'OPTIONS') return end(response, 200, { dav: '1', allow: METHODS, 'ms-author-via': 'DAV' })
    if (method === 'GET' && request.url === '/healthz') return end(response, 200)
    if (method === 'GET' && request.url === '/api/v1/srr')
      return json(response, await options.resourceReport())
    if (method === 'POST')
      throw badRequest('Macaroons are not issued here; ask the token issuer for a narrower token.')
    const handler = handlers[method]
    if (!handler) return end(response, 405, { allow: METHODS })
    const segments = segmentsOfTarget(request.url ?? '')
    const principal = await authenticate(request)
    if (segments[0] !== vo || principal.vo !== vo)
      throw denied('These credentials are not for this storage area.')
    await handler({ request, response, principal, path: segments.slice(1) })
  }

  async function authenticate(request: IncomingMessage): Promise<Principal> {
    const token = /^bearer +([^ ]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const bearer = token === undefined ? await options.bearerOf?.(request.socket) : undefined
    if (bearer) return bearer
    if (!token) throw notAuthenticated('This storage needs a bearer token, or a certificate or proxy.')
    return options.verifier.verify(token, { audience: [options.endpoint, ANY_AUDIENCE] })
  }

  /** Before anything about existence is revealed. The trash and its content belong to those who may modify. */
  function permit(
    call: Pick<Call, 'principal' | 'path'>,
    operation: StorageOperation,
    directory = false,
    path = call.path,
  ): void {
    const trash = path[0] === '.trash'
    const needed = trash && !['rename', 'mkdir', 'create'].includes(operation) ? 'delete' : operation
    if (path[0] === '.kumi' || !pathAllowed(call.principal.scopes, needed, path, { directory }))
      throw denied(`Your rights do not permit to ${operation} ${encodePath(path)}.`)
  }

  async function get({ request, response, principal, path }: Call): Promise<void> {
    const head = request.method === 'HEAD'
    permit({ principal, path }, head ? 'stat' : 'read')
    const entry = await driver.stat(path)
    if (!entry) throw noSuchFile(`${encodePath(path)} does not exist.`)
    if (entry.directory) {
      if (head) return end(response, 200, { 'last-modified': entry.modified.toUTCString() })
      permit({ principal, path }, 'list')
      const names = (await driver.list(path)).map(
        (e) => `${encodeURIComponent(e.name)}${e.directory ? '/' : ''}`,
      )
      return end(response, 200, { 'content-type': 'text/plain; charset=utf-8' }, `${names.join('\n')}\n`)
    }
    const headers: Record<string, string | number> = {
      etag: etag(entry),
      'last-modified': entry.modified.toUTCString(),
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      ...(await digestHeaders(request, path, entry)),
    }
    if (request.headers['if-none-match']?.split(',').some((tag) => ['*', headers.etag].includes(tag.trim())))
      return end(response, 304, headers)
    const useRange = !head && (request.headers['if-range'] ?? headers.etag) === headers.etag
    const range = useRange ? parseRange(request.headers.range, entry.size) : undefined
    if (range === null) return end(response, 416, { 'content-range': `bytes */${entry.size}` })
    headers['content-length'] = range ? range.end - range.start + 1 : entry.size
    if (range) headers['content-range'] = `bytes ${range.start}-${range.end}/${entry.size}`
    if (head || entry.size === 0) {
      response.writeHead(200, headers).end()
      return
    }
    // Never more than was announced, should the file be replaced by a longer one meanwhile.
    const body = await driver.read(path, range ?? { start: 0, end: entry.size - 1 })
    response.writeHead(range ? 206 : 200, headers)
    await pipeline(body as NodeJS.ReadableStream, response).catch((error) => {
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
    })
  }

  async function digestHeaders(
    request: IncomingMessage,
    path: StoragePath,
    entry: Entry,
  ): Promise<Record<string, string>> {
    const wanted = wantedDigests(request.headers['want-digest'])
    const repr = String(request.headers['want-repr-digest'] ?? '')
    if (wanted.length === 0 && !repr) return {}
    // Who will not have it from a cache gets the sum of the bytes as they are now.
    const anew = /\bno-cache\b/i.test(request.headers['cache-control'] ?? '')
    const digests = anew ? await driver.sum(path) : await driver.digest(path, entry)
    const modern = reprDigestHeader(digests, repr)
    return {
      ...(wanted.length > 0 && { digest: digestHeader(digests, wanted) }),
      ...(modern && { 'repr-digest': modern }),
    }
  }

  async function put(call: Call): Promise<void> {
    const { request, response, path } = call
    permit(call, 'create')
    const existing = await driver.stat(path)
    if (existing?.directory) throw isADirectory(`${encodePath(path)} is a directory.`)
    const overwrite = mayOverwrite(call)
    if (existing && request.headers['if-none-match'] === '*') return end(response, 412)
    if (existing && !overwrite)
      throw denied(`${encodePath(path)} exists; overwriting needs the modify right.`)
    if (request.headers['content-range']) throw badRequest('Partial uploads are not supported.')
    const length = request.headers['content-length']
    const written = await driver.write(path, bodyOf(request, response), {
      overwrite: overwrite && request.headers['if-none-match'] !== '*',
      size: length === undefined ? undefined : Number(length),
      expected: announcedDigests(request.headers),
    })
    options.onChange?.(written.size - (existing?.size ?? 0), existing ? 0 : 1)
    end(response, written.created ? 201 : 204, { digest: digestHeader(written, ['adler32', 'md5']) })
  }

  function mayOverwrite({ principal, path }: Pick<Call, 'principal' | 'path'>): boolean {
    return pathAllowed(principal.scopes, 'overwrite', path)
  }

  async function remove(call: Call): Promise<void> {
    permit(call, 'delete')
    const before = await amountBelow(driver, call.path)
    const removed = (left = { bytes: 0, files: 0 }) =>
      options.onChange?.(left.bytes - before.bytes, left.files - before.files)
    try {
      await driver.remove(call.path, { recursive: true })
    } catch (error) {
      // Of a directory a part may be gone; a file that is gone was counted by whoever removed it.
      if ((await driver.stat(call.path))?.directory) removed(await amountBelow(driver, call.path))
      throw error
    }
    removed()
    end(call.response, 204)
  }

  async function makeCollection(call: Call): Promise<void> {
    permit(call, 'mkdir', true)
    if (Number(call.request.headers['content-length'] ?? 0) > 0) return end(call.response, 415)
    if (await driver.stat(call.path)) return end(call.response, 405, { allow: METHODS })
    await driver.makeDirectory(call.path)
    end(call.response, 201)
  }

  async function move(call: Call): Promise<void> {
    const to = localDestination(call)
    if (!to) throw badRequest('The Destination must be on this storage.')
    const overwrite =
      String(call.request.headers.overwrite ?? 'T')
        .trim()
        .toUpperCase() !== 'F'
    permit(call, 'rename')
    permit(call, 'rename', false, to)
    const [source, target] = [await driver.stat(call.path), await driver.stat(to)]
    if (source?.directory) {
      permit(call, 'rename', true)
      permit(call, 'rename', true, to)
    }
    if (target && overwrite) permit(call, 'overwrite', false, to)
    await driver.move(call.path, to, { overwrite: overwrite && mayOverwrite({ ...call, path: to }) })
    if (target) options.onChange?.(-target.size, -1)
    end(call.response, target ? 204 : 201)
  }

  /** The Destination's segments below the area when it is on this host; undefined for another host. */
  function localDestination({ request }: Call): string[] | undefined {
    const text = String(request.headers.destination ?? '')
    const url = URL.canParse(text, options.endpoint)
      ? new URL(text.replace(/^davs:/, 'https:'), options.endpoint)
      : undefined
    if (!text || !url) throw badRequest('The Destination header is missing or broken.')
    if (url.host !== new URL(options.endpoint).host) return undefined
    // The text as sent, not URL's: that one has resolved the dots already.
    const raw = text.replace(/^[a-z]+:\/\/[^/]*/i, '')
    const segments = segmentsOfTarget(raw)
    if (segments[0] !== vo) throw denied('The Destination is outside this storage area.')
    return segments.slice(1)
  }

  async function copy(call: Call): Promise<void> {
    const { request, response, path } = call
    const source = request.headers.source
    const credential = String(request.headers.credential ?? 'none')
    if (credential !== 'none')
      throw badRequest('Only "Credential: none" is supported: send TransferHeaderAuthorization.')
    if ((source === undefined) === (request.headers.destination === undefined))
      throw badRequest('A COPY needs either a Source or a Destination header.')
    const mayReplace =
      String(request.headers.overwrite ?? 'T')
        .trim()
        .toUpperCase() !== 'F'
    const context = { request, response, driver, outbound: options.outbound, path, now: options.now }
    if (source !== undefined) {
      permit(call, 'create')
      const existing = await driver.stat(path)
      checkTarget(existing, mayReplace, call)
      const written = await pull(context, String(source), mayReplace && mayOverwrite(call))
      if (written) options.onChange?.(written.size - (existing?.size ?? 0), existing ? 0 : 1)
      return
    }
    permit(call, 'read')
    if (!(await driver.stat(path))) throw noSuchFile(`${encodePath(path)} does not exist.`)
    const to = localDestination(call)
    if (!to) return push(context, String(request.headers.destination).replace(/^davs:/, 'https:'))
    permit(call, 'create', false, to)
    const existing = await driver.stat(to)
    checkTarget(existing, mayReplace, { ...call, path: to })
    const written = await driver.write(to, await driver.read(path), {
      overwrite: mayReplace && mayOverwrite({ ...call, path: to }),
    })
    options.onChange?.(written.size - (existing?.size ?? 0), existing ? 0 : 1)
    end(response, existing ? 204 : 201)
  }

  function checkTarget(existing: Entry | undefined, mayReplace: boolean, call: Call): void {
    if (!existing) return
    if (existing.directory) throw isADirectory(`${encodePath(call.path)} is a directory.`)
    if (!mayReplace) throw alreadyExists(`${encodePath(call.path)} exists already.`)
    permit(call, 'overwrite')
  }

  async function propfind(call: Call): Promise<void> {
    const { request, response, path } = call
    permit(call, 'stat')
    const depth = String(request.headers.depth ?? 'infinity').trim()
    if (depth !== '0' && depth !== '1')
      throw denied('PROPFIND of infinite depth is refused; list level by level.')
    let received = 0
    for await (const chunk of bodyOf(request, response)) {
      received += chunk.length
      if (received > 65536) return end(response, 413)
    }
    const self = await driver.stat(path)
    if (!self) throw noSuchFile(`${encodePath(path)} does not exist.`)
    const listing = self.directory && depth === '1'
    if (listing) permit(call, 'list')
    const children = listing ? await driver.list(path) : []
    response.writeHead(207, { 'content-type': 'application/xml; charset=utf-8' })
    const base = encodePath([vo, ...path])
    response.write('<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n')
    response.write(responseElement(base, self))
    for (const child of children)
      response.write(responseElement(`${base}/${encodeURIComponent(child.name)}`, child))
    response.end('</D:multistatus>\n')
  }

  return (request, response) => {
    handle(request, response).catch((thrown) => {
      const error = toGridError(thrown)
      const status = SPECIAL[error.code] ?? STATUS[error.kind]
      if (error.kind === 'fatal')
        options.log.error({ err: thrown, method: request.method }, 'storage request failed')
      if (response.headersSent || (request.destroyed && !request.complete)) return void response.destroy()
      const challenge = status === 401 ? { 'www-authenticate': 'Bearer realm="storage"' } : {}
      end(
        response,
        status,
        { 'content-type': 'text/plain; charset=utf-8', 'x-error-code': error.code, ...challenge },
        `${error.message}\n`,
      )
    })
  }
}
