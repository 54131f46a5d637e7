// A program asks for tokens, and a person decides in a real browser at a really started grid.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { type StartedGrid, startGrid } from './grid.ts'
import { CHROMIUM, lookAt } from './screen.ts'

const VIEWS = [
  { language: 'en', name: 'wide-light', width: 1280, height: 800, scheme: 'light' },
  { language: 'ja', name: 'narrow-dark', width: 390, height: 844, scheme: 'dark' },
] as const

describe.skipIf(missing(CHROMIUM))('consent in a browser', () => {
  let grid: StartedGrid
  let context: BrowserContext
  let page: Page
  let issuer = ''
  const profile = mkdtempSync(join(tmpdir(), 'kumi-chromium-'))
  const verifier = randomBytes(32).toString('base64url')
  const asked = { answer: '', port: 0 }
  const program = createServer((request, answer) => {
    if (request.url?.startsWith('/callback')) asked.answer = request.url
    answer.end('back at the program')
  })

  beforeAll(async () => {
    grid = await startGrid({ empty: true })
    issuer = `${grid.address}/iam/demo`
    program.listen(0, '127.0.0.1')
    await once(program, 'listening')
    asked.port = (program.address() as AddressInfo).port
    context = await chromium.launchPersistentContext(profile, {
      ...{ executablePath: CHROMIUM, headless: true, reducedMotion: 'reduce', locale: 'en-GB' },
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    })
    page = await context.newPage()
    page.setDefaultTimeout(20_000)
  }, 180_000)
  afterAll(async () => {
    program.close()
    await context?.close()
    rmSync(profile, { recursive: true, force: true })
    await grid?.stop()
  }, 90_000)

  const redirect = () => `http://127.0.0.1:${asked.port}/callback`
  const address = () =>
    `${issuer}/authorize?${new URLSearchParams({
      ...{ response_type: 'code', client_id: 'kumi-cli', redirect_uri: redirect(), state: 'xyz' },
      ...{ scope: 'openid offline_access storage.read:/raw storage.modify:/home/me wlcg.groups' },
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })}`
  const logIn = async () => {
    await page.getByLabel('User name').fill('admin')
    await page.locator('input[type=password]').fill(grid.password)
    await page.getByRole('button', { name: 'Log in' }).click()
  }
  const devicecode = async () => {
    const body = new URLSearchParams({ client_id: 'kumi-cli', scope: 'openid storage.read:/raw' })
    return (await (await fetch(`${issuer}/devicecode`, { method: 'POST', body })).json()) as {
      device_code: string
      user_code: string
    }
  }
  const token = async (fields: Record<string, string>) => {
    const body = new URLSearchParams({ client_id: 'kumi-cli', ...fields })
    return (await (await fetch(`${issuer}/token`, { method: 'POST', body })).json()) as Record<string, string>
  }

  test('leads through the login to the question, and with what is left ticked back to the program', async () => {
    await page.goto(address())
    await logIn()
    await page.getByRole('heading', { name: 'kumi (command line) asks for access' }).waitFor()
    await page.getByText(`127.0.0.1:${asked.port}`).waitFor()
    await page.getByLabel('write, replace and delete files below /home/me').uncheck()
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByText('back at the program').waitFor()
    const answer = new URL(asked.answer, redirect()).searchParams
    expect([answer.get('state'), answer.get('iss')]).toEqual(['xyz', issuer.replace('http:', 'https:')])
    const given = await token({
      ...{ grant_type: 'authorization_code', code: answer.get('code') ?? '' },
      ...{ redirect_uri: redirect(), code_verifier: verifier },
    })
    expect(given.scope).toBe('offline_access openid storage.read:/raw wlcg.groups')
  })

  test('takes a refusal back to the program too', async () => {
    await page.goto(address())
    await page.getByRole('button', { name: 'Refuse' }).click()
    await page.getByText('back at the program').waitFor()
    expect(new URL(asked.answer, redirect()).searchParams.get('error')).toBe('access_denied')
    await page.goBack()
    await page.reload()
    await page.getByText('This request is over or was decided already.').waitFor()
  })

  test('of a device begins with its code and is not given by the address alone', async () => {
    await page.context().clearCookies()
    const codes = await devicecode()
    await page.goto(`${issuer}/device?user_code=${codes.user_code}`)
    await page.getByRole('button', { name: 'Continue' }).click()
    await logIn()
    const field = page.getByRole('textbox', { name: 'Code' })
    expect(await field.inputValue()).toBe(codes.user_code)
    await field.fill('BCDF-BCDF')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('This code is wrong').waitFor()
    await field.fill(codes.user_code.toLowerCase())
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('Go on only if you have just started this program yourself').waitFor()
    const grant = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: codes.device_code,
    }
    expect((await token(grant)).error).toBe('authorization_pending')
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByText('Done. Go back to the program').waitFor()
    expect((await token(grant)).scope).toBe('openid storage.read:/raw')
  })

  for (const { language, name, width, height, scheme } of VIEWS) {
    test(`is whole and accessible (${language}, ${name})`, async () => {
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
      await page.evaluate(`localStorage.setItem('kumi.language', '${language}')`)
      const codes = await devicecode()
      const problems: string[] = []
      const look = async (screen: string) => {
        problems.push(...(await lookAt(page, `${screen}-${language}-${name}`)))
      }
      await page.goto(address())
      await page.locator('[data-answer=approve]').waitFor()
      await look('authorize')
      await page.goto(`${issuer}/device?user_code=${codes.user_code}`)
      await page.locator('input[name=user_code]').waitFor()
      await look('device')
      await page.locator('button[type=submit]').click()
      await page.locator('[data-answer=approve]').waitFor()
      await look('device-consent')
      expect(problems).toEqual([])
    })
  }
})
