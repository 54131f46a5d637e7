import * as e from '../errors.ts'
import type { Client } from './client.ts'
import { type HeldGroup, selectGroups } from './groups-claim.ts'
import type { Holder } from './holders.ts'
import { anyCovers, formatScope, intersect, parseScope, type Scope } from './scope.ts'
import type { ScopePolicyBook } from './scope-policies.ts'
import { permittedScopes, within } from './scope-policy.ts'
import { askedScope, groupAsked } from './vocabulary.ts'

export interface Entitlement {
  /** Canonical, in the order asked for. */
  readonly scopes: readonly string[]
  readonly groups: readonly string[]
}

export interface EntitlementRequest {
  readonly holder: Holder
  readonly client: Client | null
  /** The client in its own name; the default says what kind of account it is. */
  readonly service?: boolean
  readonly asked: readonly string[]
  /** Groups that were left meanwhile are dropped instead of refused. */
  readonly lenient?: boolean
}

/**
 * What somebody gets of what is asked for: what the client is registered for, the VO's policies permit and membership
 * supports. Throws invalid_scope for what means nothing or when nothing is left, access_denied for a group of others.
 */
export async function entitled(
  policies: ScopePolicyBook,
  { holder, client, service, asked, lenient = false }: EntitlementRequest,
): Promise<Entitlement> {
  const wanted = distinct(asked.map(askedScope))
  const registered = client ? withinClient(client, wanted) : wanted
  // Optional groups and roles count when they are asked for, here as in the token.
  const named = new Set(wanted.map(groupAsked))
  const asker = {
    account: holder.name,
    groups: holder.memberships
      .filter(({ path, optional }) => !optional || named.has(path))
      .map(({ path }) => path),
    client: client?.id ?? null,
    service: service ?? holder.kind === 'SERVICE',
  }
  const { granted } = permittedScopes(await policies.rules(holder.vo), asker, registered)
  // A client in its own name is bound by its registration alone; who logs in, also as a service, by what the account may do.
  const chosen = holder.memberships.filter(({ path, optional }) => optional && named.has(path))
  const extra = chosen.map(({ path }) => path)
  const allowed = service ? granted : await withinRights(policies, holder, extra, granted)
  const texts = distinct(allowed).map(formatScope)
  const { groups, refused } = selectGroups(texts, holder.memberships)
  if (refused.length > 0 && !lenient) {
    throw e.accessDenied(`${holder.name} is not a member of ${refused.join(', ')}.`)
  }
  const scopes = texts.filter((text) => !refused.some((path) => text === `wlcg.groups:${path}`))
  if (scopes.length === 0) throw e.invalidScope('None of these scopes may be asked for here.')
  return { scopes, groups }
}

/** The scopes as far as the policy lets the person do at storages what they say. */
async function withinRights(
  policies: ScopePolicyBook,
  { id }: Holder,
  asked: readonly string[],
  scopes: readonly Scope[],
): Promise<readonly Scope[]> {
  if (!scopes.some(({ family }) => family === 'storage')) return scopes
  const most = await policies.atStorages(id, asked)
  return scopes.flatMap((scope) => (scope.family === 'storage' ? intersect(most, [scope]) : [scope]))
}

/** What the client is registered for; a refresh token only if it can do something with it. */
export function withinClient(client: Pick<Client, 'scopes' | 'grants'>, asked: readonly Scope[]): Scope[] {
  const most = registeredScopes(client)
  const lasting = client.grants.includes('refresh_token')
  return asked.flatMap((scope) =>
    formatScope(scope) === 'offline_access' && !lasting ? [] : within(most, scope),
  )
}

/** A client is registered once and asks often. */
const parsed = new WeakMap<readonly string[], readonly Scope[]>()

function registeredScopes({ scopes }: Pick<Client, 'scopes'>): readonly Scope[] {
  const known = parsed.get(scopes) ?? scopes.map(parseScope)
  parsed.set(scopes, known)
  return known
}

/** What a client gets that names no scope: all it is registered for, but no refresh token. */
export function usualScopes(client: Client): readonly string[] {
  return client.scopes.filter((scope) => scope !== 'offline_access')
}

/**
 * The scopes asked for, each of which must lie within what was granted before; throws invalid_scope for the first that
 * does not. Under a granted bare `wlcg.groups` the usual groups may be named, not the optional ones.
 */
export function attenuated(
  granted: readonly string[],
  asked: readonly string[],
  memberships: readonly HeldGroup[],
): readonly string[] {
  if (asked.length === 0) return granted
  const most = granted.map(parseScope)
  const usual = granted.includes('wlcg.groups')
    ? memberships.filter(({ optional }) => !optional).map(({ path }) => path)
    : []
  for (const scope of asked.map(askedScope)) {
    const group = groupAsked(scope)
    if (anyCovers(most, scope) || (group !== undefined && usual.includes(group))) continue
    throw e.invalidScope(`The scope "${formatScope(scope)}" goes beyond what was granted.`)
  }
  return asked
}

function distinct(scopes: readonly Scope[]): Scope[] {
  return [...new Map(scopes.map((scope) => [formatScope(scope), scope])).values()]
}
