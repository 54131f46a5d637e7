import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { homeAt } from '../../src/embedded/index.ts'
import { openDatabase, transaction } from '../../src/kernel/index.ts'
import { applyChanges } from '../../src/operations/cards/apply.ts'
import type { CardContent, Entity } from '../../src/operations/detection/index.ts'
import { openScreens, READERS, type Screens, type World } from './screen.ts'

/** A card as the detector writes it when jobs fail because of a storage: in a grid of a minute nothing is ill for long enough. */
async function openCard({ grid }: World, name: string): Promise<void> {
  const host = homeAt(grid.environment.KUMI_HOME!).postgres
  const { db, close } = openDatabase({
    connection: { host, port: 5432, user: 'kumi', database: 'kumi' },
    poolSize: 1,
  })
  const now = new Date()
  const entity: Entity = { kind: 'storage', name }
  const site: Entity = { kind: 'site', name: 'kek' }
  const card: CardContent = {
    key: `cause storage ${name}`,
    severity: 'error',
    entity,
    cause: {
      ...{ entity, n: 400, failed: 390, score: 80, sites: ['kek', 'osaka'], within: [], explains: [] },
      of: 'jobs',
      templates: [{ text: 'upload failed: connection refused by <host>', n: 388 }],
    },
    entities: [entity, site],
    findings: [
      {
        ...{ code: 'jobs fail', entity: site, within: [], since: now, facts: { n: 300, failed: 290 } },
        rule: 'R08',
        severity: 'error',
      },
    ],
    ...{ firstSeen: now, lastSeen: now },
  }
  await transaction(db, (tx) => applyChanges(tx, now, 'demo', [], [{ kind: 'open', card }]))
  await close()
}

export function operationsJourney(world: World): void {
  describe.each(READERS)('($language)', (reader) => {
    const { t, language } = reader
    const storage = `STORE-${language.toUpperCase()}`
    let screens: Screens
    beforeAll(async () => {
      await openCard(world, storage)
      screens = await openScreens(world.browser, world.grid, reader)
    })
    afterAll(() => screens?.close())

    test('a card says its cause, is taken, noted and closed', async () => {
      const { page, open, look } = screens
      const title = t.cards.caused(`${t.cards.entity.storage} ${storage}`, 390, 400, 'jobs', 2)
      await open('/')
      await page.getByRole('list', { name: t.cards.title }).getByRole('link', { name: title }).waitFor()
      await look('now-cards')
      await page.getByRole('link', { name: title }).click()
      await page.getByRole('heading', { name: title }).waitFor()
      await page.getByText('upload failed: connection refused').waitFor()
      await page.getByRole('cell', { name: t.cards.code['jobs fail'] }).waitFor()
      await page.getByRole('button', { name: t.cards.order.own, exact: true }).click()
      await page.locator('.head').getByText(t.cards.state.WORKING, { exact: true }).waitFor()
      const answer = async (label: string, text: string) => {
        await page.getByRole('button', { name: label, exact: true }).click()
        const dialog = page.getByRole('alertdialog')
        await dialog.getByLabel(t.cards.text).fill(text)
        await dialog.getByRole('button', { name: label, exact: true }).click()
        await dialog.waitFor({ state: 'detached' })
      }
      await answer(t.cards.order.note, 'asked the site')
      await page.getByText('asked the site').waitFor()
      await look('card')
      await answer(t.cards.order.close, 'the door was restarted')
      await page.locator('.head').getByText(t.cards.state.CLOSED, { exact: true }).waitFor()
    })

    test('states of sites are seen hour by hour, as a picture and as a table', async () => {
      const { page, open, look } = screens
      await open('/sites')
      const states = page.getByRole('region', { name: t.sites.stateMatrix, exact: true })
      await states.getByText(t.sites.asTable).click()
      await states.getByRole('row', { name: /kek/ }).first().waitFor()
      await look('sites-states')
    })

    test('a downtime is announced at the page of a site, and withdrawn', async () => {
      const { page, open, look } = screens
      await open('/sites/chicago')
      const panel = page.getByRole('region', { name: t.sites.downtimes, exact: true })
      await panel.getByText(t.sites.announce).first().click()
      const form = panel.getByRole('form', { name: t.sites.announce })
      const later = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16)
      await form.getByLabel(t.sites.from).fill(later(2))
      await form.getByLabel(t.sites.to).fill(later(3))
      await form.getByLabel(t.sites.reason).fill(`cooling ${language}`)
      await form.getByRole('button', { name: t.sites.announce }).click()
      await panel.getByText(`cooling ${language}`).waitFor()
      await look('site-downtime')
      await panel.getByRole('button', { name: t.sites.withdraw, exact: true }).click()
      const dialog = page.getByRole('alertdialog')
      await dialog.getByRole('button', { name: t.sites.withdraw, exact: true }).click()
      await panel.getByText(`cooling ${language}`).waitFor({ state: 'detached' })
    })

    test('a shift begins, writes its log, and is handed over', async () => {
      const { page, open, look } = screens
      await open('/shift')
      await page.getByRole('button', { name: t.shift.begin, exact: true }).click()
      const log = page.getByRole('region', { name: t.shift.log, exact: true })
      await log.getByLabel(t.shift.entry).fill(`quiet night (${language})`)
      await log.getByRole('button', { name: t.shift.write }).click()
      await log.getByText(`quiet night (${language})`).waitFor()
      const now = page.getByRole('region', { name: t.shift.now, exact: true })
      await now.getByText(t.shift.handOver).first().click()
      await look('shift')
      await now.getByLabel(t.shift.handover).fill(`all is well (${language})`)
      await now.getByRole('button', { name: t.shift.handOver }).click()
      await now.getByText(`all is well (${language})`).waitFor()
    })

    test('every screen was whole, accessible and without complaints', () => {
      expect(screens.problems).toEqual([])
    })
  })
}
