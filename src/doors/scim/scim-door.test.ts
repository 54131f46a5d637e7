import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { createHttp, type Http } from '../../http/index.ts'
import type { Identity } from '../../identity/index.ts'
import { createCa, issueHostCertificate } from '../../identity/x509/certificates.ts'
import { silentLogger, systemClock } from '../../kernel/index.ts'
import { scimDoor } from './index.ts'
import { ENTERPRISE, INDIGO_GROUP, INDIGO_USER, USER } from './schemas.ts'

const ADDRESS = 'https://localhost:7443'
type Json = Record<string, never> & { Resources: Json[]; groups: Json[] }

describe('the SCIM door', () => {
  const database = testDatabase()
  let identity: Identity
  let http: Http
  const tokens: Record<string, string> = {}
  const uuids: Record<string, string> = {}

  const ask = async (who: string, method: string, path: string, body?: unknown) => {
    const answer = await http.app.inject({
      method: method as 'GET',
      url: path,
      headers: {
        ...(tokens[who] && { authorization: `Bearer ${tokens[who]}` }),
        'content-type': 'application/scim+json',
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    return {
      status: answer.statusCode,
      headers: answer.headers,
      json: (answer.body ? JSON.parse(answer.body) : null) as Json,
    }
  }
  const admin = (method: string, path: string, body?: unknown) => ask('admin', method, `/scim${path}`, body)
  const patch = (...Operations: unknown[]) => ({
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations,
  })
  const service = async (name: string, scopes: string[], vo = 'demo') => {
    const [account] = await identity.createAccounts([{ vo, name, kind: 'SERVICE' }])
    const { secret } = await identity.putClient({ id: name, vo, accountId: account!.id, scopes })
    const client = await identity.authenticateClient(vo, { id: name, secret: secret! })
    tokens[name] = (await identity.clientToken({ client })).token
  }

  beforeAll(async () => {
    identity = await testIdentity(database, systemClock)
    await identity.createGroups('demo', [
      { path: '/demo/charm', description: 'Charm' },
      { path: '/demo/charm/d0' },
    ])
    for (const [name, vo] of [['admin'], ['boss'], ['mika'], ['noa'], ['abroad', 'other']] as const) {
      const [account] = await identity.createAccounts([
        { vo: vo ?? 'demo', name, email: `${name}@example.org` },
      ])
      uuids[name] = account!.uuid
      tokens[name] = (await identity.mintForAccount(account!.id)).token
      if (name === 'admin' || name === 'abroad') await identity.setAttributes(account!.id, { admin: 'true' })
      if (name === 'boss') await identity.addManagers('demo', '/demo/charm', [account!.id])
      if (name === 'mika') await identity.addMembers('demo', '/demo/charm', [account!.id])
    }
    await service('reader', ['scim:read'])
    await service('writer', ['scim:read', 'scim:write'])
    await service('storage', ['storage.read:/'])
    http = createHttp({ identity, audience: [ADDRESS], log: silentLogger, clock: systemClock, port: 0 })
    await http.app.register(scimDoor({ identity, address: ADDRESS }))
    await http.app.ready()
  })
  afterAll(() => http?.close())

  const groupId = async (path: string) => (await identity.group('demo', path)).uuid

  test('shows a person as IAM would', async () => {
    const { status, headers, json } = await admin('GET', `/Users/${uuids.mika}`)
    expect([status, headers['content-type']]).toEqual([200, 'application/scim+json;charset=UTF-8'])
    expect(json).toMatchObject({
      schemas: [USER, INDIGO_USER],
      id: uuids.mika,
      userName: 'mika',
      active: true,
      emails: [{ type: 'work', value: 'mika@example.org', primary: true }],
      meta: { resourceType: 'User', location: `${ADDRESS}/scim/Users/${uuids.mika}` },
      [INDIGO_USER]: { authorities: ['ROLE_USER'], serviceAccount: false },
    })
    expect(json.groups.map(({ display }) => display)).toEqual(['demo', 'demo/charm'])
    const boss = (await admin('GET', `/Users/${uuids.boss}`)).json
    const id = await groupId('/demo/charm')
    expect(boss[INDIGO_USER]).toMatchObject({
      authorities: ['ROLE_USER', `ROLE_GM:${id}`],
      managedGroups: [{ value: id, display: 'demo/charm' }],
    })
  })

  test('makes, changes and removes a person', async () => {
    const body = {
      schemas: [USER, INDIGO_USER, ENTERPRISE],
      userName: 'rin',
      name: { givenName: '凛', familyName: '高橋' },
      emails: [{ type: 'work', value: 'rin@example.org', primary: true }],
      [INDIGO_USER]: {
        labels: [{ prefix: 'hr.cern', name: 'id', value: '9' }],
        endTime: '2031-04-01T00:00:00Z',
      },
      [ENTERPRISE]: { organization: 'KEK' },
    }
    const { status, headers, json } = await ask('writer', 'POST', '/scim/Users', body)
    expect([status, headers.location]).toEqual([201, `${ADDRESS}/scim/Users/${json.id}`])
    expect(json).toMatchObject({
      ...body,
      displayName: '凛 高橋',
      [INDIGO_USER]: { ...body[INDIGO_USER], endTime: '2031-04-01T00:00:00.000Z' },
    })
    for (const again of [body, { ...body, userName: 'rin2' }, { ...body, emails: [{ value: 'x@y' }] }]) {
      expect(await admin('POST', '/Users', again)).toMatchObject({
        status: 409,
        json: {
          schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
          status: '409',
          scimType: 'uniqueness',
        },
      })
    }
    const at = `/Users/${json.id}`
    const changes = patch(
      { op: 'replace', path: 'name.familyName', value: '渡辺' },
      { op: 'add', path: 'emails', value: [{ value: 'rin@kek.jp', primary: true }] },
      { op: 'remove', path: `${INDIGO_USER}:endTime` },
      {
        op: 'add',
        path: 'oidcIds',
        value: { [INDIGO_USER]: { oidcIds: [{ issuer: 'https://idp', subject: 's1' }] } },
      },
      { op: 'replace', value: { active: false } },
    )
    expect((await admin('PATCH', at, changes)).status).toBe(204)
    const after = (await admin('GET', at)).json
    expect(after).toMatchObject({
      name: { givenName: '凛', familyName: '渡辺' },
      active: false,
      emails: [
        { value: 'rin@kek.jp', primary: true },
        { value: 'rin@example.org', primary: false },
      ],
      [INDIGO_USER]: { oidcIds: [{ issuer: 'https://idp', subject: 's1' }], labels: [{ value: '9' }] },
    })
    expect(after[INDIGO_USER]).not.toHaveProperty('endTime')
    const other = patch({ op: 'add', path: 'oidcIds', value: [{ issuer: 'https://idp', subject: 's1' }] })
    expect((await admin('PATCH', `/Users/${uuids.noa}`, other)).status).toBe(409)
    // What a PUT leaves out stays.
    const put = await admin('PUT', at, { userName: 'rin', active: true, name: { givenName: 'Rin' } })
    expect(put.json).toMatchObject({
      active: true,
      name: { givenName: 'Rin', familyName: '渡辺' },
      [INDIGO_USER]: { labels: [{ value: '9' }] },
    })
    expect(await admin('PUT', at, { userName: 'other' })).toMatchObject({
      status: 400,
      json: { scimType: 'mutability' },
    })
    expect((await admin('DELETE', at)).status).toBe(204)
    expect((await admin('GET', at)).status).toBe(404)
    expect((await admin('POST', '/Users', body)).status).toBe(409)
    const log = await identity.auditLog('demo', { target: 'rin' })
    expect(new Set(log.map(({ actor }) => actor))).toEqual(new Set(['writer', 'admin']))
  })

  test('links certificates, by themselves or by their names, each to one person', async () => {
    const ca = await createCa({ name: 'SCIM test', now: new Date() })
    const { certificatePem: pem } = await issueHostCertificate({
      ca,
      names: ['mika.example.org'],
      ips: [],
      now: new Date(),
    })
    const at = `/Users/${uuids.mika}`
    const change = async (op: string, certificates: object[], path = at) => {
      const value = { [INDIGO_USER]: { certificates } }
      return (await admin('PATCH', path, patch({ op, path: 'certificates', value }))).status
    }
    const linked = async () => {
      const own = (await admin('GET', at)).json[INDIGO_USER] as unknown as {
        certificates: Record<string, string>[]
      }
      return own.certificates.map(({ subjectDn }) => subjectDn)
    }
    const names = { subjectDn: 'CN=Mika Sato,O=Grid,C=JP', issuerDn: 'CN=Grid CA,O=Grid,C=JP' }
    expect(await change('add', [{ pemEncodedCertificate: pem, display: 'laptop' }])).toBe(204)
    expect(await change('add', [names])).toBe(204)
    expect(await change('add', [{ ...names, subjectDn: '/C=JP/O=Grid/CN=Mika Sato' }])).toBe(204)
    expect(await linked()).toEqual([expect.stringContaining('mika.example.org'), names.subjectDn])
    expect(await change('add', [names], `/Users/${uuids.noa}`)).toBe(409)
    for (const bad of [
      {},
      { pemEncodedCertificate: 'x' },
      { subjectDn: 'no name' },
      { pemEncodedCertificate: ca.certificatePem },
    ]) {
      expect([bad, await change('add', [bad])]).toEqual([bad, 400])
    }
    const filter = encodeURIComponent(`${INDIGO_USER}:certificates.subjectDn eq "/C=JP/O=Grid/CN=Mika Sato"`)
    expect(
      (await admin('GET', `/Users?filter=${filter}`)).json.Resources.map(({ userName }) => userName),
    ).toEqual(['mika'])
    expect(await change('remove', [names])).toBe(204)
    expect(await linked()).toEqual([expect.stringContaining('mika.example.org')])
    const after = patch({ op: 'replace', path: 'name.givenName', value: 'Mika' })
    expect((await admin('PATCH', at, after)).status).toBe(204)
    expect(await linked()).toHaveLength(1)
  })

  test('changes all that a patch says, or nothing', async () => {
    const both = patch(
      { op: 'replace', path: 'name.givenName', value: 'Changed' },
      { op: 'add', path: 'emails', value: [{ value: 'admin@example.org' }] },
    )
    expect((await admin('PATCH', `/Users/${uuids.noa}`, both)).status).toBe(409)
    expect((await admin('GET', `/Users/${uuids.noa}`)).json.name).toMatchObject({ givenName: '' })
  })

  test('finds people by filter and page', async () => {
    const names = async (query: string) => {
      const { status, json } = await admin('GET', `/Users?${query}`)
      return status === 200 ? json.Resources.map(({ userName }) => userName) : [status, json.scimType]
    }
    const by = (filter: string) => names(`filter=${encodeURIComponent(filter)}`)
    expect(await by('userName eq "MIKA"')).toEqual(['mika'])
    expect(await by('emails.value ew "@EXAMPLE.org" and not (userName sw "n")')).toEqual([
      'admin',
      'boss',
      'mika',
    ])
    expect(await by('groups.display eq "demo/charm" or userName eq "noa"')).toEqual(['mika', 'noa'])
    expect(await by(`id eq "${uuids.boss}"`)).toEqual(['boss'])
    expect(await by('meta.created gt "2020-01-01T00:00:00Z" and userName co "oa"')).toEqual(['noa'])
    expect(await by('emails[type eq "work" and value sw "noa@"]')).toEqual(['noa'])
    expect(await by('aupSignatureTime pr')).toEqual([])
    expect(await by('userName sw "m" and not (aupSignatureTime ge "2020-01-01T00:00:00Z")')).toEqual(['mika'])
    expect(await by('password eq "x"')).toEqual([400, 'invalidFilter'])
    expect(await by('userName eq')).toEqual([400, 'invalidFilter'])
    const page = (await admin('GET', '/Users?startIndex=2&count=2&attributes=userName')).json
    expect(page).toMatchObject({ totalResults: 7, startIndex: 2, itemsPerPage: 2 })
    expect(Object.keys(page.Resources[0]!)).toEqual(['schemas', 'id', 'userName'])
  })

  test('makes groups in their place, and moves people in and out', async () => {
    const charm = await groupId('/demo/charm')
    const body = {
      displayName: 'production',
      [INDIGO_GROUP]: {
        description: 'Those who produce',
        parentGroup: { value: charm },
        labels: [{ name: 'voms.role' }],
      },
    }
    const made = await admin('POST', '/Groups', body)
    expect(made.json).toMatchObject({
      displayName: 'demo/charm/production',
      [INDIGO_GROUP]: {
        parentGroup: { value: charm, display: 'demo/charm' },
        description: 'Those who produce',
      },
    })
    expect(await identity.group('demo', '/demo/charm/production')).toMatchObject({
      role: true,
      optional: true,
    })
    expect((await admin('POST', '/Groups', body)).status).toBe(409)
    for (const bad of ['a/b', '', '../x', 'Role=x', 7]) {
      expect((await admin('POST', '/Groups', { displayName: bad })).status).toBe(400)
    }
    const at = `/Groups/${made.json.id}`
    const members = async () =>
      (await admin('GET', `${at}/members`)).json.Resources.map(({ display }) => display)
    const change = async (operation: object) => (await admin('PATCH', at, { operations: [operation] })).status
    const value = [{ value: uuids.noa }, { value: uuids.mika, display: 'ignored' }]
    expect(await change({ op: 'add', path: 'members', value })).toBe(204)
    expect(await members()).toEqual(['mika', 'noa'])
    expect(await change({ op: 'remove', path: `members[value eq "${uuids.mika}"]` })).toBe(204)
    expect(await change({ op: 'add', value: { members: [{ value: uuids.boss }] } })).toBe(204)
    expect(await change({ op: 'remove', path: 'members', value: [{ value: uuids.noa }] })).toBe(204)
    expect(await members()).toEqual(['boss'])
    expect(await change({ op: 'replace', path: 'members', value: [{ value: uuids.mika }] })).toBe(204)
    expect(await members()).toEqual(['mika'])
    expect(await change({ op: 'add', path: 'members', value: [{ value: uuids.abroad }] })).toBe(400)
    expect(await change({ op: 'replace', path: 'displayName', value: 'renamed' })).toBe(400)
    expect((await admin('GET', at)).json).not.toHaveProperty('members')
    expect((await admin('GET', `${at}?attributes=members`)).json.members).toMatchObject([
      { value: uuids.mika },
    ])
    expect(await change({ op: 'remove', path: 'members' })).toBe(204)
    expect(await members()).toEqual([])
    expect(await change({ op: 'replace', path: 'description', value: 'Others' })).toBe(204)
    expect(
      (await admin('PUT', at, { displayName: 'production', members: [{ value: uuids.noa }] })).json,
    ).toMatchObject({
      displayName: 'demo/charm/production',
      [INDIGO_GROUP]: { description: 'Others' },
    })
    expect(await members()).toEqual(['noa'])
    const found = (
      await admin('GET', `/Groups?filter=${encodeURIComponent('displayName eq "demo/charm/production"')}`)
    ).json
    expect(found.totalResults).toBe(1)
    expect((await admin('DELETE', `/Groups/${charm}`)).status).toBe(409)
    expect((await admin('GET', `/Groups/${charm}/subgroups`)).json.Resources.map((g) => g.display)).toEqual([
      'demo/charm/d0',
      'demo/charm/production',
    ])
    expect((await admin('DELETE', at)).status).toBe(204)
    expect((await admin('GET', at)).status).toBe(404)
  })

  test('lets each do what is theirs, and nobody more', async () => {
    const charm = await groupId('/demo/charm')
    const d0 = await groupId('/demo/charm/d0')
    const nobody = '00000000-0000-4000-8000-000000000000'
    const add = patch({ op: 'add', path: 'members', value: [{ value: uuids.noa }] })
    const describeIt = patch({ op: 'replace', path: 'description', value: 'x' })
    const questions = {
      'list of people': ['GET', '/scim/Users'],
      'a member of charm': ['GET', `/scim/Users/${uuids.mika}`],
      'somebody else': ['GET', `/scim/Users/${uuids.noa}`],
      'somebody abroad': ['GET', `/scim/Users/${uuids.abroad}`],
      'nobody at all': ['GET', `/scim/Users/${nobody}`],
      oneself: ['GET', '/scim/Me'],
      'list of groups': ['GET', '/scim/Groups'],
      'groups with members': ['GET', '/scim/Groups?attributes=members'],
      'groups by member': [
        'GET',
        `/scim/Groups?filter=${encodeURIComponent(`members.value eq "${uuids.noa}"`)}`,
      ],
      'members of charm': ['GET', `/scim/Groups/${charm}/members`],
      'members of d0': ['GET', `/scim/Groups/${d0}/members`],
      'add to charm': ['PATCH', `/scim/Groups/${charm}`, add],
      'add to d0': ['PATCH', `/scim/Groups/${d0}`, add],
      'add to no group': ['PATCH', `/scim/Groups/${nobody}`, add],
      'describe charm': ['PATCH', `/scim/Groups/${charm}`, describeIt],
      'make a group': ['POST', '/scim/Groups', {}],
      'make a person': ['POST', '/scim/Users', {}],
      'change somebody': [
        'PATCH',
        `/scim/Users/${uuids.noa}`,
        patch({ op: 'replace', path: 'active', value: true }),
      ],
      'delete nobody': ['DELETE', `/scim/Users/${nobody}`],
      'delete no group': ['DELETE', `/scim/Groups/${nobody}`],
      'people of the other VO': ['GET', '/iam/other/scim/Users'],
      'own VO by name': ['GET', '/iam/demo/scim/Groups'],
      schemas: ['GET', '/scim/Schemas'],
    } as const
    const people = ['nobody', 'mika', 'boss', 'admin', 'abroad', 'reader', 'writer', 'storage']
    const lines = [`${''.padEnd(24)}${people.map((who) => who.padEnd(9)).join('')}`.trimEnd()]
    for (const [what, [method, path, body]] of Object.entries(questions)) {
      const cells = []
      for (const who of people) cells.push(String((await ask(who, method, path, body)).status).padEnd(9))
      lines.push(`${what.padEnd(24)}${cells.join('')}`.trimEnd())
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('who-may-what.snapshot.txt')
  })

  test('lets people mend their own profile and nothing else of themselves', async () => {
    const me = (...list: object[]) => ask('noa', 'PATCH', '/scim/Me', patch(...list))
    expect((await me({ op: 'replace', path: 'name.givenName', value: 'ノア' })).status).toBe(204)
    expect((await ask('noa', 'GET', '/scim/Me')).json.name).toMatchObject({ givenName: 'ノア' })
    for (const operation of [
      { op: 'replace', path: 'active', value: false },
      { op: 'add', path: 'labels', value: [{ name: 'x', value: 'y' }] },
      { op: 'replace', path: `${INDIGO_USER}:endTime`, value: '2099-01-01' },
      { op: 'add', path: 'attributes', value: [{ name: 'nickname', value: 'admin' }] },
      { op: 'add', path: 'sshKeys', value: [{ value: 'ssh-ed25519 AAAA' }] },
    ]) {
      expect((await me(operation)).status, JSON.stringify(operation)).toBe(403)
    }
    expect((await me({ op: 'replace', path: 'authorities', value: ['ROLE_ADMIN'] })).status).toBe(204)
    expect((await identity.attributes([(await identity.account('demo', 'noa')).id])).size).toBe(0)
    expect((await ask('admin', 'GET', '/scim/Me')).json.userName).toBe('admin')
    expect((await ask('storage', 'GET', '/scim/Me')).status).toBe(403)
  })

  test('describes itself, and refuses in its own words', async () => {
    expect((await admin('GET', '/ServiceProviderConfig')).json).toMatchObject({
      patch: { supported: true },
      bulk: { supported: false },
    })
    const schemas = (await admin('GET', '/Schemas')).json
    expect(schemas.Resources.map(({ id }) => id)).toContain(INDIGO_USER)
    expect((await admin('GET', `/Schemas/${encodeURIComponent(USER)}`)).json.name).toBe('User')
    expect((await admin('GET', '/Schemas/x')).status).toBe(404)
    expect((await admin('GET', '/ResourceTypes/Group')).json.endpoint).toBe('/Groups')
    expect(await ask('nobody', 'GET', '/scim/Users')).toMatchObject({
      status: 401,
      json: { status: '401', detail: expect.any(String) },
    })
    const broken = await http.app.inject({
      method: 'POST',
      url: '/scim/Users',
      headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/scim+json' },
      payload: '{"a":',
    })
    expect([broken.statusCode, JSON.parse(broken.body).scimType]).toEqual([400, 'invalidSyntax'])
    for (const body of [
      null,
      [],
      'x',
      { userName: 1 },
      { userName: 'a b' },
      { userName: 'ok', emails: [{ value: 'no' }] },
      { userName: 'ok', name: 'x' },
    ]) {
      expect((await admin('POST', '/Users', body)).status, JSON.stringify(body)).toBe(400)
    }
  })
})
