import { selectAttributes } from '../accounts/accounts.store.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import { type ForeignTokens, foreignTokens } from './foreign-tokens.ts'
import type { Holders } from './holders.ts'
import { parseScope } from './scope.ts'
import { ANY_AUDIENCE } from './token.ts'
import type { Tokens } from './tokens.ts'
import { createTrustedIssuers, type TrustBook, type TrustedIssuers } from './trusted-issuers.ts'

export interface Federation extends TrustedIssuers {
  /** As of our own tokens, and of those of trusted issuers. */
  verify: Tokens['verify']
  /** The same whatever the audience; for questions only, it lets nobody in. */
  bearerOf(token: string): Promise<Principal>
}

/**
 * What a token of another issuer may reach here, at most: the data, not the account. Whoever could link a certificate or
 * change a password with it would stay when the issuer is trusted no more.
 */
const REACH = [
  ...['grid.catalog.*', 'grid.placement.*', 'grid.transfer.*'],
  ...['grid.identity.read', 'grid.sites.read', 'grid.operations.read'],
].map(parseScope)

/** Lets in who comes with a token of an issuer the VO trusts. */
export function createFederation(
  context: Context,
  deps: { tokens: Tokens; holders: Holders; policies: Policies },
): { federation: Federation; worker: TrustBook['worker'] } {
  const { tokens, holders, policies } = deps
  const { trusted, worker, ...issuers } = createTrustedIssuers(context)
  const foreign: ForeignTokens = foreignTokens({
    trusted,
    now: context.now,
    async unknownKey(issuer, kid) {
      const trust = (await trusted()).find((each) => each.issuer === issuer)
      if (trust) await issuers.lookForKey(trust.vo, issuer, kid)
    },
  })
  const member = async (guest: Principal, accountId: number, capable: boolean): Promise<Principal> => {
    const holder = await holders.of(accountId)
    const list = await selectAttributes(context.db, [accountId])
    const attributes = Object.fromEntries(list.map(({ key, value }) => [key, value]))
    if (attributes.admin?.toLowerCase() === 'true') {
      throw e.denied(`${holder.name} is an administrator and logs in here, not by ${guest.issuer}.`)
    }
    const { guest: _not, ...principal } = guest
    const own = holder.memberships.filter(({ optional }) => !optional).map(({ path }) => path)
    return {
      ...principal,
      kind: holder.kind === 'SERVICE' ? 'service' : 'user',
      ...{ accountId, account: holder.name, attributes },
      ...(!capable && { groups: [...own, ...guest.groups], scopes: REACH }),
    }
  }
  const principalOf = async (token: string, audience: readonly string[] | 'any'): Promise<Principal> => {
    const { principal, bearer } = await foreign.verify(token, audience)
    await policies.refresh()
    if (bearer.accountId !== null) return member(principal, bearer.accountId, bearer.capable)
    // Without an account, what rules give to its groups; without groups, its storage scopes.
    return principal.groups.length > 0 ? { ...principal, scopes: REACH } : principal
  }
  return {
    federation: {
      ...issuers,
      verify: async (token, accept) =>
        (await foreign.claimed(token))
          ? principalOf(
              token,
              accept.audience.filter((audience) => audience !== ANY_AUDIENCE),
            )
          : tokens.verify(token, accept),
      bearerOf: async (token) =>
        (await foreign.claimed(token)) ? principalOf(token, 'any') : tokens.inspect(token),
    },
    worker,
  }
}
