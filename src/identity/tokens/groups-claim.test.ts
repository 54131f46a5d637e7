import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HeldGroup, selectGroups } from './groups-claim.ts'

const member = (path: string, optional = false): HeldGroup => ({ path, optional })
const cms = [member('/cms'), member('/cms/uscms', true), member('/cms/ALARM', true)]
const groups = (asked: string, memberships = cms) =>
  selectGroups(asked.split(' ').filter(Boolean), memberships).groups

describe('the groups of a token', () => {
  test('are those of the profile’s own examples', () => {
    expect(groups('wlcg.groups')).toEqual(['/cms'])
    expect(groups('wlcg.groups:/cms/uscms wlcg.groups:/cms/ALARM')).toEqual([
      '/cms/uscms',
      '/cms/ALARM',
      '/cms',
    ])
    expect(groups('wlcg.groups wlcg.groups:/cms/uscms wlcg.groups:/cms/ALARM')).toEqual([
      '/cms',
      '/cms/uscms',
      '/cms/ALARM',
    ])
  })
  test('are none unless asked for', () => {
    expect(groups('openid storage.read:/')).toEqual([])
    expect(groups('wlcg.groupsx')).toEqual([])
  })
  test('come by name where the request names none, and never twice', () => {
    const many = ['/vo/b', '/vo', '/vo/a'].map((path) => member(path))
    expect(groups('wlcg.groups', many)).toEqual(['/vo', '/vo/a', '/vo/b'])
    expect(groups('wlcg.groups:/vo/b wlcg.groups wlcg.groups:/vo/b', many)).toEqual(['/vo/b', '/vo', '/vo/a'])
  })
  test('membership of a child is not membership of its parent, and a stranger’s group is refused', () => {
    expect(selectGroups(['wlcg.groups:/cms'], [member('/cms/uscms', true)])).toEqual({
      groups: [],
      refused: ['/cms'],
    })
    expect(selectGroups(['wlcg.groups:/cms/us'], cms)).toMatchObject({ refused: ['/cms/us'] })
  })
  test('are always some of one’s own, an optional one only by its name', () => {
    const path = fc.constantFrom('/v', '/v/a', '/v/b', '/v/a/c', '/w')
    const membership = fc.record({ path, optional: fc.boolean() }).map((m) => member(m.path, m.optional))
    const own = fc.uniqueArray(membership, { selector: (m) => m.path })
    const scope = fc.oneof(
      fc.constant('wlcg.groups'),
      path.map((p) => `wlcg.groups:${p}`),
    )
    fc.assert(
      fc.property(own, fc.array(scope), (memberships, asked) => {
        const found = selectGroups(asked, memberships).groups
        expect(new Set(found).size).toBe(found.length)
        for (const group of found) {
          const of = memberships.find((m) => m.path === group)
          expect(of).toBeDefined()
          if (of?.optional) expect(asked).toContain(`wlcg.groups:${group}`)
        }
      }),
    )
  })
})
