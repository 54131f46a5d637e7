import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isGridError } from '../../kernel/index.ts'
import { userCondition } from './conditions.ts'
import { type Filter, parseFilter, parsePatchPath } from './filter.ts'
import { listAnswer, pageOf, projection } from './list.ts'
import { matches, patched, patchOperations } from './patch.ts'
import { attributeNamed, INDIGO_USER, schemaNamed, USER } from './schemas.ts'

describe('a filter', () => {
  test('reads as the standard says', () => {
    expect(parseFilter('userName eq "bjensen"')).toEqual({ op: 'eq', path: 'username', value: 'bjensen' })
    expect(parseFilter('title pr and userType eq "Employee"')).toMatchObject({ op: 'and' })
    // "and" binds more tightly than "or".
    expect(parseFilter('a pr or b pr AND not (c pr)')).toEqual({
      op: 'or',
      of: [
        { op: 'pr', path: 'a' },
        {
          op: 'and',
          of: [
            { op: 'pr', path: 'b' },
            { op: 'not', of: { op: 'pr', path: 'c' } },
          ],
        },
      ],
    })
    expect(parseFilter('(a pr or b pr) and c pr')).toMatchObject({
      op: 'and',
      of: [{ op: 'or' }, { path: 'c' }],
    })
    expect(parseFilter('emails[type eq "work" and value co "@x"]')).toMatchObject({
      op: 'some',
      path: 'emails',
      of: { op: 'and' },
    })
    expect(parseFilter(`${USER}:name.familyName sw "佐\\u85e4\\""`)).toEqual({
      op: 'sw',
      path: `${USER}:name.familyName`.toLowerCase(),
      value: '佐藤"',
    })
    expect(parseFilter('active eq True')).toMatchObject({ value: true })
    expect(parseFilter('x ge -1.5e3')).toMatchObject({ value: -1500 })
  })

  test('that is broken says where', () => {
    const broken = [
      '',
      ' ',
      'a',
      'a eq',
      'a eq b',
      'a xx "b"',
      '(a pr',
      'a pr)',
      'a pr b',
      'not a pr',
      'a[b pr',
      '"a" eq 1',
    ]
    for (const text of [
      ...broken,
      'a eq "b',
      'a eq "\n"',
      'and',
      'a pr and',
      `${'('.repeat(30)}a pr${')'.repeat(30)}`,
      `a eq "${'x'.repeat(9000)}"`,
    ]) {
      expect(() => parseFilter(text), text).toThrow()
    }
  })

  const words = fc
    .stringMatching(/^[a-z][a-z0-9]{0,5}(\.[a-z]{1,4})?$/)
    .filter((w) => !['and', 'or', 'not'].includes(w))
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null))
  const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4 },
      fc.record({ op: fc.constant('pr' as const), path: words }),
      fc.record({ op: fc.constantFrom('eq', 'ne', 'co', 'le'), path: words, value }),
      fc.record({
        op: fc.constantFrom('and', 'or'),
        of: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({ op: fc.constant('not' as const), of: tie('filter') }),
    ) as fc.Arbitrary<Filter>,
  }))
  const written = (f: Filter): string => {
    if (f.op === 'and' || f.op === 'or') return `(${f.of.map(written).join(` ${f.op} `)})`
    if (f.op === 'not') return `not (${written(f.of)})`
    if (f.op === 'some') return `${f.path}[${written(f.of)}]`
    return f.op === 'pr' ? `${f.path} pr` : `${f.path} ${f.op} ${JSON.stringify(f.value)}`
  }

  test('means what was written, whatever the values', () => {
    fc.assert(
      fc.property(filter, (f) => {
        expect(parseFilter(written(f))).toEqual(f)
      }),
    )
  })

  test('of any text is understood or refused, never worse', () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      '[',
      ']',
      '"',
      '\\',
      ' ',
      'eq',
      'and',
      'not',
      'a.b',
      'urn:x:y',
      '1',
      '\0',
      '💥',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 20 }).map((list) => list.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        for (const read of [(t: string) => userCondition(parseFilter(t)), parsePatchPath]) {
          try {
            read(text)
          } catch (error) {
            if (!isGridError(error)) throw error
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('about what nobody may ask is refused', () => {
    for (const text of [
      'password eq "x"',
      'constructor pr',
      '__proto__ pr',
      'emails[password pr]',
      'groups[labels pr]',
      'urn:x:y:userName pr',
      'emails.type co "w"',
    ]) {
      expect(() => userCondition(parseFilter(text)), text).toThrow(/filter|eq|no attribute/)
    }
    expect(userCondition(parseFilter('emails.type eq "WORK"'))).toEqual({ all: [] })
    expect(userCondition(parseFilter(`${INDIGO_USER}:labels[name eq "a" and value eq "b"]`))).toMatchObject({
      some: 'labels',
    })
  })
})

describe('a patch', () => {
  const user = {
    userName: 'mika',
    name: { givenName: 'Mika', familyName: 'Sato' },
    active: true,
    emails: [
      { type: 'work', value: 'a@x', primary: true },
      { type: 'work', value: 'b@x', primary: false },
    ],
    [INDIGO_USER]: { labels: [{ name: 'a', value: '1' }] },
  }
  const core = schemaNamed(USER)!
  const apply = (...list: object[]) => patched(user, patchOperations({ Operations: list }), core)

  test('changes what its path says', () => {
    expect(apply({ op: 'Replace', path: 'name.familyName', value: '佐藤' }).name).toEqual({
      givenName: 'Mika',
      familyName: '佐藤',
    })
    expect(apply({ op: 'replace', value: { active: 'False', name: { givenName: 'M' } } })).toMatchObject({
      active: false,
      name: { givenName: 'M', familyName: 'Sato' },
    })
    expect(apply({ op: 'add', path: 'emails', value: [{ value: 'c@x', primary: true }] }).emails).toEqual([
      { type: 'work', value: 'a@x', primary: false },
      { type: 'work', value: 'b@x', primary: false },
      { value: 'c@x', primary: true },
    ])
    expect(apply({ op: 'remove', path: 'emails[value eq "A@x"]' }).emails).toEqual([user.emails[1]])
    expect(apply({ op: 'replace', path: 'emails[value ew "b@x"].value', value: 'd@x' }).emails).toMatchObject(
      [{ value: 'a@x' }, { value: 'd@x' }],
    )
    expect(apply({ op: 'remove', path: 'emails' }).emails).toEqual([])
    expect(apply({ op: 'replace', path: `${USER}:active`, value: false }).active).toBe(false)
    expect(user.emails).toHaveLength(2)
  })

  test('reaches the extension in each of the ways scripts write it', () => {
    const labels = [{ name: 'b', value: '2' }]
    const ways = [
      { op: 'add', path: `${INDIGO_USER}:labels`, value: labels },
      { op: 'add', path: 'labels', value: { [INDIGO_USER]: { labels } } },
      { op: 'add', value: { [INDIGO_USER]: { labels } } },
      { op: 'add', value: { [`${INDIGO_USER}:labels`]: labels } },
      { op: 'add', path: INDIGO_USER, value: { labels } },
    ]
    for (const way of ways) {
      expect((apply(way)[INDIGO_USER] as { labels: unknown }).labels).toEqual([
        { name: 'a', value: '1' },
        ...labels,
      ])
    }
    const gone = apply({
      op: 'remove',
      path: 'labels',
      value: { [INDIGO_USER]: { labels: [{ name: 'A' }] } },
    })
    expect((gone[INDIGO_USER] as { labels: unknown }).labels).toEqual([])
  })

  test('leaves alone what is read-only, and refuses what there is not', () => {
    expect(apply({ op: 'replace', path: 'groups', value: [{ value: 'x' }] })).toEqual(user)
    expect(apply({ op: 'replace', value: { id: 'x', meta: {}, schemas: [] } })).toEqual(user)
    const refused: object[] = [
      { op: 'replace', path: 'nothing', value: 1 },
      { op: 'replace', path: '__proto__', value: { a: 1 } },
      { op: 'replace', value: { constructor: { prototype: { a: 1 } } } },
      { op: 'remove' },
      { op: 'add', path: 'active' },
      { op: 'move', path: 'a', value: 1 },
      { op: 'replace', path: 'active', value: 'maybe' },
      { op: 'replace', path: 'emails[value eq "z"].value', value: 'x' },
      { op: 'remove', path: 'userName' },
    ]
    for (const one of refused) expect(() => apply(one), JSON.stringify(one)).toThrow()
    for (const body of [null, [], {}, { Operations: [] }, { Operations: 'x' }, { Operations: [1] }]) {
      expect(() => patchOperations(body)).toThrow()
    }
    expect(patchOperations({ operations: [{ op: 'add', path: 'active', value: true }] })).toHaveLength(1)
  })

  test('of any shape is applied or refused, and pollutes nothing', () => {
    const key = fc.constantFrom(
      'emails',
      'name',
      'value',
      'labels',
      '__proto__',
      'constructor',
      INDIGO_USER,
      USER,
      'active',
      'x',
    )
    const any = fc.object({ key, maxDepth: 3 })
    const path = fc.constantFrom(
      'emails',
      'name',
      'emails[value eq "a@x"]',
      'labels[name pr].value',
      '__proto__',
      INDIGO_USER,
    )
    const one = fc.record(
      { op: fc.constantFrom('add', 'remove', 'replace'), path, value: any },
      { requiredKeys: ['op'] },
    )
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 3 }), (list) => {
        try {
          apply(...list)
        } catch (error) {
          if (!isGridError(error)) throw error
        }
        expect(({} as Record<string, unknown>).value).toBeUndefined()
      }),
      { numRuns: 1000 },
    )
  })

  test('compares the elements of a list as a filter would', () => {
    const emails = attributeNamed(core.attributes, 'emails')!
    const element = { value: 'Mika@x.org', primary: true }
    const fits = (text: string) => matches(parseFilter(text), element, emails)
    const yes = [
      'value eq "mika@X.org"',
      'value co "x.o"',
      'value sw "mik"',
      'value ew "org"',
      'primary eq true',
      'type ne "home"',
      'not (type pr)',
      'value gt "a"',
      'value ge "mika@x.org"',
      'value le "z" and value lt "z"',
    ]
    for (const text of yes) expect(fits(text), text).toBe(true)
    for (const text of ['value eq "x"', 'type pr', 'primary eq false', 'value lt "a" or value gt "z"']) {
      expect(fits(text), text).toBe(false)
    }
  })
})

