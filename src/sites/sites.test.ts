import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { systemPorts } from '../kernel/index.ts'
import {
  commandReaper,
  commandSite,
  finishCommands,
  type Gateway,
  getGateway,
  listSites,
  putGateways,
  putSites,
  readCommands,
  siteState,
  takeCommands,
  takeReport,
} from './index.ts'

const database = testDatabase()
const vo = 'demo'
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)
const report = { version: '1', areas: [{ path: '/demo', totalBytes: 100, usedBytes: 10 }] }

beforeAll(async () => {
  const place = { latitude: 36, longitude: 140, country: 'JP' }
  const sites = [
    { name: 'kek', title: 'KEK', ...place },
    { name: 'bare', title: 'Bare', ...place },
  ]
  await putSites(database.db, { vo, now: at(0), sites })
  const gateways = [{ site: 'kek', name: 'kek', clientId: 'gateway:kek', endpoint: 'https://localhost:1' }]
  await putGateways(database.db, { vo, now: at(0), gateways })
  await putGateways(database.db, { vo, now: at(0), gateways })
})

describe('the state of a site', () => {
  const gateway: Gateway = {
    id: 1,
    vo,
    site: 'kek',
    name: 'kek',
    clientId: 'c',
    endpoint: 'https://localhost:1',
    lastSeenAt: at(0),
    report,
  }
  test('is unknown before the first word, ok while it reports, down when it is silent', () => {
    expect(siteState([{ ...gateway, lastSeenAt: null }], at(0)).state).toBe('unknown')
    expect(siteState([gateway], at(10)).state).toBe('ok')
    expect(siteState([gateway], at(60))).toMatchObject({
      state: 'down',
      reason: expect.stringContaining('60 s'),
    })
  })
  test('is degraded when a storage area is nearly full or the gateway complains', () => {
    const full = { ...report, areas: [{ path: '/demo', totalBytes: 100, usedBytes: 97 }] }
    expect(siteState([{ ...gateway, report: full }], at(1))).toMatchObject({ reason: '/demo is 97 % full.' })
    const problems = ['The certificate expires tomorrow.']
    expect(siteState([{ ...gateway, report: { ...report, problems } }], at(1)).state).toBe('degraded')
  })
  test('follows the reports in the database', async () => {
    await takeReport(database.db, { vo, name: 'kek', now: at(100), report })
    const seen = async (seconds: number) =>
      (await listSites(database.db, { vo, now: at(seconds) })).map(
        (site) => `${site.name} ${site.state.state}`,
      )
    expect(await seen(101)).toEqual(['bare unknown', 'kek ok'])
    expect(await seen(200)).toEqual(['bare unknown', 'kek down'])
  })
})

describe('commands', () => {
  const order = (site: string, now: Date) =>
    commandSite(database.db, {
      vo,
      site,
      now,
      ids: systemPorts.ids,
      kind: 'scrub',
      payload: {},
      withinMs: 600_000,
    })

  test('go to every gateway of a site, are sent again after a silence, and end once', async () => {
    const { id: gatewayId } = await getGateway(database.db, { vo, name: 'kek' })
    const [id] = await order('kek', at(0))
    const take = (seconds: number) => takeCommands(database.db, { gatewayId, now: at(seconds) })
    expect((await take(1)).map((c) => c.id)).toEqual([id])
    expect(await take(2)).toEqual([])
    expect((await take(60)).map((c) => c.id)).toEqual([id])
    const finish = (ok: boolean, now: Date) =>
      finishCommands(database.db, { vo, gatewayId, now, results: [{ id: id!, ok, result: { files: 3 } }] })
    await finish(true, at(61))
    await finish(false, at(62))
    expect(await readCommands(database.db, { vo, ids: [id!] })).toMatchObject([
      { state: 'done', result: { files: 3 }, finishedAt: at(61) },
    ])
  })

  test('a gateway takes each command once, however many ask at the same time', async () => {
    const { id: gatewayId } = await getGateway(database.db, { vo, name: 'kek' })
    for (let i = 0; i < 5; i++) await order('kek', at(100))
    const taken = await Promise.all(
      Array.from({ length: 4 }, () => takeCommands(database.db, { gatewayId, now: at(101), limit: 2 })),
    )
    const ids = taken.flat().map((c) => c.id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThan(0)
  })

  test('for an unknown site or one without a gateway are refused, and overdue ones fail', async () => {
    await expect(order('atlantis', at(0))).rejects.toMatchObject({ code: 'site_not_found' })
    await expect(order('bare', at(0))).rejects.toMatchObject({ code: 'site_has_no_gateway' })
    expect(
      (await commandReaper(database.db).tick(at(10_000), AbortSignal.timeout(1000))).changed,
    ).toBeGreaterThan(0)
  })
})
