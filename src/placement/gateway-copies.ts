import { pfnOf, protocolsFor, type Rse } from '../catalog/index.ts'
import { formatScope, type Identity, type StorageScopeOp } from '../identity/index.ts'
import { defineError, isGridError } from '../kernel/index.ts'
import type { WebdavClient } from '../storage/index.ts'
import type { CopyStore, FileAt } from './deletion-steps.ts'

const noProtocol = defineError('fatal', 'no_protocol')

const TRASH = '.trash'
const TOKEN_SECONDS = 900

interface GatewayCopiesOptions {
  readonly identity: Pick<Identity, 'mint'>
  readonly client: WebdavClient
}

/** Trash, restore, purge and verify over the storage doors, each with a token for just these paths. */
export function gatewayCopies({ identity, client }: GatewayCopiesOptions): CopyStore {
  const token = async (at: Place, op: StorageScopeOp[]): Promise<string> => {
    const scopes = op.map((o) =>
      formatScope({ family: 'storage', op: o, segments: at.segments, dirOnly: false }),
    )
    return mint(at, scopes)
  }
  const tokenForBoth = (a: Place, b: Place): Promise<string> =>
    mint(
      a,
      [a, b].map((at) =>
        formatScope({ family: 'storage', op: 'modify', segments: at.segments, dirOnly: false }),
      ),
    )
  const mint = async (at: Place, scopes: string[]): Promise<string> => {
    const request = {
      vo: at.vo,
      accountId: null,
      scopes,
      audience: [at.endpoint],
      lifetimeSeconds: TOKEN_SECONDS,
    }
    return (await identity.mint(request)).token
  }
  const rename = async (from: Place, to: Place): Promise<void> => {
    try {
      await client.move(from.url, await tokenForBoth(from, to), to.url, true)
    } catch (error) {
      // Moved before, by an attempt whose answer was lost; or not there at all, which deletion may take for done.
      if (!isGridError(error, 'no_such_file')) throw error
    }
  }
  return {
    trash: (rse, file, id) => rename(placeOf(rse, file), trashOf(rse, id)),
    restore: (rse, file, id) => rename(trashOf(rse, id), placeOf(rse, file)),
    async purge(rse, id) {
      const at = trashOf(rse, id)
      await client.remove(at.url, await token(at, ['modify']))
    },
    async verify(rse, file, checksum) {
      const at = placeOf(rse, file)
      const found = await client.stat(at.url, await token(at, ['read']), undefined, checksum === 'anew')
      if (!found || found.size !== file.bytes) return false
      const wanted = file.adler32 === null ? undefined : (file.adler32 >>> 0).toString(16).padStart(8, '0')
      return wanted === undefined || found.adler32 === undefined || found.adler32 === wanted
    },
  }
}

interface Place {
  readonly vo: string
  readonly endpoint: string
  readonly url: string
  /** Below the VO's area: what token scopes speak of. */
  readonly segments: readonly string[]
}

function placeOf(rse: Rse, file: FileAt): Place {
  const protocol = webProtocol(rse)
  const path = pfnOf(rse, protocol, file, file.path).replace(/^[a-z]+:\/\/[^/]*/, '')
  return place(rse, protocol, path.split('/').filter(Boolean))
}

function trashOf(rse: Rse, id: string): Place {
  const protocol = webProtocol(rse)
  return place(rse, protocol, [...protocol.prefix.split('/').filter(Boolean).slice(0, 1), TRASH, id])
}

function webProtocol(rse: Rse) {
  const protocol = protocolsFor(rse, 'delete').find((p) => p.scheme === 'https' || p.scheme === 'davs')
  if (!protocol) throw noProtocol(`${rse.name} has no https protocol that may delete; add one to the RSE.`)
  return protocol
}

function place(rse: Rse, protocol: { hostname: string; port: number }, path: readonly string[]): Place {
  const endpoint = `https://${protocol.hostname}:${protocol.port || 443}`
  const url = `${endpoint}/${path.map(encodeURIComponent).join('/')}`
  return { vo: rse.vo, endpoint, url, segments: path[0] === rse.vo ? path.slice(1) : path }
}
