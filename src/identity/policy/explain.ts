import type { Context } from '../context.ts'
import { anonymous, type Principal } from '../principal.ts'
import { formatScope, parseScope, pathAllowed, segmentsOf } from '../tokens/scope.ts'
import { ACTIONS, type Action, type Resource, type StorageOperation } from './actions.ts'
import type { AfterLogin } from './after-login.ts'
import { actionMatches, compilePolicy, type Rule } from './decide.ts'
import { peopleNamed } from './policies.store.ts'
import type { Policies, StoredRule } from './policies.ts'

export interface AccessAnswer {
  readonly allow: boolean
  readonly reason: string
  /** The policy rule that decided. */
  readonly rule?: StoredRule
  /** For storage actions: the scopes that permit it. */
  readonly scopes?: readonly string[]
}

export interface AccessRow {
  readonly subjectKind: Rule['subjectKind']
  readonly subject: string
  /** In the order of ACTIONS without those of storage, which tokens decide. */
  readonly cells: readonly AccessCell[]
}

/** With anything, with own things, with the people and requests of groups one manages, or not at all. */
export type AccessCell = 'yes' | 'own' | 'managed' | 'own+managed' | 'no'

export interface Explain {
  /** What `principal` may do and why, for the services of the grid and, with `storage.*`, for its gateways. */
  explainAccess(principal: Principal, action: Action, resource: Resource): AccessAnswer
  /** For each subject the rules name, what it may do by itself: with what. */
  accessMatrix(vo: string): Promise<AccessRow[]>
  /** Names of active people who are allowed something by a rule for them, their groups or attributes, and are not refused it. */
  whoMay(action: Action, resource: Resource): Promise<string[]>
  /** Who somebody would be after an ordinary login; for questions only, it lets nobody in. */
  readonly asAfterLogin: AfterLogin
}

/** Nobody asks more than so many people for one thing. */
const MOST_TOLD = 100

export function createExplain({ db, now }: Context, policies: Policies, afterLogin: AfterLogin): Explain {
  return {
    explainAccess(principal, action, resource) {
      const operation = storageOperation(action)
      if (operation) return storageAnswer(principal, operation, resource)
      return policies.explain(principal, action, resource)
    },
    async accessMatrix(vo) {
      const rules = await policies.rulesOf(vo)
      const policy = compilePolicy(rules)
      const subjects = new Map<string, Pick<Rule, 'subjectKind' | 'subject'>>([
        ['everyone', { subjectKind: 'everyone', subject: '' }],
        ...rules.map((rule) => [`${rule.subjectKind} ${rule.subject}`.trim(), rule] as const),
      ])
      return [...subjects.values()].map(({ subjectKind, subject }) => {
        const who = memberKnownFor(vo, subjectKind, subject)
        const cell = (action: Action): AccessCell => {
          const may = (resource: Partial<Resource>) =>
            policy.decide(who, action, { vo, owner: 'somebody else', ...resource }).allow
          if (may({})) return 'yes'
          const own = may({ owner: who.account! })
          const managed = may({ managers: [who.accountId!] })
          return own && managed ? 'own+managed' : own ? 'own' : managed ? 'managed' : 'no'
        }
        const actions = (Object.keys(ACTIONS) as Action[]).filter((action) => !storageOperation(action))
        return { subjectKind, subject, cells: actions.map(cell) }
      })
    },
    async whoMay(action, resource) {
      const rules = (await policies.rulesOf(resource.vo)).filter(
        (rule) => rule.effect === 'allow' && actionMatches(rule.action, action),
      )
      const names: string[] = []
      for (const { id, name } of await peopleNamed(db, resource.vo, rules, now())) {
        if (names.length === MOST_TOLD) break
        if (policies.explain(await afterLogin(id), action, resource).allow) names.push(name)
      }
      return names
    },
    asAfterLogin: afterLogin,
  }
}

/** A member of the VO with this one mark and no other. */
function memberKnownFor(vo: string, kind: Rule['subjectKind'], subject: string): Principal {
  const [key = '', value = 'true'] = subject.split('=')
  return {
    ...anonymous,
    kind: 'user',
    vo,
    account: kind === 'account' ? subject : '(member)',
    accountId: 0,
    groups: kind === 'group' ? [subject] : [],
    attributes: kind === 'attribute' ? { [key]: value } : {},
    scopes: [parseScope('grid')],
  }
}

function storageOperation(action: Action): StorageOperation | undefined {
  return action.startsWith('storage.') ? (action.slice('storage.'.length) as StorageOperation) : undefined
}

/** Gateways know no policy rows: there the storage scopes of the token say everything. */
function storageAnswer(
  principal: Principal,
  operation: StorageOperation,
  { vo, path }: Resource,
): AccessAnswer {
  if (principal.vo !== vo) return { allow: false, reason: `the token is of VO ${principal.vo}` }
  if (path === undefined) return { allow: false, reason: 'a storage action needs a path' }
  const segments = segmentsOf(path)
  const permitting = principal.scopes.filter((scope) => pathAllowed([scope], operation, segments))
  const scopes = permitting.map(formatScope)
  const [first] = scopes
  return first
    ? { allow: true, reason: `the scope ${first} permits it`, scopes }
    : { allow: false, reason: `no scope of the token permits storage.${operation} at ${path}`, scopes }
}
