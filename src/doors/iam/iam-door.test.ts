import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { createHttp, type Http } from '../../http/index.ts'
import { type Identity, nameFromSlash } from '../../identity/index.ts'
import { silentLogger, systemClock } from '../../kernel/index.ts'
import { iamDoor } from './index.ts'

const ADDRESS = 'https://localhost:7443'

describe('the door of IAM', () => {
  const database = testDatabase()
  let identity: Identity
  let http: Http
  const tokens: Record<string, string> = {}
  const ids: Record<string, string> = {}
  const accounts: Record<string, number> = {}

  type Answer = { status: number; json: ReturnType<typeof JSON.parse> }
  const ask = async (who: string, method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await http.app.inject({
      method: method as 'GET',
      url: `/iam/demo${path}`,
      headers: {
        ...(tokens[who] && { authorization: `Bearer ${tokens[who]}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    const json = /json/.test(String(answer.headers['content-type'])) ? JSON.parse(answer.body) : answer.body
    return { status: answer.statusCode, json }
  }
  const admin = (method: string, path: string, body?: unknown) => ask('admin', method, path, body)
  const names = ({ json }: Answer) => json.Resources.map((one: { userName: string }) => one.userName)

  beforeAll(async () => {
    identity = await testIdentity(database, systemClock)
    const made = await identity.createGroups('demo', [{ path: '/demo/charm' }, { path: '/demo/beauty' }])
    for (const { path, uuid } of made) ids[path.slice('/demo/'.length)] = uuid
    for (const [name, vo] of [['admin'], ['boss'], ['mika'], ['noa'], ['abroad', 'other']] as const) {
      const [account] = await identity.createAccounts([
        { vo: vo ?? 'demo', name, email: `${name}@example.org` },
      ])
      ids[name] = account!.uuid
      accounts[name] = account!.id
      tokens[name] = (await identity.mintForAccount(account!.id)).token
      if (name === 'admin' || name === 'abroad') await identity.setAttributes(account!.id, { admin: 'true' })
      if (name === 'boss') await identity.addManagers('demo', '/demo/charm', [account!.id])
      if (name === 'mika') await identity.addMembers('demo', '/demo/charm', [account!.id])
    }
    const [robot] = await identity.createAccounts([{ vo: 'demo', name: 'script', kind: 'SERVICE' }])
    const scopes = ['iam:admin.read', 'iam:admin.write']
    const { secret } = await identity.putClient({ id: 'script', vo: 'demo', accountId: robot!.id, scopes })
    const client = await identity.authenticateClient('demo', { id: 'script', secret: secret! })
    tokens.script = (await identity.clientToken({ client })).token
    http = createHttp({ identity, audience: [ADDRESS], log: silentLogger, clock: systemClock, port: 0 })
    await http.app.register(iamDoor({ identity, address: ADDRESS }))
    await http.app.ready()
  })
  afterAll(() => http?.close())

  test('finds people and groups in every way scripts ask', async () => {
    await admin('PUT', `/iam/account/${ids.mika}/labels`, { prefix: 'voms.demo', name: 'id', value: '42' })
    await admin('PUT', `/iam/group/${ids.charm}/labels`, { name: 'wlcg.optional-group' })
    const mika = {
      accountId: accounts.mika!,
      subject: nameFromSlash('/C=JP/O=Grid/CN=Mika, Dr. Sato'),
      issuer: null,
    }
    await identity.linkNames('demo', [mika], 'gridmap', 'admin')
    const subject = encodeURIComponent('CN=Mika\\, Dr. Sato,O=Grid,C=JP')
    const found: Record<string, string[]> = {
      'account/search?filter=EXAMPLE.org&count=2&startIndex=2': ['boss', 'mika'],
      'account/search?filter=mik': ['mika'],
      'account/search?sortDirection=desc&count=1': ['script'],
      'account/find/byusername?username=mika': ['mika'],
      'account/find/byemail?email=Mika@Example.org': ['mika'],
      'account/find/bylabel?name=id&value=42': ['mika'],
      'account/find/bylabel?name=id&prefix=other': [],
      'account/find/byauthority?authority=ROLE_ADMIN': ['admin'],
      [`account/find/byauthority?authority=ROLE_GM:${ids.charm}`]: ['boss'],
      'account/find/byauthority?authority=ROLE_GM:x': [],
      [`account/find/bycertsubject?certificateSubject=${subject}`]: ['mika'],
      [`account/find/bygroup/${ids.charm}`]: ['mika'],
      [`account/find/notingroup/${ids.charm}`]: ['admin', 'boss', 'noa', 'script'],
    }
    for (const [path, expected] of Object.entries(found)) {
      for (const who of ['admin', 'script']) {
        const answer = await ask(who, 'GET', `/iam/${path}`)
        expect([path, answer.status, names(answer)]).toEqual([path, 200, expected])
      }
      expect((await ask('noa', 'GET', `/iam/${path}`)).status).toBe(403)
    }
    const groupNames = async (path: string) =>
      (await admin('GET', `/iam/group/${path}`)).json.Resources.map(
        (g: { displayName: string }) => g.displayName,
      )
    expect(await groupNames('find/byname?name=demo/charm')).toEqual(['demo/charm'])
    expect(await groupNames('find/byname?name=charm')).toEqual([])
    expect(await groupNames('find/bylabel?name=wlcg.optional-group')).toEqual(['demo/charm'])
    expect(await groupNames('search?filter=beau')).toEqual(['demo/beauty'])
    expect((await admin('GET', `/iam/account/find/byuuid/${ids.mika}`)).json.userName).toBe('mika')
    expect((await admin('GET', '/iam/account/find/byusername')).json).toMatchObject({
      error: expect.stringContaining('username'),
    })
    expect((await admin('GET', `/iam/account/find/byuuid/${ids.abroad}`)).status).toBe(404)
    await admin('DELETE', `/iam/group/${ids.charm}/labels?name=wlcg.optional-group`)
  })

  test('sets labels, attributes, the end of a membership and authorities', async () => {
    const at = `/iam/account/${ids.noa}`
    expect((await admin('PUT', `${at}/labels`, { name: 'shift', value: '1' })).status).toBe(200)
    expect((await admin('GET', `${at}/labels`)).json).toEqual([{ name: 'shift', value: '1' }])
    expect((await admin('DELETE', `${at}/labels?name=shift`)).status).toBe(204)
    expect((await admin('PUT', `${at}/attributes`, { name: 'nickname', value: 'noa-san' })).status).toBe(200)
    expect((await ask('noa', 'GET', `${at}/attributes`)).json).toEqual([
      { name: 'nickname', value: 'noa-san' },
    ])
    expect((await admin('DELETE', `${at}/attributes?name=nickname`)).status).toBe(204)
    for (const endTime of ['2031-01-01T00:00:00.000Z', 1924992000000, null]) {
      expect((await admin('PUT', `${at}/endTime`, { endTime })).status).toBe(200)
      const { endTime: kept } = await identity.person('demo', 'noa')
      expect(kept).toEqual(endTime === null ? null : new Date(endTime))
    }
    expect((await admin('PUT', `${at}/endTime`, { endTime: 'soon' })).status).toBe(400)
    expect((await admin('GET', `${at}/authorities`)).json).toEqual({ authorities: ['ROLE_USER'] })
    expect((await ask('boss', 'GET', '/iam/me/authorities')).json).toEqual({
      authorities: ['ROLE_USER', `ROLE_GM:${ids.charm}`],
    })
    expect((await admin('POST', `${at}/authorities?authority=ROLE_ADMIN`)).status).toBe(200)
    expect((await ask('noa', 'GET', '/iam/account/search')).status).toBe(200)
    expect((await admin('DELETE', `${at}/authorities?authority=ROLE_ADMIN`)).status).toBe(200)
    expect((await ask('noa', 'GET', '/iam/account/search')).status).toBe(403)
    expect((await admin('POST', `${at}/authorities?authority=ROLE_GOD`)).status).toBe(400)
    // A script with all of IAM's scopes still makes nobody an administrator.
    expect((await ask('script', 'POST', `${at}/authorities?authority=ROLE_ADMIN`)).status).toBe(403)
  })

  test('moves people in and out of groups, and names their managers', async () => {
    const at = `/iam/account/${ids.noa}/groups/${ids.charm}`
    const member = async () =>
      (await identity.groupsOf([accounts.noa!])).get(accounts.noa!)!.includes('/demo/charm')
    expect([(await ask('boss', 'POST', at)).status, await member()]).toEqual([201, true])
    expect([(await ask('boss', 'DELETE', at)).status, await member()]).toEqual([204, false])
    expect((await ask('boss', 'POST', `/iam/account/${ids.noa}/groups/${ids.beauty}`)).status).toBe(403)
    expect((await ask('boss', 'POST', `/iam/account/${ids.abroad}/groups/${ids.charm}`)).status).toBe(404)
    const made = await admin('POST', '/iam/group', {
      name: 'd0',
      parent: { id: ids.charm },
      description: 'D⁰',
    })
    expect(made).toMatchObject({
      status: 201,
      json: { name: 'demo/charm/d0', parent: { name: 'demo/charm' } },
    })
    expect(
      (await admin('PUT', `/iam/group/${made.json.id}`, { description: 'mixing' })).json.description,
    ).toBe('mixing')
    const managed = `/iam/account/${ids.noa}/managed-groups`
    expect((await admin('POST', `${managed}/${made.json.id}`)).status).toBe(201)
    expect((await ask('noa', 'GET', managed)).json).toMatchObject({
      username: 'noa',
      managedGroups: [{ name: 'demo/charm/d0' }],
    })
    expect(
      (await admin('GET', `/iam/group/${made.json.id}/group-managers`)).json.map(
        (u: { userName: string }) => u.userName,
      ),
    ).toEqual(['noa'])
    expect((await admin('DELETE', `${managed}/${made.json.id}`)).status).toBe(204)
    expect((await admin('DELETE', `${managed}/${made.json.id}`)).status).toBe(404)
  })

  test('takes requests for a group to those who decide', async () => {
    const wish = { groupName: 'demo/charm', notes: 'D mesons' }
    const made = await ask('noa', 'POST', '/iam/group_requests', wish)
    expect(made.json).toMatchObject({
      username: 'noa',
      groupName: 'demo/charm',
      status: 'PENDING',
      notes: 'D mesons',
    })
    const at = `/iam/group_requests/${made.json.uuid}`
    const listed = async (who: string, query = '') =>
      (await ask(who, 'GET', `/iam/group_requests${query}`)).json.Resources.map(
        (one: { uuid: string }) => one.uuid,
      )
    for (const who of ['noa', 'boss', 'admin', 'script']) expect(await listed(who)).toEqual([made.json.uuid])
    expect([await listed('mika'), await listed('admin', '?status=APPROVED')]).toEqual([[], []])
    expect((await admin('GET', '/iam/group_requests?status=x')).status).toBe(400)
    expect((await ask('noa', 'POST', '/iam/group_requests', wish)).status).toBe(409)
    for (const who of ['noa', 'mika', 'abroad', 'nobody']) {
      expect((await ask(who, 'POST', `${at}/approve`)).status).toBe(who === 'nobody' ? 401 : 403)
    }
    expect((await ask('mika', 'GET', at)).status).toBe(403)
    expect((await ask('boss', 'POST', `${at}/reject`)).status).toBe(400)
    expect((await ask('boss', 'POST', `${at}/reject?motivation=full`)).json).toMatchObject({
      status: 'REJECTED',
      motivation: 'full',
    })
    expect((await ask('noa', 'DELETE', at)).status).toBe(204)
    const again = await ask('noa', 'POST', '/iam/group_requests', wish)
    expect((await ask('boss', 'POST', `/iam/group_requests/${again.json.uuid}/approve`)).json.status).toBe(
      'APPROVED',
    )
    expect((await admin('POST', `/iam/group_requests/${again.json.uuid}/approve`)).status).toBe(409)
    expect((await ask('noa', 'POST', '/iam/group_requests', { groupName: 'demo/none' })).status).toBe(404)
  })

  test('lets people leave a group, but not the VO', async () => {
    await identity.addMembers('demo', '/demo/beauty', [accounts.noa!])
    const leave = async (who: string, group: string) =>
      (await ask(who, 'DELETE', `/iam/account/me/groups/${group}`)).status
    expect([await leave('nobody', ids.beauty!), await leave('abroad', ids.beauty!)]).toEqual([401, 403])
    expect([await leave('noa', ids.beauty!), await leave('noa', ids.beauty!)]).toEqual([204, 404])
    const paths = (await identity.membershipsOf([accounts.noa!])).get(accounts.noa!)!.map(({ path }) => path)
    expect(paths).toEqual(['/demo', '/demo/charm'])
    const root = (await identity.group('demo', '/demo')).uuid
    expect([await leave('noa', root), await leave('noa', 'x')]).toEqual([400, 404])
  })

  test('publishes the usage policy and keeps the signatures', async () => {
    expect((await ask('nobody', 'GET', '/iam/aup')).status).toBe(404)
    const body = {
      url: 'https://example.org/aup',
      signatureValidityInDays: 365,
      aupRemindersInDays: '30,15,1',
    }
    expect((await ask('noa', 'POST', '/iam/aup', body)).status).toBe(403)
    expect(await admin('POST', '/iam/aup', body)).toMatchObject({
      status: 201,
      json: { ...body, version: 1 },
    })
    expect((await ask('nobody', 'GET', '/iam/aup')).json).toMatchObject(body)
    const signature = (who: string, method = 'GET', id = '', payload?: object) =>
      ask(who, method, `/iam/aup/signature${id}`, payload)
    expect((await signature('noa')).status).toBe(404)
    expect((await signature('noa', 'POST', '', { version: 7 })).status).toBe(409)
    expect(await signature('noa', 'POST')).toMatchObject({
      status: 201,
      json: { account: { username: 'noa' }, signedBy: 'noa' },
    })
    expect((await signature('noa', 'GET', `/${ids.mika}`)).status).toBe(403)
    expect((await signature('admin', 'PATCH', `/${ids.mika}`)).json).toMatchObject({ signedBy: 'admin' })
    expect((await signature('noa', 'PATCH', `/${ids.mika}`)).status).toBe(403)
    expect((await signature('admin', 'DELETE', `/${ids.mika}`)).status).toBe(204)
    expect((await signature('admin', 'GET', `/${ids.mika}`)).status).toBe(404)
    expect((await admin('PATCH', '/iam/aup', { description: 'the same, better said' })).json).toMatchObject({
      version: 2,
      url: body.url,
    })
    const standing = async () => (await identity.standingOf([accounts.noa!])).get(accounts.noa!)!.state
    expect(await standing()).toBe('good')
    expect((await admin('POST', '/iam/aup/touch')).status).toBe(200)
    expect(await standing()).toBe('unsigned')
    for (const bad of [{ ...body, url: 'x' }, { ...body, aupRemindersInDays: 'a' }, {}]) {
      expect((await admin('POST', '/iam/aup', bad)).status).toBe(400)
    }
    expect((await admin('DELETE', '/iam/aup')).status).toBe(204)
    expect(await standing()).toBe('good')
  })

  test('registers a newcomer', { timeout: 60_000 }, async () => {
    const wish = {
      username: 'neu',
      givenname: 'Neu',
      familyname: '新',
      email: 'neu@example.org',
      notes: 'hello',
    }
    expect((await ask('nobody', 'POST', '/registration/create', wish)).status).toBe(403)
    expect((await ask('nobody', 'GET', '/registration/username-available/neu')).status).toBe(403)
    await identity.setPeopleSettings('demo', { registrationOpen: true, confirmEmail: true }, 'admin')
    expect((await ask('nobody', 'GET', '/registration/config')).json).toMatchObject({ enabled: true })
    expect((await ask('nobody', 'GET', '/registration/username-available/neu')).json).toBe(true)
    expect((await ask('nobody', 'GET', '/registration/username-available/mika')).json).toBe(false)
    expect((await ask('nobody', 'GET', '/registration/email-available/MIKA@example.org')).json).toBe(false)
    const made = await ask('nobody', 'POST', '/registration/create', wish)
    expect(made).toMatchObject({ status: 201, json: { status: 'NEW', username: 'neu', familyname: '新' } })
    const mail = (await identity.mails('demo', { offset: 0, limit: 1 })).items[0]!
    const [, path] = /https:\/\/localhost:7443\/iam\/demo(\/registration\/verify\/\S+)/.exec(mail.body)!
    const token = path!.split('/').at(-1)!
    const link = await http.app.inject({ url: `/iam/demo${path}` })
    expect([link.statusCode, link.headers.location]).toEqual([303, `/#/confirm?vo=demo&token=${token}`])
    expect((await identity.request('demo', made.json.uuid)).state).toBe('NEW')
    const confirmed = await http.app.inject({
      method: 'POST',
      url: '/iam/demo/registration/verify',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ token }).toString(),
    })
    expect(JSON.parse(confirmed.body)).toEqual({ username: 'neu', status: 'CONFIRMED' })
    expect((await ask('nobody', 'POST', '/registration/verify', { token })).status).toBe(404)
    const { id } = await identity.account('demo', 'noa')
    await identity.setEmails(id, [{ address: 'noa-later@example.org' }], 'noa')
    const later = (await identity.mails('demo', { offset: 0, limit: 1 })).items[0]!
    const wanted = { token: /verify\/(\S+)/.exec(later.body)![1]! }
    expect((await ask('nobody', 'POST', '/registration/verify', wanted)).json).toEqual({
      username: 'noa',
      address: 'noa-later@example.org',
    })
    expect((await ask('nobody', 'GET', '/registration/verify/%3Cscript%3E')).status).toBe(400)
    for (const who of ['nobody', 'noa', 'boss']) {
      expect((await ask(who, 'GET', '/registration/list')).status).toBe(who === 'nobody' ? 401 : 403)
      expect((await ask(who, 'POST', `/registration/approve/${made.json.uuid}`)).status).toBe(
        who === 'nobody' ? 401 : 403,
      )
    }
    expect((await ask('script', 'GET', '/registration/list/pending')).json).toMatchObject([
      { username: 'neu' },
    ])
    expect((await admin('POST', `/registration/approve/${made.json.uuid}`)).json).toMatchObject({
      status: 'APPROVED',
      decidedBy: 'admin',
    })
    expect((await admin('GET', '/registration/list?status=APPROVED')).json).toHaveLength(1)
    expect((await admin('POST', `/registration/reject/${made.json.uuid}?motivation=x`)).status).toBe(409)
    expect((await admin('POST', '/registration/approve/x')).status).toBe(404)
    for (const bad of [
      {},
      { ...wish, email: 'x' },
      { ...wish, username: 'Ä', email: 'ae@example.org' },
      null,
    ]) {
      expect((await ask('nobody', 'POST', '/registration/create', bad)).status).toBe(400)
    }
  })

  test('lets nobody in by another VO’s right', async () => {
    for (const path of [
      '/iam/account/search',
      '/iam/group/search',
      `/iam/account/${ids.mika}/labels`,
      '/iam/group_requests',
    ]) {
      expect([path, (await ask('abroad', 'GET', path)).status]).toEqual([path, 403])
    }
    for (const [method, path, body] of [
      ['PUT', `/iam/account/${ids.mika}/endTime`, { endTime: null }],
      ['POST', `/iam/account/${ids.mika}/authorities?authority=ROLE_ADMIN`],
      ['POST', `/iam/account/${ids.mika}/groups/${ids.beauty}`],
      ['POST', '/iam/aup/touch'],
      ['POST', '/iam/aup/signature'],
    ] as const) {
      expect([path, (await ask('abroad', method, path, body)).status]).toEqual([path, 403])
    }
  })
})
