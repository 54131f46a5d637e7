import { randomBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { row, silentLogger, sql, systemPorts, virtualClock } from '../kernel/index.ts'
import { type Account, ANY_AUDIENCE, createIdentity, type Identity } from './index.ts'

const DAY = 86_400_000
const PASSWORD = 'correct horse'
const anywhere = { audience: [ANY_AUDIENCE] }

describe('identity', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  const sealKey = randomBytes(32)
  let identity: Identity
  const fresh = (key: Uint8Array = sealKey): Identity =>
    createIdentity({
      db: database.db,
      clock,
      ids: systemPorts.ids,
      log: silentLogger,
      issuerBase: 'https://localhost:7443',
      sealKey: key,
    })
  let made = 0
  const person = async (facts: { vo?: string; kind?: 'USER' | 'SERVICE' } = {}): Promise<Account> => {
    const [account] = await identity.createAccounts([{ vo: 'demo', name: `p${++made}`, ...facts }])
    return account!
  }
  const withPassword = async (): Promise<Account> => {
    const account = await person()
    await identity.setPassword(account.id, account.name, PASSWORD)
    return account
  }
  const login = (username: string, password = PASSWORD, more = {}) =>
    identity.login({ vo: 'demo', username, password, ...more })

  beforeAll(async () => {
    identity = fresh()
    await identity.createVo({ id: 'demo', title: 'Demo' })
    await identity.createVo({ id: 'other', title: 'Other' })
  })

  test('a VO is created once', async () => {
    expect(await identity.createVo({ id: 'demo', title: 'Again' })).toEqual({ created: false })
    await expect(identity.createVo({ id: 'No VO', title: '' })).rejects.toMatchObject({ kind: 'invalid' })
    expect(await identity.listVos()).toContainEqual({ id: 'demo', title: 'Demo', storagePrefix: '/demo' })
  })

  test('accounts have proper names, and each name once', async () => {
    const account = await person()
    const create = (name: string, vo = 'demo') => identity.createAccounts([{ vo, name }])
    for (const name of ['', 'Mika', 'a b', 'a'.repeat(26), 'ä', "x'; drop table account;--"]) {
      await expect(create(name)).rejects.toMatchObject({ code: 'invalid_account' })
    }
    await expect(create(account.name)).rejects.toMatchObject({ code: 'account_exists' })
    await expect(create('someone', 'nowhere')).rejects.toMatchObject({ code: 'vo_missing' })
    const pair = [
      { vo: 'demo', name: 'same' },
      { vo: 'demo', name: 'same' },
    ]
    await expect(identity.createAccounts(pair)).rejects.toMatchObject({ code: 'account_exists' })
    expect(await identity.accounts('demo', ['same'])).toEqual([])
    await expect(identity.account('demo', 'same')).rejects.toMatchObject({ code: 'account_missing' })
  })

  test('accounts are found by kind, identity and attributes', async () => {
    const [one, two] = [await person(), await person({ kind: 'SERVICE' })]
    await identity.setAttributes(one.id, { team: 'red', site: 'A' })
    await identity.setAttributes(two.id, { team: 'red' })
    await identity.addIdentities([{ accountId: two.id, kind: 'X509', identity: '/CN=robot' }])
    const names = async (filter: Parameters<Identity['listAccounts']>[1]) =>
      (await identity.listAccounts('demo', filter)).map(({ id }) => id)
    expect(await names({ attributes: { team: 'red' } })).toEqual([one.id, two.id])
    expect(await names({ attributes: { team: 'red', site: 'A' } })).toEqual([one.id])
    expect(await names({ attributes: { team: 'red' }, kind: 'SERVICE' })).toEqual([two.id])
    expect(await names({ identity: '/CN=robot' })).toEqual([two.id])
    expect(await names({ identity: '/CN=nobody' })).toEqual([])
  })

  test('groups know their members, and refuse strangers', async () => {
    const [one, foreign] = [await person(), await person({ vo: 'other' })]
    await identity.createGroups('demo', [
      { path: '/demo/analysis' },
      { path: '/demo/analysis/b', optional: true },
    ])
    await identity.addMembers('demo', '/demo/analysis', [one.id])
    await identity.addMembers('demo', '/demo/analysis/b', [one.id])
    expect((await identity.groupsOf([one.id])).get(one.id)).toEqual(['/demo', '/demo/analysis'])
    const add = (path: string, id: number) => identity.addMembers('demo', path, [id])
    await expect(add('/demo/nowhere', one.id)).rejects.toMatchObject({ code: 'group_missing' })
    await expect(add('/demo/analysis', foreign.id)).rejects.toMatchObject({ code: 'account_missing' })
    await expect(identity.createGroups('demo', [{ path: 'a' }])).rejects.toMatchObject({
      code: 'invalid_group',
    })
    const { token } = await identity.mintForAccount(one.id)
    expect(decodeJwt(token)['wlcg.groups']).toEqual(['/demo', '/demo/analysis'])
  })

  // Each password costs a slow hash on purpose.
  describe('login', { timeout: 120_000 }, () => {
    test('a password of a decent length opens the account, no other does', async () => {
      const account = await withPassword()
      expect(await login(account.name)).toMatchObject({ account: account.name, accountId: account.id })
      await expect(login(account.name, 'wrong')).rejects.toMatchObject({ code: 'login_failed' })
      await expect(login('nobody')).rejects.toMatchObject({ code: 'login_failed' })
      for (const password of ['', 'short', 'x'.repeat(1025)]) {
        await expect(identity.setPassword(account.id, account.name, password)).rejects.toMatchObject({
          code: 'invalid_password',
        })
      }
    })
    test('one user name may open several accounts with one password', async () => {
      const [one, two] = [await withPassword(), await person()]
      const share = { accountId: two.id, kind: 'USERPASS', identity: one.name } as const
      await expect(
        identity.addIdentities([{ ...share, password: 'another password' }]),
      ).rejects.toMatchObject({
        code: 'identity_exists',
      })
      await identity.addIdentities([share])
      await expect(login(one.name)).rejects.toMatchObject({
        code: 'account_choice_needed',
        details: { accounts: [one.name, two.name] },
      })
      expect((await login(one.name, PASSWORD, { account: two.name })).accountId).toBe(two.id)
      await expect(login(one.name, PASSWORD, { account: 'root' })).rejects.toMatchObject({
        code: 'login_failed',
      })
      await identity.setPassword(two.id, one.name, 'a new password')
      expect((await login(one.name, 'a new password', { account: one.name })).accountId).toBe(one.id)
    })
    test('failures of a burst count as those of a row, and five minutes later all is well', async () => {
      const account = await withPassword()
      const tries = await Promise.allSettled(Array.from({ length: 25 }, () => login(account.name, 'wrong')))
      const codes = tries.map((one) => (one.status === 'rejected' ? one.reason.code : 'in'))
      expect(codes.filter((code) => code === 'login_failed')).toHaveLength(10)
      expect(codes.filter((code) => code === 'login_rate_limited')).toHaveLength(15)
      await expect(login(account.name)).rejects.toMatchObject({ code: 'login_rate_limited' })
      clock.advance(300_001)
      expect((await login(account.name)).accountId).toBe(account.id)
    })
    test('a success ends the count, and many logins at once are no attack', async () => {
      const account = await withPassword()
      // Eleven failures in all: too many, were it not for the success between them.
      for (const failures of [9, 2]) {
        for (let i = 0; i < failures; i++) await login(account.name, 'wrong').catch(() => undefined)
        expect((await login(account.name)).accountId).toBe(account.id)
      }
      const many = await Promise.all(Array.from({ length: 12 }, () => login(account.name)))
      expect(many).toHaveLength(12)
    })
    test('a program with a wrong password shuts out nobody but itself', async () => {
      const [account, other] = [await withPassword(), await withPassword()]
      const [shared, elsewhere] = [{ peer: '127.0.0.1' }, { peer: '203.0.113.8' }]
      await Promise.allSettled(Array.from({ length: 12 }, () => login(account.name, 'wrong', shared)))
      await expect(login(account.name, PASSWORD, shared)).rejects.toMatchObject({
        code: 'login_rate_limited',
      })
      expect((await login(other.name, PASSWORD, shared)).accountId).toBe(other.id)
      expect((await login(account.name, PASSWORD, elsewhere)).accountId).toBe(account.id)
    })
    test('guessing at many names from one address, or at one name from many, ends too', async () => {
      const account = await withPassword()
      const peer = '203.0.113.9'
      const failed = (key: string, times: number) =>
        sql`insert into login_failure (key, failures, window_started_at) values (${key}, ${times}, ${clock.now()})`.execute(
          database.db,
        )
      await failed(`peer ${peer}`, 199)
      await expect(login('somebody', 'wrong', { peer })).rejects.toMatchObject({ code: 'login_failed' })
      await expect(login('anybody', 'wrong', { peer })).rejects.toMatchObject({ code: 'login_rate_limited' })
      await expect(login('anybody', 'wrong')).rejects.toMatchObject({ code: 'login_failed' })
      await failed(`user demo/${account.name}`, 299)
      await expect(login(account.name, 'wrong')).rejects.toMatchObject({ code: 'login_failed' })
      await expect(login(account.name, PASSWORD, { peer: '203.0.113.10' })).rejects.toMatchObject({
        code: 'login_rate_limited',
      })
    })
    test('the token carries what the policy permits: reading everywhere, writing below the own', async () => {
      const [account, admin] = [await withPassword(), await withPassword()]
      await identity.setAttributes(admin.id, { admin: 'true' })
      const fromHome = createIdentity({
        ...{ db: database.db, clock, ids: systemPorts.ids, log: silentLogger, sealKey },
        issuerBase: 'https://localhost:7443',
        areasOf: async (vo, accountId) => (accountId === account.id ? [`/user/${vo}/ä`] : []),
      })
      const scopesOf = async (id: number, scopes?: string[]) =>
        (await fromHome.mintForAccount(id, { ...(scopes && { scopes }) })).scopes
      expect(await scopesOf(account.id)).toEqual([
        'grid',
        'storage.modify:/user/demo/%C3%A4',
        'storage.read:/',
        'storage.stage:/',
        'wlcg.groups',
      ])
      expect(await scopesOf(admin.id)).toEqual([
        'grid',
        'storage.modify:/',
        'storage.read:/',
        'storage.stage:/',
        'wlcg.groups',
      ])
      const robot = await person({ kind: 'SERVICE' })
      expect(await scopesOf(robot.id)).not.toContain('storage.modify:/')
      expect(await scopesOf(account.id, ['storage.modify:/'])).toEqual(['storage.modify:/user/demo/%C3%A4'])
      await expect(scopesOf(account.id, ['storage.modify:/user/other'])).rejects.toMatchObject({
        code: 'invalid_scope',
      })
    })
    test('a login code is for one use within ten minutes', async () => {
      const account = await person()
      const late = await identity.createLoginCode(account.id)
      clock.advance(600_001)
      await expect(identity.takeLoginCode('demo', late.code)).rejects.toMatchObject({
        code: 'login_failed',
      })
      const { code } = await identity.createLoginCode(account.id)
      await expect(identity.takeLoginCode('other', code)).rejects.toMatchObject({ code: 'login_failed' })
      expect((await identity.takeLoginCode('demo', code)).accountId).toBe(account.id)
      await expect(identity.takeLoginCode('demo', code)).rejects.toMatchObject({ code: 'login_failed' })
    })
  })

  describe('tokens', () => {
    test('a suspended account is refused at once, everywhere', async () => {
      const account = await withPassword()
      const { token } = await login(account.name)
      expect((await identity.verify(token, anywhere)).account).toBe(account.name)
      await identity.updateAccount(account.id, { status: 'SUSPENDED' })
      await expect(identity.verify(token, anywhere)).rejects.toMatchObject({ code: 'account_suspended' })
      await expect(login(account.name)).rejects.toMatchObject({ code: 'account_suspended' })
      await identity.updateAccount(account.id, { status: 'ACTIVE' })
      expect((await identity.verify(token, anywhere)).account).toBe(account.name)
    })
    test('a revoked token is refused at once, its siblings are not', async () => {
      const account = await person()
      const [one, two] = [
        await identity.mintForAccount(account.id),
        await identity.mintForAccount(account.id),
      ]
      await identity.verify(one.token, anywhere)
      await identity.revoke(one.tokenId, one.expiresAt)
      await expect(identity.verify(one.token, anywhere)).rejects.toMatchObject({ code: 'invalid_token' })
      await expect(fresh().verify(one.token, anywhere)).rejects.toMatchObject({ code: 'invalid_token' })
      await identity.verify(two.token, anywhere)
    })
    test('attributes count from the next request on', async () => {
      const account = await person()
      const { token } = await identity.mintForAccount(account.id)
      const may = async () =>
        identity.explain(await identity.verify(token, anywhere), 'identity.write', { vo: 'demo' }).allow
      expect(await may()).toBe(false)
      await identity.setAttributes(account.id, { admin: 'true' })
      expect(await may()).toBe(true)
      await identity.deleteAttributes(account.id, ['admin'])
      expect(await may()).toBe(false)
    })
    test('a token of another VO, audience or grid is refused', async () => {
      const account = await person({ vo: 'other' })
      const { token } = await identity.mintForAccount(account.id)
      expect((await identity.verify(token, anywhere)).vo).toBe('other')
      await expect(identity.verify(token, { audience: ['https://elsewhere'] })).rejects.toMatchObject({
        code: 'invalid_token',
      })
      expect((await identity.inspect(token)).vo).toBe('other')
      const abroad = createIdentity({
        db: database.db,
        clock,
        ids: systemPorts.ids,
        log: silentLogger,
        issuerBase: 'https://abroad.example',
        sealKey,
      })
      await expect(abroad.verify(token, anywhere)).rejects.toMatchObject({ code: 'invalid_token' })
    })
    test('a token lives six hours at most', async () => {
      const account = await person()
      const { expiresAt, token } = await identity.mintForAccount(account.id, { lifetimeSeconds: 1e6 })
      expect(expiresAt.getTime() - clock.now().getTime()).toBeLessThanOrEqual(6 * 3600_000)
      clock.advance(6 * 3600_000)
      await expect(identity.verify(token, anywhere)).rejects.toMatchObject({ code: 'invalid_token' })
    })
  })

  describe('clients', () => {
    const client = async () => {
      const account = await person({ kind: 'SERVICE' })
      const id = `gateway:${account.name}`
      const { secret } = await identity.putClient({
        id,
        vo: 'demo',
        accountId: account.id,
        scopes: ['grid.gateway.report'],
        audiences: ['https://localhost:7443'],
      })
      return { id, account, secret: secret! }
    }
    test('the right secret gives a token of the client’s own scopes and audience', async () => {
      const { id, account, secret } = await client()
      await expect(identity.authenticateClient('demo', { id, secret: `${secret}x` })).rejects.toMatchObject({
        code: 'invalid_client',
      })
      await expect(identity.authenticateClient('other', { id, secret: secret })).rejects.toMatchObject({
        code: 'invalid_client',
      })
      const known = await identity.authenticateClient('demo', { id, secret: secret })
      const { token, scopes } = await identity.clientToken({ client: known })
      expect(scopes).toEqual(['grid.gateway.report'])
      const principal = await identity.verify(token, { audience: ['https://localhost:7443'] })
      expect(principal).toMatchObject({ kind: 'service', subject: id, account: account.name })
      for (const wish of [{ scopes: ['grid'] }, { audience: [ANY_AUDIENCE] }]) {
        const asked = identity.clientToken({ client: known, ...wish })
        if ('scopes' in wish) expect((await asked).scopes).toEqual(['grid.gateway.report'])
        else await expect(asked).rejects.toMatchObject({ code: 'invalid_target' })
      }
    })
    test('a disabled client gets no token, and those it has are refused at once', async () => {
      const { id, secret } = await client()
      const { token } = await identity.clientToken({
        client: await identity.authenticateClient('demo', { id, secret: secret }),
      })
      const here = { audience: ['https://localhost:7443'] }
      await identity.verify(token, here)
      await identity.enableClient('demo', id, false)
      await expect(identity.verify(token, here)).rejects.toMatchObject({ code: 'invalid_token' })
      await expect(identity.authenticateClient('demo', { id, secret: secret })).rejects.toMatchObject({
        code: 'invalid_client',
      })
      await identity.enableClient('demo', id, true)
      await identity.verify(token, here)
    })
    test('a token of an account names it or one of its clients, nobody else', async () => {
      const account = await person()
      const { id } = await client()
      for (const subject of ['somebody', id]) {
        const request = { vo: 'demo', accountId: account.id, subject, scopes: ['grid'], lifetimeSeconds: 60 }
        const { token } = await identity.mint({ ...request, audience: [ANY_AUDIENCE] })
        await expect(identity.verify(token, anywhere)).rejects.toMatchObject({ code: 'invalid_token' })
      }
    })
    test('clients are put in order, or not at all', async () => {
      const account = await person()
      const put = (change: object) =>
        identity.putClient({ id: 'c', vo: 'demo', accountId: account.id, scopes: ['grid'], ...change })
      await expect(put({ id: '../c' })).rejects.toMatchObject({ kind: 'invalid' })
      await expect(put({ secret: 'short' })).rejects.toMatchObject({ code: 'invalid_password' })
      await expect(put({ scopes: ['storage.read'] })).rejects.toMatchObject({ code: 'invalid_scope' })
      await expect(put({ vo: 'other' })).rejects.toMatchObject({ code: 'account_missing' })
      const first = await put({})
      expect(first.secret).toHaveLength(43)
      expect((await put({ scopes: ['grid.catalog.read'] })).secret).toBeNull()
      expect((await identity.authenticateClient('demo', { id: 'c', secret: first.secret! })).scopes).toEqual([
        'grid.catalog.read',
      ])
    })
  })

  describe('signing keys', () => {
    const kids = async (of = identity) => (await of.jwks('demo')).keys.map(({ kid }) => kid)

    test('a rotation by many at once makes one key, published days before it signs', async () => {
      const account = await person()
      const before = await kids()
      clock.advance(27 * DAY)
      const many = Array.from({ length: 6 }, () => fresh().rotateSigningKeys(clock.now()))
      const created = (await Promise.all(many)).reduce((sum, one) => sum + one.created, 0)
      // One for each of the two VOs.
      expect(created).toBe(2)
      await identity.reload()
      const after = await kids()
      expect(after).toHaveLength(before.length + 1)
      const signer = async () => decodeProtectedHeader((await identity.mintForAccount(account.id)).token).kid
      const old = await identity.mintForAccount(account.id)
      expect(await signer()).toBe(before.at(-1))
      clock.advance(4 * DAY)
      expect(await signer()).toBe(after.at(-1))
      expect(decodeProtectedHeader(old.token).kid).not.toBe(await signer())
    })
    test('tokens stay valid while keys change under parallel use', async () => {
      const account = await person()
      const work = Array.from({ length: 30 }, async (_, i) => {
        const one = fresh()
        if (i % 5 === 0) await one.rotateSigningKeys(clock.now())
        const { token } = await one.mintForAccount(account.id)
        return identity.verify(token, anywhere)
      })
      expect((await Promise.all(work)).every(({ accountId }) => accountId === account.id)).toBe(true)
    })
    test('old keys leave after their last token has long expired', async () => {
      const before = await kids()
      clock.advance(41 * DAY)
      await identity.rotateSigningKeys(clock.now())
      expect((await kids()).some((kid) => before.includes(kid))).toBe(false)
      await identity.mintForAccount((await person()).id)
    })
    test('without the seal key of the database nothing is signed', async () => {
      const account = await person()
      await expect(fresh(randomBytes(32)).mintForAccount(account.id)).rejects.toMatchObject({
        code: 'seal_broken',
      })
    })
    test('a private key never leaves', async () => {
      const text = JSON.stringify(await identity.jwks('demo'))
      expect(text).not.toMatch(/"d"|sealed/)
      await expect(identity.jwks('nowhere')).rejects.toMatchObject({ code: 'vo_missing' })
    })
  })

  test('the housekeeping sweeps what is over', async () => {
    await identity.revoke('old', new Date(clock.now().getTime() + 1000))
    await identity.createLoginCode((await person()).id)
    await login('nobody-at-all', 'wrong').catch(() => undefined)
    clock.advance(3600_000)
    for (const worker of fresh().workers) await worker.tick(clock.now(), new AbortController().signal)
    const left = await row(
      database.db,
      sql<{ n: number }>`select ((select count(*) from revoked_token where jti = 'old')
        + (select count(*) from one_time_login) + (select count(*) from login_failure))::int as n`,
    )
    expect(left?.n).toBe(0)
  })
})
