import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { createHttp, type Http } from '../../http/index.ts'
import type { Identity } from '../../identity/index.ts'
import { silentLogger, systemClock } from '../../kernel/index.ts'
import { registerGroups } from './groups.ts'
import { operations } from './operation.ts'
import { registerPeople } from './people.ts'

describe('people at the grid’s own door', () => {
  const database = testDatabase()
  let identity: Identity
  let http: Http
  const tokens: Record<string, string> = {}
  const ask = async (
    who: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; json: ReturnType<typeof JSON.parse> }> => {
    const answer = await http.app.inject({
      method: method as 'GET',
      url: `/kumi/v1/${path}`,
      headers: tokens[who] ? { authorization: `Bearer ${tokens[who]}` } : {},
      ...(body && { payload: body }),
    })
    return { status: answer.statusCode, json: JSON.parse(answer.body) }
  }

  beforeAll(async () => {
    identity = await testIdentity(database, systemClock)
    await identity.createGroups('demo', [{ path: '/demo/charm' }])
    for (const [name, vo] of [['admin'], ['boss'], ['mika'], ['noa'], ['abroad', 'other']] as const) {
      const [account] = await identity.createAccounts([
        { vo: vo ?? 'demo', name, email: `${name}@example.org` },
      ])
      tokens[name] = (await identity.mintForAccount(account!.id)).token
      if (name === 'admin' || name === 'abroad') await identity.setAttributes(account!.id, { admin: 'true' })
      if (name === 'boss') await identity.addManagers('demo', '/demo/charm', [account!.id])
      if (name === 'mika') await identity.addMembers('demo', '/demo/charm', [account!.id])
    }
    http = createHttp({ identity, audience: [], log: silentLogger, clock: systemClock, port: 0 })
    const door = operations(http.app)
    registerPeople(door, { identity })
    registerGroups(door, { identity })
    await http.app.ready()
  })
  afterAll(() => http?.close())

  test('each sees whom they may see', async () => {
    const seen = async (who: string) =>
      Promise.all(
        ['mika', 'noa', 'nobody'].map(async (name) => (await ask(who, 'GET', `people/${name}`)).status),
      )
    expect(await seen('admin')).toEqual([200, 200, 404])
    expect(await seen('boss')).toEqual([200, 403, 403])
    expect(await seen('mika')).toEqual([200, 403, 403])
    expect(await seen('abroad')).toEqual([404, 404, 404])
    expect(await seen('stranger')).toEqual([401, 401, 401])
    expect((await ask('mika', 'GET', 'people/mika')).json).toMatchObject({
      name: 'mika',
      standing: { state: 'good' },
      groups: [
        { path: '/demo', origin: 'vo' },
        { path: '/demo/charm', origin: 'manual' },
      ],
    })
  })

  test('a suspension has a reason, takes effect at once, and is taken back', async () => {
    const body = { reason: 'a stolen laptop' }
    for (const who of ['boss', 'mika', 'noa']) {
      expect((await ask(who, 'POST', 'people/noa/suspend', body)).status).toBe(403)
    }
    expect((await ask('abroad', 'POST', 'people/noa/suspend', body)).status).toBe(404)
    expect((await ask('admin', 'POST', 'people/noa/suspend', { reason: '' })).status).toBe(400)
    expect((await ask('admin', 'POST', 'people/noa/suspend', body)).json).toMatchObject({
      standing: { state: 'suspended', message: expect.stringContaining('a stolen laptop') },
    })
    expect((await ask('noa', 'GET', 'people/noa')).status).toBe(403)
    expect((await ask('admin', 'POST', 'people/noa/restore', { reason: 'found again' })).status).toBe(200)
    expect((await ask('noa', 'GET', 'people/noa')).status).toBe(200)
    expect((await ask('admin', 'POST', 'people/admin/suspend', body)).json.code).toBe('last_administrator')
    expect((await ask('admin', 'POST', 'people/mika/remove', { reason: 'left' })).json.status).toBe('DELETED')
    expect((await ask('admin', 'POST', 'people/mika/restore', { reason: 'came back' })).json.status).toBe(
      'ACTIVE',
    )
  })

  test('settings, ends of memberships and mail are for administrators', async () => {
    for (const [method, path, body] of [
      ['PUT', 'membership/settings', {}],
      ['GET', 'membership/endings'],
      ['POST', 'membership/endings', {}],
      ['GET', 'membership/mails'],
      ['GET', 'audit'],
      ['GET', 'audit/verify'],
    ] as const) {
      expect([path, (await ask('boss', method, path, body)).status]).toEqual([path, 403])
      expect([path, (await ask('admin', method, path, body)).status]).toEqual([path, 200])
    }
    const change = { registrationOpen: true, defaultGroups: ['/demo/charm'], removalGraceDays: 60 }
    expect((await ask('admin', 'PUT', 'membership/settings', change)).json).toMatchObject({
      ...change,
      suspensionGraceDays: 7,
    })
    expect((await ask('boss', 'GET', 'membership/settings')).json).toMatchObject(change)
    for (const bad of [{ defaultGroups: ['/demo/none'] }, { removalGraceDays: -1 }, { surprise: 1 }]) {
      expect((await ask('admin', 'PUT', 'membership/settings', bad)).status).toBeGreaterThanOrEqual(400)
    }
    const { id } = await identity.account('demo', 'boss')
    await identity.setEndTime(id, new Date(Date.now() - 1000), 'hr')
    const due = [{ username: 'boss', step: 'PENDING_SUSPENSION' }]
    expect((await ask('admin', 'GET', 'membership/endings')).json).toMatchObject({ steps: due, held: [] })
    expect((await ask('admin', 'POST', 'membership/endings', { force: false })).json).toMatchObject({
      steps: due,
    })
    expect((await ask('admin', 'GET', 'membership/mails?limit=1')).json).toMatchObject({
      mails: [{ recipient: 'boss@example.org', kind: 'membership.pending_suspension', sentAt: null }],
    })
  })

  test('a membership for a time is given by the managers of the group', async () => {
    const until = new Date(Date.now() + 86_400_000).toISOString()
    const body = { group: '/demo/charm', names: ['noa'], until }
    const add = (who: string, more = {}) => ask(who, 'POST', 'groups/members', { ...body, ...more })
    for (const who of ['mika', 'noa', 'abroad'])
      expect((await add(who)).status).toBe(who === 'abroad' ? 404 : 403)
    expect((await add('boss')).json).toEqual(body)
    const { groups } = (await ask('noa', 'GET', 'people/noa')).json
    expect(groups.find(({ path }: { path: string }) => path === '/demo/charm')).toMatchObject({ until })
    expect((await add('boss', { group: '/demo/none' })).status).toBe(403)
    expect((await add('admin', { group: '/demo/none' })).status).toBe(404)
    expect((await add('admin', { names: ['nobody'] })).status).toBe(404)
    expect((await add('admin', { until: 'soon' })).status).toBe(400)
  })

  test('the tree of groups has counts for everybody, and names for those who look after a group', async () => {
    const { groups } = (await ask('mika', 'GET', 'groups')).json
    expect(groups.map(({ path }: { path: string }) => path)).toEqual(['/demo', '/demo/charm'])
    expect(groups[1]).toMatchObject({ members: 2, optional: false, role: false, description: '' })
    const members = (who: string, more = '') => ask(who, 'GET', `groups/members?group=/demo/charm${more}`)
    expect((await members('noa')).status).toBe(403)
    expect((await members('boss', '&limit=1')).json).toMatchObject({
      total: 2,
      members: [{ name: 'mika', until: null }],
    })
    expect((await members('boss', '&find=NO')).json).toMatchObject({
      total: 1,
      members: [{ name: 'noa', until: expect.any(String) }],
    })
  })

  test('versions of the usage policy say who has signed, in numbers', async () => {
    const versions = async (who: string) => ask(who, 'GET', 'policies')
    expect((await versions('boss')).status).toBe(403)
    expect((await versions('admin')).json).toEqual({ versions: [], signed: 0, unsigned: 0 })
    await identity.publishPolicy('demo', { text: 'Be kind.' }, 'admin')
    const { id } = await identity.account('demo', 'mika')
    await identity.signPolicy(id, { by: 'mika' })
    expect((await versions('admin')).json).toMatchObject({
      versions: [{ version: 1, text: 'Be kind.', signatures: 1, publishedBy: 'admin', withdrawnAt: null }],
      ...{ signed: 1, unsigned: 3 },
    })
    await identity.publishPolicy('demo', { url: 'https://example.org/policy' }, 'admin')
    expect((await versions('admin')).json).toMatchObject({
      versions: [
        { version: 2, signatures: 0 },
        { version: 1, signatures: 1 },
      ],
      ...{ signed: 0, unsigned: 4 },
    })
    await identity.withdrawPolicy('demo', 'admin')
    expect((await versions('admin')).json).toMatchObject({ signed: 0, unsigned: 0 })
  })

  test('the audit log tells who did what, page by page, and proves itself', async () => {
    const { entries } = (await ask('admin', 'GET', 'audit?actor=admin&action=account.*&target=mika&limit=2'))
      .json
    expect(entries).toMatchObject([
      { action: 'account.restored', target: 'mika', detail: { reason: 'came back' } },
      { action: 'account.removed', target: 'mika' },
    ])
    const older = (await ask('admin', 'GET', `audit?actor=admin&target=noa&before=${entries[1].seq}&limit=1`))
      .json
    expect(older.entries).toMatchObject([{ action: 'account.restored', target: 'noa' }])
    expect((await ask('abroad', 'GET', 'audit?actor=admin')).json.entries).toEqual([])
    expect((await ask('admin', 'GET', 'audit/verify')).json).toMatchObject({ brokenAt: null })
    expect((await ask('admin', 'GET', 'audit?since=yesterday')).status).toBe(400)
  })
})
