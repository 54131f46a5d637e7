import { formatScope, intersect, normalise, type Scope } from './scope.ts'
import { groupAsked } from './vocabulary.ts'

/** Who may ask for which scopes; rows of a VO. */
export interface ScopePolicy {
  readonly id: string
  readonly vo: string
  /** `people` and `services` are everybody of that kind: what holds where nothing nearer decides. */
  readonly subjectKind: 'account' | 'client' | 'group' | 'people' | 'services'
  /** Account name, client id or group path; empty for people and services. */
  readonly subject: string
  readonly effect: 'permit' | 'deny'
  /** `exact`: these scopes letter by letter; `path`: also everything they cover, by whole path segments. */
  readonly matching: 'exact' | 'path'
  /** None means all. */
  readonly scopes: readonly Scope[]
  readonly description: string
}

export interface Asker {
  readonly account: string | null
  readonly groups: readonly string[]
  readonly client: string | null
  /** A client in its own name, not a person through a client. */
  readonly service: boolean
}

/**
 * What of the scopes asked for the policies let through. The levels are looked at from the nearest to the widest: the
 * account, its groups, everybody (for a service: client, account, groups, all services). The first level that says
 * anything about a scope decides, and within it a deny wins; what no level speaks of is dropped. A deny on a client
 * also holds for the people who come through it. A denied part cannot be cut out of a scope, so a scope that
 * overlaps it is dropped whole. Pure.
 */
export function permittedScopes(
  policies: readonly ScopePolicy[],
  asker: Asker,
  asked: readonly Scope[],
): { granted: Scope[]; refused: Scope[] } {
  const levels = levelsOf(policies, asker)
  const granted: Scope[] = []
  const refused: Scope[] = []
  for (const scope of asked) {
    const got = formatScope(scope) === 'openid' ? [scope] : decided(levels, scope)
    if (got.length > 0) granted.push(...got)
    else refused.push(scope)
  }
  return { granted, refused }
}

interface Levels {
  readonly ordered: readonly (readonly ScopePolicy[])[]
  /** Denies that hold besides, whatever the levels permit. */
  readonly besides: readonly ScopePolicy[]
}

function levelsOf(policies: readonly ScopePolicy[], asker: Asker): Levels {
  const of = (kind: ScopePolicy['subjectKind'], subject: (name: string) => boolean) =>
    policies.filter((p) => p.subjectKind === kind && subject(p.subject))
  const client = of('client', (name) => name === asker.client)
  const account = of('account', (name) => name === asker.account)
  const groups = of('group', (path) => asker.groups.includes(path))
  const everybody = of(asker.service ? 'services' : 'people', () => true)
  return asker.service
    ? { ordered: [client, account, groups, everybody], besides: [] }
    : { ordered: [account, groups, everybody], besides: client.filter(({ effect }) => effect === 'deny') }
}

function decided({ ordered, besides }: Levels, scope: Scope): Scope[] {
  for (const level of ordered) {
    const permits = level.filter(({ effect }) => effect === 'permit').flatMap((p) => meets(p, scope))
    const denies = level.filter(({ effect }) => effect === 'deny').flatMap((p) => meets(p, scope))
    if (permits.length === 0 && denies.length === 0) continue
    const against = [...denies, ...besides.flatMap((p) => meets(p, scope))]
    return normalise(permits).filter((one) => intersect([one], against).length === 0)
  }
  return []
}

function meets(policy: ScopePolicy, scope: Scope): Scope[] {
  if (policy.scopes.length === 0) return [scope]
  if (policy.matching === 'path') return within(policy.scopes, scope)
  const text = formatScope(scope)
  return policy.scopes.some((one) => formatScope(one) === text) ? [scope] : []
}

/** What a list permits of a scope. Under a bare `wlcg.groups` every group may be asked for: membership decides. */
export function within(most: readonly Scope[], scope: Scope): Scope[] {
  if (groupAsked(scope) && most.some((one) => formatScope(one) === 'wlcg.groups')) return [scope]
  return intersect(most, [scope])
}
