import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyCovers, covers, formatScope, intersect, parseScope, type Scope } from './scope.ts'
import { type Asker, permittedScopes, type ScopePolicy } from './scope-policy.ts'
import { askedScope, DEFAULT_PEOPLE_SCOPES } from './vocabulary.ts'

const policy = (
  subject: string,
  effect: 'permit' | 'deny',
  scopes: string,
  matching: 'exact' | 'path' = 'path',
): ScopePolicy => {
  const [kind = '', name = ''] = subject.split(' ')
  return {
    ...{
      id: '',
      vo: 'demo',
      subjectKind: kind as ScopePolicy['subjectKind'],
      subject: name,
      effect,
      matching,
    },
    ...{ scopes: scopes.split(' ').filter(Boolean).map(parseScope), description: '' },
  }
}
const mika: Asker = { account: 'mika', groups: ['/demo', '/demo/raw'], client: 'portal', service: false }
const robot: Asker = { account: 'robot', groups: [], client: 'robot', service: true }
const granted = (policies: ScopePolicy[], asked: string, asker = mika) =>
  permittedScopes(policies, asker, asked.split(' ').map(askedScope)).granted.map(formatScope)

describe('who may ask for which scopes', () => {
  test('nobody for anything where nothing is said, but for their own name', () => {
    expect(granted([], 'openid storage.read:/ grid profile')).toEqual(['openid'])
  })
  test('paths are compared by whole segments', () => {
    const only = [policy('people', 'permit', 'storage.read:/home')]
    expect(granted(only, 'storage.read:/home/mika')).toEqual(['storage.read:/home/mika'])
    expect(granted(only, 'storage.read:/homework')).toEqual([])
    expect(granted(only, 'storage.read:/')).toEqual(['storage.read:/home'])
    expect(granted([policy('people', 'permit', 'storage.read:/a.b')], 'storage.read:/axb')).toEqual([])
  })
  test('letter by letter means no more than that', () => {
    const exact = [policy('people', 'permit', 'storage.read:/ grid', 'exact')]
    expect(granted(exact, 'storage.read:/ grid')).toEqual(['storage.read:/', 'grid'])
    expect(granted(exact, 'storage.read:/a grid.catalog.read')).toEqual([])
  })
  test('the nearest level that speaks of a scope decides', () => {
    const levels = [
      policy('people', 'deny', 'compute.create'),
      policy('group /demo/raw', 'permit', 'compute.create'),
      policy('people', 'permit', 'storage.read:/'),
      policy('account mika', 'deny', 'storage.read:/raw'),
    ]
    expect(granted(levels, 'compute.create storage.read:/raw/x storage.read:/other')).toEqual([
      'compute.create',
      'storage.read:/other',
    ])
    expect(granted(levels, 'compute.create', { ...mika, groups: [] })).toEqual([])
    expect(granted(levels, 'storage.read:/raw', { ...mika, account: 'aya' })).toEqual(['storage.read:/raw'])
  })
  test('within a level a deny wins, and a scope that would include what is denied is dropped whole', () => {
    const both = [
      policy('people', 'permit', 'storage.modify:/'),
      policy('people', 'deny', 'storage.modify:/raw'),
    ]
    expect(granted(both, 'storage.modify:/')).toEqual([])
    expect(granted(both, 'storage.modify:/raw/x')).toEqual([])
    expect(granted(both, 'storage.create:/raw')).toEqual([])
    expect(granted(both, 'storage.modify:/rawish')).toEqual(['storage.modify:/rawish'])
    const home = [
      policy('people', 'permit', 'storage.read:/home'),
      policy('people', 'deny', 'storage.read:/raw'),
    ]
    expect(granted(home, 'storage.read:/')).toEqual(['storage.read:/home'])
  })
  test('a service is looked at as a client first, and not as one of the people', () => {
    const rows = [policy('people', 'permit', ''), policy('client robot', 'permit', 'storage.read:/raw')]
    expect(granted(rows, 'storage.read:/raw grid', robot)).toEqual(['storage.read:/raw'])
    expect(granted([policy('services', 'permit', '')], 'compute.create', robot)).toEqual(['compute.create'])
    expect(granted([policy('services', 'permit', '')], 'compute.create')).toEqual([])
  })
  test('what is denied to a client its users cannot get through it either; a permit of it gives them nothing', () => {
    const rows = [
      policy('people', 'permit', 'storage.read:/ storage.modify:/'),
      policy('client portal', 'deny', 'storage.modify:/'),
      policy('client portal', 'permit', 'compute.create'),
    ]
    const asked = 'storage.read:/ storage.modify:/x compute.create'
    expect(granted(rows, asked)).toEqual(['storage.read:/'])
    expect(granted(rows, asked, { ...mika, client: 'other' })).toEqual([
      'storage.read:/',
      'storage.modify:/x',
    ])
  })
  test('a group is asked for under the bare scope', () => {
    const rows = [policy('people', 'permit', 'wlcg.groups')]
    expect(granted(rows, 'wlcg.groups:/demo/raw wlcg.groups')).toEqual([
      'wlcg.groups:/demo/raw',
      'wlcg.groups',
    ])
  })
  test('by default people get what a login carries, and no right to compute', () => {
    const rows = [policy('people', 'permit', DEFAULT_PEOPLE_SCOPES.join(' '))]
    expect(granted(rows, 'grid storage.create:/a compute.create scim:write offline_access')).toEqual([
      'grid',
      'storage.create:/a',
      'offline_access',
    ])
  })
  test('nothing is ever granted beyond what was asked for and permitted, or where it is denied', () => {
    const scope = fc
      .record({
        op: fc.constantFrom('read', 'create', 'modify'),
        path: fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 }),
      })
      .map(({ op, path }): Scope => parseScope(`storage.${op}:/${path.join('/')}`))
    const row = fc.record({
      subjectKind: fc.constantFrom('account', 'group', 'people', 'client'),
      effect: fc.constantFrom('permit', 'deny'),
      matching: fc.constantFrom('exact', 'path'),
      scopes: fc.array(scope, { minLength: 1, maxLength: 3 }),
    })
    const subjects: Record<string, string> = { account: 'mika', group: '/demo', people: '', client: 'portal' }
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), fc.array(scope, { maxLength: 4 }), (rows, asked) => {
        const policies = rows.map((r) => ({
          ...{ ...r, id: '', vo: 'demo', description: '', subject: subjects[r.subjectKind]! },
        })) as ScopePolicy[]
        const { granted: got, refused } = permittedScopes(policies, mika, asked)
        const permits = policies.filter((p) => p.effect === 'permit' && p.subjectKind !== 'client')
        const ofAccount = policies.filter((p) => p.effect === 'deny' && p.subjectKind === 'account')
        for (const one of got) {
          expect(anyCovers(asked, one)).toBe(true)
          expect(permits.some((p) => anyCovers(p.scopes, one))).toBe(true)
          for (const p of ofAccount) {
            if (p.matching === 'path') expect(intersect(p.scopes, [one])).toEqual([])
          }
        }
        for (const one of refused) expect(asked.some((a) => covers(a, one) && covers(one, a))).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
