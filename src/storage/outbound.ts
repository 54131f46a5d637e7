import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { GridError } from '../kernel/errors.ts'
import { guardedLookup, refuseAddress, type Trust } from './addresses.ts'
import {
  hostNotAllowed,
  remoteFailed,
  remoteOverloaded,
  remoteRefused,
  remoteRejected,
  remoteUnreachable,
} from './errors.ts'

export interface OutboundRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
  readonly party: 'source' | 'destination'
  /** Answers come as they are, for those who read what a refusal says; redirects are not followed. */
  readonly anyStatus?: boolean
}

/** The only way to hosts that a client, a certificate or a foreign document names. */
export interface Outbound {
  (wanted: OutboundRequest): Promise<IncomingMessage>
  /** Ends idle connections. */
  close(): void
}

export interface OutboundOptions {
  /** `host:port` of those that may be spoken to, wherever their addresses are. */
  readonly allowed: readonly string[]
  /** Whether any other host may be asked for documents, at public addresses and the usual ports; default no. `https`: never by plain HTTP. */
  readonly publicDocuments?: boolean | 'https'
  /** Whether documents of the listed hosts may be fetched by plain HTTP, too; default no. For what is signed. */
  readonly listedPlain?: boolean
  readonly ca?: string | Buffer | readonly string[]
  /** A certificate with its key to show to the listed hosts, PEM. */
  readonly identity?: { readonly cert: string; readonly key: string }
  /** Requests at once; one more is refused with `remote_overloaded`, so that clients slow down. */
  readonly most?: number
  /** Without a byte in either direction for so long, a request is given up. */
  readonly stallMs?: number
  readonly connectMs?: number
}

const DOCUMENT_PORTS = new Set(['', '80', '443', '8443'])

/** `host:port` in lower case, or a rule over them. */
export type AllowedHosts = ReadonlySet<string> | ((host: string) => boolean)

const CREDENTIALS = /^(authorization|cookie|proxy-authorization|x-.*(token|key|secret).*)$/i
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/**
 * HTTPS only, to the listed `host:port` only, also after each of at most three redirects. Credentials do not follow
 * a redirect to another host. The address is judged when the name is resolved, and the connection goes to that one.
 * With `publicDocuments`, a GET without credentials may also go to other hosts, and by plain HTTP: revocation lists are
 * signed and published so. Connections are kept for a while, because files come in long rows from one storage.
 */
export function guardedOutbound(options: OutboundOptions): Outbound {
  const { most = 256, stallMs = 120_000, connectMs = 10_000 } = options
  const ca = options.ca as string | Buffer | string[] | undefined
  const allowed = new Set(options.allowed.map((peer) => peer.toLowerCase()))
  const agent = new Agent({
    keepAlive: true,
    keepAliveMsecs: 10_000,
    maxFreeSockets: 16,
    timeout: stallMs,
    ...(ca && { ca }),
    ...options.identity,
  })
  const documents = {
    'https:': new Agent({ timeout: stallMs, ...(ca && { ca }) }),
    'http:': new HttpAgent({ timeout: stallMs }),
  }
  const plain = new HttpAgent({
    keepAlive: true,
    keepAliveMsecs: 10_000,
    maxFreeSockets: 16,
    timeout: stallMs,
  })
  let running = 0

  /** The agent for an address, after it was found permitted; connections of strangers are not kept. */
  function routeTo(wanted: OutboundRequest): { url: URL; agent: Agent | HttpAgent; trust: Trust } {
    const bare =
      wanted.method === 'GET' && !Object.keys(wanted.headers ?? {}).some((h) => CREDENTIALS.test(h))
    if (bare && options.listedPlain) {
      const url = URL.parse(wanted.url)
      const host = `${url?.hostname}:${url?.port || 80}`
      if (url?.protocol === 'http:' && !url.username && !url.password && allowed.has(host)) {
        refuseAddress(url.hostname, 'listed')
        return { url, agent: plain, trust: 'listed' }
      }
    }
    if (!options.publicDocuments || !bare || isListed(wanted.url, allowed)) {
      const url = checkedUrl(wanted.url, allowed)
      refuseAddress(url.hostname, 'listed')
      return { url, agent, trust: 'listed' }
    }
    const url = URL.parse(wanted.url)
    const byHttp = url?.protocol === 'http:' && options.publicDocuments !== 'https'
    const scheme = byHttp ? 'http:' : url?.protocol === 'https:' ? 'https:' : undefined
    if (!url || !scheme || url.username || url.password || !DOCUMENT_PORTS.has(url.port)) {
      throw hostNotAllowed(
        'Documents are fetched by http or https at the usual ports only, without user names.',
      )
    }
    refuseAddress(url.hostname, 'public')
    return { url, agent: documents[scheme], trust: 'public' }
  }

  async function send(wanted: OutboundRequest, redirects = 3): Promise<IncomingMessage> {
    const { url, ...way } = routeTo(wanted)
    if (running >= most)
      throw remoteOverloaded(`${running} copies are running here already.`, {
        party: 'destination',
        class: 'overload',
      })
    running++
    let answer: IncomingMessage
    try {
      answer = await once(wanted, url, { ...way, stallMs, connectMs })
    } catch (error) {
      running--
      throw error
    }
    answer.once('close', () => running--)
    const status = answer.statusCode ?? 0
    if (wanted.anyStatus || (status >= 200 && status < 300)) return answer
    answer.resume()
    const to = answer.headers.location
    if (!REDIRECTS.has(status) || !to || redirects === 0 || wanted.body || !URL.canParse(to, url.href))
      throw failure(status, url, wanted.party, answer.statusMessage)
    const next = new URL(to, url)
    const kept = Object.entries(wanted.headers ?? {}).filter(
      ([name]) => next.host === url.host || !CREDENTIALS.test(name),
    )
    return send({ ...wanted, url: next.href, headers: Object.fromEntries(kept) }, redirects - 1)
  }
  return Object.assign((wanted: OutboundRequest) => send(wanted), {
    close: () => {
      for (const each of [agent, plain, ...Object.values(documents)]) each.destroy()
    },
  })
}

