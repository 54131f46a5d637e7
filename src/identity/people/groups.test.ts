import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { rows, sql, virtualClock } from '../../kernel/index.ts'
import type { Account, Identity } from '../index.ts'

const HOUR = 3600_000

describe('groups', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  let made = 0
  const person = async (vo = 'demo'): Promise<Account> =>
    (await identity.createAccounts([{ vo, name: `g${++made}` }]))[0]!
  const pathsOf = async (account: Account) =>
    ((await identity.membershipsOf([account.id])).get(account.id) ?? []).map(({ path }) => path)
  const later = (hours: number) => new Date(clock.now().getTime() + hours * HOUR)

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
    await identity.createGroups('demo', [
      { path: '/demo/physics/b/charm', description: 'Charm in b decays' },
      { path: '/demo/physics' },
      { path: '/demo/physics/b' },
      { path: '/demo/physics/production', role: true },
      { path: '/demo/shifts', optional: true },
    ])
  })

  test('everybody of a VO is in its root group from the beginning, services are not', async () => {
    expect(await pathsOf(await person())).toEqual(['/demo'])
    expect(await pathsOf(await person('other'))).toEqual(['/other'])
    const [robot] = await identity.createAccounts([{ vo: 'demo', name: 'robot', kind: 'SERVICE' }])
    expect(await pathsOf(robot!)).toEqual([])
  })

  test('who joins a group joins all above it, who leaves one leaves all below it', async () => {
    const [one, two] = [await person(), await person()]
    await identity.addMembers('demo', '/demo/physics/b/charm', [one.id, two.id])
    expect(await pathsOf(one)).toEqual(['/demo', '/demo/physics', '/demo/physics/b', '/demo/physics/b/charm'])
    await identity.removeMembers('demo', '/demo/physics/b', [one.id])
    expect(await pathsOf(one)).toEqual(['/demo', '/demo/physics'])
    expect(await pathsOf(two)).toHaveLength(4)
    await identity.removeMembers('demo', '/demo', [two.id])
    expect(await pathsOf(two)).toEqual([])
  })

  test('a membership that ends is not one below a longer one, and ends those below', async () => {
    const account = await person()
    await identity.addMembers('demo', '/demo/physics/b', [account.id], { until: later(5) })
    const untils = async () =>
      Object.fromEntries(
        (await identity.membershipsOf([account.id])).get(account.id)!.map(({ path, until }) => [path, until]),
      )
    expect(await untils()).toEqual({
      '/demo': null,
      '/demo/physics': later(5),
      '/demo/physics/b': later(5),
    })
    await identity.addMembers('demo', '/demo/physics/b/charm', [account.id], { until: later(9) })
    expect((await untils())['/demo/physics']).toEqual(later(9))
    await identity.addMembers('demo', '/demo/physics', [account.id], { until: later(2) })
    expect(await untils()).toEqual({
      '/demo': null,
      '/demo/physics': later(2),
      '/demo/physics/b': later(2),
      '/demo/physics/b/charm': later(2),
    })
    clock.advance(2 * HOUR)
    expect(await pathsOf(account)).toEqual(['/demo'])
  })

  test('optional groups and roles count only when asked for', async () => {
    const account = await person()
    await identity.addMembers('demo', '/demo/shifts', [account.id])
    await identity.addMembers('demo', '/demo/physics/production', [account.id])
    expect((await identity.groupsOf([account.id])).get(account.id)).toEqual(['/demo', '/demo/physics'])
    const memberships = (await identity.membershipsOf([account.id])).get(account.id)!
    expect(memberships.find(({ role }) => role)).toMatchObject({
      path: '/demo/physics/production',
      optional: true,
      until: null,
    })
  })

  test('a group needs a proper path, a parent, and a name nobody has', async () => {
    const create = (path: string, vo = 'demo') => identity.createGroups(vo, [{ path }])
    const bad = [
      '',
      'demo',
      '/demo/',
      '/demo//x',
      '/demo/ä',
      '/demo/.x',
      '/other/x',
      '/demo/../x',
      '/demo/x\n',
    ]
    for (const path of [...bad, `/demo/${'x'.repeat(251)}`, '/demo/Role=x', "/demo/x'y"]) {
      await expect(create(path)).rejects.toMatchObject({ code: 'invalid_group' })
    }
    await create(`/demo/${'x'.repeat(249)}`)
    await expect(create('/demo/no/child')).rejects.toMatchObject({ code: 'group_missing' })
    for (const path of ['/demo', '/demo/physics']) {
      await expect(create(path)).rejects.toMatchObject({ code: 'group_exists' })
    }
    const twice = [{ path: '/demo/twice' }, { path: '/demo/twice' }]
    await expect(identity.createGroups('demo', twice)).rejects.toMatchObject({ code: 'group_exists' })
    await expect(identity.group('demo', '/demo/twice')).rejects.toMatchObject({ code: 'group_missing' })
  })

  test('a group goes only when nothing is below it, the VO itself never', async () => {
    const account = await person()
    await identity.createGroups('demo', [{ path: '/demo/old' }, { path: '/demo/old/er' }])
    await identity.addMembers('demo', '/demo/old/er', [account.id])
    const remove = (path: string) => identity.deleteGroup('demo', path)
    await expect(remove('/demo/old')).rejects.toMatchObject({ code: 'group_in_use' })
    await expect(remove('/demo')).rejects.toMatchObject({ code: 'group_in_use' })
    await remove('/demo/old/er')
    await remove('/demo/old')
    expect(await pathsOf(account)).toEqual(['/demo'])
  })

  test('managers belong to their group alone', async () => {
    const [boss, foreign] = [await person(), await person('other')]
    await identity.addManagers('demo', '/demo/physics', [boss.id])
    const { id } = await identity.group('demo', '/demo/physics')
    const { id: below } = await identity.group('demo', '/demo/physics/b')
    const managers = await identity.managersOf([id, below])
    expect([managers.get(id), managers.get(below)]).toEqual([[boss.id], undefined])
    const managed = (await identity.managedGroups([boss.id])).get(boss.id)!
    expect(managed.map(({ path }) => path)).toEqual(['/demo/physics'])
    await expect(identity.addManagers('demo', '/demo/physics', [foreign.id])).rejects.toMatchObject({
      code: 'account_missing',
    })
    await identity.updateAccount(boss.id, { status: 'SUSPENDED' })
    expect((await identity.managersOf([id])).get(id)).toBeUndefined()
  })

  test('changes of many at once leave a whole tree behind', async () => {
    const people = await Promise.all(Array.from({ length: 8 }, () => person()))
    const ids = people.map(({ id }) => id)
    const work = Array.from({ length: 24 }, (_, i) => {
      const some = ids.filter((_id, k) => (k + i) % 3 !== 0)
      return i % 2
        ? identity.addMembers('demo', '/demo/physics/b/charm', some)
        : identity.removeMembers('demo', '/demo/physics', some)
    })
    await Promise.all(work)
    // Whoever is in a group is in the group above it.
    const orphans = sql`select m.account_id from membership m join grp g on g.id = m.grp_id
      where g.parent is not null and not exists (
        select 1 from membership above where above.account_id = m.account_id and above.grp_id = g.parent)`
    expect(await rows(database.db, orphans)).toEqual([])
  })
})
