import { createHash } from 'node:crypto'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Holders } from './holders.ts'
import { signed } from './jws.ts'
import type { Keys } from './keys.ts'
import { formatScope, formatScopes, normalise, parseScope } from './scope.ts'
import type { Usage } from './usage.ts'

export interface MintRequest {
  readonly vo: string
  /** The account on whose behalf the token acts; null for a token of the grid itself. */
  readonly accountId: number | null
  /** Defaults to the account's uuid; anything else must be a client of the account. */
  readonly subject?: string
  /** Canonical scope texts; storage paths are checked. */
  readonly scopes: readonly string[]
  readonly groups?: readonly string[]
  readonly audience: readonly string[]
  /** At most six hours. */
  readonly lifetimeSeconds: number
  /** The client it is issued to. */
  readonly clientId?: string
  /** The grant it comes from: revoked with it. */
  readonly grantId?: string
  /** Who acts for the subject, the present actor first. */
  readonly actors?: readonly string[]
  /** When the person logged in. */
  readonly authenticatedAt?: Date
  /** It ends then at the latest. */
  readonly notAfter?: Date
}

export interface MintedToken {
  readonly token: string
  readonly expiresAt: Date
  readonly tokenId: string
  /** What it permits, canonical. */
  readonly scopes: readonly string[]
}

export interface Minter {
  /** The one place where access tokens of the WLCG profile are made; none is kept. */
  mint(request: MintRequest): Promise<MintedToken>
  /** OpenID Connect Core §2: who logged in, for the client alone. */
  idToken(request: IdTokenRequest): Promise<string>
}

export interface IdTokenRequest {
  readonly vo: string
  readonly subject: string
  readonly clientId: string
  readonly authenticatedAt: Date
  readonly nonce: string | null
  readonly accessToken: string
}

const LONGEST_SECONDS = 6 * 3600
const ID_TOKEN_SECONDS = 3600
/** For clocks that go slow. */
const BACKDATED_SECONDS = 60

export function createMinter(
  context: Context,
  { keys, holders, usage }: { keys: Keys; holders: Holders; usage: Usage },
): Minter {
  const { ids, now, issuer } = context
  const seconds = (at: Date) => Math.floor(at.getTime() / 1000)
  return {
    async mint(request) {
      const signing = await keys.signingKey(request.vo)
      const holder = request.accountId === null ? undefined : await holders.of(request.accountId)
      if (holder && holder.vo !== request.vo) throw e.accountMissing(`The account is not of ${request.vo}.`)
      const tokenId = ids.uuid()
      const iat = seconds(now())
      const wanted = iat + Math.min(request.lifetimeSeconds, LONGEST_SECONDS)
      const exp = request.notAfter ? Math.min(wanted, seconds(request.notAfter)) : wanted
      const scopes = normalise(request.scopes.map(parseScope))
      const scope = formatScopes(scopes)
      const subject = request.subject ?? holder?.uuid ?? 'kumihimo'
      const { groups, clientId, grantId, actors, authenticatedAt } = request
      const payload = {
        iss: issuer(request.vo),
        sub: subject,
        aud: request.audience.length === 1 ? request.audience[0] : request.audience,
        ...{ exp, iat, nbf: iat - BACKDATED_SECONDS, jti: tokenId, 'wlcg.ver': '1.0', scope },
        ...(groups?.length && { 'wlcg.groups': groups }),
        ...(clientId !== undefined && { client_id: clientId }),
        ...(authenticatedAt && { auth_time: seconds(authenticatedAt) }),
        ...(actors?.length && { act: nested(actors) }),
        ...(grantId !== undefined && { kumi_grant: grantId }),
        ...(holder && { kumi_account: holder.name }),
      }
      const { alg, kid, key } = signing
      const token = signed({ alg, kid }, payload, key)
      const expiresAt = new Date(exp * 1000)
      usage.issued({
        ...{ vo: request.vo, actor: clientId ?? holder?.name ?? 'grid', jti: tokenId, sub: subject },
        ...{ scope, aud: request.audience, exp: expiresAt.toISOString() },
        ...(grantId !== undefined && { grant: grantId }),
      })
      if (clientId !== undefined) usage.client(request.vo, clientId)
      return { token, tokenId, expiresAt, scopes: scopes.map(formatScope) }
    },
    async idToken({ vo, subject, clientId, authenticatedAt, nonce, accessToken }) {
      const signing = await keys.signingKey(vo)
      const iat = seconds(now())
      const digest = createHash('sha256').update(accessToken).digest()
      const { alg, kid, key } = signing
      const claims = {
        ...{
          iss: issuer(vo),
          sub: subject,
          aud: clientId,
          exp: iat + ID_TOKEN_SECONDS,
          iat,
          jti: ids.uuid(),
        },
        auth_time: seconds(authenticatedAt),
        at_hash: digest.subarray(0, digest.length / 2).toString('base64url'),
        ...(nonce !== null && { nonce }),
      }
      return signed({ alg, kid }, claims, key)
    },
  }
}

/** RFC 8693 §4.1: the present actor outermost. */
function nested(actors: readonly string[]): Record<string, unknown> | undefined {
  return actors.reduceRight<Record<string, unknown> | undefined>(
    (inner, sub) => ({ sub, ...(inner && { act: inner }) }),
    undefined,
  )
}
