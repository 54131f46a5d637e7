import type { Principal } from '../principal.ts'
import { covers, isSafeSegment } from '../tokens/scope.ts'
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

export interface Decision<R extends Rule = Rule> {
  readonly allow: boolean
  /** In words, for whoever asks why. */
  readonly reason: string
  /** The rule that decided; absent when none did. */
  readonly rule?: R
}

/** The rules of all VOs, arranged so that a decision looks only at those which can matter. */
export interface Policy<R extends Rule = Rule> {
  decide(principal: Principal, action: Action, resource: Resource): Decision<R>
}

/**
 * Deny unless a rule allows; an explicit deny wins. Pure: the answer depends on the arguments and the rules alone.
 * Cost: one look-up for each group and attribute of the caller and each level of the path, whatever the number of rules.
 */
export function compilePolicy<R extends Rule>(rules: readonly R[]): Policy<R> {
  const ofVo = new Map<string, R[]>()
  for (const rule of rules) put(ofVo, rule.vo, rule)
  const compiled = new Map<string, ActionRules<R>>()
  const forAction = (vo: string, action: string): ActionRules<R> => {
    const key = `${vo} ${action}`
    const known = compiled.get(key)
    if (known) return known
    const made = arrange((ofVo.get(vo) ?? []).filter((rule) => actionMatches(rule.action, action)))
    compiled.set(key, made)
    return made
  }
  return {
    decide(principal, action, resource) {
      if (principal.kind === 'anonymous') return refusal('nobody is logged in')
      if (principal.vo !== resource.vo) return refusal(`the token is of VO ${principal.vo}`)
      const standard = standardScope(principal, action)
      if (!standard && !carries(principal, action, resource)) {
        return refusal(`the token carries neither the scope grid nor grid.${action}`)
      }
      if (principal.guest && !action.endsWith('.read')) {
        return refusal(
          `${principal.issuer} knows them, but no account here does; they may look and nothing else`,
        )
      }
      if (principal.limited && !isForLimitedProxies(action)) {
        return refusal('a limited proxy may read and move data, and nothing else')
      }
      let allowing: R | undefined
      for (const bucket of bucketsOf(forAction(principal.vo, action), principal)) {
        for (const rule of reaching(bucket, principal, resource)) {
          if (rule.effect === 'deny') return { allow: false, reason: describeRule(rule), rule }
          // Everyone means every member.
          if (!(principal.guest && rule.subjectKind === 'everyone')) allowing ??= rule
        }
      }
      // An administrator gave a service its scopes one by one; for a person they only narrow what the rules allow.
      if (standard && principal.kind === 'service') return { allow: true, reason: `the scope ${standard}` }
      if (!allowing) return refusal('no rule allows it')
      return { allow: true, reason: describeRule(allowing), rule: allowing }
    },
  }
}

/** `allow group /demo/shift catalog.* on owner` */
export function describeRule(rule: Rule): string {
  const subject = rule.subjectKind === 'everyone' ? 'everyone' : `${rule.subjectKind} ${rule.subject}`
  return `${rule.effect} ${subject} ${rule.action} on ${rule.resource}`
}

/** Rules of one action by what their resource says. */
interface Bucket<R> {
  readonly anything: R[]
  readonly owner: R[]
  readonly manager: R[]
  /** By the path without its leading slash. */
  readonly paths: Map<string, R[]>
}

/** Rules of one action by whom they concern. */
interface ActionRules<R> {
  readonly everyone: Bucket<R>
  readonly groups: Map<string, Bucket<R>>
  readonly accounts: Map<string, Bucket<R>>
  /** By `key` and by `key=value`, the value in lower case. */
  readonly attributes: Map<string, Bucket<R>>
}

const emptyBucket = <R>(): Bucket<R> => ({ anything: [], owner: [], manager: [], paths: new Map() })

