import { selectAttributes } from '../accounts/accounts.store.ts'
import { accountOf } from '../accounts/accounts.ts'
import type { Groups } from '../accounts/groups.ts'
import type { Context } from '../context.ts'
import { anonymous, type Principal } from '../principal.ts'
import { normalise, parseScope } from '../tokens/scope.ts'
import { ANY_AUDIENCE } from '../tokens/token.ts'
import type { Policies } from './policies.ts'
import { storageScopes } from './storage-scopes.ts'

/**
 * Who somebody is after an ordinary login, with all that the token of it may carry; lets nobody in. `asked`: optional
 * groups and roles of theirs that they named, which count besides the usual ones.
 */
export type AfterLogin = (accountId: number, asked?: readonly string[]) => Promise<Principal>

export function createAfterLogin(context: Context, policies: Policies, groups: Groups): AfterLogin {
  return async (accountId, asked = []) => {
    const account = await accountOf(context, accountId)
    await policies.refresh()
    const attributes = await selectAttributes(context.db, [accountId])
    const bare: Principal = {
      ...anonymous,
      kind: account.kind === 'SERVICE' ? 'service' : 'user',
      accountId,
      account: account.name,
      vo: account.vo,
      issuer: context.issuer(account.vo),
      subject: account.uuid,
      groups: [...((await groups.groupsOf([accountId])).get(accountId) ?? []), ...asked],
      attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value])),
      scopes: [parseScope('grid')],
      audience: [ANY_AUDIENCE],
      expiresAt: context.now(),
      method: 'session',
    }
    const named = (await policies.rulesOf(account.vo)).map(({ resource }) => resource)
    const places = {
      own: await context.areasOf(account.vo, accountId),
      named: named.filter((resource) => resource.startsWith('/')),
    }
    const may = (action: Parameters<Policies['explain']>[1], path: string, own: boolean) =>
      policies.explain(bare, action, { vo: account.vo, path, owner: own ? accountId : null }).allow
    return { ...bare, scopes: normalise([...bare.scopes, ...storageScopes(places, may)]) }
  }
}
