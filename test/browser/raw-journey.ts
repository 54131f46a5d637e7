import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openScreens, READERS, type Screens, type World } from './screen.ts'

const SCOPE = 'raw.daq'
const TAPE = 'KEK-TAPE'

/** A storage of the class TAPE at the gateway of kek, as an administrator adds one. */
async function addTape({ browser, grid }: World): Promise<void> {
  const { page, close } = await openScreens(browser, grid, READERS[0])
  const post = async (path: string, data: object) => {
    const headers = { 'x-kumi-console': '1', origin: grid.address }
    const answer = await page.request.post(`${grid.address}/rucio${path}`, { data, headers })
    expect(answer.status(), await answer.text()).toBe(201)
  }
  const disk = JSON.parse(await grid.kumi('rse', 'show', 'KEK-DISK', '--json')) as {
    protocols: [{ port: number }]
  }
  const all = { read: 1, write: 1, delete: 1 }
  await post(`/rses/${TAPE}`, { deterministic: true, rse_type: 'TAPE' })
  await post(`/rses/${TAPE}/attr/site`, { value: 'kek' })
  await post(`/rses/${TAPE}/protocols/https`, {
    ...{ hostname: 'localhost', port: disk.protocols[0].port, prefix: '/demo/tape/' },
    impl: 'rucio.rse.protocols.webdav.Default',
    domains: { lan: all, wan: { ...all, third_party_copy_read: 1, third_party_copy_write: 1 } },
  })
  await post(`/accounts/admin/scopes/${SCOPE}`, {})
  await close()
}

export function rawJourney(world: World): void {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-daq-'))

  beforeAll(async () => {
    await addTape(world)
    const { kumi } = world.grid
    const to = ['--landing', 'KEK-DISK', '--archive', TAPE, '--centre', 'CHICAGO-DISK=1']
    await kumi('raw', 'flow', 'detector', '--scope', SCOPE, ...to)
    for (const run of ['101', '102']) {
      mkdirSync(join(directory, run))
      for (const n of [1, 2, 3])
        writeFileSync(join(directory, run, `r${run}.f${n}.dat`), Buffer.alloc(1000 * n, n))
    }
    await kumi('raw', 'declare', '26', '102', join(directory, '102'), '--events', '100')
    await kumi('raw', 'declare', '26', '101', join(directory, '101'), '--events', '100', '--send')
    await kumi('raw', 'declare', '26', '101', '--total', '3')
    await kumi('raw', 'show', '26', '101', '--wait')
  }, 240_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  describe.each(READERS)('($language)', (reader) => {
    const { t, language } = reader
    let screens: Screens
    beforeAll(async () => {
      screens = await openScreens(world.browser, world.grid, reader)
    })
    afterAll(() => screens?.close())

    test('the flow shows how far files are and how long they took, and leads to its runs', async () => {
      const { page, open, look } = screens
      await open('/data')
      await page.getByRole('navigation', { name: t.screens.data }).getByText(t.raw.title).click()
      const flow = page.getByRole('region', { name: `${t.raw.flow} detector`, exact: true })
      await flow.getByText(t.raw.latency(6)).waitFor()
      const runs = page.getByRole('region', { name: t.raw.runs, exact: true })
      await runs
        .getByRole('row', { name: t.raw.runOf(26, 102) })
        .getByText(t.raw.files(3, null))
        .waitFor()
      await look('raw')
      await runs.getByRole('link', { name: t.raw.runOf(26, 101) }).click()
      await page.getByText(t.raw.files(3, 3)).waitFor()
      await page.getByText(`${TAPE} ${t.raw.tape}`).first().waitFor()
      await look('raw-run')
    })

    test('what is safe is released once, and what is not says why', async () => {
      const { page, open, look } = screens
      const release = async () => {
        await page.getByRole('button', { name: t.raw.release, exact: true }).click()
        const dialog = page.getByRole('alertdialog')
        await dialog.getByRole('button', { name: t.raw.release, exact: true }).click()
        await dialog.waitFor({ state: 'detached' })
      }
      await open('/raw/26/102')
      await page.getByRole('link', { name: new RegExp(`^${t.raw.state.recorded}`) }).click()
      await page.getByRole('row', { name: /r102\.f1\.dat/ }).waitFor()
      await release()
      await page.getByText(t.raw.released(0)).waitFor()
      await look('raw-kept')
      await open('/raw/26/101')
      if (language === 'en') {
        await release()
        await page.getByText(t.raw.released(3)).waitFor()
      }
      await page.locator('.head').getByText(t.raw.runState.released, { exact: true }).waitFor()
    })

    test('every screen was whole, accessible and without complaints', () => {
      expect(screens.problems).toEqual([])
    })
  })
}
