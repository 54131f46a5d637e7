import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { type PastStarts, pastStarts, sitesWithEverything } from '../../../test/harness/history.ts'
import { row, rows, sql, transaction } from '../../kernel/index.ts'
import { acceptReport, exclusionOf, exclusionsNow, insertExclusion } from '../../sites/index.ts'
import { createMarkets } from '../../workload/index.ts'
import type { CardChange, CardContent } from '../detection/index.ts'
import { announceDowntime } from '../downtimes.ts'
import { entriesOf } from '../shifts/log.store.ts'
import { endShift, planShift, shiftsNow, startShift, unplanShift, writeLog } from '../shifts/shifts.ts'
import { insertTransferEnds } from '../statistics/rollup.store.ts'
import { rollupWorker } from '../statistics/rollup.ts'
import { applyChanges } from './apply.ts'
import { changesOf, listCards, openCards } from './card.store.ts'
import { detectorWorker } from './detector.ts'
import { explainEntity, holdEntity } from './entities.ts'
import { siteMatrix } from './matrix.ts'
import { orderCard, showCard } from './orders.ts'

const database = testDatabase()
const noon = new Date('2026-11-18T12:00:00Z')
const minutes = (n: number): Date => new Date(noon.getTime() + n * 60_000)
const SITES = ['kek', 'osaka', 'nagoya', 'chicago']
const { signal } = new AbortController()
let ids: Map<string, number>

/** Ten minutes of a grid: jobs and transfers everywhere, gateways that report; `broken` spoils what touches it. */
async function tenMinutes(from: number, broken?: string): Promise<void> {
  const { db } = database
  const starts = SITES.flatMap((site): PastStarts[] => {
    const bad = site === broken
    const job = { site, at: minutes(from), n: bad ? 10 : 9 }
    if (bad) return [{ ...job, outcome: 'site_fault', reason: `Failed Downloading from ${site}.example` }]
    return [
      { ...job, outcome: 'done' },
      { ...job, n: 1, outcome: from % 60 === 0 ? 'failed' : 'done', reason: 'exit code 1' },
    ]
  })
  await pastStarts(db, starts)
  const links = SITES.flatMap((source) =>
    SITES.filter((one) => one !== source).map((to) => [source, to] as const),
  )
  await transaction(db, (tx) =>
    insertTransferEnds(
      tx,
      minutes(from + 5),
      links.map(([source, to]) => {
        const failed = source === broken || to === broken ? 3 : 0
        return {
          ...{
            vo: 'demo',
            srcRseId: ids.get(source)!,
            dstRseId: ids.get(to)!,
            activity: 'default',
            n: 3,
            failed,
          },
          ...{ failedSource: source === broken ? failed : 0, failedDestination: to === broken ? failed : 0 },
          ...{ bytes: '1000', error: failed ? `${broken}.example cannot be reached (ECONNREFUSED).` : null },
        }
      }),
    ),
  )
  const end = minutes(from + 10)
  for (const site of SITES)
    if (site !== broken) await acceptReport(db, end, site, { version: '1', areas: [] })
  await look(end)
}

/** What the workers do at a time, in two servers at once. */
async function look(now: Date): Promise<void> {
  const { db } = database
  const rollup = rollupWorker({ db })
  while ((await rollup.tick(now, signal)).changed > 0);
  const detector = () =>
    detectorWorker({
      ...{ db, vos: async () => ['demo'], markets: createMarkets(db) },
      local: async () => ({ expiries: [], disks: [] }),
      ...{ tell: async () => undefined, consoleUrl: 'https://localhost:7443' },
    }).tick(now, signal)
  await Promise.all([detector(), detector()])
}
const open = () => listCards(database.db, 'demo', { closed: false, limit: 10 })

beforeAll(async () => {
  const { db } = database
  await sitesWithEverything(db, minutes(-300), SITES)
  // More than a fifth of all slots would be for a person to shut out.
  await sql`update compute_resource set max_pilots = 40 where site = 'kek'`.execute(db)
  const found = await rows(
    db,
    sql<{ id: number; site: string }>`select rse_id as id, value #>> '{}' as site from rse_attribute`,
  )
  ids = new Map(found.map(({ id, site }) => [site, id]))
})

