import { createScope, listScopes } from '../../catalog/index.ts'
import { formatScope, type Identity } from '../../identity/index.ts'
import { type Db, isGridError } from '../../kernel/index.ts'

const NAME = 'probe'
export const PROBE_SCOPE = `user.${NAME}`

export interface Prober {
  readonly vo: string
  readonly accountId: number
  readonly account: string
  readonly group: string
}

type Identities = Pick<Identity, 'accounts' | 'createAccounts' | 'asAfterLogin' | 'mintForAccount'>

/**
 * The account in whose name a VO is tested: an ordinary member with a scope of its own and no right beside what every
 * member has, so that a test meets what users meet. Made on first use.
 */
export async function proberOf(
  { db, identity }: { db: Db; identity: Identities },
  vo: string,
  now: Date,
): Promise<Prober> {
  const account = (await known(identity, vo)) ?? (await made(identity, vo))
  if (!(await listScopes(db, { vo })).some(({ name }) => name === PROBE_SCOPE))
    await createScope(db, { vo, now, name: PROBE_SCOPE, accountId: account.id }).catch(unlessThere)
  return { vo, accountId: account.id, account: account.name, group: `/${vo}` }
}

const known = async (identity: Identities, vo: string) => (await identity.accounts(vo, [NAME]))[0]

/** Another server may make it at the same time. */
async function made(identity: Identities, vo: string) {
  const account = { vo, name: NAME, kind: 'SERVICE' as const }
  const [one] = (await identity.createAccounts([account]).catch(unlessThere)) ?? []
  return one ?? (await known(identity, vo))!
}

function unlessThere(error: unknown): undefined {
  if (!isGridError(error) || error.kind !== 'conflict') throw error
}

/** A token with what an ordinary login gives this account. */
export async function tokenOf(identity: Identities, prober: Prober): Promise<string> {
  const { scopes } = await identity.asAfterLogin(prober.accountId)
  const asked = scopes.filter((scope) => scope.family === 'storage').map(formatScope)
  return (await identity.mintForAccount(prober.accountId, { scopes: asked, lifetimeSeconds: 900 })).token
}
