import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anonymous, type Principal } from '../principal.ts'
import { parseScopes } from '../tokens/scope.ts'
import { ACTIONS, type Action, type Resource } from './actions.ts'
import { compilePolicy, type Rule } from './decide.ts'
import { defaultRules } from './default-rules.ts'

const principal = (facts: Partial<Principal> & { scope?: string } = {}): Principal => ({
  ...anonymous,
  kind: 'user',
  accountId: 7,
  account: 'mika',
  vo: 'demo',
  scopes: parseScopes(facts.scope ?? 'grid'),
  ...facts,
})
const rule = (facts: Partial<Rule> = {}): Rule => ({
  vo: 'demo',
  subjectKind: 'everyone',
  subject: '',
  action: 'catalog.read',
  resource: '*',
  effect: 'allow',
  ...facts,
})
const demo = { vo: 'demo' }
const decide = (rules: readonly Rule[], who: Principal, action: Action, resource: Resource) =>
  compilePolicy(rules).decide(who, action, resource)
const allows = (rules: readonly Rule[], who: Principal, action: Action, resource = demo as object) =>
  decide(rules, who, action, { vo: 'demo', ...resource }).allow
const actions = fc.constantFrom(...(Object.keys(ACTIONS) as Action[]))

describe('the decision', () => {
  test('without a rule nobody may do anything, not even an administrator', () => {
    fc.assert(
      fc.property(actions, fc.boolean(), (action, admin) => {
        const who = principal(admin ? { attributes: { admin: 'true' } } : {})
        return !allows([], who, action) && !allows([], who, action, { owner: 7 })
      }),
    )
  })
  test('one denial outweighs any number of permissions, in any order', () => {
    const rules = [
      rule({ action: '*' }),
      rule(),
      rule({ effect: 'deny', subjectKind: 'account', subject: 'mika' }),
    ]
    fc.assert(
      fc.property(fc.shuffledSubarray(rules, { minLength: 3 }), (shuffled) => {
        expect(allows(shuffled, principal(), 'catalog.read')).toBe(false)
        expect(allows(shuffled, principal({ account: 'noa' }), 'catalog.read')).toBe(true)
      }),
    )
  })
  test('a permission never takes another away, and a denial never gives one', () => {
    const some = fc
      .record({
        action: fc.constantFrom('*', 'catalog.*', 'catalog.read', 'identity.write'),
        resource: fc.constantFrom('*', 'owner'),
        effect: fc.constantFrom<'allow' | 'deny'>('allow', 'deny'),
      })
      .map(rule)
    fc.assert(
      fc.property(fc.array(some), some, actions, (rules, extra, action) => {
        const before = allows(rules, principal(), action)
        const after = allows([...rules, extra], principal(), action)
        return extra.effect === 'allow' ? !before || after : before || !after
      }),
    )
  })
  test('the owner may what a rule leaves to owners; others, and things without an owner, are not reached', () => {
    const rules = [rule({ action: 'catalog.did.*', resource: 'owner' })]
    expect(allows(rules, principal(), 'catalog.did.create', { owner: 7 })).toBe(true)
    expect(allows(rules, principal(), 'catalog.did.create', { owner: 'mika' })).toBe(true)
    for (const owner of [8, 'noa', null, undefined]) {
      expect(allows(rules, principal(), 'catalog.did.create', { owner })).toBe(false)
    }
    const nobody = principal({ accountId: null, account: null })
    expect(allows(rules, nobody, 'catalog.did.create', { owner: null })).toBe(false)
    expect(allows(rules, principal(), 'catalog.read', { owner: 7 })).toBe(false)
  })
  test('rules reach groups, attributes and paths by whole names', () => {
    const of = (facts: Partial<Rule>, who: Partial<Principal>, resource = {}) =>
      allows([rule(facts)], principal(who), 'catalog.read', resource)
    expect(of({ subjectKind: 'group', subject: '/a' }, { groups: ['/a'] })).toBe(true)
    expect(of({ subjectKind: 'group', subject: '/a' }, { groups: ['/a/b', '/ab'] })).toBe(false)
    expect(of({ subjectKind: 'attribute', subject: 'admin=true' }, { attributes: { admin: 'True' } })).toBe(
      true,
    )
    expect(of({ subjectKind: 'attribute', subject: 'admin=true' }, { attributes: { admin: '' } })).toBe(false)
    expect(of({ resource: '/a' }, {}, { path: '/a/b' })).toBe(true)
    expect(of({ resource: '/a' }, {}, { path: '/ab' })).toBe(false)
    expect(of({ resource: '/a' }, {})).toBe(false)
    expect(allows([rule({ action: 'catalog.*' })], principal(), 'catalog.rse.admin')).toBe(true)
    expect(allows([rule({ action: 'cat.*' })], principal(), 'catalog.read')).toBe(false)
  })
  test('a token of another VO, without the scope, or of nobody reaches nothing', () => {
    const rules = [rule({ action: '*' }), rule({ action: '*', vo: 'other' })]
    expect(allows(rules, principal({ vo: 'other' }), 'catalog.read')).toBe(false)
    expect(decide(rules, principal(), 'catalog.read', { vo: 'other' }).allow).toBe(false)
    expect(allows(rules, anonymous, 'catalog.read')).toBe(false)
    expect(allows(rules, principal({ scopes: [] }), 'catalog.read')).toBe(false)
    expect(allows(rules, principal({ scopes: parseScopes('grid.catalog.*') }), 'catalog.read')).toBe(true)
    expect(allows(rules, principal({ scopes: parseScopes('grid.catalog.*') }), 'identity.write')).toBe(false)
    const raw = principal({ scopes: parseScopes('grid.catalog.read:/raw') })
    const at = (path?: string) => allows(rules, raw, 'catalog.read', path === undefined ? {} : { path })
    expect(['/raw', '/raw/run-1', '/rawer', '/', '/raw/../other', undefined].map(at)).toEqual([
      ...[true, true, false, false, false, false],
    ])
  })
  test('a new VO lets everyone read, owners write, administrators everything and gateways report', () => {
    const rules = defaultRules('demo')
    const admin = principal({ account: 'admin', accountId: 1, attributes: { admin: 'true' } })
    const gateway = principal({ kind: 'service', attributes: { gateway: 'A' } })
    expect(allows(rules, principal(), 'catalog.read')).toBe(true)
    expect(allows(rules, principal(), 'catalog.did.create')).toBe(false)
    expect(allows(rules, principal(), 'catalog.did.create', { owner: 7 })).toBe(true)
    expect(allows(rules, principal(), 'identity.write', { owner: 7 })).toBe(false)
    expect(allows(rules, admin, 'identity.write')).toBe(true)
    expect(allows(rules, principal(), 'gateway.report')).toBe(false)
    expect(allows(rules, gateway, 'gateway.report')).toBe(true)
  })
  test('the managers of a group may what a rule leaves to managers, in that group only', () => {
    const rules = defaultRules('demo')
    const may = (managers: readonly number[] | undefined, who = principal()) =>
      allows(rules, who, 'identity.group.manage', managers ? { managers } : {})
    expect([may([7]), may([3, 7]), may([8]), may([]), may(undefined)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(may([7], principal({ accountId: null, account: null }))).toBe(false)
    expect(allows(rules, principal(), 'identity.write', { managers: [7] })).toBe(false)
  })
  test('the field’s own scopes let a service in, and only narrow what a person may', () => {
    const rules = defaultRules('demo')
    const robot = (scope: string) => principal({ kind: 'service', accountId: 9, account: 'robot', scope })
    expect(allows(rules, robot('scim:read'), 'identity.people.read')).toBe(true)
    expect(allows(rules, robot('scim:read'), 'identity.write')).toBe(false)
    expect(allows(rules, robot('scim:write'), 'identity.write')).toBe(true)
    expect(allows(rules, robot('iam:admin.write'), 'identity.approve')).toBe(true)
    expect(allows(rules, robot('scim:write'), 'identity.approve')).toBe(false)
    expect(allows(rules, robot('scim:write'), 'catalog.read')).toBe(false)
    expect(decide(rules, robot('scim:write'), 'identity.write', { vo: 'other' }).allow).toBe(false)
    const denied = [...rules, rule({ subjectKind: 'account', subject: 'robot', action: '*', effect: 'deny' })]
    expect(allows(denied, robot('scim:write'), 'identity.write')).toBe(false)
    const person = principal({ scope: 'scim:write' })
    expect(allows(rules, person, 'identity.write')).toBe(false)
    expect(allows(rules, person, 'identity.people.read', { owner: 7 })).toBe(true)
    expect(allows(rules, person, 'identity.people.read', { owner: 8 })).toBe(false)
    const admin = principal({ scope: 'scim:read', attributes: { admin: 'true' } })
    expect([allows(rules, admin, 'identity.people.read'), allows(rules, admin, 'identity.write')]).toEqual([
      true,
      false,
    ])
  })
  test('the reason names the rule', () => {
    expect(decide([rule()], principal(), 'catalog.read', demo).reason).toBe(
      'allow everyone catalog.read on *',
    )
    expect(decide([], principal(), 'catalog.read', demo).reason).toBe('no rule allows it')
  })
})
