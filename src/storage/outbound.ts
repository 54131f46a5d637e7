import { lookup } from 'node:dns/promises'
import type { IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import {
  hostNotAllowed,
  remoteFailed,
  remoteOverloaded,
  remoteRefused,
  remoteRejected,
  remoteUnreachable,
} from './errors.ts'

export interface OutboundRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
  readonly party: 'source' | 'destination'
}

/** The only way a gateway speaks to hosts that a client names. */
export type Outbound = (wanted: OutboundRequest) => Promise<IncomingMessage>

const CREDENTIALS = /^(authorization|cookie|proxy-authorization|x-.*(token|key|secret).*)$/i
const STALL_MS = 120_000

/**
 * HTTPS only, to the listed `host:port` only, also after each of at most three redirects; the address is resolved
 * once and that address is used. Credentials do not follow a redirect to another host.
 */
export function guardedOutbound(options: { allowed: readonly string[]; ca?: string | Buffer }): Outbound {
  const allowed = new Set(options.allowed.map((peer) => peer.toLowerCase()))
  return async function send(wanted, redirects = 3): Promise<IncomingMessage> {
    const url = checkedUrl(wanted.url, allowed)
    const { address, family } = await lookup(url.hostname.replace(/^\[|\]$/g, '')).catch((error) => {
      throw remoteUnreachable(
        `${url.host} has no address.`,
        { party: wanted.party, class: 'overload' },
        error,
      )
    })
    const answer = await once(wanted, url, address, family, options.ca)
    const status = answer.statusCode ?? 0
    if (status >= 200 && status < 300) return answer
    answer.resume()
    const to = answer.headers.location
    if ([301, 302, 303, 307, 308].includes(status) && to && redirects > 0 && !wanted.body) {
      const next = new URL(to, url)
      const kept = Object.entries(wanted.headers ?? {}).filter(
        ([name]) => next.host === url.host || !CREDENTIALS.test(name),
      )
      const again = send as (w: OutboundRequest, r: number) => Promise<IncomingMessage>
      return again({ ...wanted, url: next.href, headers: Object.fromEntries(kept) }, redirects - 1)
    }
    throw failure(status, url, wanted.party)
  } as Outbound
}

/** `host:port` in lower case, or a rule over them. */
export type AllowedHosts = ReadonlySet<string> | ((host: string) => boolean)

/** An https (or davs) address without user name, at a host that may be spoken to; throws `host_not_allowed`. */
export function checkedUrl(text: string, allowed?: AllowedHosts): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const davs =
    url && /^(https|davs):$/.test(url.protocol)
      ? new URL(`https${url.href.slice(url.href.indexOf(':'))}`)
      : undefined
  if (!davs || davs.username || davs.password)
    throw hostNotAllowed('Only https addresses without user names are allowed.')
  const host = `${davs.hostname}:${davs.port || 443}`
  if (allowed && !(typeof allowed === 'function' ? allowed(host) : allowed.has(host)))
    throw hostNotAllowed(`${davs.host} is not among the storages this gateway may speak to.`)
  return davs
}

function once(
  wanted: OutboundRequest,
  url: URL,
  address: string,
  family: number,
  ca?: string | Buffer,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const facts = { party: wanted.party, class: 'overload' }
    const req = request({
      host: address,
      family,
      port: url.port || 443,
      path: url.pathname + url.search,
      method: wanted.method,
      servername: url.hostname,
      headers: { ...wanted.headers, host: url.host },
      agent: false,
      ...(ca && { ca }),
      ...(wanted.signal && { signal: wanted.signal }),
      highWaterMark: 1 << 20,
    } as RequestOptions)
    req.setTimeout(STALL_MS, () => req.destroy(remoteUnreachable(`${url.host} made no progress.`, facts)))
    req.on('response', resolve)
    req.on('error', (error) =>
      reject(
        wanted.signal?.aborted ? error : remoteUnreachable(`${url.host} cannot be reached.`, facts, error),
      ),
    )
    if (!wanted.body) return void req.end()
    pump(wanted.body, req).catch((error) => req.destroy(error))
  })
}

async function pump(body: AsyncIterable<Uint8Array>, to: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of body)
    if (!to.write(chunk))
      await new Promise((done, failed) => {
        const settle = (f: (e?: unknown) => void) => (e?: unknown) => {
          to.off('drain', ok)
          to.off('close', bad)
          f(e)
        }
        const ok = settle(done as () => void)
        const bad = settle(() => failed(remoteFailed('The connection closed early.', {})))
        to.once('drain', ok)
        to.once('close', bad)
      })
  to.end()
}

function failure(status: number, url: URL, party: string): Error {
  const text = `${url.host} answered ${status} for ${url.pathname}.`
  if (status === 429 || status === 503) return remoteOverloaded(text, { party, status, class: 'overload' })
  if (status === 401 || status === 403) return remoteRefused(text, { party, status, class: 'final' })
  if (status >= 500 && status !== 507) return remoteFailed(text, { party, status, class: 'transient' })
  return remoteRejected(text, { party, status, class: 'final' })
}
