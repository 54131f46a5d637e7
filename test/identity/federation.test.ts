import { createHmac, createPublicKey } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../harness/database.ts'
import { type ForeignIssuer, foreignIssuer } from '../harness/foreign-issuer.ts'
import { becomes, type ServerProcesses, serverProcesses } from '../harness/server-processes.ts'

/** News of a change travels at once; only a machine under load needs so long. */
const SOON_MS = 10_000
const AUDIENCE = 'https://storage.example'

describe('a token issuer of others', () => {
  const database = testDatabase()
  let grid: ServerProcesses
  let abroad: ForeignIssuer
  let stranger: ForeignIssuer
  let door = ''
  let id = 0

  const trust = (json: object = {}) =>
    grid.ask(0, 'POST', '/kumi/v1/issuers', {
      token: grid.admin,
      json: { issuer: abroad.issuer, path: '/data/foreign', audiences: [AUDIENCE], ...json },
    })
  const statusOf = async (method: string, path: string, token: string, body?: string) =>
    (await grid.ask(0, method, `${door}/demo${path}`, { token, ...(body && { body }) })).status
  const scoped = (scope: string, claims: object = {}) => abroad.token({ scope, ...claims })
  const put = async (path: string, scope: string) => statusOf('PUT', path, await scoped(scope), 'bytes')
  const get = async (path: string, scope: string) => statusOf('GET', path, await scoped(scope))
  const whoami = async (token: string, server = 0) =>
    (await grid.ask(server, 'GET', '/rucio/accounts/whoami', { token })).status

  const authorities = join(tmpdir(), `kumi-abroad-${process.pid}.pem`)
  beforeAll(async () => {
    abroad = await foreignIssuer()
    stranger = await foreignIssuer()
    writeFileSync(authorities, abroad.ca + stranger.ca)
    const environment = { KUMI_ISSUER_HOSTS: abroad.host, KUMI_ISSUER_CA: authorities }
    grid = await serverProcesses(database.url, { count: 2, empty: false, environment })
    door = await grid.gateway('kek')
    const user = { userName: 'sora', name: { givenName: 'Sora', familyName: 'Ito' } }
    await grid.ask(0, 'POST', '/scim/Users', { token: grid.admin, json: user })
  }, 120_000)
  afterAll(async () => {
    await grid?.close()
    abroad?.close()
    rmSync(authorities, { force: true })
    stranger?.close()
  })

  test('is nobody before it is trusted', async () => {
    const token = await scoped('storage.read:/')
    expect(await whoami(token)).toBe(401)
    expect(await statusOf('GET', '/data/foreign/f', token)).toBe(401)
  })

  test('is trusted only under its exact name, at an address the operator allows', async () => {
    const refusals = [
      [{ issuer: abroad.issuer.slice(0, -1) }, /slash at the end/],
      [{ issuer: stranger.issuer }, /usual ports/],
      [{ issuer: 'https://127.0.0.1/' }, /may not be spoken to/],
      [{ issuer: 'https://localhost/' }, /may not be spoken to/],
      [{ issuer: 'https://169.254.169.254/' }, /may not be spoken to/],
      [{ issuer: 'http://localhost/' }, /no issuer/],
      [{ issuer: `${grid.urls[0]}/iam/demo` }, /of this server/],
      [{ path: '/' }, /directory of their own/],
      [{ path: '/data/../x' }, /forbidden/],
      [{ name: 'demo' }, /no name/],
      [{ subjects: { boss: 'admin' } }, /administrator/],
      [{ subjects: { boss: 'nobody-here' } }, /no account/],
    ] as const
    for (const [change, why] of refusals) {
      const { status, text } = await trust(change)
      expect([status >= 400 && status < 500, text]).toEqual([true, expect.stringMatching(why)])
    }
    const made = await trust({ subjects: { 'sub-of-sora': 'sora' }, name: 'iam.abroad' })
    expect(made.status).toBe(200)
    id = JSON.parse(made.text).id
    expect((await trust()).status).toBe(409)
  })

  test('reaches the storage below its directory soon after it was trusted, and nothing beside it', async () => {
    const soon = await becomes(() => put('/data/foreign/x/f', 'storage.modify:/x'), 201, SOON_MS)
    expect(soon.value).toBe(201)
    console.info(`a new issuer counts at the gateway after ${Math.round(soon.ms)} ms`)
    expect(await get('/data/foreign/x/f', 'storage.read:/x')).toBe(200)
    expect(await get('/data/foreign/x/f', 'storage.read:/')).toBe(200)
    expect(await put('/data/foreign/xy/f', 'storage.modify:/x')).toBe(403)
    expect(await get('/data/foreign/x/f', 'storage.read:/xy')).toBe(403)
    // The directory itself has a sibling of the same beginning.
    expect(await put('/data/foreigner/f', 'storage.modify:/')).toBe(403)
    expect(await put('/data/f', 'storage.modify:/')).toBe(403)
    expect(await put('/x/f', 'storage.modify:/x')).toBe(403)
    for (const above of ['/', '/data']) {
      expect(await statusOf('HEAD', above, await scoped('storage.modify:/x'))).toBe(403)
      expect(await statusOf('MKCOL', above, await scoped('storage.create:/x'))).toBe(403)
    }
    for (const trick of ['/..', '/%2e%2e', '/x/../..', '/%252e%252e']) {
      expect(await put('/data/foreign/x/f', `storage.modify:${trick}`)).toBe(401)
    }
  })

  test('cannot say who somebody is here: accounts, grants, groups and scopes of ours mean nothing from it', async () => {
    const claims = {
      ...{ kumi_account: 'admin', client_id: 'kumi-cli', sub: 'admin' },
      'wlcg.groups': ['/demo', '/demo/analysis', '/../demo', '/iam.abroad/demo'],
    }
    const token = await abroad.token({ ...claims, scope: 'grid scim:write iam:admin.write' })
    for (const [method, path] of [
      ['POST', '/scim/Users'],
      ['GET', '/kumi/v1/audit'],
      ['POST', '/kumi/v1/access/rules'],
      ['POST', '/kumi/v1/gateways/kek/bearers'],
      ['POST', '/iam/demo/account-linking/X509'],
    ] as const) {
      const { status } = await grid.ask(0, method, path, { token, ...(method === 'POST' && { json: {} }) })
      expect([path, status]).toEqual([path, 403])
    }
    const question = { action: 'catalog.read', token }
    const { text } = await grid.ask(0, 'POST', '/kumi/v1/access/explain', {
      token: grid.admin,
      json: question,
    })
    const answer = JSON.parse(text)
    expect([answer.allow, answer.who.account, answer.who.subject]).toEqual([
      false,
      null,
      `${abroad.issuer} admin`,
    ])
    // Groups keep to their issuer's name, whatever they are called.
    expect(answer.who.groups).toEqual([
      '/iam.abroad/demo',
      '/iam.abroad/demo/analysis',
      '/iam.abroad/iam.abroad/demo',
    ])
  })

  test('cannot be exchanged, introspected or revoked as if it were ours', async () => {
    const password = readFileSync(join(grid.home.client, 'password'), 'utf8').trim()
    expect((await grid.login(0, 'admin', password)).status).toBe(200)
    const token = await scoped('storage.read:/')
    const form = {
      ...{ grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', client_id: 'kumi-cli' },
      ...{ subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
    }
    expect((await grid.ask(0, 'POST', '/iam/demo/token', { form })).status).toBe(400)
  })

  test('a group of it may look where a rule says so, and change nothing', async () => {
    const token = await abroad.token({ 'wlcg.groups': ['/atlas'] })
    const look = async () => (await grid.ask(1, 'GET', '/rucio/rses/', { token })).status
    expect(await look()).toBe(403)
    const rule = (action: string) => ({ subjectKind: 'group', subject: '/iam.abroad/atlas', action })
    for (const action of ['catalog.read', 'catalog.did.create', 'sites.admin']) {
      const json = rule(action)
      expect((await grid.ask(0, 'POST', '/kumi/v1/access/rules', { token: grid.admin, json })).status).toBe(
        200,
      )
    }
    expect((await becomes(look, 200, SOON_MS)).value).toBe(200)
    const change = await grid.ask(0, 'POST', '/rucio/dids/user.admin/set', {
      token,
      json: { type: 'DATASET' },
    })
    expect(change.status).toBe(403)
    // Capabilities beat groups: with them the groups say nothing.
    const both = await abroad.token({ 'wlcg.groups': ['/atlas'], scope: 'storage.read:/x' })
    expect((await grid.ask(1, 'GET', '/rucio/rses/', { token: both })).status).toBe(403)
  })

  test('a subject that was mapped acts as the account, on data only and while the account stands well', async () => {
    const token = await abroad.token({ sub: 'sub-of-sora' })
    const unsigned = await grid.ask(1, 'GET', '/kumi/v1/me', { token })
    expect(unsigned).toMatchObject({ status: 403, text: expect.stringContaining('policy_unsigned') })
    const found = await grid.ask(0, 'GET', '/kumi/v1/people/sora/id', { token: grid.admin })
    const paper = `/iam/demo/iam/aup/signature/${JSON.parse(found.text).id}`
    expect((await grid.ask(0, 'PATCH', paper, { token: grid.admin, json: {} })).status).toBe(201)
    const me = await grid.ask(1, 'GET', '/kumi/v1/me', { token })
    expect(me).toMatchObject({ status: 200, text: expect.stringContaining('"account":"sora"') })
    const own = { token, json: { username: 'sora' } }
    expect((await grid.ask(0, 'POST', '/iam/demo/account-linking/X509', own)).status).toBe(403)
    const turn = (verb: string) =>
      grid.ask(0, 'POST', `/kumi/v1/people/sora/${verb}`, { token: grid.admin, json: { reason: 'a test' } })
    expect((await turn('suspend')).status).toBe(200)
    const see = async () => (await grid.ask(1, 'GET', '/kumi/v1/me', { token })).status
    expect((await becomes(see, 403, SOON_MS)).value).toBe(403)
    await turn('restore')
    expect((await becomes(see, 200, SOON_MS)).value).toBe(200)
    // Who becomes an administrator meanwhile logs in here.
    await database.pool.query(
      `insert into account_attribute (account_id, key, value) select id, 'admin', 'true' from account where name = 'sora'`,
    )
    await grid.ask(0, 'POST', '/kumi/v1/people/sora/restore', {
      token: grid.admin,
      json: { reason: 'a test' },
    })
    expect((await becomes(see, 403, SOON_MS)).value).toBe(403)
  })

  test('signatures are of its own keys and by the algorithms of the profile', async () => {
    const claims = { scope: 'storage.read:/x' }
    const bad = {
      'the same key name, of another issuer': await stranger.token({ ...claims, iss: abroad.issuer }),
      'another issuer': await stranger.token(claims),
      'the name without its slash': await abroad.token({ ...claims, iss: abroad.issuer.slice(0, -1) }),
      'the issuer in other letters': await abroad.token({ ...claims, iss: abroad.issuer.toUpperCase() }),
      'our own issuer': await abroad.token({ ...claims, iss: `${grid.urls[0]}/iam/demo` }),
      'no algorithm': unsigned(await abroad.token(claims)),
      'the public key as a secret': withPublicKeyAsSecret(await abroad.token(claims), abroad),
      'a key that comes along': await stranger.token(
        { ...claims, iss: abroad.issuer },
        { header: { jwk: stranger.keys.get('k1')!.jwk, jku: `${stranger.base}/iam/jwk` } },
      ),
      'another audience': await abroad.token({ ...claims, aud: 'https://elsewhere.example' }),
      'every audience': await abroad.token({ ...claims, aud: 'https://wlcg.cern.ch/jwt/v1/any' }),
      'no audience': await abroad.token({ ...claims, aud: undefined }),
      'the past': await abroad.token({ ...claims, exp: Math.floor(Date.now() / 1000) - 1 }),
      'the future': await abroad.token({ ...claims, nbf: Math.floor(Date.now() / 1000) + 3600 }),
      'no profile': await abroad.token({ ...claims, 'wlcg.ver': undefined }),
      'a scope without path': await abroad.token({ scope: 'storage.read' }),
    }
    for (const [what, token] of Object.entries(bad)) {
      expect([what, await statusOf('GET', '/data/foreign/x/f', token)]).toEqual([what, 401])
      expect([what, await whoami(token)]).toEqual([what, 401])
    }
    expect(await statusOf('GET', '/data/foreign/x/f', await scoped('storage.read:/x', { aud: [door] }))).toBe(
      200,
    )
  })

  test('a new key of it costs one look, and unknown ones no more than that', async () => {
    await abroad.addKey('k2', 'RS256')
    // The clock of both sides lets them look once a minute; the row says when they last did.
    await database.pool.query(`update trusted_issuer set tried_at = now() - interval '2 minutes'`)
    const before = abroad.asked()
    const fresh = await abroad.token({ scope: 'storage.read:/x' }, { kid: 'k2' })
    expect(await statusOf('GET', '/data/foreign/x/f', fresh)).toBe(200)
    expect(await whoami(fresh)).toBe(403)
    await abroad.addKey('k3')
    const forged = await abroad.token({ scope: 'storage.read:/x' }, { kid: 'k3', header: { kid: 'k9' } })
    for (let i = 0; i < 20; i++) {
      expect(await statusOf('GET', '/data/foreign/x/f', forged)).toBe(401)
      expect(await whoami(forged)).toBe(401)
    }
    expect(abroad.asked() - before).toBe(2)
  })

  test('keys that could not be fetched for two days count no more, at the server and at the gateway', async () => {
    const look = async () => [
      await get('/data/foreign/x/f', 'storage.read:/x'),
      await whoami(await scoped('storage.read:/x')),
    ]
    expect(await look()).toEqual([200, 403])
    const age = (days: number) =>
      database.pool.query(
        `with old as (update trusted_issuer set fetched_at = now() - interval '1 day' * ${days} returning 1)
         select pg_notify('kumi_wake', 'identity') from old`,
      )
    await age(2)
    expect((await becomes(look, [503, 503], SOON_MS)).value).toEqual([503, 503])
    await age(0)
    expect((await becomes(look, [200, 403], SOON_MS)).value).toEqual([200, 403])
  })

  test('is nobody again soon after it was removed, and the audit log knows both', async () => {
    const removed = await grid.ask(1, 'DELETE', `/kumi/v1/issuers/${id}`, { token: grid.admin })
    expect(removed.status).toBe(200)
    const look = async () => [
      await get('/data/foreign/x/f', 'storage.read:/x'),
      await whoami(await scoped('storage.read:/x'), 0),
      await whoami(await scoped('storage.read:/x'), 1),
    ]
    const gone = await becomes(look, [401, 401, 401], SOON_MS)
    expect(gone.value).toEqual([401, 401, 401])
    console.info(`a removed issuer is refused everywhere after ${Math.round(gone.ms)} ms`)
    const kept = readFileSync(join(grid.home.sites, 'kek', 'credentials.json'), 'utf8')
    expect(JSON.parse(kept).issuers).toEqual([])
    const { text } = await grid.ask(0, 'GET', '/kumi/v1/audit?action=issuer.*', { token: grid.admin })
    const entries = JSON.parse(text).entries as { action: string; target: string; actor: string }[]
    expect(entries.map(({ action, target, actor }) => [action, target, actor])).toEqual([
      ['issuer.distrusted', abroad.issuer, 'admin'],
      ['issuer.trusted', abroad.issuer, 'admin'],
    ])
    expect(existsSync(join(grid.home.sites, 'kek', 'storage/demo/data/foreign/x/f'))).toBe(true)
  })
})

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function unsigned(token: string): string {
  return `${part({ alg: 'none', kid: 'k1' })}.${token.split('.')[1]}.`
}

function withPublicKeyAsSecret(token: string, { keys }: ForeignIssuer): string {
  const pem = createPublicKey({ key: keys.get('k1')!.jwk as never, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  })
  const data = `${part({ alg: 'HS256', kid: 'k1' })}.${token.split('.')[1]}`
  return `${data}.${createHmac('sha256', pem).update(data).digest('base64url')}`
}
