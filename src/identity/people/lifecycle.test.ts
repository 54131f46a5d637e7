import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { virtualClock } from '../../kernel/index.ts'
import type { Account, Identity } from '../index.ts'
import { nextEnding } from './lifecycle.ts'

const DAY = 86_400_000

describe('the end of a membership', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  let made = 0
  const people = (count: number): Promise<Account[]> =>
    identity.createAccounts(
      Array.from({ length: count }, () => ({
        vo: 'demo',
        name: `p${++made}`,
        email: `p${made}@example.org`,
      })),
    )
  const inDays = (days: number) => new Date(clock.now().getTime() + days * DAY)
  const run = (force = false) => identity.runLifecycle('demo', { by: 'grid', force })
  const stateOf = async ({ name }: Account) => {
    const { status, ending } = await identity.person('demo', name)
    return [status, ending]
  }

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
  })

  test('comes step by step, each with its whole grace', () => {
    const rules = { suspensionGraceDays: 7, removalGraceDays: 30 }
    const now = clock.now()
    const next = (ending: string | null, daysAgo: number, more = {}) =>
      nextEnding(
        {
          status: ending === 'SUSPENDED' || ending === 'PENDING_REMOVAL' ? 'SUSPENDED' : 'ACTIVE',
          ending: ending as null,
          endingSince: ending === null ? null : inDays(-daysAgo),
          endTime: inDays(-400),
          ignored: false,
          ...more,
        },
        { ...rules, ...more },
        now,
      )
    expect(next(null, 0)).toBe('PENDING_SUSPENSION')
    expect(next(null, 0, { suspensionGraceDays: 0 })).toBe('SUSPENDED')
    expect(next(null, 0, { endTime: inDays(1) })).toBeNull()
    expect(next(null, 0, { ignored: true })).toBeNull()
    expect(next(null, 0, { status: 'SUSPENDED' })).toBeNull()
    expect([next('PENDING_SUSPENSION', 6.9), next('PENDING_SUSPENSION', 7)]).toEqual([null, 'SUSPENDED'])
    expect([next('SUSPENDED', 29), next('SUSPENDED', 30)]).toEqual([null, 'PENDING_REMOVAL'])
    expect([next('PENDING_REMOVAL', 6), next('PENDING_REMOVAL', 7)]).toEqual([null, 'REMOVED'])
    expect(next('REMOVED', 1000)).toBeNull()
  })

  test('is announced, takes effect, ends in a tombstone, and every step is told', async () => {
    const [one] = await people(1)
    await identity.setEndTime(one!.id, inDays(-1), 'hr')
    await run()
    expect(await stateOf(one!)).toEqual(['ACTIVE', 'PENDING_SUSPENSION'])
    expect((await identity.standingOf([one!.id])).get(one!.id)).toEqual({ state: 'good' })
    const label = (await identity.labelsOf('account', [one!.id])).get(one!.id)!
    expect(label).toContainEqual({ prefix: '', name: 'lifecycle.status', value: 'PENDING_SUSPENSION' })
    clock.advance(7 * DAY)
    await run()
    expect(await stateOf(one!)).toEqual(['SUSPENDED', 'SUSPENDED'])
    expect((await identity.standingOf([one!.id])).get(one!.id)).toMatchObject({
      state: 'expired',
      code: 'membership_expired',
      message: expect.stringContaining('2026-11-20'),
    })
    clock.advance(30 * DAY)
    await run()
    clock.advance(7 * DAY)
    await run()
    expect(await stateOf(one!)).toEqual(['DELETED', 'REMOVED'])
    const log = await identity.auditLog('demo', { target: one!.name })
    expect(log.map(({ action }) => action).slice(0, 4)).toEqual([
      'account.removed',
      'account.removal_announced',
      'account.suspended',
      'account.suspension_announced',
    ])
    const mails = (await identity.mails('demo', { offset: 0, limit: 10 })).items
    expect(mails.map(({ kind }) => kind)).toEqual([
      'membership.pending_removal',
      'membership.suspended',
      'membership.pending_suspension',
    ])
    await identity.restore(one!.id, 'came back', 'boss')
    expect(await stateOf(one!)).toEqual(['ACTIVE', null])
    expect((await run()).steps).toEqual([])
  })

  test('a longer membership takes every step back but the last', async () => {
    const [one, two] = await people(2)
    for (const { id } of [one!, two!]) await identity.setEndTime(id, inDays(0), 'hr')
    await run()
    clock.advance(7 * DAY)
    await run()
    await identity.setEndTime(one!.id, inDays(100), 'hr')
    expect(await stateOf(one!)).toEqual(['ACTIVE', null])
    expect(await stateOf(two!)).toEqual(['SUSPENDED', 'SUSPENDED'])
    clock.advance(40 * DAY)
    await run()
    clock.advance(40 * DAY)
    await run()
    await identity.setEndTime(two!.id, null, 'hr')
    expect(await stateOf(two!)).toEqual(['DELETED', 'REMOVED'])
  })

  test('whoever was suspended by hand stays so until somebody decides', async () => {
    const [one] = await people(1)
    await identity.suspend(one!.id, 'an incident', 'boss')
    await identity.setEndTime(one!.id, inDays(-1), 'hr')
    await run()
    await identity.setEndTime(one!.id, inDays(50), 'hr')
    expect(await stateOf(one!)).toEqual(['SUSPENDED', null])
  })

  test('a label lets somebody out of it', async () => {
    const [one] = await people(1)
    await identity.setEndTime(one!.id, inDays(-1), 'hr')
    const owner = { kind: 'account', id: one!.id } as const
    await identity.setLabel(owner, { prefix: '', name: 'lifecycle.ignore', value: '' }, 'boss')
    expect((await run()).steps).toEqual([])
  })

  test('for many at once it waits until somebody says that it is right, also over several runs', async () => {
    clock.advance(2 * DAY)
    const all = await people(120)
    const { items } = await identity.searchPeople(
      'demo',
      { offset: 0, limit: 1000 },
      {
        all: [
          { field: 'active', test: 'eq', value: true },
          { field: 'service', test: 'eq', value: false },
        ],
      },
    )
    const limit = Math.floor(items.length * 0.05)
    const end = (list: readonly Account[]) =>
      Promise.all(list.map(({ id }) => identity.setEndTime(id, inDays(0), 'hr')))
    await end(all.slice(0, limit))
    expect((await run()).steps).toHaveLength(limit)
    await end(all.slice(limit, limit + 1))
    const held = [{ step: 'PENDING_SUSPENSION', due: 1, limit }]
    expect(await identity.lifecyclePlan('demo')).toMatchObject({
      steps: [{ step: 'PENDING_SUSPENSION' }],
      held,
    })
    expect(await run()).toEqual({ steps: [], held })
    await run()
    expect(await identity.auditLog('demo', { action: 'lifecycle.held' })).toHaveLength(1)
    await end(all.slice(limit))
    expect((await run()).held).toMatchObject([{ due: 120 - limit }])
    const forced = await Promise.all([run(true), run(true)])
    expect(forced.map(({ steps }) => steps.length).sort((a, b) => a - b)).toEqual([0, 120 - limit])
  })
})
