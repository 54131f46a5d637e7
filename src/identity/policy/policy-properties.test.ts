import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anonymous, type Principal } from '../principal.ts'
import { parseScopes } from '../tokens/scope.ts'
import { ACTIONS, type Action, type Resource } from './actions.ts'
import { compilePolicy, type Rule } from './decide.ts'
import { defaultRules } from './default-rules.ts'

const actions = Object.keys(ACTIONS) as Action[]
// Few of everything, so that rules and questions meet.
const some = fc.constantFrom<Action>('catalog.read', 'catalog.did.create', 'identity.write', 'storage.read')
const vos = fc.constantFrom('demo', 'demo', 'demo', 'other')
const paths = fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/ab', '/b')
const rules = fc
  .array(
    fc.record({
      vo: vos,
      subject: fc.constantFrom<[Rule['subjectKind'], string]>(
        ['everyone', ''],
        ['group', '/demo/a'],
        ['group', '/demo/a/b'],
        ['account', 'mika'],
        ['account', 'noa'],
        ['attribute', 'admin=TRUE'],
        ['attribute', 'gateway'],
      ),
      action: fc.oneof(fc.constantFrom('*', 'catalog.*', 'catalog.did.*'), some),
      resource: fc.oneof(fc.constantFrom('*', 'owner', 'manager'), paths),
      effect: fc.constantFrom<'allow' | 'deny'>('allow', 'deny'),
    }),
    { maxLength: 12 },
  )
  .map((list) =>
    list.map(({ subject: [subjectKind, subject], ...rule }): Rule => ({ ...rule, subjectKind, subject })),
  )
const scopes = fc.subarray([
  'grid',
  'grid',
  'grid.catalog.*',
  'grid.catalog.read',
  'storage.read:/',
  'openid',
])
const principals: fc.Arbitrary<Principal> = fc
  .record({
    vo: vos,
    account: fc.constantFrom('mika', 'noa', null),
    groups: fc.subarray(['/demo/a', '/demo/a/b', '/demo/ab']),
    attributes: fc.constantFrom<Record<string, string>>(
      {},
      { admin: 'true' },
      { admin: 'no', gateway: 'kek' },
    ),
    scopes: scopes.map((words) => parseScopes(words.join(' '))),
    limited: fc.boolean(),
  })
  .map((facts) => ({ ...anonymous, kind: 'user' as const, accountId: facts.account && 7, ...facts }))
const resources: fc.Arbitrary<Resource> = fc.record(
  { vo: vos, owner: fc.constantFrom('mika', 'noa', 7, null), path: paths, managers: fc.subarray([3, 7]) },
  { requiredKeys: ['vo'] },
)
const allows = (list: readonly Rule[], who: Principal, action: Action, resource: Resource) =>
  compilePolicy(list).decide(who, action, resource).allow

/** The meaning of a policy, rule by rule, with nothing arranged. */
function byTheBook(list: readonly Rule[], who: Principal, action: Action, resource: Resource): boolean {
  const words = who.scopes.flatMap((scope) => (scope.family === 'plain' ? [scope.word] : []))
  const inScope = words.some(
    (word) =>
      word === 'grid' ||
      word === `grid.${action}` ||
      (word.endsWith('.*') && `grid.${action}`.startsWith(word.slice(0, -1))),
  )
  if (!inScope || who.vo !== resource.vo) return false
  if (who.limited && !/^(storage|catalog|placement|transfer)\.|\.read$/.test(action)) return false
  const matching = list.filter((rule) => {
    const of = rule.vo === who.vo
    const act =
      rule.action === '*' ||
      rule.action === action ||
      (rule.action.endsWith('.*') && action.startsWith(rule.action.slice(0, -1)))
    const [key = '', value] = rule.subject.split('=')
    const own = who.attributes[key]
    const whom = {
      everyone: true,
      group: who.groups.includes(rule.subject),
      account: who.account === rule.subject,
      attribute: own !== undefined && (value === undefined || own.toLowerCase() === value.toLowerCase()),
    }[rule.subjectKind]
    const mine =
      resource.owner != null && (resource.owner === who.account || resource.owner === who.accountId)
    const managed = who.accountId !== null && (resource.managers ?? []).includes(who.accountId)
    const below =
      resource.path !== undefined &&
      `${resource.path}/`.replace('//', '/').startsWith(`${rule.resource}/`.replace('//', '/'))
    const what = { '*': true, owner: mine, manager: managed }[rule.resource] ?? below
    return of && act && whom && what
  })
  return matching.length > 0 && matching.every(({ effect }) => effect === 'allow')
}

