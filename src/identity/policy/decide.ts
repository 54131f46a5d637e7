import type { Principal } from '../principal.ts'
import { covers } from '../tokens/scope.ts'
import type { Action, Resource } from './actions.ts'

/** One row of a VO's policy. */
export interface Rule {
  readonly vo: string
  readonly subjectKind: 'everyone' | 'group' | 'account' | 'attribute'
  /** Group path, account name, or `key` or `key=value` of an attribute. */
  readonly subject: string
  /** A name, `catalog.*` or `*`. */
  readonly action: string
  /** `*`, `owner`, `manager`, or the beginning of a path. */
  readonly resource: string
  readonly effect: 'allow' | 'deny'
}

/** Deny unless a rule allows; an explicit deny wins. Pure. */
export function decide(
  rules: readonly Rule[],
  principal: Principal,
  action: Action,
  resource: Resource,
): { allow: boolean; reason: string } {
  if (principal.kind === 'anonymous') return { allow: false, reason: 'nobody is logged in' }
  if (principal.vo !== resource.vo) return { allow: false, reason: `the token is of VO ${principal.vo}` }
  const wanted = { family: 'plain', word: `grid.${action}` } as const
  const standard = (STANDARD_SCOPES[action] ?? []).find((word) =>
    principal.scopes.some((scope) => covers(scope, { family: 'plain', word })),
  )
  if (!standard && !principal.scopes.some((scope) => covers(scope, wanted))) {
    return { allow: false, reason: `the token carries neither the scope grid nor grid.${action}` }
  }
  const matching = rules.filter(
    (rule) =>
      rule.vo === principal.vo &&
      actionMatches(rule.action, action) &&
      subjectMatches(rule, principal) &&
      resourceMatches(rule.resource, principal, resource),
  )
  const name = (rule: Rule) =>
    `${rule.effect} ${rule.subjectKind} ${rule.subject} ${rule.action} on ${rule.resource}`
  const deny = matching.find((rule) => rule.effect === 'deny')
  if (deny) return { allow: false, reason: name(deny) }
  // An administrator gave a service its scopes one by one; for a person they only narrow what the rules allow.
  if (standard && principal.kind === 'service') return { allow: true, reason: `the scope ${standard}` }
  const allow = matching[0]
  return allow ? { allow: true, reason: name(allow) } : { allow: false, reason: 'no rule allows it' }
}

const READ_SCOPES = ['scim:read', 'scim:write', 'iam:admin.read', 'iam:admin.write']
const WRITE_SCOPES = ['scim:write', 'iam:admin.write']

/** The scopes by which the field's own programs ask for these actions. */
const STANDARD_SCOPES: Readonly<Partial<Record<Action, readonly string[]>>> = {
  'identity.read': READ_SCOPES,
  'identity.people.read': READ_SCOPES,
  'identity.write': WRITE_SCOPES,
  'identity.group.manage': WRITE_SCOPES,
  'identity.approve': ['registration:write', 'iam:admin.write'],
}

function actionMatches(pattern: string, action: string): boolean {
  return (
    pattern === '*' ||
    pattern === action ||
    (pattern.endsWith('.*') && action.startsWith(pattern.slice(0, -1)))
  )
}

function subjectMatches(rule: Rule, principal: Principal): boolean {
  if (rule.subjectKind === 'everyone') return true
  if (rule.subjectKind === 'group') return principal.groups.includes(rule.subject)
  if (rule.subjectKind === 'account') return principal.account === rule.subject
  const [key = '', value] = rule.subject.split('=', 2)
  const own = principal.attributes[key]
  return own !== undefined && (value === undefined || own.toLowerCase() === value.toLowerCase())
}

function resourceMatches(pattern: string, principal: Principal, resource: Resource): boolean {
  if (pattern === '*') return true
  if (pattern === 'owner') {
    const { owner } = resource
    if (owner === undefined || owner === null) return false
    return owner === principal.accountId || owner === principal.account
  }
  if (pattern === 'manager') {
    return principal.accountId !== null && (resource.managers ?? []).includes(principal.accountId)
  }
  const path = resource.path?.split('/').filter(Boolean) ?? null
  return (
    path !== null &&
    pattern
      .split('/')
      .filter(Boolean)
      .every((segment, i) => path[i] === segment)
  )
}

const READS = [
  'identity.read',
  'catalog.read',
  'placement.rule.read',
  'transfer.read',
  'sites.read',
  'operations.read',
]
const OWNERS = [
  'identity.login',
  'catalog.scope.create',
  'catalog.did.*',
  'catalog.replica.*',
  'placement.rule.*',
  'transfer.cancel',
  'identity.people.read',
  'identity.profile.write',
  'identity.policy.sign',
  'identity.group.request',
]
const MANAGERS = ['identity.people.read', 'identity.group.manage']

/** What a new VO begins with. */
export function defaultRules(vo: string): Rule[] {
  const rule = (
    subjectKind: Rule['subjectKind'],
    subject: string,
    action: string,
    resource: string,
  ): Rule => ({
    vo,
    subjectKind,
    subject,
    action,
    resource,
    effect: 'allow',
  })
  return [
    ...READS.map((action) => rule('everyone', '', action, '*')),
    ...OWNERS.map((action) => rule('everyone', '', action, 'owner')),
    ...MANAGERS.map((action) => rule('everyone', '', action, 'manager')),
    rule('attribute', 'admin=true', '*', '*'),
    rule('attribute', 'gateway', 'gateway.report', '*'),
  ]
}
