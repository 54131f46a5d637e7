import { isGridError } from '../../kernel/errors.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Principal } from '../principal.ts'
import { audienceOf } from './audience.ts'
import type { Client } from './client.ts'
import { attenuated, entitled } from './entitlement.ts'
import { exchangePolicyFor } from './exchange-policy.ts'
import type { GrantBook, Issued } from './grants.ts'
import type { Holders } from './holders.ts'
import type { Minter } from './mint.ts'
import { formatScope, intersect, parseScope } from './scope.ts'
import type { ScopePolicyBook } from './scope-policies.ts'

export interface ExchangeRequest {
  /** The client that asks, and will act for the subject. */
  readonly client: Client
  readonly subjectToken: string
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly refresh: boolean
}

export interface Exchange {
  /**
   * RFC 8693: a token of somebody else against one of the same person for the next service. Nothing without a policy;
   * never more than the subject token carries, never longer than it lives. Throws invalid_request, invalid_scope, invalid_target.
   */
  exchange(request: ExchangeRequest): Promise<Issued>
}

export function createExchange(
  context: Context,
  deps: {
    holders: Holders
    minter: Minter
    policies: ScopePolicyBook
    grants: GrantBook
    inspect: (token: string) => Promise<Principal>
  },
): Exchange {
  const { ids } = context
  const { holders, minter, policies, grants } = deps
  return {
    async exchange({ client, subjectToken, scopes, audience, refresh }) {
      // RFC 8693 §2.2.2: a subject token that is of no use is a wrong request.
      const subject = await deps.inspect(subjectToken).catch((error) => {
        if (isGridError(error) && (error.kind === 'unauthenticated' || error.kind === 'denied')) {
          throw e.invalidRequest('The subject token is not valid here.')
        }
        throw error
      })
      if (subject.vo !== client.vo || subject.accountId === null) {
        throw e.invalidRequest('The subject token is of nobody in this VO.')
      }
      const policy = exchangePolicyFor(await policies.exchangeRules(client.vo), subject.clientId, client.id)
      if (!policy) throw e.invalidRequest('No policy lets this client exchange such a token.')
      const meant = policy.subjectAudiences.length > 0 ? policy.subjectAudiences : [client.id]
      if (!subject.audience.some((one) => meant.includes(one))) {
        throw e.invalidRequest('The subject token is not meant for this client.')
      }
      const holder = await holders.of(subject.accountId)
      const most = intersect(subject.scopes, policy.scopes.map(parseScope)).map(formatScope)
      const bearing = (list: readonly string[]) => list.filter((scope) => scope !== 'offline_access')
      const asked = attenuated(bearing(most), bearing(scopes), [])
      const { scopes: given, groups } = await entitled(policies, { holder, client, asked, lenient: true })
      const aud = audienceOf(client, audience, policy.audiences)
      const shared = {
        ...{ accountId: subject.accountId, subject: subject.subject, audience: aud },
        actors: [client.id, ...subject.actors],
      }
      if (refresh || scopes.includes('offline_access')) {
        if (!policy.refresh || !client.grants.includes('refresh_token')) {
          throw e.invalidScope('The policy lets this client have no refresh token.')
        }
        return grants.issue({
          ...{ ...shared, client, grantId: ids.uuid(), scopes: [...given, 'offline_access'] },
          ...{ authenticatedAt: subject.authenticatedAt ?? context.now(), notAfter: subject.expiresAt },
        })
      }
      return minter.mint({
        ...{ ...shared, vo: client.vo, scopes: given, clientId: client.id },
        groups: groups.filter((group) => subject.groups.includes(group)),
        lifetimeSeconds: client.accessSeconds,
        notAfter: subject.expiresAt,
      })
    },
  }
}
