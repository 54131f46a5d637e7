// Opens every screen of a really started grid in a real browser.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { LONG_NAME, type StartedGrid, startGrid, storeRun } from './grid.ts'
import { CHROMIUM, faultsOf, lookAt } from './screen.ts'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Both languages, both sizes and both themes, each beside the others. */
const VIEWS = [
  { language: 'en', name: 'wide-light', width: 1280, height: 800, scheme: 'light' },
  { language: 'en', name: 'narrow-dark', width: 390, height: 844, scheme: 'dark' },
  { language: 'ja', name: 'wide-dark', width: 1280, height: 800, scheme: 'dark' },
  { language: 'ja', name: 'narrow-light', width: 390, height: 844, scheme: 'light' },
] as const

describe.skipIf(missing(CHROMIUM))('the console in a browser', () => {
  let grid: StartedGrid
  let rule: string
  let context: BrowserContext
  let page: Page
  const profile = mkdtempSync(join(tmpdir(), 'kumi-chromium-'))
  const complaints: string[] = []

  beforeAll(async () => {
    grid = await startGrid()
    rule = await storeRun(grid)
    context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: FLAGS,
      reducedMotion: 'reduce',
      locale: 'en-GB',
    })
    page = await context.newPage()
    page.setDefaultTimeout(15_000)
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`)
    })
  }, 180_000)
  afterAll(async () => {
    await context?.close()
    rmSync(profile, { recursive: true, force: true })
    await grid?.stop()
  }, 90_000)

  const settled = async () => {
    await page.locator('h1').first().waitFor()
    await page
      .locator('.empty', { hasText: /Loading|読み込んで/ })
      .first()
      .waitFor({ state: 'detached' })
    if (await page.locator('svg.map').count()) await page.locator('svg.map .land').waitFor()
  }
  const open = async (path: string) => {
    await page.goto('about:blank')
    await page.goto(`${grid.address}/#${path}`)
    await settled()
  }

  test('somebody without a session is shown the login', async () => {
    await open('/rules')
    await page.getByLabel('User name').waitFor()
    expect(await faultsOf(page)).toEqual([])
    // Only the question who is there was refused.
    expect(complaints.filter((complaint) => !complaint.endsWith('/kumi/v1/me'))).toEqual([])
    complaints.length = 0
  })

  test('a wrong password is refused in words and a right one lets in', async () => {
    await page.getByLabel('User name').fill('admin')
    await page.locator('input[type=password]').fill('wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('User name or password is not right.').waitFor()
    await page.locator('input[type=password]').fill(grid.password)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('navigation').first().waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('User name').waitFor()
    complaints.length = 0
  })

  test('the one-time link from the terminal logs in once', async () => {
    await page.goto('about:blank')
    await page.goto(grid.link)
    await page.getByRole('navigation').first().waitFor()
    await settled()
    expect(new URL(page.url()).hash).toBe('#/')
    expect(complaints).toEqual([])
    const other = await context.browser()!.newContext()
    const stranger = await other.newPage()
    await stranger.goto(grid.link)
    await stranger.getByText('This link has been used').waitFor()
    await other.close()
  })

  for (const view of VIEWS) {
    const { language, name, width, height, scheme } = view
    test(`every screen is whole and accessible (${language}, ${name})`, { timeout: 90_000 }, async () => {
      const screens = {
        now: '/',
        data: '/data?scope=raw',
        dataset: '/data/raw/run-000042',
        file: `/data/raw/${LONG_NAME}`,
        rules: '/rules',
        rule: `/rules/${rule}`,
        'new-rule': '/rules/new?did=raw:run-000042',
        transfers: '/transfers?state=done',
        link: '/transfers/KEK-DISK/OSAKA-DISK',
        access: '/people/access',
      }
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
      await page.evaluate(`localStorage.setItem('kumi.language', '${language}')`)
      const problems: string[] = []
      for (const [screen, path] of Object.entries(screens)) {
        await open(path)
        problems.push(...(await lookAt(page, `${screen}-${language}-${name}`)))
      }
      expect(problems).toEqual([])
      expect(complaints).toEqual([])
    })
  }

  test('the language chosen is remembered', async () => {
    await page.setViewportSize({ width: 1280, height: 800 })
    await open('/')
    await page.getByRole('button', { name: /English/ }).click()
    await page.getByRole('link', { name: 'Rules', exact: true }).waitFor()
    await page.reload()
    await page.getByRole('link', { name: 'Rules', exact: true }).waitFor()
  })

  test('a keyboard alone finds a dataset and the rule that protects it', async () => {
    await open('/data')
    await page.getByLabel('Scope').selectOption('raw')
    await page.getByLabel('Name', { exact: true }).focus()
    await page.keyboard.type('run-*')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'raw:run-000042' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: '2 copies at site=kek|site=osaka' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('All copies are there and verified.').waitFor()
  })

  test('a file is protected by the rule of its dataset', async () => {
    await open(`/data/raw/${LONG_NAME}`)
    await page.getByRole('link', { name: 'raw:run-000042' }).waitFor()
    await page.getByRole('link', { name: '2 copies at site=kek|site=osaka' }).waitFor()
  })

  test('a new rule shows which storages match before it is made, and is carried out live', async () => {
    await open('/rules/new?did=raw:run-000042')
    await page.getByLabel('Where').fill('country=JP')
    await page.getByText('2 storage elements match').waitFor()
    await page.getByLabel('Where').fill('site=chicago')
    await page.getByText('1 storage element matches').waitFor()
    await page.getByRole('button', { name: 'Create rule' }).click()
    await page.getByRole('heading', { name: '1 copy at site=chicago' }).waitFor()
    await page.getByText('13 of 13 copies of files').waitFor()
    await page.getByText('All copies are there and verified.').waitFor()
    expect(complaints).toEqual([])
  })

  test('an administrator asks who may do what, and a new rule changes the answer', async () => {
    await open('/people/access')
    const question = page.getByRole('region', { name: 'May somebody do something?' })
    const ask = async () => {
      await question.getByLabel('Action').fill('transfer.cancel')
      await question.getByLabel('Account').fill('gateway-kek')
      await question.getByRole('button', { name: 'Ask' }).click()
    }
    await ask()
    await question.getByText('gateway-kek may not: transfer.cancel').waitFor()
    const rule = page.getByRole('form', { name: 'Add rule' })
    await rule.getByLabel('Who').fill('gateway-kek')
    await rule.getByLabel('Action').fill('transfer.*')
    await rule.getByLabel('Comment').fill('on trial')
    await rule.getByRole('button', { name: 'Add rule' }).click()
    const row = page.getByRole('row', { name: /gateway-kek.*on trial/ })
    await row.waitFor()
    await ask()
    await question.getByText('gateway-kek may: transfer.cancel').waitFor()
    await row.getByRole('button', { name: 'Remove' }).click()
    await row.getByRole('button', { name: 'Remove this rule?' }).click()
    await row.waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
  })
})