describe('a list', () => {
  test('has pages as the standard counts them', () => {
    expect(pageOf({})).toEqual({ offset: 0, limit: 100, descending: false })
    expect(pageOf({ startIndex: '11', count: '10' })).toMatchObject({ offset: 10, limit: 10 })
    expect(pageOf({ startIndex: '-5', count: '-1' })).toMatchObject({ offset: 0, limit: 0 })
    expect(pageOf({ count: '99999' }).limit).toBe(1000)
    for (const bad of ['x', '1.5', '1e9', '99999999999', {}]) expect(() => pageOf({ count: bad })).toThrow()
    expect(listAnswer(7, { offset: 2, limit: 1 }, [{}])).toMatchObject({
      totalResults: 7,
      startIndex: 3,
      itemsPerPage: 1,
    })
  })

  test('shows the attributes that are asked for', () => {
    const user = {
      schemas: [USER],
      id: '1',
      userName: 'mika',
      name: { givenName: 'M', familyName: 'S' },
      emails: [{ value: 'a', type: 'work' }],
      [INDIGO_USER]: { labels: [{ name: 'a' }], endTime: 'x' },
    }
    const show = (query: object) => projection(query as Record<string, string>)(user)
    expect(show({ attributes: 'USERNAME,name.givenName, emails.value' })).toEqual({
      schemas: [USER],
      id: '1',
      userName: 'mika',
      name: { givenName: 'M' },
      emails: [{ value: 'a' }],
    })
    expect(show({ attributes: `${INDIGO_USER}:endTime` })).toEqual({
      schemas: [USER],
      id: '1',
      [INDIGO_USER]: { endTime: 'x' },
    })
    expect(show({ attributes: INDIGO_USER })[INDIGO_USER]).toEqual(user[INDIGO_USER])
    expect(show({ excludedAttributes: `id,emails,${INDIGO_USER}` })).toEqual({
      schemas: [USER],
      id: '1',
      userName: 'mika',
      name: user.name,
    })
    expect(show({ excludedAttributes: 'name.familyName' }).name).toEqual({ givenName: 'M' })
    expect(() => show({ attributes: 'a', excludedAttributes: 'b' })).toThrow()
    expect(projection({ attributes: 'members.value' }).wants('members')).toBe(true)
  })
})
