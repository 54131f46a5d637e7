import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { isGridError, virtualClock } from '../../kernel/index.ts'
import type { Condition, Identity, NewPerson, Person } from '../index.ts'
import { checkedEmail, checkedText } from './names.ts'

describe('people', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  let made = 0
  const person = (facts: Partial<NewPerson> = {}): Promise<Person> =>
    identity.createPerson({ vo: 'demo', username: `p${++made}`, ...facts }, 'admin')
  const find = async (condition: Condition, vo = 'demo') =>
    (await identity.searchPeople(vo, { offset: 0, limit: 100 }, condition)).items.map((p) => p.username)

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
  })

  test('have a profile in any script and several addresses, one of them primary', async () => {
    const made = await person({
      username: 'mika',
      givenName: '美香',
      familyName: '佐藤',
      institute: 'KEK 素粒子原子核研究所',
      emails: [{ address: 'Mika@example.jp' }, { address: 'mika@kek.jp', primary: true }],
    })
    expect(made).toMatchObject({ givenName: '美香', familyName: '佐藤', status: 'ACTIVE', kind: 'USER' })
    expect(made.emails).toEqual([
      { address: 'mika@kek.jp', primary: true, verifiedAt: null },
      { address: 'Mika@example.jp', primary: false, verifiedAt: null },
    ])
    expect((await identity.account('demo', 'mika')).email).toBe('mika@kek.jp')
    expect(await identity.personByUuid('demo', made.uuid)).toEqual(made)
    await expect(identity.personByUuid('other', made.uuid)).rejects.toMatchObject({ code: 'account_missing' })
    await expect(identity.personByUuid('demo', 'x')).rejects.toMatchObject({ code: 'account_missing' })
  })

  test('share no address, however it is written and however many ask at once', async () => {
    await person({ emails: [{ address: 'only@example.org' }] })
    await expect(person({ emails: [{ address: 'ONLY@example.org' }] })).rejects.toMatchObject({
      code: 'email_taken',
    })
    const race = Array.from({ length: 6 }, () => person({ emails: [{ address: 'race@example.org' }] }))
    const won = (await Promise.allSettled(race)).filter(({ status }) => status === 'fulfilled')
    expect(won).toHaveLength(1)
    await identity.createPerson(
      { vo: 'other', username: 'p', emails: [{ address: 'only@example.org' }] },
      'admin',
    )
    await expect(person({ emails: [{ address: 'a@b' }, { address: 'A@b' }] })).rejects.toMatchObject({
      code: 'invalid_email',
    })
  })

  test('an address that stays keeps its proof, the others go', async () => {
    const one = await person({ emails: [{ address: 'a@example.com' }, { address: 'b@example.com' }] })
    await identity.setEmails(
      one.id,
      [{ address: 'c@example.com', primary: true }, { address: 'A@example.com' }],
      'x',
    )
    const addresses = (await identity.person('demo', one.username)).emails.map(({ address }) => address)
    expect(addresses).toEqual(['c@example.com', 'A@example.com'])
    await identity.setEmails(one.id, [], 'x')
    expect((await identity.account('demo', one.username)).email).toBeNull()
  })

  test('names and addresses from anywhere are checked, never repaired into something else', () => {
    for (const good of [
      'a@b',
      "o'b@x".replace("'", '_'),
      '日本@example.jp',
      ' x@y.z ',
      `${'a'.repeat(64)}@b.c`,
    ]) {
      expect(checkedEmail(good)).toBe(good.trim())
    }
    const bad = [
      '',
      '@',
      'a@',
      '@b',
      'a b@c',
      'a@b@c',
      'a@-b',
      'a@b..c',
      'a@b\nBcc: x@y',
      '"a"@b',
      '<a@b>',
      'a@[::1]',
    ]
    for (const text of [...bad, `${'a'.repeat(65)}@b`, `a@${'b'.repeat(260)}`]) {
      expect(() => checkedEmail(text), text).toThrow(/no e-mail address/)
    }
    // Composed and decomposed writing of one name are one name.
    expect(checkedText('name', 'か\u3099')).toBe('が')
    for (const text of ['a\u202eb', 'a\nb', '\u0000', '\ud800', 'x'.repeat(201)]) {
      expect(() => checkedText('name', text)).toThrow()
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          expect(checkedEmail(text)).toMatch(/^\S+@\S+$/u)
        } catch (error) {
          return isGridError(error)
        }
        return true
      }),
    )
  })

  test('are found by what is known about them', async () => {
    const taro = await person({
      username: 'taro',
      givenName: '太郎',
      familyName: 'Yamada',
      emails: [{ address: 'Taro@kek.jp' }],
      endTime: new Date('2027-04-01T00:00:00Z'),
    })
    await identity.setLabel(
      { kind: 'account', id: taro.id },
      { prefix: 'hr.cern', name: 'id', value: '77' },
      'admin',
    )
    await identity.createGroups('demo', [{ path: '/demo/search' }])
    await identity.addMembers('demo', '/demo/search', [taro.id])
    const is = (field: string, test: string, value?: string | boolean) =>
      ({ field, test, ...(value !== undefined && { value }) }) as Condition
    const only: Condition[] = [
      is('username', 'eq', 'TARO'),
      is('familyName', 'sw', 'yam'),
      is('givenName', 'co', '郎'),
      is('fullName', 'eq', '太郎 yamada'),
      is('endTime', 'ge', '2027-04-01'),
      is('id', 'eq', taro.uuid),
      { some: 'emails', where: is('address', 'ew', '@KEK.jp') },
      { some: 'labels', where: { all: [is('prefix', 'eq', 'hr.cern'), is('value', 'eq', '77')] } },
      { some: 'groups', where: is('path', 'eq', '/demo/search') },
      { all: [is('active', 'eq', true), { not: is('username', 'ne', 'taro') }] },
    ]
    for (const condition of only) {
      const found = (await find(condition)).filter((name) => name !== 'mika')
      expect([condition, found]).toEqual([condition, ['taro']])
      expect(await find(condition, 'other')).toEqual([])
    }
    expect(await find({ any: [] })).toEqual([])
    expect(await find(is('endTime', 'pr'))).toEqual(['taro'])
    expect(await find({ not: is('endTime', 'gt', '2020-01-01') })).not.toContain('taro')
    const wrong: Condition[] = [
      is('password', 'pr'),
      is('toString', 'pr'),
      is('active', 'co', 'x'),
      is('endTime', 'eq', 'soon'),
    ]
    for (const condition of [...wrong, { some: 'x', where: { all: [] } }]) {
      await expect(find(condition)).rejects.toMatchObject({ code: 'invalid_filter' })
    }
  })

  test('no value of a filter reaches the database as anything but a value', async () => {
    const field = fc.constantFrom('username', 'familyName', 'fullName', 'id', 'status')
    const kind = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'le')
    await fc.assert(
      fc.asyncProperty(field, kind, fc.string({ unit: 'binary', maxLength: 30 }), async (f, t, value) => {
        try {
          await find({ field: f, test: t as 'eq', value })
        } catch (error) {
          return isGridError(error, 'invalid_filter')
        }
        return true
      }),
      { numRuns: 150 },
    )
  })

  test('are suspended with a reason they can read, and come back', async () => {
    const one = await person()
    const standing = async () => (await identity.standingOf([one.id])).get(one.id)
    expect(await standing()).toEqual({ state: 'good' })
    await expect(identity.suspend(one.id, ' ', 'admin')).rejects.toMatchObject({ kind: 'invalid' })
    await identity.suspend(one.id, 'key lost on a train', 'admin')
    expect(await standing()).toMatchObject({
      state: 'suspended',
      code: 'account_suspended',
      message: expect.stringContaining('key lost on a train'),
    })
    await expect(identity.mintForAccount(one.id)).rejects.toMatchObject({ code: 'account_suspended' })
    await identity.restore(one.id, 'new key', 'admin')
    expect(await standing()).toEqual({ state: 'good' })
    expect((await identity.auditLog('demo', { target: one.username })).map(({ action }) => action)).toEqual([
      'account.restored',
      'account.suspended',
      'account.created',
    ])
  })

  test('who is removed leaves the name and the subject behind for ever, and can be brought back', async () => {
    const one = await person({ username: 'gone', emails: [{ address: 'gone@example.org' }] })
    await identity.removePerson(one.id, 'left', 'admin')
    await expect(identity.personByUuid('demo', one.uuid)).rejects.toMatchObject({ code: 'account_missing' })
    expect(await find({ field: 'username', test: 'eq', value: 'gone' })).toEqual([])
    await expect(person({ username: 'gone' })).rejects.toMatchObject({ code: 'account_exists' })
    await identity.restore(one.id, 'a mistake', 'admin')
    expect((await identity.person('demo', 'gone')).uuid).toBe(one.uuid)
  })

  test('the last administrator stays', async () => {
    const [one, two] = [await person({ vo: 'other' }), await person({ vo: 'other' })]
    await identity.setAttributes(one.id, { admin: 'true' })
    const refused = { code: 'last_administrator' }
    await expect(identity.suspend(one.id, 'x', 'y')).rejects.toMatchObject(refused)
    await expect(identity.deleteAttributes(one.id, ['admin'])).rejects.toMatchObject(refused)
    await expect(identity.setAttributes(one.id, { admin: 'false' })).rejects.toMatchObject(refused)
    await identity.setAttributes(two.id, { admin: 'true' })
    const neither = await Promise.allSettled(
      [one, two].map(({ id }) => identity.deleteAttributes(id, ['admin', 'other'])),
    )
    expect(neither.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    for (const { id } of [one, two]) await identity.setAttributes(id, { admin: 'true' })
    const both = await Promise.allSettled([one, two].map(({ id }) => identity.suspend(id, 'x', 'y')))
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('labels and attributes are set, found and taken away; what the grid knows counts too', async () => {
    const one = await person()
    const owner = { kind: 'account', id: one.id } as const
    await identity.setLabel(owner, { prefix: '', name: 'shift', value: 'a' }, 'admin')
    await identity.setLabel(owner, { prefix: '', name: 'shift', value: 'b' }, 'admin')
    expect((await identity.labelsOf('account', [one.id])).get(one.id)).toEqual([
      { prefix: '', name: 'shift', value: 'b' },
    ])
    await identity.deleteLabel(owner, { name: 'shift' }, 'admin')
    expect((await identity.labelsOf('account', [one.id])).get(one.id)).toBeUndefined()
    for (const label of [
      { prefix: '', name: 'lifecycle.status', value: 'REMOVED' },
      { prefix: '-', name: 'x', value: '' },
      { prefix: '', name: '', value: '' },
      { prefix: '', name: 'x', value: 'y'.repeat(257) },
    ]) {
      await expect(identity.setLabel(owner, label, 'admin')).rejects.toMatchObject({ kind: 'invalid' })
    }
    await identity.setGenericAttribute(owner, { name: 'nickname', value: 'ミカ' }, 'admin')
    expect((await identity.genericAttributesOf('account', [one.id])).get(one.id)).toEqual([
      { name: 'nickname', value: 'ミカ' },
    ])
    // Policy looks at other attributes: nobody becomes an administrator by a generic one.
    await identity.setGenericAttribute(owner, { name: 'admin', value: 'true' }, 'admin')
    expect((await identity.attributes([one.id])).get(one.id)).toBeUndefined()
    await identity.deleteGenericAttribute(owner, 'nickname', 'admin')
    expect((await identity.genericAttributesOf('account', [one.id])).get(one.id)).toHaveLength(1)
    const [group] = await identity.createGroups('demo', [{ path: '/demo/labelled' }])
    const ofGroup = { kind: 'group', id: group!.id } as const
    await identity.setLabel(ofGroup, { prefix: '', name: 'voms.role', value: '' }, 'admin')
    expect(await identity.group('demo', '/demo/labelled')).toMatchObject({ role: true, optional: true })
    const names = async () =>
      ((await identity.labelsOf('group', [group!.id])).get(group!.id) ?? []).map((l) => l.name)
    expect(await names()).toEqual(['voms.role', 'wlcg.optional-group'])
    await identity.deleteLabel(ofGroup, { name: 'wlcg.optional-group' }, 'admin')
    expect(await names()).toEqual([])
  })
})
