import type { Context } from '../context.ts'
import { denied, invalidRule, ruleExists, ruleMissing } from '../errors.ts'
import type { Principal } from '../principal.ts'
import { ACTIONS, type Action, type Resource } from './actions.ts'
import {
  actionMatches,
  compilePolicy,
  type Decision,
  describeRule,
  type Policy,
  type Rule,
} from './decide.ts'
import type { NewRule, StoredRule } from './policies.store.ts'
import * as store from './policies.store.ts'

export type { NewRule, StoredRule } from './policies.store.ts'

export interface Policies {
  /** Throws `denied` unless a policy allows the action and the token's scopes reach it. */
  authorize(principal: Principal, action: Action, resource: Resource): void
  /** The same decision with its reason, without throwing. */
  explain(principal: Principal, action: Action, resource: Resource): Decision<StoredRule>
  rulesOf(vo: string): Promise<StoredRule[]>
  /** Throws invalid_rule, rule_exists, and denied when `by` could no longer change the policy afterwards. */
  addRule(by: Principal, rule: NewRule): Promise<StoredRule>
  /** Throws rule_missing, and denied when `by` could no longer change the policy afterwards. */
  removeRule(by: Principal, id: number): Promise<void>
  /** Reads the rules anew when they are old; whoever decides does this first. */
  refresh(): Promise<void>
}

export function createPolicies(context: Context): Policies {
  const { db, changing } = context
  // Deciding must not wait, so the policy of the last refresh is at hand; before the first one nothing is allowed.
  let policy: Policy<StoredRule> = compilePolicy([])
  let compiledFrom: readonly StoredRule[] = []
  const memory = context.memory<readonly StoredRule[]>()
  const explain: Policies['explain'] = (principal, action, resource) =>
    policy.decide(principal, action, resource)
  const changed = <T>(by: Principal, work: (tx: Context['db']) => Promise<T>): Promise<T> =>
    changing(by.vo, 'policy', async (tx) => {
      const result = await work(tx)
      const after = compilePolicy(await store.selectRules(tx))
      if (!after.decide(by, 'identity.access', { vo: by.vo }).allow) {
        throw denied('After this you could not change the policy any more; nothing was changed.')
      }
      return result
    })
  const note = (tx: Context['db'], by: Principal, action: string, id: number, rule: string) => {
    const entry = { vo: by.vo, actor: by.account ?? by.subject, action, target: `rule ${id}` }
    return context.audit(tx, { ...entry, detail: { rule } })
  }
  return {
    explain,
    authorize(principal, action, resource) {
      const { allow, reason } = explain(principal, action, resource)
      if (!allow) throw denied(`Not allowed: ${action} (${reason}).`, { action, reason })
    },
    rulesOf: (vo) => store.rulesOf(db, vo),
    async addRule(by, rule) {
      refuseNonsense(rule)
      return changed(by, async (tx) => {
        const made = await store.insertRule(tx, by.vo, rule)
        if (!made) throw ruleExists('There is such a rule already.')
        await note(tx, by, 'access_rule.added', made.id, describeRule(made))
        return made
      })
    },
    async removeRule(by, id) {
      await changed(by, async (tx) => {
        const before = (await store.rulesOf(tx, by.vo)).find((rule) => rule.id === id)
        if (!before || (await store.dropRule(tx, by.vo, id)) === 0) {
          throw ruleMissing(`There is no rule ${id}.`)
        }
        await note(tx, by, 'access_rule.removed', id, describeRule(before))
      })
    },
    async refresh() {
      const rules = await memory.get('rules', () => store.selectRules(db))
      if (rules === compiledFrom) return
      policy = compilePolicy(rules)
      compiledFrom = rules
    },
  }
}

const SUBJECTS: Readonly<Record<Rule['subjectKind'], { readonly form: RegExp; readonly like: string }>> = {
  everyone: { form: /^$/, like: 'nothing: everyone has no name' },
  group: { form: /^(\/[A-Za-z0-9][A-Za-z0-9_.-]*)+$/, like: 'a group, like /demo/analysis' },
  account: { form: /^[a-z0-9_-]{1,25}$/, like: 'an account, like mika' },
  attribute: {
    form: /^[A-Za-z0-9_.-]{1,64}(=[^\s=]{1,255})?$/,
    like: 'an attribute, like admin=true or gateway',
  },
}

function refuseNonsense({ subjectKind, subject, action, resource }: NewRule): void {
  const { form, like } = SUBJECTS[subjectKind]
  if (!form.test(subject)) throw invalidRule(`The subject "${subject}" should be ${like}.`)
  if (!Object.keys(ACTIONS).some((known) => actionMatches(action, known))) {
    throw invalidRule(`"${action}" is no action; use one of them, a group of them like catalog.*, or *.`)
  }
  const path = /^\/([^/\0]+(\/[^/\0]+)*)?$/.test(resource) && !/\/\.{1,2}(\/|$)/.test(resource)
  if (resource !== '*' && resource !== 'owner' && resource !== 'manager' && !path) {
    throw invalidRule(`The resource "${resource}" should be *, owner, manager or a path like /raw/run-1.`)
  }
}
