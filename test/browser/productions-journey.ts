import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openScreens, READERS, type Screens, type World } from './screen.ts'

const SIMULATE = `#!/bin/sh
seq "$1" > mdst.txt
echo "{\\"events\\": $1}" > kumi-metadata.json
`
const definition = (name: string, more = '') => `production: ${name}
scope: user.admin
description: continuum under the resonance
release: release-08
conditions: mc_16
campaign: MC16
energy: 4S
scouts: 1
destinations:
  - {storages: KEK-DISK, share: 2}
  - {storages: CHICAGO-DISK, share: 1}
steps:
  - name: simulate
    kind: generate
    program: simulate.sh
    files: [simulate.sh]
    arguments: ["%(events)s"]
    eventsPerJob: 50
    output: mdst.txt
    time: 300
    disk: 1024
${more}cells:
  - [26, 101-103, 100]
`
const NOWHERE = '    sites: [mars]\n'

export function productionsJourney(world: World): void {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-productions-'))

  const define = async (name: string, more?: string): Promise<void> => {
    const file = join(directory, `${name}.yaml`)
    writeFileSync(file, definition(name, more))
    await world.grid.kumi('prod', 'define', file)
  }
  const start = async (name: string): Promise<void> => {
    await world.grid.kumi('prod', 'validate', name)
    await world.grid.kumi('prod', 'start', name)
  }

  beforeAll(async () => {
    writeFileSync(join(directory, 'simulate.sh'), SIMULATE)
    await define('Made')
    await start('Made')
    await world.grid.kumi('prod', 'show', 'Made', '--wait', '--quiet')
  }, 240_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  describe.each(READERS)('($language)', (reader) => {
    const { t, language } = reader
    const waits = `Waits-${language}`
    let screens: Screens
    beforeAll(async () => {
      screens = await openScreens(world.browser, world.grid, reader)
    })
    afterAll(() => screens?.close())

    test('one is validated, started, held for a reason, goes on, and is cancelled', async () => {
      const { page, open, look } = screens
      await define(waits, NOWHERE)
      await open(`/productions/${waits}`)
      const answer = async (label: string, reason?: string) => {
        await page.getByRole('button', { name: label, exact: true }).click()
        const dialog = page.getByRole('alertdialog')
        if (reason) await dialog.getByLabel(t.productions.reason).fill(reason)
        await dialog.getByRole('button', { name: label, exact: true }).click()
        await dialog.waitFor({ state: 'detached' })
      }
      await answer(t.productions.accept)
      await page.getByRole('button', { name: t.productions.order.start, exact: true }).click()
      await page.getByText(t.productions.scouting).waitFor()
      await answer(t.productions.order.hold, 'no beam')
      await page.getByText('no beam').waitFor()
      await look('production-held')
      await page.getByRole('button', { name: t.productions.goOn, exact: true }).click()
      await page.getByText('no beam').waitFor({ state: 'detached' })
      await open('/productions')
      await page.getByRole('link', { name: waits, exact: true }).waitFor()
      await page.getByRole('link', { name: 'Made', exact: true }).waitFor({ state: 'detached' })
      await page.getByRole('link', { name: new RegExp(`^${t.productions.all} `) }).click()
      await page.getByRole('link', { name: 'Made', exact: true }).waitFor()
      await look('productions')
      await page.getByRole('link', { name: waits, exact: true }).click()
      await answer(t.productions.order.cancel)
      await page.locator('.head').getByText(t.productions.life.cancelled, { exact: true }).waitFor()
      // Its tasks count as failed, each with the reason.
      const tasks = page.getByRole('region', { name: t.productions.tasksTitle, exact: true })
      await tasks.getByText(t.productions.failure.cancelled).first().waitFor()
      await look('production-cancelled')
    })

    test('one that is completed shows its events, steps and datasets', async () => {
      const { page, open, look } = screens
      await open('/productions/Made')
      const events = language === 'en' ? 300 : 350
      await page.getByText(t.productions.events(events, events)).first().waitFor()
      const tasks = page.getByRole('region', { name: t.productions.tasksTitle, exact: true })
      await tasks.getByRole('row').nth(6).waitFor()
      await look('production-completed')
      await page.getByRole('link', { name: 'user.admin:Made.simulate' }).click()
      await page.getByRole('heading', { name: 'user.admin:Made.simulate' }).waitFor()
      await page.getByRole('link', { name: 'Made.simulate.sub00' }).click()
      await page
        .getByRole('link', { name: /^mdst_/ })
        .first()
        .click()
      const lineage = page.getByRole('region', { name: t.data.lineage.title, exact: true })
      await lineage.getByRole('link', { name: 'Made', exact: true }).click()
      await page.getByRole('heading', { name: 'Made', exact: true }).waitFor()
    })

    test('one is extended by more runs, and makes them', async () => {
      const { page, open, look } = screens
      const run = language === 'en' ? 104 : 105
      await open('/productions/Made')
      await page.getByRole('button', { name: t.productions.extend.label, exact: true }).click()
      const form = page.getByRole('form', { name: t.productions.extend.label })
      await form.getByLabel(t.productions.extend.cells).fill(`- [26, ${run}, 50]`)
      await look('production-extend')
      await form.getByRole('button', { name: t.productions.extend.label, exact: true }).click()
      await form.waitFor({ state: 'detached' })
      const events = language === 'en' ? 350 : 400
      await page.getByText(t.productions.events(events, events)).first().waitFor({ timeout: 60_000 })
    })

    test('every screen was whole, accessible and without complaints', () => {
      expect(screens.problems).toEqual([])
    })
  })
}
