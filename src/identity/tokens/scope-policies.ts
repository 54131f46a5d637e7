import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { ExchangePolicy } from './exchange-policy.ts'
import { parseScope } from './scope.ts'
import * as store from './scope-policies.store.ts'
import { DEFAULT_PEOPLE_SCOPES, type ScopePolicy } from './scope-policy.ts'
import { askedScope } from './vocabulary.ts'

export type { WrittenScopePolicy } from './scope-policies.store.ts'

export interface ScopePolicies {
  scopePolicies(vo: string): Promise<store.WrittenScopePolicy[]>
  /** Creates, or replaces the one of that id. */
  putScopePolicy(
    policy: Omit<store.WrittenScopePolicy, 'id'> & { id?: string },
  ): Promise<store.WrittenScopePolicy>
  deleteScopePolicy(vo: string, id: string): Promise<void>
  exchangePolicies(vo: string): Promise<ExchangePolicy[]>
  /** There is one per pair of clients; another for the same pair replaces it. */
  putExchangePolicy(policy: Omit<ExchangePolicy, 'id'>): Promise<ExchangePolicy>
  deleteExchangePolicy(vo: string, id: string): Promise<void>
}

export interface ScopePolicyBook extends ScopePolicies {
  /** From memory. */
  rules(vo: string): Promise<readonly ScopePolicy[]>
  exchangeRules(vo: string): Promise<readonly ExchangePolicy[]>
}

/** What a new VO begins with. */
export function defaultScopePolicies(vo: string, id: () => string): store.WrittenScopePolicy[] {
  const permit = (
    subjectKind: 'people' | 'services',
    scopes: readonly string[],
    description: string,
  ): store.WrittenScopePolicy => ({
    ...{ id: id(), vo, subjectKind, subject: '', effect: 'permit', matching: 'path', scopes, description },
  })
  return [
    permit('people', DEFAULT_PEOPLE_SCOPES, 'What a login carries'),
    permit('services', [], 'Everything registered for the client'),
  ]
}

export function createScopePolicies(context: Context): ScopePolicyBook {
  const { db, ids, changing } = context
  const memory = context.memory<readonly ScopePolicy[]>()
  const exchanges = context.memory<readonly ExchangePolicy[]>()
  const gone = (id: string) => e.policyMissing(`There is no policy ${id}.`)
  return {
    scopePolicies: (vo) => store.selectScopePolicies(db, vo),
    async putScopePolicy(given) {
      const policy = { ...given, id: given.id ?? ids.uuid() }
      const everybody = policy.subjectKind === 'people' || policy.subjectKind === 'services'
      if (everybody !== (policy.subject === '')) {
        throw e.invalidPolicy('Name whom the policy is for; for people and services name nobody.')
      }
      for (const scope of policy.scopes) askedScope(scope)
      const put = await changing(policy.vo, policy.id, (tx) => store.putScopePolicies(tx, [policy]))
      if (put === 0) throw gone(policy.id)
      return policy
    },
    async deleteScopePolicy(vo, id) {
      if ((await changing(vo, id, (tx) => store.deleteScopePolicy(tx, vo, id))) === 0) throw gone(id)
    },
    exchangePolicies: (vo) => store.selectExchangePolicies(db, vo),
    async putExchangePolicy(given) {
      const policy = { ...given, id: ids.uuid() }
      for (const scope of policy.scopes) askedScope(scope)
      if (!policy.origin || !policy.destination)
        throw e.invalidPolicy('Name both clients, or write * for any.')
      await changing(policy.vo, policy.destination, (tx) => store.putExchangePolicy(tx, policy))
      const kept = await store.selectExchangePolicies(db, policy.vo)
      return kept.find((p) => p.origin === policy.origin && p.destination === policy.destination)!
    },
    async deleteExchangePolicy(vo, id) {
      if ((await changing(vo, id, (tx) => store.deleteExchangePolicy(tx, vo, id))) === 0) throw gone(id)
    },
    rules: (vo) =>
      memory.get(vo, async () =>
        (await store.selectScopePolicies(db, vo)).map((p) => ({ ...p, scopes: p.scopes.map(parseScope) })),
      ),
    exchangeRules: (vo) => exchanges.get(vo, () => store.selectExchangePolicies(db, vo)),
  }
}
