import type { Db } from '../../kernel/database.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { AfterLogin } from '../policy/after-login.ts'
import type { ExchangePolicy } from './exchange-policy.ts'
import { parseScope, type Scope } from './scope.ts'
import * as store from './scope-policies.store.ts'
import type { ScopePolicy } from './scope-policy.ts'
import { askedScope, DEFAULT_PEOPLE_SCOPES } from './vocabulary.ts'

export type { WrittenScopePolicy } from './scope-policies.store.ts'

export interface ScopePolicies {
  scopePolicies(vo: string): Promise<store.WrittenScopePolicy[]>
  /** Creates, or replaces the one of that id. */
  putScopePolicy(
    policy: Omit<store.WrittenScopePolicy, 'id'> & { id?: string },
    by: string,
  ): Promise<store.WrittenScopePolicy>
  deleteScopePolicy(vo: string, id: string, by: string): Promise<void>
  exchangePolicies(vo: string): Promise<ExchangePolicy[]>
  /** There is one per pair of clients; another for the same pair replaces it. */
  putExchangePolicy(policy: Omit<ExchangePolicy, 'id'>, by: string): Promise<ExchangePolicy>
  deleteExchangePolicy(vo: string, id: string, by: string): Promise<void>
}

export interface ScopePolicyBook extends ScopePolicies {
  /** From memory. */
  rules(vo: string): Promise<readonly ScopePolicy[]>
  exchangeRules(vo: string): Promise<readonly ExchangePolicy[]>
  /**
   * All that a person's tokens may carry for storages, by the policy of who may do what; with the optional groups and
   * roles of theirs that they asked for.
   */
  atStorages(accountId: number, asked: readonly string[]): Promise<readonly Scope[]>
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

export function createScopePolicies(context: Context, afterLogin: AfterLogin): ScopePolicyBook {
  const { db, ids, changing } = context
  const memory = context.memory<readonly ScopePolicy[]>()
  const storages = context.memory<readonly Scope[]>()
  const exchanges = context.memory<readonly ExchangePolicy[]>()
  const gone = (id: string) => e.scopePolicyMissing(`There is no policy ${id}.`)
  const note = (tx: Db, vo: string, by: string, action: string, target: string, detail: object = {}) =>
    context.audit(tx, { vo, actor: by, action, target, detail: { ...detail } })
  return {
    scopePolicies: (vo) => store.selectScopePolicies(db, vo),
    async putScopePolicy(given, by) {
      const policy = { ...given, id: given.id ?? ids.uuid() }
      const { vo, id, subjectKind, subject } = policy
      const everybody = subjectKind === 'people' || subjectKind === 'services'
      if (everybody !== (subject === '')) {
        throw e.invalidPolicy('Name whom the policy is for; for people and services name nobody.')
      }
      for (const scope of policy.scopes) askedScope(scope)
      await changing(vo, id, async (tx) => {
        if ((await store.putScopePolicies(tx, [policy])) === 0) throw gone(id)
        await note(tx, vo, by, 'scope_policy.put', id, policy)
      })
      return policy
    },
    async deleteScopePolicy(vo, id, by) {
      await changing(vo, id, async (tx) => {
        if ((await store.deleteScopePolicy(tx, vo, id)) === 0) throw gone(id)
        await note(tx, vo, by, 'scope_policy.deleted', id)
      })
    },
    exchangePolicies: (vo) => store.selectExchangePolicies(db, vo),
    async putExchangePolicy(given, by) {
      const { vo, origin, destination } = given
      for (const scope of given.scopes) askedScope(scope)
      if (!origin || !destination) throw e.invalidPolicy('Name both clients, or write * for any.')
      return changing(vo, destination, async (tx) => {
        const policy = (await store.putExchangePolicy(tx, { ...given, id: ids.uuid() }))!
        await note(tx, vo, by, 'exchange_policy.put', policy.id, policy)
        return policy
      })
    },
    async deleteExchangePolicy(vo, id, by) {
      await changing(vo, id, async (tx) => {
        if ((await store.deleteExchangePolicy(tx, vo, id)) === 0) throw gone(id)
        await note(tx, vo, by, 'exchange_policy.deleted', id)
      })
    },
    rules: (vo) =>
      memory.get(vo, async () =>
        (await store.selectScopePolicies(db, vo)).map((p) => ({ ...p, scopes: p.scopes.map(parseScope) })),
      ),
    atStorages: (accountId, asked) =>
      storages.get([accountId, ...asked].join(' '), async () =>
        (await afterLogin(accountId, asked)).scopes.filter(({ family }) => family === 'storage'),
      ),
    exchangeRules: (vo) => exchanges.get(vo, () => store.selectExchangePolicies(db, vo)),
  }
}
