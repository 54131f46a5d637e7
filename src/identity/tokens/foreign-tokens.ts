import { invalidToken, keysUnavailable } from '../errors.ts'
import { anonymous, type Principal } from '../principal.ts'
import { unverified } from './jws.ts'
import type { Scope } from './scope.ts'
import { type Claims, importKey, type PublicKey, tokenChecker } from './token.ts'
import type { ForeignBearer, IssuerTrust } from './trust.ts'

export interface ForeignTokensOptions {
  /** The issuers trusted now; the same object as long as nothing changed. */
  trusted(): Promise<readonly IssuerTrust[]>
  /** Looks once, and not often, whether the issuer has this key meanwhile. */
  unknownKey(issuer: string, kid: string): Promise<void>
  now(): Date
}

export interface ForeignTokens {
  /** Whether the token says that it is of a trusted issuer of others; nothing is verified. */
  claimed(token: string): Promise<boolean>
  /**
   * The bearer, with nothing but what the trust gives: storage scopes below its path, groups under its name. Throws
   * invalid_token, and issuer_keys_unavailable when the keys are too old.
   */
  verify(
    token: string,
    audience: readonly string[] | 'any',
  ): Promise<{ principal: Principal; bearer: ForeignBearer }>
}

interface Known {
  readonly trust: IssuerTrust
  readonly keys: ReadonlyMap<string, PublicKey>
}

/**
 * Verifies tokens of issuers of others. What a token says of accounts, clients and grants here is ignored: only our own
 * issuer knows them.
 */
export function foreignTokens(options: ForeignTokensOptions): ForeignTokens {
  let from: readonly IssuerTrust[] | undefined
  let known: ReadonlyMap<string, Known> = new Map()
  const current = async (): Promise<ReadonlyMap<string, Known>> => {
    const list = await options.trusted()
    if (list === from) return known
    from = list
    known = new Map(list.map((trust) => [trust.issuer, { trust, keys: keysOf(trust) }]))
    // A key or an issuer may be gone: what was signed with it is checked anew.
    checker.forget()
    return known
  }
  const checker = tokenChecker({
    now: options.now,
    trusts: (issuer) => known.has(issuer),
    async keyOf(issuer, kid) {
      const key = known.get(issuer)?.keys.get(kid)
      if (key) return key
      await options.unknownKey(issuer, kid)
      return (await current()).get(issuer)?.keys.get(kid)
    },
  })
  const trustIn = async (token: string): Promise<IssuerTrust | undefined> => {
    const here = await current()
    if (here.size === 0) return undefined
    const issuer = unverified(token)?.payload.iss
    return typeof issuer === 'string' ? here.get(issuer)?.trust : undefined
  }
  return {
    claimed: async (token) => (await trustIn(token)) !== undefined,
    async verify(token, audience) {
      const trust = await trustIn(token)
      if (trust && new Date(trust.keysUntil) <= options.now()) {
        throw keysUnavailable(`The keys of ${trust.issuer} could not be fetched for too long.`)
      }
      const accepted = audience === 'any' ? audience : [...audience, ...(trust?.audiences ?? [])]
      const claims = await checker.check(token, accepted)
      // The list may have changed while the signature was checked.
      const still = (await current()).get(claims.iss)?.trust
      if (!still) throw invalidToken('The token is from an issuer that is trusted no more.')
      const capable = claims.scopes.some(isCapability)
      const accountId = Object.hasOwn(still.accounts, claims.sub) ? still.accounts[claims.sub]! : null
      return { principal: guestOf(still, claims, capable), bearer: { accountId, capable } }
    },
  }
}

const keysOf = ({ jwks }: IssuerTrust): Map<string, PublicKey> =>
  new Map(jwks.keys.flatMap((jwk) => importKey(jwk) ?? []).map((key) => [key.kid, key]))

const isCapability = ({ family, ...scope }: Scope): boolean =>
  family === 'storage' || ('word' in scope && /^compute\.|^wlcg\.capabilityset:/.test(scope.word))

function guestOf(trust: IssuerTrust, claims: Claims, capable: boolean): Principal {
  return {
    ...anonymous,
    kind: 'user',
    guest: true,
    vo: trust.vo,
    issuer: claims.iss,
    // Never equal to a client, an account or a subject of ours.
    subject: `${claims.iss} ${claims.sub}`,
    groups: capable ? [] : claims.groups.flatMap((group) => groupUnder(trust.name, group)),
    scopes: claims.scopes.flatMap((scope) => scopeBelow(trust.path, scope)),
    audience: claims.aud,
    tokenId: claims.jti,
    expiresAt: new Date(claims.exp * 1000),
    actors: claims.actors,
  }
}

/** `/atlas/production` of an issuer named `iam.example.org` is `/iam.example.org/atlas/production` here. */
const groupUnder = (name: string, group: string): string[] =>
  /^(\/[A-Za-z0-9][A-Za-z0-9_.-]*)+$/.test(group) ? [`/${name}${group}`] : []

/** Storage scopes move below the path; all others mean nothing here. */
function scopeBelow(path: readonly string[], scope: Scope): Scope[] {
  if (scope.family !== 'storage') return []
  const segments = [...path, ...scope.segments]
  // Of the whole area of the other issuer, which is a directory here.
  return [{ ...scope, segments, dirOnly: scope.dirOnly || scope.segments.length === 0, from: path.length }]
}