describe('a gateway that stops', () => {
  test('nothing is told of while all is well', async () => {
    for (let from = -60; from < 0; from += 10) await tenMinutes(from)
    expect(await open()).toEqual([])
  })

  test('is one card with the site as its cause, however many jobs, links and storages fail by it', async () => {
    for (let from = 0; from < 60; from += 10) await tenMinutes(from, 'osaka')
    const cards = await open()
    expect(cards.map(({ title }) => title)).toHaveLength(1)
    const [card] = cards
    expect([card!.entity, ...(card!.cause?.within ?? [])]).toContainEqual({ kind: 'site', name: 'osaka' })
    expect(card).toMatchObject({ state: 'NEW', severity: 'error', closedAt: null })
    expect(card!.firstSeen.getTime()).toBeLessThanOrEqual(minutes(40).getTime())
  })

  test('gets no new pilots for a while, and the log of the shift tells it', async () => {
    expect(await exclusionsNow(database.db, minutes(60), 'demo')).toMatchObject([
      { site: 'osaka', madeBy: null, resource: null },
    ])
    const log = (await entriesOf(database.db, 'demo', { limit: 100 })).map(({ kind, site }) => [kind, site])
    expect(log).toContainEqual(['card.opened', null])
    expect(log).toContainEqual(['exclusion', 'osaka'])
    expect(log).toContainEqual(['site.state', 'osaka'])
  })

  test('is taken by a person, whose word stays in its history', async () => {
    const [card] = await open()
    const by = { vo: 'demo', id: card!.id, by: 'noa', text: '' }
    await orderCard(database.db, minutes(61), { ...by, order: 'ack', until: minutes(600) })
    await orderCard(database.db, minutes(62), {
      ...by,
      order: 'own',
      owner: 'taro',
      text: 'power cut in Osaka',
    })
    const { card: taken, changes } = await showCard(database.db, 'demo', card!.id)
    expect(taken).toMatchObject({ state: 'WORKING', owner: 'taro', acknowledgedAt: minutes(61) })
    expect(changes.map(({ kind, author, text }) => [kind, author, text])).toEqual([
      ['opened', null, expect.any(String)],
      ...(changes.length > 3 ? changes.slice(1, -2).map(() => expect.any(Array)) : []),
      ['acknowledged', 'noa', ''],
      ['owned', 'noa', 'by taro. power cut in Osaka'],
    ])
  })

  test('is explained by everything that speaks of it, and shown hour by hour', async () => {
    const told = await explainEntity(database.db, minutes(60), { vo: 'demo', kind: 'site', name: 'osaka' })
    expect(told).toMatchObject({ state: { state: 'down', reason: 'silent' }, cards: [{ state: 'WORKING' }] })
    expect(told.bins.filter(({ measure }) => measure === 'jobs').at(-1)).toMatchObject({ n: 10, failed: 10 })
    const { hours, sites } = await siteMatrix(database.db, minutes(59), 'demo', 2)
    expect(hours).toEqual([minutes(-60), minutes(0)])
    expect(sites[0]).toMatchObject({
      site: 'osaka',
      ...{ states: ['ok', 'down'], excluded: [false, true] },
    })
    expect(sites[0]).toMatchObject({ n: [expect.any(Number), 60], failed: [expect.any(Number), 60] })
    expect(sites[1]!.states.at(-1)).toBe('ok')
    expect(sites[1]!.excluded.at(-1)).toBe(false)
  })

  test('closes by itself after it has come back, and gets pilots again', async () => {
    for (let from = 60; from < 200; from += 10) await tenMinutes(from)
    expect(await open()).toEqual([])
    const [card] = await listCards(database.db, 'demo', { closed: true, limit: 1 })
    expect(card).toMatchObject({ state: 'CLOSED', closedBy: null, owner: 'taro' })
    expect(await exclusionsNow(database.db, minutes(200), 'demo')).toEqual([])
    expect((await row(database.db, sql<{ n: number }>`select count(*)::int as n from card`))!.n).toBe(1)
  })
})

