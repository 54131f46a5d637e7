import { Agent, type Dispatcher, request } from 'undici'
import { pfnOf, protocolsFor, type RseProtocol } from '../catalog/index.ts'
import { formatScope, type Identity, type StorageScopeOp } from '../identity/index.ts'
import { type Clock, GridError, isGridError } from '../kernel/index.ts'
import { announcedDigests, digestHeader } from '../storage/index.ts'
import { readCopyAnswer } from './copy-answer.ts'
import { copyFailed, gatewayUnreachable, noProtocol } from './errors.ts'
import type { CopyOrder, FileFacts, Mover, Place } from './mover.ts'

export interface GatewayMoverOptions {
  readonly identity: Pick<Identity, 'mint'>
  readonly clock: Clock
  /** Certificate authorities of the storages, PEM. */
  readonly ca?: string | Buffer
  /** Connections per storage. */
  readonly connections?: number
}

interface Door {
  readonly url: string
  /** `https://host:port`: the audience of tokens for it. */
  readonly endpoint: string
  /** Below the VO's area, decoded: what token scopes speak of. */
  readonly segments: readonly string[]
}

type Party = 'source' | 'destination'

const TOKEN_SECONDS = 1800
const KEEP_TOKEN_MS = 600_000
/** A storage may have to sum up a large file before it answers. */
const STAT_MS = 300_000
const SILENCE_MS = 130_000

