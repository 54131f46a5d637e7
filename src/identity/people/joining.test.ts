import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { virtualClock } from '../../kernel/index.ts'
import type { Account, Identity, Registration } from '../index.ts'

const DAY = 86_400_000
const page = { offset: 0, limit: 100 }

describe('joining', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  let made = 0
  const register = (facts: Partial<Registration> = {}) =>
    identity.register({
      ...{ vo: 'demo', username: `new${++made}`, givenName: 'Noa', familyName: '渡辺' },
      ...{ email: `new${made}@example.org`, notes: 'I work on charm.' },
      ...facts,
    })
  const account = async (): Promise<Account> =>
    (await identity.createAccounts([{ vo: 'demo', name: `a${++made}`, email: `a${made}@example.org` }]))[0]!
  const standing = async (id: number) => (await identity.standingOf([id])).get(id)!
  const mailTo = async (recipient: string) =>
    (await identity.mails('demo', page)).items.find((mail) => mail.recipient === recipient)

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
    await identity.createGroups('demo', [{ path: '/demo/all' }, { path: '/demo/charm' }])
    await identity.setPeopleSettings(
      'demo',
      { registrationOpen: true, defaultGroups: ['/demo/all'] },
      'admin',
    )
    const boss = (
      await identity.createAccounts([{ vo: 'demo', name: 'boss', email: 'boss@example.org' }])
    )[0]!
    await identity.setAttributes(boss.id, { admin: 'true' })
  })

  test('is closed until a VO opens it', async () => {
    await expect(register({ vo: 'other' })).rejects.toMatchObject({ code: 'registration_closed' })
    await expect(register({ vo: 'nowhere' })).rejects.toMatchObject({ code: 'vo_missing' })
  })

  test('begins with an account that can do nothing, and ends with a member', {
    timeout: 60_000,
  }, async () => {
    const request = await register({ username: 'noa', email: 'noa@example.org', password: 'correct horse' })
    expect(request).toMatchObject({ state: 'CONFIRMED', username: 'noa', familyName: '渡辺', group: null })
    const id = request.accountId!
    expect(await standing(id)).toMatchObject({ state: 'pending', code: 'registration_pending' })
    await expect(
      identity.login({ vo: 'demo', username: 'noa', password: 'correct horse' }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/registration_pending|account_suspended/) })
    expect((await identity.listAccounts('demo')).map(({ name }) => name)).not.toContain('noa')
    expect((await mailTo('boss@example.org'))?.subject).toContain('noa')
    await expect(identity.restore(id, 'sneaky', 'x')).rejects.toMatchObject({ kind: 'invalid' })
    expect(await identity.approveRegistration('demo', request.id, 'boss')).toMatchObject({
      state: 'APPROVED',
      decidedBy: 'boss',
    })
    expect(await standing(id)).toEqual({ state: 'good' })
    expect((await identity.groupsOf([id])).get(id)).toEqual(['/demo', '/demo/all'])
    expect((await identity.login({ vo: 'demo', username: 'noa', password: 'correct horse' })).account).toBe(
      'noa',
    )
    await expect(identity.rejectRegistration('demo', request.id, 'late', 'boss')).rejects.toMatchObject({
      code: 'request_decided',
    })
  })

  test('who is turned away is told why, and leaves nothing but the request', async () => {
    const request = await register({ username: 'nemo', email: 'nemo@example.org' })
    await expect(identity.rejectRegistration('demo', request.id, '', 'boss')).rejects.toMatchObject({
      kind: 'invalid',
    })
    await identity.rejectRegistration('demo', request.id, 'We do not know you.', 'boss')
    expect(await identity.request('demo', request.id)).toMatchObject({
      state: 'REJECTED',
      motivation: 'We do not know you.',
      accountId: null,
    })
    expect((await mailTo('nemo@example.org'))?.body).toContain('We do not know you.')
    await register({ username: 'nemo', email: 'nemo@example.org' })
  })

  test('takes nobody’s name, address or user name', async () => {
    const one = await account()
    await identity.addIdentities([{ accountId: one.id, kind: 'USERPASS', identity: 'spare' }])
    for (const facts of [{ username: one.name }, { username: 'spare' }]) {
      await expect(register({ ...facts, password: 'correct horse' })).rejects.toMatchObject({
        code: 'account_exists',
      })
    }
    await expect(register({ email: one.email! })).rejects.toMatchObject({ code: 'email_taken' })
    for (const facts of [
      { username: 'Not A Name' },
      { email: 'x' },
      { givenName: ' ' },
      { notes: 'x'.repeat(5000) },
    ]) {
      await expect(register(facts)).rejects.toMatchObject({ kind: 'invalid' })
    }
  })

  test('confirms an address once, by the link that was sent there', async () => {
    await identity.setPeopleSettings('demo', { confirmEmail: true }, 'admin')
    const request = await register({ email: 'confirm@example.org' })
    const forgotten = await register({ email: 'forgotten@example.org' })
    expect(request.state).toBe('NEW')
    const secret = /verify\/(\S+)/.exec((await mailTo('confirm@example.org'))!.body)![1]!
    await expect(identity.confirmRegistration('demo', `${secret}x`)).rejects.toMatchObject({
      code: 'request_missing',
    })
    await expect(identity.confirmRegistration('other', secret)).rejects.toMatchObject({ kind: 'missing' })
    expect(await identity.confirmRegistration('demo', secret)).toMatchObject({
      state: 'CONFIRMED',
      emailVerified: true,
    })
    await expect(identity.confirmRegistration('demo', secret)).rejects.toMatchObject({ kind: 'missing' })
    clock.advance(8 * DAY)
    for (const worker of identity.workers) await worker.tick(clock.now(), new AbortController().signal)
    expect((await identity.request('demo', forgotten.id)).state).toBe('REJECTED')
    expect((await identity.request('demo', request.id)).state).toBe('CONFIRMED')
    await identity.setPeopleSettings('demo', { confirmEmail: false }, 'admin')
  })

  test('an address that comes later is confirmed by a link too, once and within a week', async () => {
    const person = await account()
    const addresses = async () => (await identity.peopleById([person.id]))[0]!.emails
    const add = (...list: string[]) =>
      identity.setEmails(
        person.id,
        list.map((address) => ({ address })),
        person.name,
      )
    await add('quiet@example.org')
    expect(await mailTo('quiet@example.org')).toBeUndefined()
    await identity.setPeopleSettings('demo', { confirmEmail: true }, 'admin')
    await add('later@example.org', 'late@example.org')
    const secretFor = async (address: string) => /verify\/(\S+)/.exec((await mailTo(address))!.body)![1]!
    const secret = await secretFor('later@example.org')
    await expect(identity.confirmAddress('other', secret)).rejects.toMatchObject({ kind: 'missing' })
    expect(await identity.confirmAddress('demo', secret)).toEqual({
      username: person.name,
      address: 'later@example.org',
    })
    await expect(identity.confirmAddress('demo', secret)).rejects.toMatchObject({ kind: 'missing' })
    // Changed once more, nothing is asked again and what was confirmed stays so.
    const mails = (await identity.mails('demo', page)).total
    await add('late@example.org', 'later@example.org')
    expect((await identity.mails('demo', page)).total).toBe(mails)
    expect(await addresses()).toMatchObject([
      { address: 'late@example.org', primary: true, verifiedAt: null },
      { address: 'later@example.org', verifiedAt: expect.any(Date) },
    ])
    clock.advance(8 * DAY)
    const late = await secretFor('late@example.org')
    await expect(identity.confirmAddress('demo', late)).rejects.toMatchObject({ code: 'request_missing' })
    await expect(
      (async () => {
        for (let i = 0; i < 25; i++) await add(`stranger${i}@example.org`)
      })(),
    ).rejects.toMatchObject({ code: 'registration_rate_limited' })
    await identity.setPeopleSettings('demo', { confirmEmail: false }, 'admin')
  })

  test('one address of the network may not register without end', async () => {
    const tries = []
    for (let i = 0; i < 21; i++)
      tries.push(await register({ peer: '203.0.113.7' }).catch((error) => error.code))
    expect(tries.slice(0, 20).every((one) => typeof one === 'object')).toBe(true)
    expect(tries[20]).toBe('registration_rate_limited')
  })

  test('a group is joined with the leave of its managers', async () => {
    const [one, boss] = [await account(), await account()]
    await identity.addManagers('demo', '/demo/charm', [boss.id])
    const request = await identity.requestGroup(one.id, '/demo/charm', 'for my thesis')
    expect(request).toMatchObject({ state: 'PENDING', group: '/demo/charm', notes: 'for my thesis' })
    expect((await mailTo(boss.email!))?.subject).toContain('/demo/charm')
    await expect(identity.requestGroup(one.id, '/demo/charm', '')).rejects.toMatchObject({
      code: 'request_exists',
    })
    const mine = { kind: 'group', states: ['PENDING'], managedBy: boss.id } as const
    expect((await identity.requests('demo', mine, page)).items.map(({ id }) => id)).toEqual([request.id])
    const twice = [1, 2].map(() => identity.approveGroupRequest('demo', request.id, boss.name))
    expect((await Promise.allSettled(twice)).map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
    ])
    expect((await identity.groupsOf([one.id])).get(one.id)).toContain('/demo/charm')
    await expect(identity.requestGroup(one.id, '/demo/charm', '')).rejects.toMatchObject({
      code: 'request_exists',
    })
    const other = await identity.requestGroup(boss.id, '/demo/charm', '')
    await identity.rejectGroupRequest('demo', other.id, 'you manage it', boss.name)
    expect((await identity.groupsOf([boss.id])).get(boss.id)).not.toContain('/demo/charm')
    await identity.deleteGroupRequest('demo', other.id, boss.name)
    await expect(identity.request('demo', other.id)).rejects.toMatchObject({ code: 'request_missing' })
  })
})

