import { wake } from '../../kernel/events.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import { audienceOf } from './audience.ts'
import type { Client } from './client.ts'
import { entitled } from './entitlement.ts'
import type { Holders } from './holders.ts'
import type { Keys } from './keys.ts'
import type { MintedToken, Minter } from './mint.ts'
import type { Refused } from './refused.ts'
import type { ScopePolicyBook } from './scope-policies.ts'
import { type Claims, tokenChecker } from './token.ts'
import { type BearerFacts, insertRevoked, selectBearer, selectRefused } from './tokens.store.ts'

export interface Tokens {
  /** Who the bearer is; throws invalid_token, or account_suspended. */
  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  /** As `verify`, whatever the audience: for introspection and revocation, never to let somebody in. */
  inspect(token: string): Promise<Principal>
  /** A token for a client that `authenticateClient` let in; all its scopes when none is named. */
  clientToken(request: {
    client: Client
    scopes?: readonly string[]
    audience?: readonly string[]
  }): Promise<MintedToken>
  /** Refuses the token everywhere, at servers and gateways, from now on. */
  revoke(tokenId: string, expiresAt: Date): Promise<void>
  /** What gateways of the VO refuse. */
  refusedIn(vo: string): Promise<Refused>
}

export function createTokens(
  context: Context,
  deps: {
    keys: Keys
    policies: Policies
    holders: Holders
    minter: Minter
    scopePolicies: ScopePolicyBook
  },
): Tokens {
  const { db, now, issuer } = context
  const { keys, policies, holders, minter, scopePolicies } = deps
  const bearers = context.memory<BearerFacts>()
  const refused = context.memory<Refused>()
  const voOf = (iss: string) => iss.slice(issuer('').length)
  const checker = tokenChecker({
    now,
    trusts: (iss) => iss.startsWith(issuer('')) && /^[a-z][a-z0-9-]{0,31}$/.test(voOf(iss)),
    keyOf: (iss, kid) => keys.publicKey(voOf(iss), kid),
  })
  const principalOf = async (token: string, audience: readonly string[] | 'any'): Promise<Principal> => {
    const claims = await checker.check(token, audience)
    const { account, sub: subject, jti: tokenId, clientId, grantId } = claims
    const bearer = { vo: voOf(claims.iss), account, subject, tokenId, clientId, grantId }
    const facts = await bearers.get(Object.values(bearer).join(' '), () => selectBearer(db, bearer))
    await policies.refresh()
    refuseBadBearer(claims, facts)
    return {
      kind: facts.account?.kind === 'SERVICE' || !facts.account ? 'service' : 'user',
      accountId: facts.account?.id ?? null,
      account,
      vo: bearer.vo,
      issuer: claims.iss,
      subject,
      groups: claims.groups,
      attributes: facts.account?.attributes ?? {},
      scopes: claims.scopes,
      audience: claims.aud,
      tokenId,
      expiresAt: new Date(claims.exp * 1000),
      ...(claims.authenticatedAt && { authenticatedAt: claims.authenticatedAt }),
      method: 'token',
      limited: false,
      clientId,
      actors: claims.actors,
    }
  }
  return {
    verify: (token, { audience }) => principalOf(token, audience),
    inspect: (token) => principalOf(token, 'any'),
    async clientToken({ client, scopes, audience }) {
      if (client.accountId === null) throw e.unauthorizedClient('The client acts for people only.')
      const holder = await holders.of(client.accountId)
      const asked = scopes?.length ? scopes : client.scopes
      const entitlement = await entitled(scopePolicies, { holder, client, service: true, asked })
      return minter.mint({
        ...{ vo: client.vo, accountId: client.accountId, subject: client.id, clientId: client.id },
        ...entitlement,
        audience: audienceOf(client, audience ?? []),
        lifetimeSeconds: client.accessSeconds,
      })
    },
    async revoke(tokenId, expiresAt) {
      await insertRevoked(db, tokenId, expiresAt)
      await wake(db, 'identity')
      context.forget()
    },
    refusedIn: (vo) => refused.get(vo, () => selectRefused(db, vo, now())),
  }
}

function refuseBadBearer(claims: Claims, { revoked, account, client, issuedTo }: BearerFacts): void {
  if (revoked) throw e.invalidToken('The token was revoked; log in again.')
  if (claims.account === null) return
  if (account?.status !== 'ACTIVE') {
    throw e.accountSuspended(`The account ${claims.account} is suspended or deleted.`)
  }
  if (claims.clientId !== null && !issuedTo?.enabled) {
    throw e.invalidToken('The client of this token is disabled or gone.')
  }
  if (claims.sub === account.uuid) return
  if (client?.accountId !== account.id) throw e.invalidToken('The token is of a client that is gone.')
  if (!client.enabled) throw e.invalidToken('The client of this token is disabled.')
}
