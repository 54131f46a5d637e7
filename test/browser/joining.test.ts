// Needs openssl.
// Somebody joins a collaboration in a real browser, at a really started grid, and looks after the account from then on.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { type Made, opensslPki } from '../harness/pki.ts'
import { type StartedGrid, startGrid } from './grid.ts'
import { CHROMIUM, contextOf, lookAt, READERS, startBrowser } from './screen.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const PROGRAM = {
  ...{
    response_type: 'code',
    client_id: 'kumi-cli',
    redirect_uri: 'http://127.0.0.1:1/callback',
    state: 'x',
  },
  ...{ scope: 'openid offline_access', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' },
  code_challenge_method: 'S256',
}
const PASSWORD = 'correct horse battery'

const NEWCOMERS = READERS.map((reader) =>
  reader.language === 'en'
    ? { ...reader, user: 'kei', given: 'Kei', family: 'Watanabe', institute: 'KEK' }
    : { ...reader, user: 'haru', given: '春', family: '渡辺', institute: '高エネルギー加速器研究機構' },
)

describe.skipIf(missing(CHROMIUM)).each(NEWCOMERS)('a newcomer at the console ($language)', (newcomer) => {
  const { t, user, language } = newcomer
  const pki = opensslPki()
  let grid: StartedGrid
  let browser: Browser
  let page: Page
  let secured = ''
  let certificate: Made
  const problems: string[] = []

  beforeAll(async () => {
    const root = pki.authority('/O=Elsewhere/CN=Root')
    certificate = pki.make({ subject: `/O=Elsewhere/CN=${user} Watanabe`, issuer: root })
    const trust = pki.trustDirectory([{ authority: root, subjects: ['/O=Elsewhere/*'] }])
    grid = await startGrid({ empty: true, settings: { KUMI_TRUST: trust } })
    secured = grid.address.replace('http:', 'https:')
    const policy = join(pki.directory, 'policy.txt')
    writeFileSync(
      policy,
      `${'Use the grid for the work of the collaboration only. '.repeat(40)}\n\nBe kind.\n`,
    )
    await grid.kumi('people', 'settings', '--open', '--confirm-email', 'yes', '--notice', '0')
    await grid.kumi('group', 'create', 'charm', '--description', 'Charm physics')
    await grid.kumi('group', 'create', 'charm/production', '--role')
    await grid.kumi('policy', 'publish', '--file', policy, '--validity', '365')
    await grid.kumi('policy', 'sign')
    browser = await startBrowser()
    page = await (await contextOf(browser, newcomer)).newPage()
    page.setDefaultTimeout(15_000)
  }, 240_000)
  afterAll(async () => {
    await browser?.close()
    await grid?.stop()
    pki.remove()
  }, 90_000)

  /** A picture of the screen as it is, and what is wrong with it. */
  const look = async (screen: string, at = page) => {
    await at.getByText(t.app.loading).first().waitFor({ state: 'detached' })
    problems.push(...(await lookAt(at, `${screen}-${language}-joining`)))
  }
  const press = (name: string, at = page) => at.getByRole('button', { name, exact: true }).first().click()
  const follow = (name: string, at = page) => at.getByRole('link', { name, exact: true }).first().click()
  const logIn = async (at = page) => {
    await at.locator('input[name=username]').fill(user)
    await at.locator('input[name=password]').fill(PASSWORD)
    await press(t.login.submit, at)
  }
  const open = async (path: string, at = page) => {
    await at.goto('about:blank')
    await at.goto(`${at === page ? grid.address : secured}/#${path}`)
  }
  /** The answer to a question that is asked before something happens. */
  const sure = async (screen: string, label: string) => {
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    await look(screen)
    await dialog.getByRole('button', { name: label, exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
  }

  test('registers, after being told which fields are wrong', async () => {
    await open('/login')
    await follow(t.joining.link)
    await press(t.joining.register.submit)
    await page.getByText(t.joining.register.wrong.some).waitFor()
    await page.getByText(t.joining.register.wrong.missing).first().waitFor()
    await look('register-faults')
    const fill = (name: string, value: string) => page.locator(`[name=${name}]`).fill(value)
    await fill('username', 'admin')
    await fill('givenname', newcomer.given)
    await fill('familyname', newcomer.family)
    await fill('email', `${user}@example.org`)
    await fill('institute', newcomer.institute)
    await fill('password', PASSWORD)
    await fill('repeat', `${PASSWORD}!`)
    await fill('notes', 'Charm, with Mika')
    await press(t.joining.register.submit)
    await page.getByText(t.joining.register.wrong.repeat).waitFor()
    await fill('repeat', PASSWORD)
    await press(t.joining.register.submit)
    await page.getByText(t.joining.register.wrong.usernameTaken).waitFor()
    await fill('username', user)
    await page.locator('summary').click()
    await look('register')
    await press(t.joining.register.submit)
    await page.getByText(t.joining.sent.wait).waitFor()
    await look('register-sent')
  })

  test('is told at the login to wait, and confirms the address meanwhile', async () => {
    await follow(t.joining.register.toLogin)
    await logIn()
    await page.getByText(t.joining.standing.registration_pending.title).waitFor()
    await look('login-pending')
    const mails = await grid.kumi('people', 'mails')
    const link = /https:\/\/\S+(\/iam\/demo\/registration\/verify\/\S+)/.exec(mails)![1]!
    await page.goto(`${grid.address}${link}`)
    await page.getByText(t.joining.confirm.intro('demo')).waitFor()
    await look('confirm')
    await press(t.joining.confirm.submit)
    await page.getByText(t.joining.confirm.done(user)).waitFor()
    await page.goto(`${grid.address}${link}`)
    await press(t.joining.confirm.submit)
    await page.getByText(t.joining.confirm.used).waitFor()
  })

  test('signs the usage policy after the approval and goes on to where the way led', async () => {
    await grid.kumi('people', 'approve', user)
    await open('/rules')
    await logIn()
    await page.getByText(t.joining.standing.policy_unsigned.title).waitFor()
    await look('sign')
    // Nothing else is to be had before.
    await open('/data')
    await page.getByText(t.joining.standing.policy_unsigned.title).waitFor()
    // A program gets nothing either; after the signature the way leads back to its question.
    await page.goto(`${grid.address}/iam/demo/authorize?${new URLSearchParams(PROGRAM)}`)
    await page.getByText(t.joining.standing.policy_unsigned.title).waitFor()
    await page.goto(`${grid.address}/iam/demo/device?user_code=BCDF-GHJK`)
    await press(t.device.submit)
    await page.getByText(t.joining.standing.policy_unsigned.title).waitFor()
    await page.goto(`${grid.address}/iam/demo/authorize?${new URLSearchParams(PROGRAM)}`)
    await page.getByText(t.joining.standing.policy_unsigned.title).waitFor()
    expect(await page.getByRole('button', { name: t.joining.sign.submit, exact: true }).isDisabled()).toBe(
      true,
    )
    await page.getByLabel(t.joining.sign.agree).check()
    await press(t.joining.sign.submit)
    await page.getByRole('button', { name: t.consent.approve, exact: true }).waitFor()
    await open('/data')
    await page.getByRole('heading', { name: t.data.search }).waitFor()
    await page.getByRole('link', { name: user }).click()
    await page.getByText(t.account.profile.good).waitFor()
    await look('account')
    await follow(t.account.tabs.policy)
    await page.getByRole('heading', { name: t.account.policy.yours }).waitFor()
    await look('account-policy')
  })

  test('changes the profile', async () => {
    await open('/account')
    await page.getByLabel(t.account.profile.institute).fill('ICEPP')
    await press(t.account.profile.addEmail)
    await page.getByLabel(t.account.profile.email(2)).fill(`${user}@other.example`)
    await press(t.account.profile.save)
    await page.getByText(t.account.profile.saved).waitFor()
    await look('account-changed')
    const known = JSON.parse(await grid.kumi('people', 'show', user, '--json'))
    expect(known).toMatchObject({ institute: 'ICEPP' })
    expect(known.emails).toHaveLength(2)
  })

  test('asks for a group, is let in, and leaves it', async () => {
    await open('/account/groups')
    await page.getByText(t.account.groups.noRequests).waitFor()
    await look('account-groups-first')
    await page.getByRole('combobox', { name: t.account.groups.which }).click()
    await page.getByRole('option', { name: '/demo/charm', exact: true }).click()
    await page.getByLabel(t.account.groups.why).fill('for my thesis')
    await press(t.account.groups.send)
    await page.getByText(t.account.groups.state.PENDING).waitFor()
    await look('account-groups')
    const [request] = JSON.parse(await grid.kumi('group', 'requests', '--json')) as { uuid: string }[]
    await grid.kumi('group', 'approve', request!.uuid)
    await grid.kumi('group', 'add', 'charm', user, '--until', '2027-03-31')
    await open('/account/groups')
    await page.getByText(t.account.groups.state.APPROVED).waitFor()
    await press(`${t.account.groups.leave}: /demo/charm`)
    await sure('account-groups-leave', t.account.groups.leave)
    await page
      .getByRole('button', { name: `${t.account.groups.leave}: /demo/charm` })
      .waitFor({ state: 'detached' })
  })

  test('takes the permission of a program back', async () => {
    const post = async (path: string, body: Record<string, string>) =>
      (await (
        await fetch(`${grid.address}/iam/demo/${path}`, {
          ...{ method: 'POST', body: new URLSearchParams({ client_id: 'kumi-cli', ...body }) },
        })
      ).json()) as Record<string, string>
    const codes = await post('devicecode', { scope: 'openid offline_access storage.read:/raw wlcg.groups' })
    await page.goto(`${grid.address}/iam/demo/device?user_code=${codes.user_code}`)
    await press(t.device.submit)
    await press(t.consent.approve)
    await page.getByText(t.device.approved).waitFor()
    const tokens = await post('token', { grant_type: DEVICE, device_code: codes.device_code! })
    await open('/account/programs')
    await page.getByText(t.consent.scopes.storage.read('/raw')).waitFor()
    await look('account-programs')
    await page.getByRole('button', { name: new RegExp(`^${t.account.programs.revoke}:`) }).click()
    await sure('account-programs-revoke', t.account.programs.revoke)
    await page.getByText(t.account.programs.none).waitFor()
    const again = await post('token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token! })
    expect(again.error).toBe('invalid_grant')
  })

  test('links a certificate in a second browser, and logs that browser out from the first', async () => {
    await open('/account/certificates')
    await page.getByText(t.account.certificates.none).waitFor()
    await look('account-certificates-first')
    const second = await contextOf(browser, newcomer, {
      ignoreHTTPSErrors: true,
      clientCertificates: [{ origin: secured, certPath: certificate.certificate, keyPath: certificate.key }],
    })
    const other = await second.newPage()
    other.setDefaultTimeout(15_000)
    await open('/account/certificates', other)
    await logIn(other)
    await other.getByLabel(t.account.certificates.label).fill('laptop')
    await press(t.account.certificates.link, other)
    await other.getByRole('row', { name: /Watanabe.*CN=Root/ }).waitFor()
    await press(t.account.certificates.get, other)
    const download = other.waitForEvent('download')
    await press(t.account.certificates.save, other)
    const file = readFileSync(await (await download).path(), 'utf8')
    expect(
      new X509Certificate(file).checkPrivateKey(
        createPrivateKey(file.slice(file.indexOf('-----BEGIN PRIVATE'))),
      ),
    ).toBe(true)
    await look('account-certificates', other)

    await open('/account/sessions')
    await page.getByText(t.account.sessions.here, { exact: true }).waitFor()
    await look('account-sessions')
    await page.getByRole('button', { name: new RegExp(`^${t.account.sessions.end}:`) }).click()
    await sure('account-sessions-end', t.account.sessions.end)
    await page.getByText(t.account.sessions.only).waitFor()
    await follow(t.account.tabs.groups, other)
    await other.getByRole('button', { name: t.login.submit, exact: true }).waitFor()
    await second.close()

    await open('/account/certificates')
    await press(`${t.account.certificates.unlink}: laptop`)
    await sure('account-certificates-unlink', t.account.certificates.unlink)
  })

  test('is told why the login fails after the membership has ended or a suspension', async () => {
    const third = await (await contextOf(browser, newcomer)).newPage()
    await grid.kumi('people', 'expire', user, '--on', '2026-01-01')
    await grid.kumi('people', 'endings', '--run', '--force')
    await third.goto(`${grid.address}/#/login`)
    await logIn(third)
    await third.getByText(t.joining.standing.membership_expired.title).waitFor()
    await look('login-expired', third)
    await grid.kumi('people', 'expire', user, '--on', 'never')
    await grid.kumi('people', 'suspend', user, '--reason', 'a stolen laptop')
    await logIn(third)
    await third.getByText(t.joining.standing.account_suspended.title).waitFor()
    await third.getByText('a stolen laptop').waitFor()
    await look('login-suspended', third)
  })

  test('found every screen whole and accessible on the way', () => {
    expect(problems).toEqual([])
  })
})