function arrange<R extends Rule>(rules: readonly R[]): ActionRules<R> {
  const arranged: ActionRules<R> = {
    everyone: emptyBucket(),
    groups: new Map(),
    accounts: new Map(),
    attributes: new Map(),
  }
  const bucketIn = (buckets: Map<string, Bucket<R>>, key: string): Bucket<R> => {
    const bucket = buckets.get(key) ?? emptyBucket<R>()
    buckets.set(key, bucket)
    return bucket
  }
  for (const rule of rules) {
    const bucket =
      rule.subjectKind === 'everyone'
        ? arranged.everyone
        : rule.subjectKind === 'group'
          ? bucketIn(arranged.groups, rule.subject)
          : rule.subjectKind === 'account'
            ? bucketIn(arranged.accounts, rule.subject)
            : bucketIn(arranged.attributes, attributeKey(rule.subject))
    if (rule.resource === '*') bucket.anything.push(rule)
    else if (rule.resource === 'owner') bucket.owner.push(rule)
    else if (rule.resource === 'manager') bucket.manager.push(rule)
    else put(bucket.paths, segmentsIn(rule.resource).join('/'), rule)
  }
  return arranged
}

function* bucketsOf<R>(rules: ActionRules<R>, principal: Principal): Generator<Bucket<R>> {
  yield rules.everyone
  const found = (bucket: Bucket<R> | undefined) => (bucket ? [bucket] : [])
  if (principal.account !== null) yield* found(rules.accounts.get(principal.account))
  for (const group of principal.groups) yield* found(rules.groups.get(group))
  if (rules.attributes.size === 0) return
  for (const [key, value] of Object.entries(principal.attributes)) {
    yield* found(rules.attributes.get(key))
    yield* found(rules.attributes.get(`${key}=${value.toLowerCase()}`))
  }
}

function* reaching<R>(bucket: Bucket<R>, principal: Principal, resource: Resource): Generator<R> {
  yield* bucket.anything
  if (owns(principal, resource)) yield* bucket.owner
  if (manages(principal, resource)) yield* bucket.manager
  if (bucket.paths.size === 0 || resource.path === undefined) return
  let path = ''
  yield* bucket.paths.get(path) ?? []
  for (const segment of segmentsIn(resource.path)) {
    path = path === '' ? segment : `${path}/${segment}`
    yield* bucket.paths.get(path) ?? []
  }
}

function owns(principal: Principal, { owner }: Resource): boolean {
  if (owner === undefined || owner === null) return false
  return owner === principal.accountId || owner === principal.account
}

function manages({ accountId }: Principal, { managers = [] }: Resource): boolean {
  return accountId !== null && managers.includes(accountId)
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

function standardScope(principal: Principal, action: Action): string | undefined {
  return STANDARD_SCOPES[action]?.find((word) =>
    principal.scopes.some((scope) => covers(scope, { family: 'plain', word })),
  )
}

/** A token reaches an action only through a scope of it, however mighty its account. */
function carries(principal: Principal, action: Action, { path }: Resource): boolean {
  const segments = segmentsIn(path ?? '')
  const below = path !== undefined && segments.every(isSafeSegment)
  const wanted = { family: 'plain', word: `grid.${action}`, ...(below && { segments }) } as const
  return principal.scopes.some((scope) => covers(scope, wanted))
}

/** A limited proxy is left with jobs, which need data but must neither submit more jobs nor act as the person. */
function isForLimitedProxies(action: Action): boolean {
  return /^(storage|catalog|placement|transfer)\./.test(action) || action.endsWith('.read')
}

export function actionMatches(pattern: string, action: string): boolean {
  return (
    pattern === '*' ||
    pattern === action ||
    (pattern.endsWith('.*') && action.startsWith(pattern.slice(0, -1)))
  )
}

function attributeKey(subject: string): string {
  const equals = subject.indexOf('=')
  return equals < 0 ? subject : subject.slice(0, equals + 1) + subject.slice(equals + 1).toLowerCase()
}

const segmentsIn = (path: string): string[] => path.split('/').filter(Boolean)
const refusal = (reason: string) => ({ allow: false, reason })

function put<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}
