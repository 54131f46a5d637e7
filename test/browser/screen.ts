import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { en } from '../../web/src/language/en.ts'
import { ja } from '../../web/src/language/ja.ts'
import type { StartedGrid } from './grid.ts'

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const pictures = join(import.meta.dirname, '../../test-results/console')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

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

/** A browser of this reader with the administrator logged in, and what is wrong with the screens it was shown. */
export async function openScreens(
  browser: Browser,
  grid: Pick<StartedGrid, 'address' | 'password'>,
  reader: Reader,
  directory = pictures,
) {
  mkdirSync(directory, { recursive: true })
  const context: BrowserContext = await browser.newContext({
    ...{ viewport: { width: reader.width, height: reader.height }, colorScheme: reader.scheme },
    ...{ reducedMotion: 'reduce', locale: 'en-GB' },
  })
  // The blank page between two screens has no storage.
  await context.addInitScript(
    `if (location.protocol !== 'about:') localStorage.setItem('kumi.language', '${reader.language}')`,
  )
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
      await page.screenshot({ path: join(directory, `${screen}-${reader.language}.png`), fullPage: true })
      await page.evaluate(axe)
      const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
        violations: { id: string; impact: string; nodes: { html: string }[] }[]
      }
      for (const { id, impact, nodes } of found.violations)
        if (impact === 'serious' || impact === 'critical')
          problems.push(`${screen}: ${id}: ${nodes[0]?.html.slice(0, 200)}`)
      const wider = Number(
        await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
      )
      if (wider > 0) problems.push(`${screen}: ${wider} px wider than the window`)
    },
  }
}
export type Screens = Awaited<ReturnType<typeof openScreens>>
