import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { missing } from '../../../test/harness/foreign.ts'
import { type KumiDoor, openKumiDoor } from '../../../test/harness/kumi-door.ts'
import { opensslPki } from '../../../test/harness/pki.ts'
import { routeInventory } from '../../http/index.ts'
import { readCertificates } from '../../identity/index.ts'
import { publish, sql, transaction } from '../../kernel/index.ts'

describe('the door for what has no standard', () => {
  const database = testDatabase()
  let door: KumiDoor
  let { http, identity, url, headers, ordinary } = {} as KumiDoor

  beforeAll(async () => {
    door = await openKumiDoor(database)
    ;({ http, identity, url, headers, ordinary } = door)
  })
  afterAll(() => door?.close())

  test('an empty grid answers every question with an empty picture', async () => {
    for (const path of [
      'sites',
      'now',
      'transfers',
      'transfers?state=failed',
      'transfers/matrix',
      'rules',
      'me',
      'grid',
    ]) {
      const answer = await fetch(`${url}/kumi/v1/${path}`, { headers })
      expect([path, answer.status]).toEqual([path, 200])
    }
    expect(await (await fetch(`${url}/kumi/v1/me`, { headers })).json()).toEqual({
      account: 'sato',
      vo: 'demo',
      admin: true,
      may: expect.arrayContaining(['identity.write', 'identity.audit.read']),
      manages: [],
    })
    expect(
      (await fetch(`${url}/kumi/v1/rules/00000000-0000-4000-8000-00000000000f/explain`, { headers })).status,
    ).toBe(404)
    expect((await fetch(`${url}/kumi/v1/rules?state=nonsense`, { headers })).status).toBe(400)
  })

  test('a place offers what a machine can have, or is refused with what is wrong', async () => {
    const place = {
      ...{
        site: 'kek',
        gateway: 'kek',
        kind: 'slurm',
        cores: 4,
        memoryMb: 4096,
        diskMb: 20_480,
        seconds: 86_400,
      },
      ...{ platform: 'x86_64', tags: [], maxPilots: 20, maxWaiting: 5, cluster: null },
    }
    const put = async (change: object) => {
      const answer = await fetch(`${url}/kumi/v1/compute/farm`, {
        method: 'PUT',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ ...place, ...change }),
      })
      return [answer.status, await answer.text()]
    }
    for (const name of ['cores', 'memoryMb', 'diskMb', 'seconds', 'maxPilots', 'maxWaiting'])
      for (const value of [-1, 2 ** 31, 0.5])
        expect([name, value, ...(await put({ [name]: value }))]).toEqual([
          ...[name, value, 400],
          expect.stringContaining(name),
        ])
    expect((await put({ cores: 0 }))[0]).toBe(400)
    expect((await put({ maxPilots: 0 }))[0]).toBe(200)
  })

  test('the OpenAPI document names every route', async () => {
    const document = (await (await fetch(`${url}/kumi/v1/openapi.json`)).json()) as {
      openapi: string
      paths: object
    }
    const routes = routeInventory(http.app)
      .filter(
        ({ method, url: path }) =>
          method !== 'HEAD' && path.startsWith('/kumi/v1') && !path.endsWith('openapi.json'),
      )
      .map(({ method, url: path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    expect(document.openapi).toBe('3.1.0')
    const described = Object.entries(document.paths).flatMap(([path, of]) =>
      Object.keys(of).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.sort()).toEqual(routes.sort())
  })

  test('the next key of the VO has the algorithm that an administrator chose; the present one signs on', async () => {
    const ask = (method: string, alg?: string) =>
      fetch(`${url}/kumi/v1/signing-keys`, {
        method,
        headers: { ...headers, ...(alg && { 'content-type': 'application/json' }) },
        ...(alg && { body: JSON.stringify({ alg }) }),
      })
    type Answer = { keys: { alg: string; signsNow: boolean }[]; next: string }
    const before = (await (await ask('GET')).json()) as Answer
    expect(before).toMatchObject({ keys: [{ alg: 'ES256', signsNow: true }], next: 'ES256' })
    expect((await ask('PUT', 'HS256')).status).toBe(400)
    expect((await ask('PUT', 'RS256')).status).toBe(200)
    const after = (await (await ask('GET')).json()) as Answer
    expect(after).toMatchObject({
      keys: [
        { alg: 'ES256', signsNow: true },
        { alg: 'RS256', signsNow: false },
      ],
      next: 'RS256',
    })
    expect((await ask('PUT', 'ES256')).status).toBe(200)
  })

  describe('the policy', () => {
    const call = async (method: string, path: string, body?: object, as = headers) => {
      const answer = await fetch(`${url}/kumi/v1/access/${path}`, {
        method,
        headers: { ...as, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      })
      // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers of many shapes
      return { status: answer.status, body: (await answer.json()) as any }
    }
    const ask = async (question: object, as = headers) => (await call('POST', 'explain', question, as)).body

    test.skipIf(missing('openssl'))(
      'is answered for the holder of a certificate, by the certificate, a proxy of it or its name',
      async () => {
        const pki = opensslPki()
        const root = pki.authority('/O=Grid/CN=Root')
        const made = pki.make({ subject: '/O=Grid/CN=Mika', issuer: root })
        const [mika] = await identity.accounts('demo', ['mika'])
        const [certificate] = readCertificates(made.pem)
        const link = { accountId: mika!.id, certificate: certificate!, origin: 'presented' } as const
        await identity.linkCertificate(link, 'mika')
        const asked = { action: 'catalog.read' }
        for (const shown of [made.pem, '/O=Grid/CN=Mika', 'CN=Mika,O=Grid']) {
          expect(await ask({ ...asked, certificate: shown })).toMatchObject({
            ...{ allow: true, who: { account: 'mika', method: 'x509', limited: false } },
          })
        }
        const limited = pki.proxy(made, 'rfc', { language: 'limited' }).pem + made.pem
        const submit = { action: 'placement.rule.create', owner: 'mika', certificate: limited }
        expect(await ask(submit)).toMatchObject({ who: { limited: true } })
        expect(
          await ask({ action: 'identity.profile.write', owner: 'mika', certificate: limited }),
        ).toMatchObject({
          allow: false,
        })
        const stranger = pki.make({ subject: '/O=Grid/CN=Stranger', issuer: root }).pem
        expect((await call('POST', 'explain', { ...asked, certificate: stranger })).status).toBe(400)
        expect((await call('POST', 'explain', { ...asked, certificate: '/O=Grid/CN=Nobody' })).status).toBe(
          404,
        )
        expect((await call('POST', 'explain', { ...asked, certificate: made.pem }, ordinary)).status).toBe(
          200,
        )
        const both = { ...asked, certificate: made.pem, account: 'sato' }
        expect((await call('POST', 'explain', both)).status).toBe(400)
        pki.remove()
      },
    )

    test('a question names the rule or the scope that decides', async () => {
      expect(await ask({ action: 'catalog.rse.admin' })).toMatchObject({
        allow: true,
        reason: 'allow attribute admin=true * on *',
        who: { account: 'sato' },
        rule: { subjectKind: 'attribute', subject: 'admin=true' },
      })
      expect(await ask({ action: 'catalog.rse.admin', account: 'mika' })).toMatchObject({
        allow: false,
        reason: 'no rule allows it',
        who: { account: 'mika' },
      })
      expect(await ask({ action: 'catalog.did.create', owner: 'mika', account: 'mika' })).toMatchObject({
        allow: true,
        reason: 'allow everyone catalog.did.* on owner',
      })
      expect(await ask({ action: 'storage.read', path: '/raw/run-1' })).toMatchObject({
        allow: true,
        reason: 'the scope storage.read:/ permits it',
      })
      expect((await call('POST', 'explain', { action: 'storage.read', path: '/a/../b' })).status).toBe(400)
      expect((await call('POST', 'explain', { action: 'catalog.nonsense' })).status).toBe(400)
    })
    test('a member asks about itself or the holder of a token, not about other accounts', async () => {
      const [, token] = headers.authorization.split(' ')
      expect((await ask({ action: 'identity.write' }, ordinary)).allow).toBe(false)
      expect((await ask({ action: 'identity.write', token }, ordinary)).who.account).toBe('sato')
      expect(
        (await call('POST', 'explain', { action: 'identity.write', account: 'sato' }, ordinary)).status,
      ).toBe(403)
    })
    test('a new rule takes effect at once, shows in the table, and can be taken back', async () => {
      const rule = { subjectKind: 'account', subject: 'mika', action: 'catalog.rse.*', comment: 'on shift' }
      expect((await call('POST', 'rules', rule, ordinary)).status).toBe(403)
      const made = await call('POST', 'rules', rule)
      expect(made).toMatchObject({ status: 200, body: { ...rule, effect: 'allow', resource: '*' } })
      expect((await call('POST', 'rules', rule)).status).toBe(409)
      expect((await ask({ action: 'catalog.rse.admin' }, ordinary)).allow).toBe(true)
      const { actions, rows } = (await call('GET', 'matrix', undefined, ordinary)).body
      const column = actions.findIndex(({ name }: { name: string }) => name === 'catalog.rse.admin')
      const cells = rows.map((row: { subject: string; cells: string[] }) => [row.subject, row.cells[column]])
      expect(Object.fromEntries(cells)).toMatchObject({ '': 'no', mika: 'yes', 'admin=true': 'yes' })
      const everyone = rows[0].cells
      const may = (action: string) =>
        everyone[actions.findIndex(({ name }: { name: string }) => name === action)]
      expect(['identity.people.read', 'identity.group.manage', 'identity.profile.write'].map(may)).toEqual([
        'own+managed',
        'managed',
        'own',
      ])
      expect((await call('DELETE', `rules/${made.body.id}`)).body).toEqual({ removed: made.body.id })
      expect((await call('DELETE', `rules/${made.body.id}`)).status).toBe(404)
      expect((await ask({ action: 'catalog.rse.admin' }, ordinary)).allow).toBe(false)
    })
    test('nobody can shut oneself out, and nonsense is refused with the reason', async () => {
      const deny = { subjectKind: 'everyone', action: '*', effect: 'deny' }
      expect(await call('POST', 'rules', deny)).toMatchObject({ status: 403, body: { code: 'denied' } })
      expect((await call('GET', 'rules')).status).toBe(200)
      for (const bad of [
        { subjectKind: 'group', subject: 'no-slash', action: '*' },
        { subjectKind: 'everyone', subject: 'x', action: '*' },
        { subjectKind: 'account', subject: 'mika', action: 'catalogue.read' },
        { subjectKind: 'account', subject: 'mika', action: '*', resource: '/a/../b' },
        { subjectKind: 'account', subject: 'mika', action: '*', resource: 'mine' },
      ]) {
        expect(await call('POST', 'rules', bad)).toMatchObject({
          status: 400,
          body: { code: 'invalid_rule' },
        })
      }
      expect((await call('POST', 'rules', { subjectKind: 'role', action: '*' })).status).toBe(400)
    })
  })

  test('an event of the own VO reaches a listening console, and a reconnect goes on where it was', async () => {
    const tell = (subject: string, vo = 'demo') =>
      transaction(database.db, (tx) => publish(tx, new Date(), [{ vo, kind: 'rule.ok', subject }]))
    await sql`select 1`.execute(database.db)
    const hear = async (until: string, from?: string): Promise<string> => {
      const stop = new AbortController()
      const answer = await fetch(`${url}/kumi/v1/events`, {
        headers: { ...headers, ...(from && { 'last-event-id': from }) },
        signal: stop.signal,
      })
      let heard = ''
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        heard += chunk
        if (heard.includes('hello') && !from && !heard.includes(until)) {
          await tell('foreign', 'other')
          await tell(until)
          door.wake()
        }
        if (heard.includes(until)) break
      }
      stop.abort()
      return heard
    }
    const first = await hear('first')
    expect(first).not.toContain('foreign')
    await tell('second')
    const position = [...first.matchAll(/id: (\S+)/g)].at(-1)![1]!
    expect(await hear('second', position)).not.toContain('first')
  })
})
