// Opens every screen in a real browser. Against a running grid when BASE_URL and ONE_TIME_CODE are set
// (`kumi up` prints both in its link), else against fixed answers.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fixtureGrid } from './fixture-grid.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const root = join(import.meta.dirname, '../..')
const pictures = join(root, 'test-results/console')
// vitest itself sets BASE_URL to a path.
const live = process.env.BASE_URL?.startsWith('http') ? process.env.BASE_URL.replace(/\/$/, '') : undefined
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const SCREENS = {
  now: '/',
  data: '/data',
  rules: '/rules',
  'new-rule': '/rules/new',
  transfers: '/transfers',
} as const
const OBJECTS = {
  dataset: '/data/raw/run-000042',
  rule: '/rules/00000000-0000-4000-8000-000000000001',
  failing: '/transfers?state=failed',
  link: '/transfers/KEK-DISK/CHICAGO-DISK',
} as const
const VIEWS = [
  { name: 'wide-light', width: 1280, height: 800, scheme: 'light' },
  { name: 'wide-dark', width: 1280, height: 800, scheme: 'dark' },
  { name: 'narrow-light', width: 390, height: 844, scheme: 'light' },
  { name: 'narrow-dark', width: 390, height: 844, scheme: 'dark' },
] as const

describe.skipIf(!existsSync(CHROMIUM))('the console in a browser', () => {
  let base = live ?? ''
  let server: Server | undefined
  let context: BrowserContext
  let page: Page
  const temporary = mkdtempSync(join(tmpdir(), 'kumi-console-'))
  const complaints: string[] = []

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true })
    if (!live) {
      const directory = join(temporary, 'web')
      execFileSync(
        join(root, 'node_modules/.bin/vite'),
        ['build', join(root, 'web'), '--outDir', directory, '--logLevel', 'error'],
        { cwd: root },
      )
      const grid = await fixtureGrid(directory)
      base = grid.url
      server = grid.server
    }
    context = await chromium.launchPersistentContext(join(temporary, 'profile'), {
      executablePath: CHROMIUM,
      headless: true,
      args: FLAGS,
      ignoreHTTPSErrors: true,
      reducedMotion: 'reduce',
      locale: 'en-GB',
    })
    page = await context.newPage()
    page.setDefaultTimeout(8000)
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 401/.test(message.text())) complaints.push(message.text())
    })
  })
  afterAll(async () => {
    await context?.close()
    server?.closeAllConnections()
    server?.close()
    rmSync(temporary, { recursive: true, force: true })
  })

  const settled = async () => {
    await page.locator('h1').first().waitFor()
    await page
      .locator('.empty', { hasText: /Loading|読み込んで/ })
      .waitFor({ state: 'detached' })
      .catch(() => undefined)
    if (await page.locator('svg.map').count()) await page.locator('svg.map .land').waitFor()
  }
  const open = async (path: string) => {
    await page.goto('about:blank')
    await page.goto(`${base}/#${path}`)
    await settled()
  }
  const seriousProblems = async () => {
    await page.evaluate(axe)
    const found = (await page.evaluate('axe.run(document)')) as {
      violations: { id: string; impact: string; nodes: { html: string }[] }[]
    }
    return found.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)}`)
  }

  test('somebody without a session is shown the login', async () => {
    await open('/rules')
    await page.getByLabel(/User name|ユーザー名/).waitFor()
    await page.screenshot({ path: join(pictures, 'login-wide-light.png') })
    expect(await seriousProblems()).toEqual([])
  })

  test('the one-time link from the terminal logs in', async () => {
    await page.goto(`${base}/#/login?code=${process.env.ONE_TIME_CODE ?? 'once'}`)
    await page.getByRole('navigation').waitFor()
    await settled()
    expect(new URL(page.url()).hash).toBe('#/')
  })

  test.skipIf(live)('a wrong password is refused in words and a right one lets in', async () => {
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('User name').fill('sato')
    await page.locator('input[type=password]').fill('wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('User name or password is not right.').waitFor()
    await page.locator('input[type=password]').fill('secret')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('navigation').waitFor()
  })

  const screens = Object.entries(live ? SCREENS : { ...SCREENS, ...OBJECTS })
  for (const language of ['en', 'ja'] as const) {
    for (const view of VIEWS) {
      test(`every screen is whole and accessible (${language}, ${view.name})`, {
        timeout: 90_000,
      }, async () => {
        await page.setViewportSize(view)
        await page.emulateMedia({ colorScheme: view.scheme, reducedMotion: 'reduce' })
        await page.evaluate(`localStorage.setItem('kumi.language', '${language}')`)
        const problems: string[] = []
        for (const [name, path] of screens) {
          await open(path)
          await page.screenshot({
            path: join(pictures, `${name}-${language}-${view.name}.png`),
            fullPage: true,
          })
          problems.push(...(await seriousProblems()).map((problem) => `${name}: ${problem}`))
          const wider = Number(
            await page.evaluate(
              'document.documentElement.scrollWidth - document.documentElement.clientWidth',
            ),
          )
          if (wider > 0) problems.push(`${name}: ${wider} px wider than the window`)
        }
        expect(problems).toEqual([])
        expect(complaints).toEqual([])
      })
    }
  }

  test('the language chosen is remembered', async () => {
    await page.setViewportSize({ width: 1280, height: 800 })
    await open('/')
    await page.getByRole('button', { name: /English/ }).click()
    await page.getByRole('link', { name: 'Rules', exact: true }).waitFor()
    await page.reload()
    await page.getByRole('link', { name: 'Rules', exact: true }).waitFor()
  })

  test.skipIf(live)('a keyboard alone reaches a stuck rule and its reason', async () => {
    await open('/')
    await page.getByRole('link', { name: /A replication rule is stuck/ }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Why it is not finished' }).waitFor()
    await page.getByText('It goes on by itself as soon as the site answers again.').waitFor()
  })

  test.skipIf(live)('a new rule shows which storages match before it is made', async () => {
    await open('/rules/new?did=raw:run-000042')
    await page.getByLabel('Where').fill('country=JP')
    await page.getByText('2 storage elements match').waitFor()
    expect(await page.getByRole('button', { name: 'Create rule' }).isEnabled()).toBe(true)
  })
})