/** Moves files by asking the destination to fetch them (HTTP third-party copy, pull), with one-file tokens for both. */
export function createGatewayMover(options: GatewayMoverOptions): Mover {
  const agent = new Agent({
    connections: options.connections ?? 128,
    keepAliveTimeout: 10_000,
    connect: { timeout: 10_000, ...(options.ca && { ca: options.ca }) },
    headersTimeout: SILENCE_MS,
    bodyTimeout: SILENCE_MS,
  })
  const tokens = new Map<string, { token: Promise<string>; until: number }>()

  async function tokenFor(vo: string, door: Door, operations: readonly StorageScopeOp[]): Promise<string> {
    const scopes = operations.map((op) =>
      formatScope({ family: 'storage', op, segments: door.segments, dirOnly: false }),
    )
    const key = `${vo} ${door.endpoint} ${scopes.join(' ')}`
    const now = options.clock.now().getTime()
    const known = tokens.get(key)
    if (known && known.until > now) return known.token
    if (tokens.size > 2000) for (const old of [...tokens.keys()].slice(0, 1000)) tokens.delete(old)
    const token = options.identity
      .mint({ vo, accountId: null, scopes, audience: [door.endpoint], lifetimeSeconds: TOKEN_SECONDS })
      .then((minted) => minted.token)
    tokens.set(key, { token, until: now + KEEP_TOKEN_MS })
    token.catch(() => tokens.delete(key))
    return token
  }

  async function send(
    method: 'COPY' | 'HEAD',
    door: Door,
    party: Party,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> {
    try {
      return await request(door.url, {
        method: method as Dispatcher.HttpMethod,
        dispatcher: agent,
        headers,
        ...(method === 'HEAD' && { headersTimeout: STAT_MS }),
        ...(signal && { signal }),
      })
    } catch (error) {
      throw unreachable(error, door, party, signal)
    }
  }

  return {
    async copy({ source, destination, overwrite, expected, onProgress, signal }: CopyOrder) {
      const [from, to] = [doorOf(source, 'thirdPartyRead'), doorOf(destination, 'thirdPartyWrite')]
      const [passive, active] = await Promise.all([
        tokenFor(source.vo, from, ['read']),
        tokenFor(destination.vo, to, [overwrite ? 'modify' : 'create', 'read']),
      ])
      const digest = digestHeader(
        {
          ...(expected.adler32 && { adler32: expected.adler32 }),
          ...(expected.md5 && { md5: expected.md5 }),
        },
        ['adler32', 'md5'],
      )
      const headers = {
        authorization: `Bearer ${active}`,
        transferheaderauthorization: `Bearer ${passive}`,
        source: from.url,
        credential: 'none',
        overwrite: overwrite ? 'T' : 'F',
        // Foreign storages ignore this; ours refuses other bytes before they become visible.
        ...(digest && { digest }),
      }
      const answer = await send('COPY', to, 'destination', headers, signal)
      if (answer.statusCode >= 300) throw refusal(answer, await bodyText(answer), 'destination')
      try {
        await readCopyAnswer(answer.body, onProgress)
      } catch (error) {
        throw isGridError(error) ? error : unreachable(error, to, 'destination', signal)
      }
    },

    async stat(place, signal) {
      const door = doorOf(place, 'read')
      // The copy's token reads too, and is still at hand after a copy.
      const token = await tokenFor(place.vo, door, ['read'])
      const headers = { authorization: `Bearer ${token}`, 'want-digest': 'adler32,md5' }
      const answer = await send('HEAD', door, 'destination', headers, signal)
      await answer.body.dump()
      if (answer.statusCode === 404) return undefined
      if (answer.statusCode !== 200) throw refusal(answer, '', 'destination')
      return factsOf(answer)
    },

    close: () => agent.destroy(),
  }
}

function doorOf(
  { vo, rse, did, path }: Place,
  operation: 'read' | 'thirdPartyRead' | 'thirdPartyWrite',
): Door {
  const web = (p: RseProtocol) => p.scheme === 'https' || p.scheme === 'davs'
  const protocol = protocolsFor(rse, operation).find(web) ?? protocolsFor(rse, 'read').find(web)
  if (!protocol)
    throw noProtocol(`${rse.name} has no https protocol for ${operation}; add one to the RSE.`, {
      rse: rse.name,
    })
  const endpoint = `https://${protocol.hostname}:${protocol.port || 443}`
  const pfn = pfnOf(rse, protocol, did, path)
  const segments = pfn
    .replace(/^[a-z]+:\/\/[^/]*/, '')
    .split('/')
    .filter(Boolean)
  const url = `${endpoint}/${segments.map(encodeURIComponent).join('/')}`
  return { url, endpoint, segments: segments[0] === vo ? segments.slice(1) : segments }
}

function factsOf(answer: Dispatcher.ResponseData): FileFacts {
  const length = answer.headers['content-length']
  let digests: { adler32?: string; md5?: string } = {}
  try {
    digests = announcedDigests({ digest: answer.headers.digest })
  } catch {
    // A storage that writes nonsense tells no checksum; the comparison then fails if one is needed.
  }
  return {
    bytes: typeof length === 'string' && /^\d+$/.test(length) ? BigInt(length) : -1n,
    adler32: digests.adler32 ?? null,
    md5: digests.md5 ?? null,
  }
}

async function bodyText(answer: Dispatcher.ResponseData): Promise<string> {
  const text = await answer.body.text().catch(() => '')
  return text.trim().slice(0, 500)
}

function refusal(answer: Dispatcher.ResponseData, text: string, party: Party): GridError {
  const code = answer.headers['x-error-code']
  const remote = typeof code === 'string' && code.startsWith('remote_')
  // A refusal before the first byte may be about the source: then its answer is in the text.
  const answered = /answered (\d{3})/.exec(text)?.[1]
  const status = remote ? (answered ? Number(answered) : undefined) : answer.statusCode
  const details = { party: remote ? 'source' : party, ...(status && { status }) }
  const message = text || `The storage answered ${answer.statusCode}.`
  return typeof code === 'string'
    ? new GridError({ code, kind: 'transient', message, details })
    : copyFailed(message, details)
}

function unreachable(error: unknown, door: Door, party: Party, signal?: AbortSignal): unknown {
  if (isGridError(error)) return error
  if (signal?.aborted) return signal.reason ?? error
  const code = (error as { code?: unknown }).code
  return gatewayUnreachable(
    `${door.endpoint} cannot be reached (${String(code ?? error)}).`,
    { party },
    error,
  )
}