describe('the usage policy', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  let one: Account
  let robot: Account
  const state = async (account = one) => {
    const standing = (await identity.standingOf([account.id])).get(account.id)!
    return standing.state === 'good' ? 'good' : standing.code
  }

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
    const made = await identity.createAccounts([
      { vo: 'demo', name: 'mika', email: 'mika@example.org' },
      { vo: 'demo', name: 'robot', kind: 'SERVICE' },
    ])
    one = made[0]!
    robot = made[1]!
  })

  test('binds people from its publication on, and never services', async () => {
    expect([await state(), await identity.usagePolicy('demo')]).toEqual(['good', null])
    await expect(identity.signPolicy(one.id, { by: 'mika' })).rejects.toMatchObject({
      code: 'policy_missing',
    })
    const policy = await identity.publishPolicy(
      'demo',
      { text: 'Be kind.\r\n優しく。', validityDays: 365 },
      'boss',
    )
    expect(policy).toMatchObject({ version: 1, text: 'Be kind.\n優しく。', validityDays: 365 })
    expect([await state(), await state(robot)]).toEqual(['policy_unsigned', 'good'])
    await expect(identity.signPolicy(one.id, { by: 'mika', version: 2 })).rejects.toMatchObject({
      code: 'policy_changed',
    })
    await identity.signPolicy(one.id, { by: 'mika', version: 1 })
    expect(await state()).toBe('good')
  })

  test('is signed again when it changed in substance, when asked, and when a signature is too old', async () => {
    const next = () => clock.advance(1000)
    next()
    await identity.publishPolicy(
      'demo',
      { text: 'Be kind!', validityDays: 365, keepSignatures: true },
      'boss',
    )
    expect(await state()).toBe('good')
    next()
    await identity.publishPolicy(
      'demo',
      { text: 'Be very kind.', validityDays: 30, reminderDays: [1, 7] },
      'boss',
    )
    expect(await state()).toBe('policy_unsigned')
    await identity.signPolicy(one.id, { by: 'boss' })
    expect(await identity.signatureOf(one.id)).toMatchObject({
      version: 3,
      signedBy: 'boss',
      endsAt: new Date(clock.now().getTime() + 30 * DAY),
    })
    next()
    await identity.touchPolicy('demo', 'boss')
    expect(await state()).toBe('policy_unsigned')
    await identity.signPolicy(one.id, { by: 'mika' })
    clock.advance(30 * DAY - 1)
    expect(await state()).toBe('good')
    clock.advance(1)
    expect(await state()).toBe('policy_expired')
  })

  test('reminds once for each of its days, the nearest first', async () => {
    await identity.signPolicy(one.id, { by: 'mika' })
    const reminders = async () =>
      (await identity.mails('demo', page)).items.filter(({ kind }) => kind === 'policy.reminder').length
    const looked = async (ms: number) => {
      clock.advance(ms)
      for (let i = 0; i < 2; i++) {
        for (const worker of identity.workers) await worker.tick(clock.now(), new AbortController().signal)
      }
      return reminders()
    }
    expect(await looked(22 * DAY)).toBe(0)
    expect(await looked(DAY)).toBe(1)
    expect(await looked(3 * DAY)).toBe(1)
    expect(await looked(3 * DAY)).toBe(2)
    expect(await looked(DAY)).toBe(2)
  })

  test('can be withdrawn, as can a signature', async () => {
    await identity.signPolicy(one.id, { by: 'mika' })
    await identity.withdrawSignature(one.id, 'boss')
    expect([await state(), await identity.signatureOf(one.id)]).toEqual(['policy_unsigned', null])
    await identity.withdrawPolicy('demo', 'boss')
    expect([await state(), await identity.usagePolicy('demo')]).toEqual(['good', null])
    await expect(identity.touchPolicy('demo', 'boss')).rejects.toMatchObject({ code: 'policy_missing' })
  })

  test('is published in order, or not at all', async () => {
    for (const wrong of [
      {},
      { url: 'javascript:alert(1)' },
      { text: ' ' },
      { text: 'x', validityDays: -1 },
      { text: 'x', reminderDays: [1.5] },
    ]) {
      await expect(identity.publishPolicy('demo', wrong, 'boss')).rejects.toMatchObject({ kind: 'invalid' })
    }
    const many = Array.from({ length: 5 }, () =>
      identity.publishPolicy('other', { url: 'https://x.org/p' }, 'b'),
    )
    expect((await Promise.all(many)).map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5])
  })
})
