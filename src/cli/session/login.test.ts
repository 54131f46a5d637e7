import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { type IssuerWorld, interactionOf, issuerWorld, PASSWORD } from '../../../test/harness/issuer-world.ts'
import { keepFresh } from '../client/fresh-token.ts'
import { findPlace } from '../client/home.ts'
import { commandTree } from '../tree.ts'

describe('a login at the issuer', () => {
  const database = testDatabase()
  let world: IssuerWorld
  let home = ''
  let printed = ''
  let told = ''
  const kumi = async (...words: string[]): Promise<string> => {
    printed = ''
    told = ''
    await (await commandTree(words[0])).parseAsync(words, { from: 'user' })
    return printed
  }
  const heard = async (pattern: RegExp): Promise<string> => {
    await vi.waitFor(() => expect(told).toMatch(pattern), { timeout: 10_000 })
    return pattern.exec(told)![1]!
  }
  const sessions = () => readdir(join(home, 'config', 'kumi', 'sessions')).catch(() => [])
  const sessionText = async () =>
    (await readFile(join(home, 'config', 'kumi', 'sessions', (await sessions())[0]!), 'utf8')).trim()
  const kept = async () => (await readFile(join(home, 'client', 'token'), 'utf8')).trim()
  const byPassword = async () => {
    const file = join(home, 'word')
    await writeFile(file, PASSWORD, { mode: 0o600 })
    return kumi('login', 'mika', '--password-file', file)
  }

  beforeAll(async () => {
    world = await issuerWorld(database)
  })
  afterAll(() => world?.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'kumi-login-'))
    await writeFile(join(home, 'ca.pem'), world.ca)
    vi.stubEnv('KUMI_HOME', home)
    vi.stubEnv('KUMI_SERVER', world.issuerBase)
    vi.stubEnv('KUMI_CA', join(home, 'ca.pem'))
    vi.stubEnv('XDG_CONFIG_HOME', join(home, 'config'))
    vi.stubEnv('BEARER_TOKEN', '')
    vi.stubEnv('DISPLAY', '')
    vi.stubEnv('WAYLAND_DISPLAY', '')
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text)
      return true
    })
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      told += String(text)
      return true
    })
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    await rm(home, { recursive: true, force: true })
  })

  test('by a code entered in any browser gives a session in a file of one’s own', async () => {
    const done = kumi('login')
    const user_code = await heard(/enter the code {2}([A-Z]{4}-[A-Z]{4})/)
    await world.send('POST', '/interaction/device/answer', {
      json: { user_code, decision: 'approve' },
      headers: await world.login(),
    })
    expect(await done).toBe('Logged in as mika (demo); it is renewed by itself.\n')
    const [file] = await sessions()
    expect((await stat(join(home, 'config', 'kumi', 'sessions', file!))).mode & 0o777).toBe(0o600)
    expect(world.claims(await kept())).toMatchObject({ kumi_account: 'mika', client_id: 'kumi-cli' })
    expect(told + printed).not.toContain(await sessionText())
  })

  test('refused in the browser is refused here', async () => {
    const done = kumi('login')
    done.catch(() => undefined)
    const user_code = await heard(/enter the code {2}([A-Z]{4}-[A-Z]{4})/)
    await world.send('POST', '/interaction/device/answer', {
      json: { user_code, decision: 'deny' },
      headers: await world.login(),
    })
    await expect(done).rejects.toMatchObject({ code: 'login_refused', kind: 'denied' })
    expect(await sessions()).toEqual([])
  })

  test('by a browser on this machine comes back to a port of its own, and takes no other answer', async () => {
    const done = kumi('login', '--browser')
    const address = await heard(/(https:\S+\/authorize\?\S+)/)
    const redirect = new URL(address).searchParams.get('redirect_uri')!
    expect((await fetch(`${redirect}?code=kac_forged&state=forged`)).status).toBe(404)
    const interaction = interactionOf(await world.send('GET', address))
    const answer = await world.send('POST', `/interaction/${interaction}`, {
      json: { decision: 'approve' },
      headers: await world.login(),
    })
    expect(await (await fetch(answer.json.redirect_to)).text()).toContain('ログインしました')
    expect(await done).toContain('Logged in as mika')
    expect((await sessions()).length).toBe(1)
  })

  test('by password or one-time code lasts as well', async () => {
    expect(await byPassword()).toContain('renewed by itself')
    const { code } = await world.identity.createLoginCode(world.accounts.aya.id)
    expect(await kumi('login', '--code', code)).toContain('Logged in as aya')
  })

  test('is renewed before the token ends, also by many programs at once', async () => {
    await byPassword()
    const place = findPlace({ home }, process.env)
    const before = await sessionText()
    const old = await kept()
    await keepFresh(place, process.env)
    expect(await kept()).toBe(old)
    await writeFile(join(home, 'client', 'token'), `x.${Buffer.from('{"exp":1}').toString('base64url')}.y`, {
      mode: 0o600,
    })
    await Promise.all(Array.from({ length: 4 }, () => keepFresh(place, process.env)))
    expect(world.claims(await kept()).kumi_account).toBe('mika')
    const after = await sessionText()
    expect(after).not.toBe(before)
    world.pass(400_000)
    await kumi('token', '--scope', 'openid')
    expect(await sessionText()).not.toBe(after)
  })

  test('gives tokens for one purpose, and prints nothing else', async () => {
    await byPassword()
    const token = await kumi('token', '--scope', 'storage.read:/x', '--aud', 'https://se.example')
    expect(world.claims(token.trim())).toMatchObject({ scope: 'storage.read:/x', aud: 'https://se.example' })
    expect([token.split('\n').length, told]).toEqual([2, ''])
    await expect(kumi('token', '--scope', 'storage.read')).rejects.toMatchObject({ code: 'invalid_scope' })
    await expect(kumi('token', '--scope', 'compute.create')).rejects.toMatchObject({ code: 'invalid_scope' })
  })

  test('ends with logout, at the issuer too', async () => {
    await byPassword()
    const [refresh_token, access] = [await sessionText(), await kept()]
    expect(await kumi('logout')).toBe('Logged out.\n')
    expect(await sessions()).toEqual([])
    const again = await world.token({ grant_type: 'refresh_token', client_id: 'kumi-cli', refresh_token })
    expect(again.json.error).toBe('invalid_grant')
    expect((await world.send('GET', '/userinfo', { headers: world.bearer(access) })).status).toBe(401)
    expect(await kumi('logout')).toBe('You were not logged in.\n')
    await expect(kumi('token', '--aud', 'https://se.example')).rejects.toMatchObject({ code: 'no_session' })
  })

  test('that was revoked elsewhere is noticed and forgotten', async () => {
    await byPassword()
    await world.identity.revokeGrants({ vo: 'demo', accountId: world.accounts.mika.id }, 'mika')
    await expect(kumi('token', '--scope', 'openid')).rejects.toMatchObject({ code: 'no_session' })
    expect(await sessions()).toEqual([])
  })
})
