import { describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { systemPorts } from '../kernel/ports.ts'
import {
  acceptReport,
  commandReaper,
  commandSite,
  createSite,
  finishCommand,
  gatewayOf,
  getCommand,
  listSites,
  registerGateway,
  stateOfSite,
  takeCommands,
} from './index.ts'

const database = testDatabase()
const start = new Date('2026-01-01T00:00:00Z')
const later = (seconds: number): Date => new Date(start.getTime() + seconds * 1000)
const place = { country: 'JP', latitude: 36.15, longitude: 140.07 }

async function siteWithGateway(name: string): Promise<number> {
  const { db } = database
  await createSite(db, start, { vo: 'demo', name, title: name.toUpperCase(), ...place })
  const endpoint = `https://${name}.example:8443`
  await registerGateway(db, start, { vo: 'demo', site: name, name, endpoint }, async () => undefined)
  return (await gatewayOf(db, name)).id
}
const order = (site: string, lifetimeMs?: number) =>
  commandSite(database.db, start, systemPorts.ids, {
    ...{ vo: 'demo', site, kind: 'scrub', payload: { path: '/x' } },
    ...(lifetimeMs !== undefined && { lifetimeMs }),
  })

describe('the state of a site', () => {
  const gateway = (lastSeenAt: Date | null, used = 1) => ({
    name: 'g',
    lastSeenAt,
    report: { areas: [{ path: '/demo', totalBytes: 100, usedBytes: used, files: 1 }] },
  })
  const judge = (gateways: Parameters<typeof stateOfSite>[0]['gateways'], now: Date) =>
    stateOfSite({ name: 'kek', gateways }, [], now)
  test('follows the silence of its gateways', () => {
    expect(judge([], start).state).toBe('unknown')
    expect(judge([gateway(null)], start)).toEqual({
      ...{ state: 'unknown', reason: 'unregistered' },
      explanation: 'The gateway has never reported.',
    })
    expect(judge([gateway(start)], later(5)).state).toBe('ok')
    expect(judge([gateway(start)], later(20))).toMatchObject({ state: 'degraded', reason: 'late' })
    expect(judge([gateway(start)], later(40))).toEqual({
      ...{ state: 'down', reason: 'silent', explanation: 'No report for 40 s.' },
    })
    expect(judge([gateway(start), gateway(later(39))], later(40)).state).toBe('degraded')
  })
  test('is degraded when an area is nearly full', () => {
    expect(judge([gateway(start, 96)], later(1))).toMatchObject({ state: 'degraded', reason: 'full' })
    expect(judge([gateway(start, 94)], later(1)).state).toBe('ok')
  })
})

describe('sites', () => {
  test('have a name of their own, and gateways that no other site may take', async () => {
    const { db } = database
    await siteWithGateway('kek')
    await expect(siteWithGateway('kek')).rejects.toMatchObject({ code: 'site_exists' })
    await siteWithGateway('nagoya')
    const stolen = { vo: 'demo', site: 'nagoya', name: 'kek', endpoint: 'https://other.example' }
    await expect(registerGateway(db, start, stolen, async () => undefined)).rejects.toMatchObject({
      code: 'site_exists',
    })
    await acceptReport(db, start, 'kek', { version: '1', areas: [] })
    const sites = await listSites(db, later(1), 'demo')
    expect(sites.map(({ name, state }) => [name, state])).toEqual([
      ['kek', 'ok'],
      ['nagoya', 'unknown'],
    ])
    expect(await listSites(db, start, 'other')).toEqual([])
  })
})

describe('a command', () => {
  test('is given once, again after silence, and finished once', async () => {
    const { db } = database
    const gateway = await siteWithGateway('osaka')
    const [id] = await order('osaka')
    expect(await takeCommands(db, later(1), gateway)).toMatchObject([
      { id, kind: 'scrub', payload: { path: '/x' } },
    ])
    expect(await takeCommands(db, later(15), gateway)).toEqual([])
    expect(await takeCommands(db, later(30), gateway)).toMatchObject([{ id }])
    await finishCommand(db, later(200), gateway, id!, { ok: true, result: { checked: 3, bad: 0 } })
    expect(await getCommand(db, 'demo', id!)).toMatchObject({ state: 'done', result: { checked: 3, bad: 0 } })
    await expect(
      finishCommand(db, later(201), gateway, id!, { ok: false, result: {} }),
    ).rejects.toMatchObject({ code: 'command_finished' })
    await expect(getCommand(db, 'other', id!)).rejects.toMatchObject({ code: 'no_such_command' })
  })

  test('fails when its gateway does not answer before the deadline', async () => {
    const { db } = database
    const gateway = await siteWithGateway('tokyo')
    const [id] = await order('tokyo', 60_000)
    const reaper = commandReaper({ db })
    const { signal } = new AbortController()
    expect(await reaper.tick(later(59), signal)).toEqual({ changed: 0, nextWake: later(60) })
    expect(await reaper.tick(later(60), signal)).toEqual({ changed: 1, nextWake: null })
    expect(await getCommand(db, 'demo', id!)).toMatchObject({ state: 'failed', finishedAt: later(60) })
    expect(await takeCommands(db, later(61), gateway)).toEqual([])
  })
})