describe('a person’s word', () => {
  test('about a site stands before the machine’s until its time is over', async () => {
    const { db } = database
    const hold = { vo: 'demo', kind: 'site' as const, name: 'kek', by: 'noa', reason: 'it is being tested' }
    const until = minutes(400)
    await expect(holdEntity(db, minutes(300), { ...hold, state: 'keep' })).rejects.toMatchObject({
      code: 'operations.bad_state',
    })
    await holdEntity(db, minutes(300), { ...hold, state: 'keep', until })
    await transaction(db, (tx) =>
      insertExclusion(tx, minutes(301), {
        ...{ vo: 'demo', site: 'kek', resource: null, action: 'exclude', reason: 'x', madeBy: null, until },
      }),
    )
    const now = async (n: number) =>
      exclusionOf(await exclusionsNow(db, minutes(n), 'demo'), { site: 'kek' }, minutes(n))?.action
    expect(await now(302)).toBe('keep')
    expect(await holdEntity(db, minutes(303), { ...hold, state: 'free' })).toEqual([])
    expect(await now(304)).toBeUndefined()
  })
})

describe('a shift', () => {
  test('begins as planned, is written about, and hands over what is open and what was done', async () => {
    const { db } = database
    const noa = { vo: 'demo', person: 'noa' }
    const planned = await planShift(db, minutes(500), {
      ...{ vo: 'demo', kind: 'DP', person: 'noa', startsAt: minutes(560), endsAt: minutes(1000) },
    })
    const begun = await startShift(db, minutes(530), { ...noa, kind: 'DP' })
    expect(begun).toMatchObject({ id: planned.id, startedAt: minutes(530) })
    await expect(startShift(db, minutes(531), { ...noa, kind: 'DP' })).rejects.toMatchObject({
      code: 'operations.shift_runs',
    })
    await announceDowntime(db, minutes(540), {
      ...{ vo: 'demo', site: 'kek', storage: null, resource: null, severity: 'OUTAGE', madeBy: 'noa' },
      ...{ startsAt: minutes(600), endsAt: minutes(700), reason: 'new switch' },
    })
    await writeLog(db, minutes(545), { vo: 'demo', author: 'noa', text: 'asked Osaka', site: 'osaka' })
    const { draft } = await shiftsNow(db, minutes(550), 'demo')
    expect(draft).toContain('0 cards opened, 0 closed, 0 open.')
    expect(draft).toContain('- kek will be in downtime from 2026-11-18T22:00:00.000Z')
    expect(draft).toContain('noa: asked Osaka')
    const ended = await endShift(db, minutes(560), noa)
    expect(ended).toMatchObject({ endedAt: minutes(560), handover: expect.stringContaining('asked Osaka') })
    const own = await entriesOf(db, 'demo', { shift: planned.id, limit: 10 })
    expect(own.map(({ kind }) => kind)).toEqual(['shift.ended', 'note', 'downtime.added', 'shift.started'])
    await expect(unplanShift(db, 'demo', planned.id)).rejects.toMatchObject({
      code: 'operations.shift_missing',
    })
    const next = await startShift(db, minutes(570), { vo: 'demo', person: 'taro', kind: 'DP' })
    expect(next).toMatchObject({ person: 'taro', endsAt: minutes(570 + 480) })
    expect((await shiftsNow(db, minutes(571), 'demo')).before).toMatchObject({ person: 'noa' })
  })
})

describe('a card that turns out to be about something else', () => {
  test('stays the same card with its history, and makes room for another of its old name', async () => {
    const { db } = database
    const content = (key: string, entity: CardContent['entity']): CardContent => ({
      ...{ key, entity, severity: 'error', cause: null, entities: [], findings: [] },
      ...{ firstSeen: minutes(1100), lastSeen: minutes(1100) },
    })
    const site = content('site nagoya', { kind: 'site', name: 'nagoya' })
    const release = content('release r7', { kind: 'release', name: 'r7' })
    const apply = (...changes: CardChange[]) =>
      transaction(db, async (tx) =>
        applyChanges(tx, minutes(1100), 'demo', await openCards(tx, 'demo'), changes),
      )
    await apply({ kind: 'open', card: site })
    const [before] = await openCards(db, 'demo')
    await apply({ kind: 'update', key: site.key, card: release }, { kind: 'open', card: site })
    const cards = await openCards(db, 'demo')
    expect(cards.map(({ key }) => key)).toEqual(['release r7', 'site nagoya'])
    expect(cards[0]!.id).toBe(before!.id)
    expect((await changesOf(db, before!.id)).map(({ kind }) => kind)).toEqual(['opened', 'renamed'])
  })
})
