// Somebody changes a password in a real browser, forgets it, and gets back in, at a really started grid.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { type StartedGrid, startGrid } from './grid.ts'
import { CHROMIUM, contextOf, lookAt, READERS, startBrowser } from './screen.ts'

const FIRST = 'the first password'

describe.skipIf(missing(CHROMIUM)).each(READERS)('the password of a member ($language)', (reader) => {
  const { t, language } = reader
  let grid: StartedGrid
  let browser: Browser
  let page: Page
  let other: Page
  const problems: string[] = []

  beforeAll(async () => {
    grid = await startGrid({ empty: true })
    const directory = mkdtempSync(join(tmpdir(), 'kumi-password-'))
    const file = join(directory, 'password')
    writeFileSync(file, `${FIRST}\n`)
    await grid.kumi('people', 'settings', '--open')
    const names = ['--given', 'Kei', '--family', 'Watanabe', '--email', 'kei@example.org']
    await grid.kumi('people', 'register', 'kei', ...names, '--password-file', file)
    await grid.kumi('people', 'approve', 'kei')
    rmSync(directory, { recursive: true })
    browser = await startBrowser()
    page = await (await contextOf(browser, reader)).newPage()
    other = await (await contextOf(browser, reader)).newPage()
    for (const one of [page, other]) one.setDefaultTimeout(30_000)
  }, 300_000)
  afterAll(async () => {
    await browser?.close()
    await grid?.stop()
  }, 90_000)

  /** A picture of the screen as it is, and what is wrong with it. */
  const look = async (screen: string) => {
    await page.getByText(t.app.loading).first().waitFor({ state: 'detached' })
    problems.push(...(await lookAt(page, `${screen}-${language}-password`)))
  }
  const press = (name: string, at = page) => at.getByRole('button', { name, exact: true }).first().click()
  const follow = (name: string) => page.getByRole('link', { name, exact: true }).first().click()
  const fill = (name: string, value: string, at = page) => at.locator(`input[name=${name}]`).fill(value)
  const logIn = async (password: string, at = page) => {
    await at.goto('about:blank')
    await at.goto(`${grid.address}/#/login?next=/account/sessions`)
    await fill('username', 'kei', at)
    await fill('password', password, at)
    await press(t.login.submit, at)
  }
  const isIn = (at = page) => at.getByRole('heading', { name: t.account.title }).waitFor()
  const isOut = async (at: Page) => {
    await at.reload()
    await at.getByRole('button', { name: t.login.submit, exact: true }).waitFor()
  }

  test('is changed with the present one; the old one is refused and another browser is out', async () => {
    await logIn(FIRST, other)
    await isIn(other)
    await logIn(FIRST)
    await isIn()
    await fill('present', 'not this one')
    await fill('next', 'a changed password')
    await fill('repeat', 'a changed passwort')
    await press(t.password.change)
    await page.getByText(t.password.wrong.repeat).waitFor()
    await fill('repeat', 'a changed password')
    await press(t.password.change)
    await page.getByText(t.password.wrong.present).waitFor()
    await look('account-password-wrong')
    await fill('present', FIRST)
    await press(t.password.change)
    await page.getByText(t.password.changed).waitFor()
    await look('account-password')
    await isOut(other)
    await logIn(FIRST, other)
    await other.getByText(t.login.refused).waitFor()
  })

  test('that was forgotten is set with the link that was handed over; everybody else is out', async () => {
    await logIn('a changed password', other)
    await isIn(other)
    await page.context().clearCookies()
    await page.goto('about:blank')
    await page.goto(`${grid.address}/#/login`)
    await look('login')
    await follow(t.password.forgotten.link)
    await page.getByText(t.password.forgotten.noMail('demo')).waitFor()
    await look('forgot')
    await fill('who', 'kei')
    await press(t.password.forgotten.submit)
    await page.getByText(t.password.forgotten.sent).waitFor()
    await look('forgot-sent')
    const mails = await grid.kumi('people', 'mails')
    const link = /https:\/\/\S+(\/iam\/demo\/iam\/password-reset\/token\/\S+)/.exec(mails)![1]!
    await page.goto(`${grid.address}${link}`)
    await page.getByText(t.password.reset.intro('demo')).waitFor()
    await look('new-password')
    await fill('next', 'remembered again')
    await fill('repeat', 'remembered again')
    await press(t.password.set)
    await page.getByText(t.password.reset.done('kei')).waitFor()
    await isOut(other)
    await page.goto('about:blank')
    await page.goto(`${grid.address}${link}`)
    await fill('next', 'once more, please')
    await fill('repeat', 'once more, please')
    await press(t.password.set)
    await page.getByText(t.password.reset.used).waitFor()
    await look('new-password-used')
    await logIn('remembered again')
    await isIn()
  })

  test('may be set anew with a link that is sent from the page of a person', async () => {
    await page.context().clearCookies()
    await page.goto('about:blank')
    await page.goto(`${grid.address}/#/login?next=/people/members/kei`)
    await fill('username', 'admin')
    await fill('password', grid.password)
    await press(t.login.submit)
    await press(t.password.send)
    await press(t.password.send)
    await page.getByText(t.password.handOver('kei@example.org')).waitFor()
    await look('person-password')
  })

  test('has screens that are whole and accessible', () => {
    expect(problems).toEqual([])
  })
})
