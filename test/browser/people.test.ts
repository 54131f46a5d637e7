import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { type StartedGrid, startGrid } from './grid.ts'
import { CHROMIUM, contextOf, lookAt, READERS, startBrowser } from './screen.ts'

const PASSWORD = 'correct horse battery'

describe.skipIf(missing(CHROMIUM)).each(READERS)('a manager at the console ($language)', (manager) => {
  const { t, language } = manager
  const { requests, person, tree, clients, policies } = t.people
  let grid: StartedGrid
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let issuer = ''
  let secret = ''
  const problems: string[] = []

  const newContext = () => contextOf(browser, manager)
  /** A call as the screens make them, with the cookie of a context. */
  const call = async (method: string, path: string, data?: object, by = context) => {
    const answer = await by.request.fetch(grid.address + path, {
      ...{ method, headers: { 'x-kumi-console': '1', origin: grid.address } },
      ...(data && { data }),
    })
    return { status: answer.status(), json: await answer.json().catch(() => undefined) }
  }
  const register = (username: string, given: string, family: string) =>
    call('POST', '/iam/demo/registration/create', {
      ...{ username, givenname: given, familyname: family, email: `${username}@example.org` },
      ...{ institute: 'KEK', notes: 'Charm decays, with Mika.', password: PASSWORD },
    })

  beforeAll(async () => {
    grid = await startGrid()
    issuer = `${grid.address}/iam/demo`
    browser = await startBrowser()
    context = await newContext()
    page = await context.newPage()
    page.setDefaultTimeout(30_000)
    await page.goto(`${grid.address}/#/login`)
    await logIn('admin', grid.password, page)
    await register('kei', 'Kei', '森')
    await register('ren', 'Ren', 'Unknown')
  }, 240_000)
  afterAll(async () => {
    await browser?.close()
    await grid?.stop()
  }, 90_000)

  const logIn = async (user: string, password: string, at: Page) => {
    await at.locator('input[name=username]').fill(user)
    await at.locator('input[name=password]').fill(password)
    await at.getByRole('button', { name: t.login.submit, exact: true }).click()
    await at.getByRole('navigation', { name: t.app.navigation }).waitFor()
  }
  const settled = async (at = page) => {
    await at.locator('h1').first().waitFor()
    await at.getByText(t.app.loading).first().waitFor({ state: 'detached' })
  }
  const open = async (path: string, at = page) => {
    await at.goto('about:blank')
    await at.goto(`${grid.address}/#${path}`)
    await settled(at)
  }
  /** A picture of the screen as it is, and what is wrong with it. */
  const look = async (screen: string, at = page) => {
    await settled(at)
    problems.push(...(await lookAt(at, `people-${screen}-${language}`)))
  }
  const press = (name: string) => page.getByRole('button', { name, exact: true }).first().click()
  const part = (name: string) => page.getByRole('region', { name, exact: true })
  /** Answers what is asked before something happens. */
  const sure = async (label: string, reason?: string) => {
    const asked = page.getByRole('alertdialog')
    if (reason !== undefined) await asked.locator('input[name=reason]').fill(reason)
    await asked.getByRole('button', { name: label, exact: true }).click()
    await asked.waitFor({ state: 'detached' })
  }
  const until = () => new Date(Date.now() + 40 * 86_400_000).toISOString().slice(0, 10)

  test('approves a registration, and refuses one with a reason only', async () => {
    await open('/people')
    const line = (name: string) => page.locator('.wish', { hasText: name })
    await line('kei').getByText('kei@example.org').waitFor()
    await look('requests')
    await line('kei').getByRole('button', { name: requests.approve }).click()
    await line('kei').waitFor({ state: 'detached' })
    await line('ren').getByRole('button', { name: requests.reject }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: requests.reject, exact: true }).click()
    expect(await page.getByRole('alertdialog').count()).toBe(1)
    await look('refusal')
    await sure(requests.reject, 'Nobody knows you.')
    await page.getByText(requests.noRegistrations).waitFor()
    await page.getByRole('link', { name: requests.decided }).click()
    await line('ren').getByText('Nobody knows you.').waitFor()
    await line('kei').getByText(requests.state.APPROVED).waitFor()
    await look('decided')
    expect((await call('GET', '/kumi/v1/people/kei')).json).toMatchObject({ status: 'ACTIVE' })
  })

  test('makes a group, adds somebody until a day, and decides a request for it', async () => {
    await open('/people/groups')
    await look('groups')
    await page.locator('input[name=name]').fill('night')
    await page.locator('input[name=description]').fill('Night shifts')
    await press(t.people.create)
    await page.getByRole('link', { name: '/demo/night' }).click()
    await page.getByText(tree.noMembers).waitFor()
    await page.locator('input[name=name]').first().fill('em')
    await page.getByRole('option', { name: 'emma' }).click()
    await page.locator('input[name=until]').fill(until())
    await press(tree.addMember)
    await page.getByRole('row', { name: 'emma' }).getByText(`${until()} 23:59:59 UTC`).waitFor()
    const member = page.context().request
    expect(
      (await (await member.get(`${grid.address}/kumi/v1/people/emma`)).json()).groups.find(
        ({ path }: { path: string }) => path === '/demo/night',
      ),
    ).toMatchObject({ until: `${until()}T23:59:59.000Z` })
    await page.locator('input[name=manager]').fill('mika')
    await press(tree.addManager)
    await part(tree.managers).getByRole('link', { name: '美香 佐藤' }).waitFor()
    await look('group')

    // A role below it, which goes again because nobody has it.
    const below = page.getByRole('form', { name: tree.create('/demo/night') })
    await below.locator('input[name=name]').fill('production')
    await below.locator('select[name=kind]').selectOption('role')
    await below.getByRole('button', { name: t.people.create, exact: true }).click()
    await page.getByRole('link', { name: /production$/ }).click()
    await page.getByRole('heading', { name: '/demo/night/production', exact: true }).waitFor()
    await part(tree.about).getByText(tree.role, { exact: true }).waitFor()
    await press(tree.delete)
    await sure(tree.delete)
    await page.getByRole('heading', { name: t.people.title, exact: true }).waitFor()
    await page.getByRole('link', { name: '/demo/night', exact: true }).waitFor()
    await page.getByRole('link', { name: '/demo/night/production' }).waitFor({ state: 'detached' })

    const kei = await newContext()
    const at = { username: 'kei', password: PASSWORD }
    expect((await call('POST', '/iam/demo/session', at, kei)).status).toBe(200)
    expect((await call('POST', '/iam/demo/iam/aup/signature', {}, kei)).status).toBe(201)
    const wish = { groupName: 'demo/night', notes: 'I like the night.' }
    expect((await call('POST', '/iam/demo/iam/group_requests', wish, kei)).status).toBe(200)
    await open('/people/requests')
    await page.getByText('I like the night.').waitFor()
    await press(requests.approve)
    await page.getByText(requests.noGroups).waitFor()
    expect((await call('GET', '/kumi/v1/groups/members?group=/demo/night')).json.members).toMatchObject([
      { name: 'emma' },
      { name: 'kei', until: null },
    ])
    await kei.close()
  })

  test('suspends somebody with a reason and restores them', async () => {
    await open('/people/members?find=kei')
    await page.getByRole('link', { name: 'Kei 森' }).waitFor()
    await look('members')
    await page.getByRole('link', { name: 'Kei 森' }).click()
    await part(person.standing).getByText(t.people.standing.good).waitFor()
    await press(person.suspend)
    await sure(person.suspend, 'a stolen laptop')
    await part(person.standing).getByText('a stolen laptop').waitFor()
    const login = { username: 'kei', password: PASSWORD }
    expect((await call('POST', '/iam/demo/session', login, await newContext())).status).toBe(403)
    await press(person.restore)
    await sure(person.restore, 'it was found')
    await part(person.standing).getByText(t.people.standing.good).waitFor()
    await page.locator('input[name=end]').fill(until())
    await press(person.setEnd)
    await part(person.standing).getByText(`${until()} 23:59:59 UTC`).waitFor()
    await part(person.history).getByText('account.restored').waitFor()
    await look('person')
    await open('/people/members?state=inactive')
    await page.getByText(t.people.nobody).waitFor()
  })

  test('registers a client, and its secret gives tokens until there is a new one', async () => {
    const token = async (password: string) =>
      (
        await fetch(`${issuer}/token`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`robot:${password}`).toString('base64')}` },
          body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'storage.read:/raw' }),
        })
      ).json() as Promise<{ scope?: string; error?: string }>
    await open('/people/members')
    await press(t.people.newPerson)
    await page.locator('input[name=userName]').fill('robot-account')
    await page.getByRole('checkbox', { name: t.people.isService }).check()
    await press(t.people.create)
    await page.getByRole('link', { name: 'robot-account' }).waitFor()
    await open('/people/clients')
    await look('clients')
    await page.getByRole('link', { name: clients.register }).click()
    await page.locator('input[name=id]').fill('robot')
    await page.locator('textarea[name=scope]').fill('storage.read:/raw')
    await page.locator('input[name=account]').fill('robot-account')
    await look('new-client')
    await press(clients.register)
    await page.getByText(clients.once).waitFor()
    secret = (await page.locator('[data-secret]').innerText()).trim()
    expect((await token(secret)).scope).toBe('storage.read:/raw')
    await page.getByRole('link', { name: 'robot' }).click()
    await press(clients.rotate)
    await page.getByText(clients.once).waitFor()
    await look('client')
    expect((await token(secret)).error).toBe('invalid_client')
    expect((await token((await page.locator('[data-secret]').innerText()).trim())).scope).toBe(
      'storage.read:/raw',
    )
    await page.locator('textarea[name=scope]').fill('storage.read:/raw storage.stage:/raw')
    await page.locator('textarea[name=redirect_uris]').fill('https://robot.example.org/back')
    await part(clients.settings).getByRole('button', { name: t.people.save, exact: true }).click()
    await expect
      .poll(async () => (await call('GET', '/iam/demo/api/clients/robot')).json, { timeout: 30_000 })
      .toMatchObject({
        scope: 'storage.read:/raw storage.stage:/raw',
        redirect_uris: ['https://robot.example.org/back'],
        grant_types: ['client_credentials'],
        account: 'robot-account',
      })
    await press(clients.disable)
    await sure(clients.disable)
    await page.getByText(clients.disabled).waitFor()
  })

  test('sees who did what, whole and filtered, and who may do what', async () => {
    await open('/people/audit')
    await page.getByText(/chain is whole|連鎖は完全です/).waitFor()
    await page.locator('input[name=target]').fill('kei')
    await page.locator('input[name=action]').fill('account.*')
    await page.getByRole('button', { name: t.people.search, exact: true }).click()
    await page.getByText('account.suspended').first().waitFor()
    expect(await page.getByText('client.created').count()).toBe(0)
    expect(await page.locator('h1').innerText()).toBe(t.people.title)
    expect(page.url()).toContain('action=account.*')
    await look('audit')
    await open('/people/access')
    await page.getByText(t.people.access.cell.managed).first().waitFor()
    await look('access')
  })

  test('who manages one group sees that group and its requests, and reads why not more', async () => {
    const mikas = await newContext()
    const at = await mikas.newPage()
    at.setDefaultTimeout(30_000)
    const { json } = await call('POST', '/iam/demo/registration/create', {
      ...{ username: 'sora', givenname: 'Sora', familyname: 'Hayashi', email: 'sora@example.org' },
      ...{ password: PASSWORD, notes: '' },
    })
    await call('POST', `/iam/demo/registration/approve/${json.uuid}`)
    const { json: tree } = await call('GET', '/kumi/v1/groups')
    const night = tree.groups.find(({ path }: { path: string }) => path === '/demo/night').id
    const { json: sora } = await call('GET', '/kumi/v1/people/sora/id')
    await call('PATCH', `/iam/demo/iam/aup/signature/${sora.id}`, {})
    await at.goto(`${grid.address}/#/login`)
    await logIn('sora', PASSWORD, at)
    // An ordinary member has nothing to manage, and no entry for it.
    expect(await at.getByRole('link', { name: t.screens.people, exact: true }).count()).toBe(0)
    await open('/people/members', at)
    await at.getByText(t.people.notYours('sora')).waitFor()
    await look('not-yours', at)
    await call('POST', `/iam/demo/iam/account/${sora.id}/managed-groups/${night}`)
    await open('/people/requests', at)
    await at.getByText(requests.noGroups).waitFor()
    await at.getByRole('link', { name: t.people.tabs.groups, exact: true }).click()
    await at.getByRole('link', { name: '/demo/night' }).click()
    await at.getByRole('row', { name: 'emma' }).waitFor()
    await look('group-of-a-manager', at)
    await at.getByRole('link', { name: 'emma' }).click()
    await at.getByText('emma@example.org').waitFor()
    expect(await at.getByRole('button', { name: person.suspend, exact: true }).count()).toBe(0)
    await look('person-of-a-manager', at)
    await mikas.close()
  })

  test('publishes a new version of the usage policy, which everybody signs again', async () => {
    await open('/people/policies')
    await look('policies')
    await page.getByText(policies.write).click()
    await page.locator('textarea[name=text]').fill('1. Be kind.\n2. Be careful.')
    await page.locator('input[name=description]').fill('Shorter')
    await look('new-policy')
    await press(policies.publish)
    // The manager is asked first, as everybody is.
    await page.getByRole('checkbox', { name: t.joining.sign.agree }).check()
    await press(t.joining.sign.submit)
    await page.getByRole('heading', { name: policies.inForce(2) }).waitFor()
    await look('published')
    const answer = (await call('GET', '/kumi/v1/policies')).json
    expect(answer).toMatchObject({ signed: 1, versions: [{ version: 2, description: 'Shorter' }, {}] })
    await page.getByRole('link', { name: policies.unsigned }).click()
    await page.getByRole('link', { name: 'Kei 森' }).waitFor()
    expect(await page.getByRole('row', { name: 'admin' }).count()).toBe(0)
  })

  test('on screens that are accessible and as wide as the window', () => expect(problems).toEqual([]))
})
