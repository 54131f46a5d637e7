import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFqan, shortFqan } from './fqan.ts'
import { type AttributeRequest, grantAttributes, type Held } from './grant.ts'

const now = new Date('2026-11-21T12:00:00Z')
const HOUR = 3600
const inHours = (hours: number) => new Date(now.getTime() + hours * HOUR * 1000)

const member = (path: string, kind: 'group' | 'optional' | 'role' = 'group', until: Date | null = null) => ({
  path,
  optional: kind !== 'group',
  role: kind === 'role',
  until,
})
const held: Held = {
  memberships: [
    member('/demo/physics/production', 'role'),
    member('/demo/physics'),
    member('/demo/shifts', 'optional'),
    member('/demo'),
    member('/demo/analysis'),
    member('/demo/production', 'role'),
  ],
  attributes: [
    { name: 'nickname', value: 'mika', group: null },
    { name: 'quota', value: '5', group: '/demo/physics' },
    { name: 'desk', value: '7', group: '/demo/shifts' },
    { name: 'queue', value: 'fast', group: '/demo/production' },
  ],
}
const options = { vo: 'demo', member: 'mika', now, mostSeconds: 24 * HOUR, certificateEnds: inHours(1000) }
const request = (fqans: string[] | 'all', rest: Partial<AttributeRequest> = {}): AttributeRequest => ({
  fqans: fqans === 'all' ? 'all' : fqans.map(parseFqan),
  order: [],
  lifetimeSeconds: null,
  targets: [],
  ...rest,
})
const granted = (wish: AttributeRequest, from = held) =>
  grantAttributes(from, wish, options).fqans.map(shortFqan)
const USUAL = ['/demo', '/demo/analysis', '/demo/physics']

describe('groups and roles attested', () => {
  test('are the usual groups, sorted, when nothing or the VO is asked for', () => {
    expect(granted(request([]))).toEqual(USUAL)
    expect(granted(request(['/demo']))).toEqual(USUAL)
  })

  test('begin with what was asked for, in that order, once each', () => {
    const wish = request(['/demo/Role=production', '/demo/physics', '/demo/shifts', '/demo/physics'])
    const wanted = ['/demo/Role=production', '/demo/physics', '/demo/shifts', '/demo', '/demo/analysis']
    expect(granted(wish)).toEqual(wanted)
  })

  test('are everything held when all is asked for, roles last', () => {
    const all = [...USUAL, '/demo/shifts', '/demo/physics/Role=production', '/demo/Role=production']
    expect(granted(request('all'))).toEqual(all)
  })

  test('are put in another order on request, and a wish that cannot be met is a warning', () => {
    const order = ['/demo/physics', '/demo/Role=production'].map(parseFqan)
    expect(granted(request([], { order }))).toEqual(['/demo/physics', '/demo', '/demo/analysis'])
    const { warnings } = grantAttributes(held, request([], { order }), options)
    expect(warnings).toEqual([expect.stringContaining('/demo/Role=production is not among it')])
    expect(granted(request('all', { order })).slice(0, 2)).toEqual(order.map(shortFqan))
  })

  test('a role can be asked for wherever it is held', () => {
    const wish = request(['/demo/physics'], { rolesAnywhere: ['production'] })
    expect(granted(wish).slice(1, 3)).toEqual(['/demo/physics/Role=production', '/demo/Role=production'])
    expect(() => granted(request([], { rolesAnywhere: ['admin'] }))).toThrow(/the role admin in any group/)
  })

  test('what is not held is denied, and the message says what is', () => {
    for (const wanted of [
      '/demo/Role=admin',
      '/demo/none',
      '/demo/analysis/Role=production',
      '/demo/production',
    ])
      expect(() => granted(request([wanted]))).toThrow(
        expect.objectContaining({
          code: 'voms_attribute_denied',
          message: expect.stringContaining(`mika does not have ${wanted}. What mika has in demo: /demo, `),
        }),
      )
    expect(() => granted(request([]), { memberships: [], attributes: [] })).toThrow(/membership of \/demo/)
  })

  test('never leave the tree of the VO, whatever memberships claim', () => {
    const strange = ['/demo2', '/other', '/demoadmin/Role', '/'].map((path) => member(path))
    const from = { ...held, memberships: [...held.memberships, ...strange] }
    expect(granted(request('all'), from)).toEqual(granted(request('all')))
    expect(() => granted(request(['/other']), from)).toThrow(/does not have/)
  })

  test('always hold what was asked, are all held, and repeat nothing', () => {
    const paths = held.memberships.map(({ path, role }) =>
      role ? path.replace(/\/([^/]+)$/, '/Role=$1') : path,
    )
    fc.assert(
      fc.property(fc.subarray(paths), fc.shuffledSubarray(paths), (asked, order) => {
        const found = granted(request(asked, { order: order.map(parseFqan) }))
        expect(found).toEqual(expect.arrayContaining([...asked, ...USUAL]))
        expect(paths).toEqual(expect.arrayContaining(found))
        expect(new Set(found).size).toBe(found.length)
      }),
    )
  })
})

describe('other attributes', () => {
  test("are the member's own and those of the groups and roles attested", () => {
    const of = (wish: AttributeRequest) =>
      grantAttributes(held, wish, options).attributes.map(({ name, qualifier }) => `${name}@${qualifier}`)
    expect(of(request([]))).toEqual(['nickname@demo', 'quota@/demo/physics'])
    expect(of(request('all')).slice(2)).toEqual(['desk@/demo/shifts', 'queue@/demo/Role=production'])
  })
})

describe('the lifetime', () => {
  const of = (lifetimeSeconds: number | null, change: Partial<typeof options> = {}, from = held) => {
    const { notBefore, notAfter, warnings } = grantAttributes(from, request([], { lifetimeSeconds }), {
      ...options,
      ...change,
    })
    expect(notBefore).toEqual(now)
    return { hours: (notAfter.getTime() - now.getTime()) / HOUR / 1000, warnings }
  }
  test('is as wished, twelve hours without a wish', () => {
    expect(of(6 * HOUR)).toEqual({ hours: 6, warnings: [] })
    expect(of(null)).toEqual({ hours: 12, warnings: [] })
    expect(of(null, { mostSeconds: 2 * HOUR })).toEqual({ hours: 2, warnings: [] })
  })

  test('ends with what the VO grants, the certificate and the place in a group; the warning says which', () => {
    expect(of(48 * HOUR)).toEqual({
      hours: 24,
      warnings: [expect.stringMatching(/validity .* 86400 .* demo grants/)],
    })
    expect(of(3 * HOUR, { certificateEnds: inHours(2.99) })).toEqual({ hours: 2.99, warnings: [] })
    const ends = { certificateEnds: inHours(3) }
    expect(of(6 * HOUR, ends)).toEqual({ hours: 3, warnings: [expect.stringContaining('certificate ends')] })
    const leaving = { ...held, memberships: [member('/demo'), member('/demo/x', 'group', inHours(1))] }
    expect(of(6 * HOUR, {}, leaving)).toEqual({
      hours: 1,
      warnings: [expect.stringContaining('your place in /demo/x ends')],
    })
  })
})
