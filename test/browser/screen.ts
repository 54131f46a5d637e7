import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'
import { en } from '../../web/src/language/en.ts'
import { ja } from '../../web/src/language/ja.ts'
import type { StartedGrid } from './grid.ts'

/** What people have. */
export const WHOLE_CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const SHELL = '/usr/bin/chromium-headless-shell'
/** Its headless shell draws the same screens with three quarters of the work. */
export const CHROMIUM = process.env.CHROMIUM ?? (existsSync(SHELL) ? SHELL : WHOLE_CHROMIUM)
const pictures = join(import.meta.dirname, '../../test-results/console')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const startBrowser = (executablePath = CHROMIUM): Promise<Browser> =>
  chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })

/** Only what is wrong, and of that only what is read below. */
const AXE = '{ resultTypes: ["violations"], selectors: false }'

/** What axe finds serious at a screen, and whether it is wider than the window. */
export async function faultsOf(page: Page): Promise<string[]> {
  if (!(await page.evaluate('"axe" in globalThis'))) await page.evaluate(axe)
  const found = (await page.evaluate(`axe.run(document, ${AXE})`)) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[]
  }
  const wider = Number(
    await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
  )
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)
    .concat(wider > 0 ? [`${wider} px wider than the window`] : [])
}

/** Takes a picture of a screen as it is, and says what is wrong with it. */
export async function lookAt(page: Page, name: string, directory = pictures): Promise<string[]> {
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
  return (await faultsOf(page)).map((fault) => `${name}: ${fault}`)
}

/** Both languages, both widths and both themes. */
export const READERS = [
  { language: 'en', t: en, width: 1280, height: 900, scheme: 'light' },
  { language: 'ja', t: ja, width: 390, height: 844, scheme: 'dark' },
] as const
export type Reader = (typeof READERS)[number]

/** What journeys share; there once the tests run. */
export interface World {
  readonly grid: StartedGrid
  readonly browser: Browser
}

/** A browser of this reader with nobody logged in. */
export async function contextOf(
  browser: Browser,
  { width, height, scheme, language }: Pick<Reader, 'width' | 'height' | 'scheme' | 'language'>,
  more: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({
    ...{ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce', locale: 'en-GB' },
    ...more,
  })
  // The blank page between two screens has no storage.
  await context.addInitScript(
    `if (location.protocol !== 'about:') localStorage.setItem('kumi.language', '${language}')`,
  )
  return context
}

/** A browser of this reader with the administrator logged in, and what is wrong with the screens it was shown. */
export async function openScreens(
  browser: Browser,
  grid: Pick<StartedGrid, 'address' | 'password'>,
  reader: Reader,
  directory = pictures,
) {
  const context = await contextOf(browser, reader)
  const answer = await context.request.post(`${grid.address}/iam/demo/session`, {
    ...{ data: { username: 'admin', password: grid.password } },
    headers: { 'x-kumi-console': '1', origin: grid.address },
  })
  if (!answer.ok()) throw new Error(`the login answered ${answer.status()}`)
  const page: Page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`)
  })
  return {
    page,
    problems,
    close: () => context.close(),
    async open(path: string) {
      await page.goto('about:blank')
      await page.goto(`${grid.address}/#${path}`)
      await page.locator('h1').first().waitFor()
    },
    /** A picture of the screen, and what is wrong with it. */
    async look(screen: string) {
      await page.locator('.empty', { hasText: reader.t.app.loading }).first().waitFor({ state: 'detached' })
      problems.push(...(await lookAt(page, `${screen}-${reader.language}`, directory)))
    },
  }
}
export type Screens = Awaited<ReturnType<typeof openScreens>>
