import { pfnOf, protocolsFor, type RseProtocol } from '../catalog/index.ts'
import { formatScope, type Identity, type StorageScopeOp } from '../identity/index.ts'
import type { Clock } from '../kernel/index.ts'
import { webdavClient } from '../storage/index.ts'
import { noProtocol } from './errors.ts'
import type { CopyOrder, Mover, Place } from './mover.ts'

export interface GatewayMoverOptions {
  readonly identity: Pick<Identity, 'mint'>
  readonly clock: Clock
  /** Certificate authorities of the storages, PEM. */
  readonly ca?: string | Buffer
}

interface Door {
  readonly url: string
  /** `https://host:port`: the audience of tokens for it. */
  readonly endpoint: string
  /** Below the VO's area, decoded: what token scopes speak of. */
  readonly segments: readonly string[]
}

interface KeptToken {
  readonly vo: string
  readonly operations: readonly StorageScopeOp[]
  readonly token: Promise<string>
  readonly until: number
}

const TOKEN_SECONDS = 1800
const KEEP_TOKEN_MS = 600_000

/** Moves files by asking the destination to fetch them (HTTP third-party copy, pull), with one-file tokens for both. */
export function createGatewayMover(options: GatewayMoverOptions): Mover {
  const client = webdavClient({ ...(options.ca && { ca: options.ca }) })
  const tokens = new Map<string, KeptToken>()

  /** A token for one file; one that permits more of the same file will do while it is young. */
  async function tokenFor(vo: string, door: Door, operations: readonly StorageScopeOp[]): Promise<string> {
    const now = options.clock.now().getTime()
    const known = tokens.get(door.url)
    if (
      known &&
      known.vo === vo &&
      known.until > now &&
      operations.every((op) => known.operations.includes(op))
    )
      return known.token
    if (tokens.size > 2000) for (const old of [...tokens.keys()].slice(0, 1000)) tokens.delete(old)
    const scopes = operations.map((op) =>
      formatScope({ family: 'storage', op, segments: door.segments, dirOnly: false }),
    )
    const token = options.identity
      .mint({ vo, accountId: null, scopes, audience: [door.endpoint], lifetimeSeconds: TOKEN_SECONDS })
      .then((minted) => minted.token)
    tokens.set(door.url, { vo, operations, token, until: now + KEEP_TOKEN_MS })
    token.catch(() => tokens.delete(door.url))
    return token
  }

  return {
    async copy({ source, destination, overwrite, expected, onProgress, signal }: CopyOrder) {
      const [from, to] = [doorOf(source, 'thirdPartyRead'), doorOf(destination, 'thirdPartyWrite')]
      const [sourceToken, destinationToken] = await Promise.all([
        tokenFor(source.vo, from, ['read']),
        tokenFor(destination.vo, to, [overwrite ? 'modify' : 'create', 'read']),
      ])
      await client.copyFrom({
        ...{ sourceUrl: from.url, sourceToken, destinationUrl: to.url, destinationToken },
        ...{ overwrite, onProgress, signal },
        expected: {
          size: expected.bytes,
          ...(expected.adler32 && { adler32: expected.adler32 }),
          ...(expected.md5 && { md5: expected.md5 }),
        },
      })
    },

    async stat(place, signal) {
      const door = doorOf(place, 'read')
      // The copy's token reads too, and is still at hand after a copy.
      const found = await client.stat(door.url, await tokenFor(place.vo, door, ['read']), signal)
      return found && { bytes: found.size, adler32: found.adler32 ?? null, md5: found.md5 ?? null }
    },

    close: () => client.close(),
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
