import type { Context } from '../context.ts'
import { denied } from '../errors.ts'
import type { Principal } from '../principal.ts'
import type { Action, Resource } from './actions.ts'
import { decide, type Rule } from './decide.ts'
import { selectRules } from './policies.store.ts'

export interface Policies {
  /** Throws `denied` unless a policy allows the action and the token's scopes reach it. */
  authorize(principal: Principal, action: Action, resource: Resource): void
  /** The same decision with its reason, without throwing. */
  explain(principal: Principal, action: Action, resource: Resource): { allow: boolean; reason: string }
  /** Reads the rules anew when they are old; whoever decides does this first. */
  refresh(): Promise<void>
}

export function createPolicies(context: Context): Policies {
  // Deciding must not wait, so the rules of the last refresh are at hand.
  let rules: readonly Rule[] = []
  const memory = context.memory<readonly Rule[]>()
  const explain: Policies['explain'] = (principal, action, resource) =>
    decide(rules, principal, action, resource)
  return {
    explain,
    authorize(principal, action, resource) {
      const { allow, reason } = explain(principal, action, resource)
      if (!allow) throw denied(`Not allowed: ${action} (${reason}).`, { action, reason })
    },
    async refresh() {
      rules = await memory.get('rules', () => selectRules(context.db))
    },
  }
}
