import { SignJWT } from 'jose'
import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import type { Client } from './client.ts'
import type { Keys } from './keys.ts'
import { formatScope, formatScopes, intersect, normalise, parseScope } from './scope.ts'
import { ANY_AUDIENCE, type Claims, tokenChecker } from './token.ts'
import { type BearerFacts, insertRevoked, selectBearer } from './tokens.store.ts'

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
}

export interface MintedToken {
  readonly token: string
  readonly expiresAt: Date
  readonly tokenId: string
  /** What it permits, canonical. */
  readonly scopes: readonly string[]
}

export interface Tokens {
  /** Who the bearer is; throws invalid_token, or account_suspended. */
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  /** As `verify`, whatever the audience: for introspection and revocation, never to let somebody in. */
  inspect(token: string): Promise<Principal>
  mint(request: MintRequest): Promise<MintedToken>
  /** A token for a client that `authenticateClient` let in. */
  clientToken(request: {
    client: Client
    scopes?: readonly string[]
    audience?: readonly string[]
  }): Promise<MintedToken>
  /** Refuses the token everywhere on the server from now on. */
  revoke(tokenId: string, expiresAt: Date): Promise<void>
}

const LONGEST_SECONDS = 6 * 3600
const CLIENT_SECONDS = 3600

export function createTokens(context: Context, keys: Keys, policies: Policies): Tokens {
  const { db, pool, ids, now, issuer } = context
  const bearers = context.memory<BearerFacts>()
  const voOf = (iss: string) => iss.slice(issuer('').length)
  const checker = tokenChecker({
    now,
    trusts: (iss) => iss.startsWith(issuer('')) && /^[a-z][a-z0-9-]{0,31}$/.test(voOf(iss)),
    keyOf: (iss, kid) => keys.publicKey(voOf(iss), kid),
  })
  const principalOf = async (token: string, audience: readonly string[] | 'any'): Promise<Principal> => {
    const claims = await checker.check(token, audience)
    const bearer = { vo: voOf(claims.iss), account: claims.account, subject: claims.sub, tokenId: claims.jti }
    const facts = await bearers.get(Object.values(bearer).join(' '), () => selectBearer(pool, bearer))
    await policies.refresh()
    refuseBadBearer(claims, facts)
    return {
      kind: facts.account?.kind === 'SERVICE' || !facts.account ? 'service' : 'user',
      accountId: facts.account?.id ?? null,
      account: claims.account,
      vo: bearer.vo,
      issuer: claims.iss,
      subject: claims.sub,
      groups: claims.groups,
      attributes: facts.account?.attributes ?? {},
      scopes: claims.scopes,
      audience: claims.aud,
      tokenId: claims.jti,
      expiresAt: new Date(claims.exp * 1000),
      method: 'token',
      limited: false,
      clientId: claims.clientId,
      actors: claims.actors,
    }
  }
  const self: Tokens = {
    verify: (token, { audience }) => principalOf(token, audience),
    inspect: (token) => principalOf(token, 'any'),
    async mint(request) {
      const signing = await keys.signingKey(request.vo)
      const account = request.accountId === null ? undefined : await accountOf(context, request.accountId)
      if (account && account.vo !== request.vo) throw e.accountMissing(`The account is not of ${request.vo}.`)
      if (account && account.status !== 'ACTIVE') {
        throw e.accountSuspended(`The account ${account.name} is suspended or deleted.`)
      }
      const tokenId = ids.uuid()
      const iat = Math.floor(now().getTime() / 1000)
      const exp = iat + Math.min(request.lifetimeSeconds, LONGEST_SECONDS)
      const scopes = normalise(request.scopes.map(parseScope))
      const token = await new SignJWT({
        'wlcg.ver': '1.0',
        scope: formatScopes(scopes),
        ...(request.groups?.length && { 'wlcg.groups': request.groups }),
        ...(account && { kumi_account: account.name }),
      })
        .setProtectedHeader({ alg: 'ES256', kid: signing.kid, typ: 'JWT' })
        .setIssuer(issuer(request.vo))
        .setSubject(request.subject ?? account?.uuid ?? 'kumihimo')
        .setAudience(request.audience.length === 1 ? request.audience[0]! : [...request.audience])
        .setIssuedAt(iat)
        .setNotBefore(iat - 60)
        .setExpirationTime(exp)
        .setJti(tokenId)
        .sign(signing.key)
      return { token, tokenId, expiresAt: new Date(exp * 1000), scopes: scopes.map(formatScope) }
    },
    async clientToken({ client, scopes, audience }) {
      const asked = audience?.length ? audience : client.audiences.length ? client.audiences : [ANY_AUDIENCE]
      if (client.audiences.length && !asked.every((a) => client.audiences.includes(a))) {
        throw e.invalidScope('The client may not ask for this audience.')
      }
      return self.mint({
        vo: client.vo,
        accountId: client.accountId,
        subject: client.id,
        scopes: narrowed(client.scopes, scopes),
        audience: asked,
        lifetimeSeconds: CLIENT_SECONDS,
      })
    },
    async revoke(tokenId, expiresAt) {
      await insertRevoked(db, tokenId, expiresAt)
      context.forget()
    },
  }
  return self
}

/** The scopes asked for as far as they are permitted; all of them when none is named. */
export function narrowed(most: readonly string[], asked: readonly string[] | undefined): readonly string[] {
  if (!asked?.length) return most
  const granted = intersect(most.map(parseScope), asked.map(parseScope)).map(formatScope)
  if (granted.length === 0) throw e.invalidScope('None of these scopes may be asked for here.')
  return granted
}

function refuseBadBearer(claims: Claims, { revoked, account, client }: BearerFacts): void {
  if (revoked) throw e.invalidToken('The token was revoked; log in again.')
  if (claims.account === null) return
  if (account?.status !== 'ACTIVE') {
    throw e.accountSuspended(`The account ${claims.account} is suspended or deleted.`)
  }
  if (claims.sub === account.uuid) return
  if (client?.accountId !== account.id) throw e.invalidToken('The token is of a client that is gone.')
  if (!client.enabled) throw e.invalidToken('The client of this token is disabled.')
}
