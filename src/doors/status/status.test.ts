import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { sitesWithEverything } from '../../../test/harness/history.ts'
import { createHttp, type Http } from '../../http/index.ts'
import { createIdentity } from '../../identity/index.ts'
import { openDatabase, silentLogger, systemPorts } from '../../kernel/index.ts'
import { createStatusPage, lookAtStatus, type StatusPage } from '../../operations/index.ts'
import { acceptReport, addDowntime } from '../../sites/index.ts'
import { registerStatusPage } from './index.ts'
import { bothTimes } from './page.ts'

const database = testDatabase()
const noon = new Date('2026-11-21T12:00:30Z')
const minutes = (n: number): Date => new Date(noon.getTime() + n * 60_000)
const directory = mkdtempSync(join(tmpdir(), 'kumi-status-'))
const vo = async () => ({ vo: 'demo', title: 'Demo <experiment>' })
const { signal } = new AbortController()
let now = noon
let http: Http
let url = ''
let page: StatusPage
// Nobody answers there: the database of the server is away.
const away = openDatabase({ connection: 'postgresql://nobody@127.0.0.1:1/none' })

beforeAll(async () => {
  const clock = { ...systemPorts.clock, now: () => now }
  await sitesWithEverything(database.db, minutes(-10), ['kek', 'osaka'])
  const identity = createIdentity({
    ...{ db: away.db, clock, ids: systemPorts.ids, log: silentLogger },
    ...{ issuerBase: 'https://localhost', sealKey: randomBytes(32) },
  })
  http = createHttp({ identity, audience: [], log: silentLogger, clock, port: 0 })
  page = createStatusPage({ db: away.db, directory, vo })
  registerStatusPage(http.app, { page, clock })
  url = `http://127.0.0.1:${(await http.listen()).port}`
})
afterAll(async () => {
  await http?.close()
  await away.close()
  rmSync(directory, { recursive: true, force: true })
})
const text = async (path: string) => (await fetch(`${url}${path}`)).text()

test('before anybody has looked, the page says so', async () => {
  expect((await fetch(`${url}/status.json`)).status).toBe(503)
  expect(await text('/status')).toContain('try again in a minute')
})

test('each service has one line with its state, counted by the minute, once for all servers', async () => {
  const { db } = database
  await acceptReport(db, noon, 'kek', { version: '1', areas: [] })
  await addDowntime(db, noon, {
    ...{ vo: 'demo', site: 'osaka', storage: null, resource: null, severity: 'OUTAGE', madeBy: 'noa' },
    ...{ startsAt: noon, endsAt: minutes(600), reason: 'secret: the new disk array of Mr Sato' },
  })
  const look = (at: Date) => lookAtStatus(db, at, { vo: 'demo', title: 'Demo' })
  await Promise.all([look(noon), look(noon)])
  await look(minutes(0.4))
  await acceptReport(db, minutes(1), 'kek', { version: '1', areas: [] })
  const { services } = await look(minutes(1))
  expect(services.map(({ site, state }) => [site, state])).toEqual([
    [null, 'ok'],
    ['kek', 'ok'],
    ['osaka', 'maintenance'],
  ])
  expect(services.map(({ days }) => days.length)).toEqual([90, 90, 90])
  // Two of the 722 minutes of the day were looked at; announced ones count for nobody.
  expect(services.map(({ days }) => days.at(-1)!.available)).toEqual([2 / 722, 1, null])
})

test('is served in both languages without the database, says how old it is, and tells nothing private', async () => {
  const worker = createStatusPage({ db: database.db, directory, vo }).worker
  await worker.tick(minutes(1), signal)
  now = minutes(2)
  expect(await text('/status')).not.toContain('class="old"')
  now = minutes(30)
  const [english, japanese] = [await text('/status?lang=en'), await text('/status?lang=ja')]
  expect(english).toContain('<html lang="en">')
  expect(english).toContain('cannot look at the grid at the moment')
  expect(english).toContain('Demo &lt;experiment&gt;')
  expect(english).toContain('osaka: away, 2026-11-21 12:00 UTC (21:00 JST)')
  expect(japanese).toContain('停止予定')
  const json = await text('/status.json')
  for (const told of [english, japanese, json]) expect(told).not.toMatch(/Sato|secret|noa/)
  expect(JSON.parse(json)).toMatchObject({ vo: 'demo', downtimes: [{ site: 'osaka', severity: 'OUTAGE' }] })
})

test('times name the day in Japan where it is another', () => {
  expect(bothTimes('2026-11-21T12:00:00Z')).toBe('2026-11-21 12:00 UTC (21:00 JST)')
  expect(bothTimes('2026-11-21T18:00:00Z')).toBe('2026-11-21 18:00 UTC (2026-11-22 03:00 JST)')
})