test('the arranged policy decides as the rules read one by one', () => {
  let allowed = 0
  fc.assert(
    fc.property(rules, principals, some, resources, (list, who, action, resource) => {
      const wanted = byTheBook(list, who, action, resource)
      if (wanted) allowed += 1
      expect(allows(list, who, action, resource)).toBe(wanted)
    }),
    { numRuns: 3000 },
  )
  expect(allowed).toBeGreaterThan(50)
})

test('one more scope never takes a permission away, and a limited proxy never has one more', () => {
  fc.assert(
    fc.property(rules, principals, some, resources, scopes, (list, who, action, resource, more) => {
      const wider = { ...who, scopes: [...who.scopes, ...parseScopes(more.join(' '))] }
      if (allows(list, who, action, resource)) expect(allows(list, wider, action, resource)).toBe(true)
      if (!allows(list, { ...who, limited: false }, action, resource)) {
        expect(allows(list, { ...who, limited: true }, action, resource)).toBe(false)
      }
    }),
  )
})

test('who is allowed a path is allowed all below it and no sibling', () => {
  const name = fc.stringMatching(/^[a-z]{1,3}$/)
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), name, (segments, more) => {
      const path = `/${segments.join('/')}`
      const rule: Rule = {
        ...{ vo: 'demo', subjectKind: 'everyone', subject: '', action: 'catalog.read', effect: 'allow' },
        resource: path,
      }
      const who = { ...anonymous, kind: 'user' as const, vo: 'demo', scopes: parseScopes('grid') }
      const may = (asked: string) => allows([rule], who, 'catalog.read', { vo: 'demo', path: asked })
      expect(may(path)).toBe(true)
      expect(may(`${path}/${more}`)).toBe(true)
      expect(may(path + more)).toBe(false)
      expect(may(`/${segments.slice(0, -1).join('/')}`)).toBe(false)
    }),
  )
})

test('what a new VO permits, as reviewed', async () => {
  const policy = compilePolicy([...defaultRules('demo'), ...defaultRules('other')])
  const base = { ...anonymous, vo: 'demo', scopes: parseScopes('grid') }
  const member = { ...base, kind: 'user' as const, accountId: 7, account: 'mika', groups: ['/demo'] }
  const people: Readonly<Record<string, Principal>> = {
    nobody: anonymous,
    member,
    'member of the production group': { ...member, groups: ['/demo', '/demo/production'] },
    'member by a limited proxy': { ...member, method: 'x509', limited: true },
    'member with a token for storage only': { ...member, scopes: parseScopes('storage.read:/') },
    administrator: { ...member, attributes: { admin: 'true' } },
    'service with scim:read': { ...base, kind: 'service', scopes: parseScopes('scim:read') },
    'service with scim:write': { ...base, kind: 'service', scopes: parseScopes('scim:write') },
    gateway: { ...base, kind: 'service', accountId: 9, account: 'gw-kek', attributes: { gateway: 'kek' } },
  }
  const of = (resource: Resource) => (who: Principal, action: Action) =>
    policy.decide(who, action, resource).allow
  const things = {
    'a group they manage': (who: Principal, action: Action) =>
      of({ vo: 'demo', managers: who.accountId === null ? [] : [who.accountId] })(who, action),
    own: (who: Principal, action: Action) => of({ vo: 'demo', owner: who.account })(who, action),
    others: of({ vo: 'demo', owner: 'noa' }),
    'other VO': of({ vo: 'other', owner: 'mika' }),
  }
  const lines = Object.entries(people).flatMap(([who, principal]) => [
    `\n${who}`,
    ...actions.map((action) => {
      const cells = Object.entries(things).map(
        ([name, may]) => `${name}: ${may(principal, action) ? 'YES' : 'no '}`,
      )
      return `  ${action.padEnd(30)} ${cells.join('   ')}`
    }),
  ])
  await expect(`${lines.join('\n').trim()}\n`).toMatchFileSnapshot('default-policy.snapshot.txt')
})
