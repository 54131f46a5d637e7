import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { rows, sql } from '../kernel/database.ts'
import {
  acceptReport,
  addDowntime,
  createSite,
  type Downtime,
  downtimesAhead,
  downtimesBetween,
  endDowntime,
  listSites,
  type NewDowntime,
  nextOutage,
  presentDowntime,
  registerGateway,
  secondsUntil,
} from './index.ts'

const start = new Date('2026-01-01T00:00:00Z')
const hours = (n: number): Date => new Date(start.getTime() + n * 3_600_000)

describe('what a downtime covers', () => {
  const downtime = (more: Partial<Downtime>): Downtime => ({
    ...{ id: 1, vo: 'demo', site: 'osaka', storage: null, resource: null, severity: 'OUTAGE' },
    ...{ startsAt: hours(2), endsAt: hours(4), reason: 'cooling', madeBy: 'noa', madeAt: start },
    ...{ cancelledBy: null, cancelledAt: null },
    ...more,
  })
  test('is everything of its site, or the one storage or place that it names', () => {
    const whole = [downtime({})]
    expect(nextOutage(whole, { site: 'osaka', resource: 'osaka-farm' }, start)).toBe(whole[0])
    expect(nextOutage(whole, { site: 'osaka', storage: 'OSAKA-DISK' }, start)).toBe(whole[0])
    expect(nextOutage(whole, { site: 'kek' }, start)).toBeUndefined()
    const disk = [downtime({ storage: 'OSAKA-DISK' })]
    expect(nextOutage(disk, { site: 'osaka', storage: 'OSAKA-DISK' }, start)).toBe(disk[0])
    expect(nextOutage(disk, { site: 'osaka', storage: 'OSAKA-TAPE' }, start)).toBeUndefined()
    expect(nextOutage(disk, { site: 'osaka' }, start)).toBeUndefined()
  })
  test('counts from its beginning to its end, an outage before a warning', () => {
    const list = [downtime({ id: 1, severity: 'WARNING', endsAt: hours(9) }), downtime({ id: 2 })]
    const at = (h: number) => presentDowntime(list, { site: 'osaka' }, hours(h))?.id
    expect([at(1), at(2), at(3.9), at(4), at(9)]).toEqual([undefined, 2, 2, 1, undefined])
    const until = (h: number) => secondsUntil(nextOutage(list, { site: 'osaka' }, hours(h)), hours(h))
    expect([until(0), until(3), until(5)]).toEqual([7200, 0, Number.POSITIVE_INFINITY])
  })
})

describe('downtimes', () => {
  const database = testDatabase()
  const wish: NewDowntime = {
    ...{ vo: 'demo', site: 'osaka', storage: null, resource: null, severity: 'OUTAGE' },
    ...{ startsAt: hours(1), endsAt: hours(3), reason: 'new cooling', madeBy: 'noa' },
  }
  const add = (more: Partial<NewDowntime>, now = start) => addDowntime(database.db, now, { ...wish, ...more })
  const osaka = async (now: Date) => {
    await acceptReport(database.db, now, 'osaka', { version: '1', areas: [] })
    return (await listSites(database.db, now, 'demo'))[0]
  }

  beforeAll(async () => {
    const { db } = database
    const place = { country: 'JP', latitude: 34, longitude: 135 }
    await createSite(db, start, { vo: 'demo', name: 'osaka', title: 'Osaka', ...place })
    const gateway = { vo: 'demo', site: 'osaka', name: 'osaka', endpoint: 'https://osaka.example' }
    await registerGateway(db, start, gateway, async () => undefined)
  })

  test('are refused when they cannot be meant', async () => {
    const bad = { code: 'bad_downtime' }
    await expect(add({ endsAt: hours(1) })).rejects.toMatchObject(bad)
    await expect(add({}, hours(4))).rejects.toMatchObject(bad)
    await expect(add({ reason: ' ' })).rejects.toMatchObject(bad)
    await expect(add({ endsAt: hours(24 * 400) })).rejects.toMatchObject(bad)
    await expect(add({ site: 'nowhere' })).rejects.toMatchObject({ code: 'no_such_site' })
  })

  test('make the state of their site while they last, whatever the gateway says', async () => {
    const { id } = await add({})
    await add({ severity: 'WARNING', startsAt: hours(3), endsAt: hours(5), reason: 'tests' })
    expect(await osaka(hours(0.5))).toMatchObject({ state: 'ok', reason: null })
    expect(await osaka(hours(2))).toMatchObject({
      ...{ state: 'down', reason: 'downtime' },
      explanation: 'osaka is in downtime until 2026-01-01T03:00:00.000Z: new cooling',
    })
    expect(await osaka(hours(4))).toMatchObject({ state: 'degraded', reason: 'warning' })
    expect(await osaka(hours(6))).toMatchObject({ state: 'ok' })
    expect((await downtimesAhead(database.db, hours(4), 'demo')).map((one) => one.severity)).toEqual([
      'WARNING',
    ])
    expect(await downtimesBetween(database.db, 'demo', start, hours(9))).toHaveLength(2)
    await expect(endDowntime(database.db, hours(4), { vo: 'demo', id, by: 'noa' })).rejects.toMatchObject({
      code: 'downtime_over',
    })
  })

  test('end early when somebody says so, and are withdrawn before they begin; both are told', async () => {
    const begun = await add({ startsAt: hours(10), endsAt: hours(20) })
    const ended = await endDowntime(database.db, hours(12), { vo: 'demo', id: begun.id, by: 'mika' })
    expect(ended).toMatchObject({ endsAt: hours(12), cancelledAt: null })
    const coming = await add({ startsAt: hours(30), endsAt: hours(31) })
    const gone = await endDowntime(database.db, hours(13), { vo: 'demo', id: coming.id, by: 'mika' })
    expect(gone).toMatchObject({ cancelledBy: 'mika', cancelledAt: hours(13) })
    expect(await osaka(hours(30.5))).toMatchObject({ state: 'ok' })
    await expect(
      endDowntime(database.db, hours(13), { vo: 'other', id: begun.id, by: 'mika' }),
    ).rejects.toMatchObject({ code: 'no_such_downtime' })
    const told = await rows(
      database.db,
      sql<{ kind: string; subject: string }>`select kind, subject from event where kind like 'downtime.%'
        and at >= ${hours(12)} order by id`,
    )
    expect(told).toEqual([
      { kind: 'downtime.ended', subject: 'osaka' },
      { kind: 'downtime.ended', subject: 'osaka' },
    ])
  })
})
