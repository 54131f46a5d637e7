import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { virtualClock } from '../../kernel/index.ts'
import type { Account, Identity } from '../index.ts'

const MINUTE = 60_000
const OLD = 'correct horse'
const NEW = 'battery staple'

describe('passwords', { timeout: 300_000 }, () => {
  const database = testDatabase()
  // Answers wait for no real time.
  const clock = { ...virtualClock(new Date('2026-11-21T12:00:00Z')), sleep: async () => undefined }
  let identity: Identity
  let made = 0
  const account = async (password?: string): Promise<Account> => {
    const name = `p${++made}`
    const [one] = await identity.createAccounts([{ vo: 'demo', name, email: `${name}@example.org` }])
    if (password) await identity.setPassword(one!.id, name, password)
    return one!
  }
  const login = (username: string, password: string) =>
    identity.checkPassword({ vo: 'demo', username, password })
  const open = (accountId: number) =>
    identity.openSession({ accountId, address: '192.0.2.1', userAgent: 'a browser' })
  const change = (accountId: number, present: string, more: Partial<{ next: string; session: null }> = {}) =>
    identity.changePassword({ vo: 'demo', accountId, present, next: NEW, session: null, ...more })
  const mailsOf = async (recipient: string) =>
    (await identity.mails('demo', { offset: 0, limit: 100 })).items.filter(
      (mail) => mail.recipient === recipient,
    )
  const linksOf = async (recipient: string) =>
    (await mailsOf(recipient)).flatMap(({ body }) => /password-reset\/token\/(\S+)/.exec(body)?.[1] ?? [])
  let peers = 0
  const ask = (who: string) => identity.askForPassword('demo', who, `198.51.100.${++peers % 250}`)
  const set = (secret: string, password = NEW) =>
    identity.setForgottenPassword({ vo: 'demo', secret, password, peer: '192.0.2.9' })
  const audited = (target: string, action: string) => identity.auditLog('demo', { target, action })

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
  })

  test('are changed by whoever knows the present one; the other browsers are out, and a mail says so', async () => {
    const { id, name } = await account(OLD)
    const here = await open(id)
    const there = await open(id)
    const session = { id: here.session.id, since: here.session.createdAt }
    await identity.changePassword({ vo: 'demo', accountId: id, present: OLD, next: NEW, session })
    expect(await login(name, NEW)).toEqual({ accountId: id })
    await expect(login(name, OLD)).rejects.toMatchObject({ code: 'login_failed' })
    expect((await identity.verifySession(here.secret)).account).toBe(name)
    await expect(identity.verifySession(there.secret)).rejects.toMatchObject({ code: 'invalid_token' })
    expect((await mailsOf(`${name}@example.org`))[0]).toMatchObject({ kind: 'password.changed' })
    expect(await audited(name, 'password.changed')).toMatchObject([
      { actor: name, detail: { first: false, sessions: 1 } },
    ])
  })

  test('stay as they are for a wrong present one, which counts as a failed login', async () => {
    const { id, name } = await account(OLD)
    await expect(change(id, 'guess')).rejects.toMatchObject({ code: 'password_wrong', kind: 'invalid' })
    await expect(change(id, OLD, { next: 'short' })).rejects.toMatchObject({ code: 'invalid_password' })
    expect(await login(name, OLD)).toEqual({ accountId: id })
    for (let n = 0; n < 10; n++) {
      await expect(change(id, 'guess')).rejects.toMatchObject({ code: 'password_wrong' })
    }
    await expect(change(id, OLD)).rejects.toMatchObject({ code: 'login_rate_limited' })
    await expect(login(name, OLD)).rejects.toMatchObject({ code: 'login_rate_limited' })
  })

  test('are set for the first time only in a session that has just begun', async () => {
    const { id, name } = await account()
    expect(await identity.hasPassword(id)).toBe(false)
    await expect(change(id, '')).rejects.toMatchObject({ code: 'fresh_login_needed' })
    const { session } = await open(id)
    const first = { vo: 'demo', accountId: id, present: '', next: NEW }
    const fresh = { id: session.id, since: session.createdAt }
    clock.advance(11 * MINUTE)
    await expect(identity.changePassword({ ...first, session: fresh })).rejects.toMatchObject({
      code: 'fresh_login_needed',
    })
    const again = await open(id)
    await identity.changePassword({
      ...first,
      session: { id: again.session.id, since: again.session.createdAt },
    })
    expect(await identity.hasPassword(id)).toBe(true)
    expect(await login(name, NEW)).toEqual({ accountId: id })
    await expect(change(id, '')).rejects.toMatchObject({ code: 'password_wrong' })
  })

  test('never open an account that only shares the name', async () => {
    const owner = await account()
    const other = await account()
    await identity.setPassword(other.id, owner.name, OLD)
    const { session } = await open(owner.id)
    const fresh = { id: session.id, since: session.createdAt }
    const first = { vo: 'demo', accountId: owner.id, present: '', next: NEW, session: fresh }
    await expect(identity.changePassword(first)).rejects.toMatchObject({ code: 'identity_exists' })
    await ask(owner.name)
    const [secret] = await linksOf(`${owner.name}@example.org`)
    await expect(set(secret!)).rejects.toMatchObject({ code: 'identity_exists' })
    expect(await login(owner.name, OLD)).toEqual({ accountId: other.id })
  })

  test('that were forgotten are set with the link of a mail, once; everything from before is over', async () => {
    const { id, name } = await account(OLD)
    const there = await open(id)
    const { code } = await identity.createLoginCode(id)
    const client = await identity.client('demo', 'kumi-cli')
    const given = await identity.loginTokens({
      ...{ client: client!, accountId: id, scopes: ['openid', 'offline_access'], audience: [] },
    })
    await ask(name)
    await ask(`${name.toUpperCase()}@Example.org`)
    const [later, secret] = await linksOf(`${name}@example.org`)
    await identity.checkPasswordLink('demo', secret!, '192.0.2.9')
    await expect(set(secret!, 'short')).rejects.toMatchObject({ code: 'invalid_password' })
    expect(await set(secret!)).toEqual({ username: name })
    expect(await login(name, NEW)).toEqual({ accountId: id })
    await expect(login(name, OLD)).rejects.toMatchObject({ code: 'login_failed' })
    await expect(identity.verifySession(there.secret)).rejects.toMatchObject({ code: 'invalid_token' })
    await expect(identity.takeLoginCode('demo', code)).rejects.toMatchObject({ code: 'login_failed' })
    const refresh = { client: client!, token: given.refreshToken!, scopes: [], audience: [] }
    await expect(identity.refresh(refresh)).rejects.toMatchObject({ code: 'invalid_grant' })
    for (const used of [secret!, later!]) {
      await expect(set(used, 'another one')).rejects.toMatchObject({ code: 'password_reset_missing' })
    }
    expect(await audited(name, 'password.*')).toMatchObject([
      { action: 'password.changed', actor: name, detail: { link: true, sessions: 1, permissions: 1 } },
      { action: 'password.link_sent', actor: name },
      { action: 'password.link_sent', actor: name },
    ])
    expect(JSON.stringify(await audited(name, '*'))).not.toContain(secret)
  })

  test('are set by only one of several who use the same link at once', async () => {
    const { name } = await account(OLD)
    await ask(name)
    const [secret] = await linksOf(`${name}@example.org`)
    const tries = ['one password', 'two passwords', 'three passwords'].map((password) =>
      set(secret!, password),
    )
    const done = await Promise.allSettled(tries)
    expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('have links that end after an hour, and belong to one VO', async () => {
    const { name } = await account(OLD)
    await ask(name)
    const [secret] = await linksOf(`${name}@example.org`)
    const elsewhere = { vo: 'other', secret: secret!, password: NEW, peer: '192.0.2.9' }
    await expect(identity.setForgottenPassword(elsewhere)).rejects.toMatchObject({
      code: 'password_reset_missing',
    })
    clock.advance(60 * MINUTE)
    await expect(set(secret!)).rejects.toMatchObject({ code: 'password_reset_missing' })
    expect(await login(name, OLD)).toBeDefined()
  })

  test('answer alike whether or not there is such a person, and send three links an hour', async () => {
    const { name } = await account(OLD)
    expect(await ask('nobody-here')).toBeUndefined()
    expect(await ask('nobody@example.net')).toBeUndefined()
    for (let n = 0; n < 5; n++) expect(await ask(name)).toBeUndefined()
    expect(await linksOf(`${name}@example.org`)).toHaveLength(3)
    clock.advance(61 * MINUTE)
    await ask(name)
    expect(await linksOf(`${name}@example.org`)).toHaveLength(4)
  })

  test('may be asked for twenty times in five minutes from one address', async () => {
    const from = '203.0.113.7'
    for (let n = 0; n < 20; n++) await identity.askForPassword('demo', 'nobody-here', from)
    await expect(identity.askForPassword('demo', 'nobody-here', from)).rejects.toMatchObject({
      code: 'password_reset_rate_limited',
    })
    clock.advance(6 * MINUTE)
    await identity.askForPassword('demo', 'nobody-here', from)
    for (let n = 0; n < 50; n++) {
      await expect(identity.checkPasswordLink('demo', `wrong${n}`, from)).rejects.toMatchObject({
        code: 'password_reset_missing',
      })
    }
    await expect(identity.checkPasswordLink('demo', 'wrong', from)).rejects.toMatchObject({
      code: 'login_rate_limited',
    })
  })

  test('are sent to no address that a stranger could have put into the profile', async () => {
    await identity.setPeopleSettings('demo', { confirmEmail: true }, 'admin')
    const { id, name } = await account(OLD)
    const addresses = (...list: string[]) =>
      identity.setEmails(
        id,
        list.map((address, i) => ({ address, primary: i === 0 })),
        name,
      )
    const home = `${name}-home@example.org`
    await addresses(`${name}@example.org`, home)
    await ask(home)
    expect(await linksOf(home)).toEqual([])
    const [asked] = await mailsOf(home)
    await identity.confirmAddress('demo', /verify\/(\S+)/.exec(asked!.body)![1]!)
    await addresses(`${name}@stranger.example`, home)
    await ask(name)
    await ask(`${name}@stranger.example`)
    expect(await linksOf(`${name}@stranger.example`)).toEqual([])
    expect(await linksOf(home)).toHaveLength(1)
    await identity.setPeopleSettings('demo', { confirmEmail: false }, 'admin')
  })

  test('are not sent to whom no login is open, and a link from before a suspension says why', async () => {
    const { id, name } = await account(OLD)
    await ask(name)
    const [secret] = await linksOf(`${name}@example.org`)
    await identity.suspend(id, 'a stolen laptop', 'admin')
    await expect(set(secret!)).rejects.toMatchObject({ code: 'account_suspended' })
    await ask(name)
    expect(await linksOf(`${name}@example.org`)).toHaveLength(1)
    await expect(identity.sendPasswordLink('demo', name, 'admin')).rejects.toMatchObject({
      code: 'account_suspended',
    })
    await identity.restore(id, 'found again', 'admin')
    expect(await set(secret!)).toEqual({ username: name })
  })

  test('may be set with a link that a manager has sent, by whom it is kept in the log', async () => {
    const { name } = await account()
    const sent = await identity.sendPasswordLink('demo', name, 'boss')
    expect(sent.recipient).toBe(`${name}@example.org`)
    expect(sent.expiresAt.getTime() - clock.now().getTime()).toBe(60 * MINUTE)
    expect(await audited(name, 'password.link_sent')).toMatchObject([{ actor: 'boss' }])
    const [secret] = await linksOf(sent.recipient)
    await set(secret!)
    expect(await login(name, NEW)).toBeDefined()
    const [unreachable] = await identity.createAccounts([{ vo: 'demo', name: 'unreachable' }])
    await expect(identity.sendPasswordLink('demo', unreachable!.name, 'boss')).rejects.toMatchObject({
      code: 'address_missing',
    })
    await expect(identity.sendPasswordLink('demo', 'nobody-here', 'boss')).rejects.toMatchObject({
      code: 'account_missing',
    })
    const robot = { vo: 'demo', name: 'robot', kind: 'SERVICE', email: 'robot@example.org' } as const
    await identity.createAccounts([robot])
    await expect(identity.sendPasswordLink('demo', 'robot', 'boss')).rejects.toMatchObject({
      code: 'account_missing',
    })
  })
})
