import { selectAttributes } from '../accounts/accounts.store.ts'
import type { Context } from '../context.ts'
import { anonymous, type Principal } from '../principal.ts'
import type { Holder } from '../tokens/holders.store.ts'
import { parseScope, type Scope } from '../tokens/scope.ts'
import type { Action } from './actions.ts'
import type { Policies } from './policies.ts'
import { storageScopes } from './storage-scopes.ts'

/** What the policy of the VO lets an account do at storages, as scopes of a token. */
export async function storageRights(context: Context, policies: Policies, holder: Holder): Promise<Scope[]> {
  const { id: accountId, vo, name, kind, memberships } = holder
  await policies.refresh()
  const attributes = await selectAttributes(context.db, [accountId])
  const account: Principal = {
    ...anonymous,
    ...{ vo, accountId, account: name, kind: kind === 'SERVICE' ? 'service' : 'user' },
    groups: memberships.filter(({ optional }) => !optional).map(({ path }) => path),
    attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value])),
    scopes: [parseScope('grid')],
  }
  const rules = await policies.rulesOf(vo)
  const places = {
    own: await context.areasOf(vo, accountId),
    named: rules.map(({ resource }) => resource).filter((resource) => resource.startsWith('/')),
  }
  const may = (action: Action, path: string, own: boolean) =>
    policies.explain(account, action, { vo, path, owner: own ? accountId : null }).allow
  return storageScopes(places, may)
}