function isListed(text: string, allowed: ReadonlySet<string>): boolean {
  const url = URL.parse(text.replace(/^davs:/i, 'https:'))
  return url?.protocol === 'https:' && allowed.has(`${url.hostname}:${url.port || 443}`)
}

/** An https (or davs) address without user name, at a host that may be spoken to; throws `host_not_allowed`. */
export function checkedUrl(text: string, allowed?: AllowedHosts): URL {
  const https = text.replace(/^davs:/i, 'https:')
  const url = URL.canParse(https) ? new URL(https) : undefined
  if (url?.protocol !== 'https:' || url.username || url.password)
    throw hostNotAllowed('Only https addresses without user names are allowed.')
  const host = `${url.hostname}:${url.port || 443}`
  if (allowed && !(typeof allowed === 'function' ? allowed(host) : allowed.has(host)))
    throw hostNotAllowed(`${url.host} is not among the storages that may be spoken to.`)
  return url
}

function once(
  wanted: OutboundRequest,
  url: URL,
  limits: { agent: Agent | HttpAgent; trust: Trust; stallMs: number; connectMs: number },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const facts = { party: wanted.party, class: 'overload' }
    const unreachable = (why: string, cause?: unknown): GridError =>
      remoteUnreachable(`${url.host} ${why}.`, facts, cause)
    const options: RequestOptions = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (url.protocol === 'http:' ? 80 : 443),
      lookup: guardedLookup(limits.trust),
      path: url.pathname + url.search,
      method: wanted.method,
      headers: { ...wanted.headers, host: url.host },
      agent: limits.agent,
      ...(wanted.signal && { signal: wanted.signal }),
    }
    const req = (url.protocol === 'http:' ? httpRequest : request)(options, resolve)
    const connecting = setTimeout(
      () => req.destroy(unreachable('does not accept connections')),
      limits.connectMs,
    )
    req.on('socket', (socket) => {
      if (!socket.connecting) return clearTimeout(connecting)
      socket.once(url.protocol === 'http:' ? 'connect' : 'secureConnect', () => clearTimeout(connecting))
    })
    req.once('close', () => clearTimeout(connecting))
    req.setTimeout(limits.stallMs, () => req.destroy(unreachable('made no progress')))
    req.on('error', (error) => {
      const ours = wanted.signal?.aborted || error instanceof GridError
      reject(ours ? error : unreachable('cannot be reached', error))
    })
    if (!wanted.body) return void req.end()
    pump(wanted.body, req).catch((error) => req.destroy(error))
  })
}

async function pump(body: AsyncIterable<Uint8Array>, to: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of body)
    if (!to.write(chunk))
      await new Promise<void>((resolve, reject) => {
        const drained = (): void => {
          to.off('close', closed)
          resolve()
        }
        const closed = (): void => {
          to.off('drain', drained)
          reject(remoteFailed('The connection closed early.', {}))
        }
        to.once('drain', drained)
        to.once('close', closed)
      })
  to.end()
}

function failure(status: number, url: URL, party: string, said = ''): Error {
  const text = `${url.host} answered ${status} for ${url.pathname}.`
  if (status === 429 || status === 503)
    return remoteOverloaded(text, { party, status, said, class: 'overload' })
  if (status === 401 || status === 403) return remoteRefused(text, { party, status, said, class: 'final' })
  if (status >= 500 && status !== 507) return remoteFailed(text, { party, status, said, class: 'transient' })
  return remoteRejected(text, { party, status, said, class: 'final' })
}
