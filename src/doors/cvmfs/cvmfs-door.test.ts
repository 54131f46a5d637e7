import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { jobDoorDeps, rawDoorDeps } from '../../../test/harness/job-door.ts'
import { REPOSITORY, type SoftwareWorld, softwareWorld } from '../../../test/harness/software-world.ts'
import { createHttp, type Http } from '../../http/index.ts'
import type { Identity } from '../../identity/index.ts'
import { silentLogger, systemClock, type Wakeups } from '../../kernel/index.ts'
import { objectPath, textOf } from '../../software/format/hash.ts'
import { readManifest } from '../../software/format/manifest.ts'
import { readPackList } from '../../software/format/pack.ts'
import { registerKumiDoor } from '../kumi/index.ts'
import { registerCvmfsDoor } from './index.ts'

const database = testDatabase()
const wakeups: Wakeups = { on: () => () => undefined, close: async () => undefined }
let world: SoftwareWorld
let http: Http
let identity: Identity
let local: string
const tokens: Record<string, string> = {}

beforeAll(async () => {
  local = mkdtempSync(join(tmpdir(), 'kumi-release-'))
  world = softwareWorld(database)
  identity = await testIdentity(database, systemClock)
  await world.begin()
  mkdirSync(join(local, 'bin'))
  writeFileSync(join(local, 'bin/tool'), 'tool')
  await world.publish(local, '/releases/08')
  http = createHttp({
    identity,
    audience: ['https://localhost:7443'],
    log: silentLogger,
    clock: systemClock,
    port: 0,
  })
  registerCvmfsDoor(http.app, {
    ...{ software: world.software, vo: 'demo' },
    places: async () => [
      { host: 'kek.example.org', latitude: 36.15, longitude: 140.08 },
      { host: 'osaka.example.org:8443', latitude: 34.69, longitude: 135.5 },
      { host: 'anl.example.org', latitude: 41.79, longitude: -87.6 },
    ],
  })
  await registerKumiDoor(http.app, {
    ...{ db: database.db, identity, wakeups, software: world.software, clock: systemClock, vo: 'demo' },
    jobs: jobDoorDeps(database.db, identity),
    raw: rawDoorDeps(database.db),
    ...{ version: '0.0.0', issuerBase: 'https://localhost:7443/iam', consoleDirectory: '/nowhere' },
  })
  await http.app.ready()
  const accounts = await identity.createAccounts(['boss', 'aki', 'ben'].map((name) => ({ vo: 'demo', name })))
  await identity.setAttributes(accounts[0]!.id, { admin: 'true' })
  for (const { id, name } of accounts) tokens[name] = (await identity.mintForAccount(id)).token
})
afterAll(async () => {
  await http.close()
  await world.close()
  rmSync(local, { recursive: true, force: true })
})

const get = (path: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  http.app.inject({ method, url: `/cvmfs/${path}`, headers })
const call = (account: string, method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
  http.app.inject({
    ...{ method, url: `/kumi/v1/software${url}`, headers: { authorization: `Bearer ${tokens[account]}` } },
    ...(payload && { payload }),
  })

describe('the door of CVMFS', () => {
  test('serves what changes for a minute and what cannot change for long', async () => {
    const manifest = await get(`${REPOSITORY}/.cvmfspublished`)
    expect(manifest.headers).toMatchObject({
      'cache-control': 'public, max-age=61',
      'content-type': 'application/x-cvmfs',
    })
    const etag = String(manifest.headers.etag)
    expect((await get(`${REPOSITORY}/.cvmfspublished`, { 'if-none-match': etag })).statusCode).toBe(304)
    const path = objectPath(await world.root(), 'catalog')
    const catalog = await get(`${REPOSITORY}/${path}`)
    expect(catalog.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(catalog.rawPayload.equals((await world.fetch(path))!)).toBe(true)
    for (const name of ['.cvmfswhitelist', '.cvmfsreflog', '.cvmfs_master_replica'])
      expect((await get(`${REPOSITORY}/${name}`)).statusCode, name).toBe(200)
    expect((await get('info/v1/repositories.json')).json().repositories).toEqual([
      { name: REPOSITORY, url: `/cvmfs/${REPOSITORY}` },
    ])
  })

  test('says which servers are near, by the sites of the grid', async () => {
    const geo = (client: string, servers: string) => get(`${REPOSITORY}/api/v1.0/geo/${client}/${servers}`)
    const servers = 'elsewhere.example.org,anl.example.org,osaka.example.org,kek.example.org'
    expect((await geo('kek.example.org', servers)).payload).toBe('4,3,2,1\n')
    expect((await geo('ANL.example.org', servers)).payload).toBe('2,4,3,1\n')
    expect((await geo('nobody.example.org', servers)).statusCode).toBe(400)
  })

  test('serves many objects in one answer, as far as they are there', async () => {
    const { root, certificate } = readManifest((await get(`${REPOSITORY}/.cvmfspublished`)).rawPayload)
    const [catalog, signer] = [objectPath(root, 'catalog'), objectPath(certificate, 'certificate')]
    const together = (paths: string[], repository = REPOSITORY) =>
      http.app.inject({ method: 'POST', url: `/cvmfs/${repository}/objects`, payload: { paths } })
    const unknown = [`data/00/${'0'.repeat(38)}`, 'data/../.cvmfspublished', 'data/zz/x', '']
    const { rawPayload } = await together([catalog, ...unknown, signer, catalog])
    const found = readPackList(rawPayload)
    expect(found.map(({ hash }) => textOf(hash)).sort()).toEqual([root, certificate].map(textOf).sort())
    const of = found.find(({ hash }) => hash.hex === root.hex)!
    const stored = rawPayload.subarray(of.start, of.start + of.length)
    expect(stored.equals((await get(`${REPOSITORY}/${catalog}`)).rawPayload)).toBe(true)
    expect(readPackList((await together([catalog], 'other.example.org')).rawPayload)).toEqual([])
    expect((await together(Array(257).fill(catalog))).statusCode).toBe(400)
  })

  test('serves parts, heads and nothing as HTTP has them', async () => {
    const path = `${REPOSITORY}/${objectPath(await world.root(), 'catalog')}`
    const whole = (await get(path)).rawPayload
    const part = await get(path, { range: 'bytes=2-5' })
    expect([part.statusCode, part.headers['content-range']]).toEqual([206, `bytes 2-5/${whole.length}`])
    expect(part.rawPayload.equals(whole.subarray(2, 6))).toBe(true)
    expect((await get(path, { range: `bytes=${whole.length}-` })).statusCode).toBe(416)
    const head = await get(path, {}, 'HEAD')
    expect([head.statusCode, head.headers['content-length'], head.payload]).toEqual([
      200,
      String(whole.length),
      '',
    ])
    for (const nothing of [
      ...[
        `${REPOSITORY}/data/00/${'0'.repeat(38)}`,
        `${REPOSITORY}/data/zz/x`,
        'other.example.org/.cvmfspublished',
      ],
      `${REPOSITORY}/data/00/..%2f..%2f.cvmfspublished`,
    ]) {
      const answer = await get(nothing)
      expect([answer.statusCode, answer.headers['cache-control']], nothing).toEqual([
        404,
        'public, max-age=10',
      ])
    }
  })
})

describe('publishing', () => {
  const open = (account: string, path: string) =>
    call(account, 'POST', '/publications', { repository: REPOSITORY, path, source: 'test' })

  test('is for those whom a rule allows it below that path', async () => {
    const rule = { subjectKind: 'account', subject: 'aki', action: 'software.publish', effect: 'allow' }
    const added = await http.app.inject({
      ...{
        method: 'POST',
        url: '/kumi/v1/access/rules',
        headers: { authorization: `Bearer ${tokens.boss}` },
      },
      payload: { ...rule, resource: `/${REPOSITORY}/releases` },
    })
    expect(added.statusCode).toBe(200)
    expect((await open('ben', '/releases/09')).statusCode).toBe(403)
    expect((await open('aki', '/other')).statusCode).toBe(403)
    expect((await open('aki', '/releases/../other')).statusCode).toBe(400)
    const opened = await open('aki', '/releases/09')
    expect(opened.statusCode).toBe(200)
    const { id } = opened.json()
    expect((await call('ben', 'DELETE', `/publications/${id}`)).statusCode).toBe(403)
    expect((await open('boss', '/releases')).json()).toMatchObject({ code: 'software_publication_conflict' })
    const answer = await http.app.inject({
      ...{ method: 'POST', url: `/kumi/v1/software/publications/${id}/commit?tag=v9` },
      headers: { authorization: `Bearer ${tokens.aki}`, 'content-type': 'application/x-ndjson' },
      payload: `${JSON.stringify({ put: { path: '/releases/09', kind: 'directory', mode: 0o755, mtime: 1 } })}\n`,
    })
    expect(answer.json()).toMatchObject({ revision: 3, put: 1 })
    expect((await call('ben', 'GET', `/repositories/${REPOSITORY}`)).json().tags).toMatchObject([
      { name: 'v9', account: 'aki' },
    ])
    expect((await call('aki', 'POST', `/repositories/${REPOSITORY}/gc`, { keep: 1 })).statusCode).toBe(403)
    expect(
      (await call('boss', 'POST', `/repositories/${REPOSITORY}/gc`, { keep: 1, dryRun: true })).json().kept,
    ).toEqual([3])
  })

  test('that needs approval is decided by somebody else whom a rule allows that', async () => {
    const approvals = `/repositories/${REPOSITORY}/approvals`
    expect((await call('aki', 'PUT', approvals, { path: '/releases' })).statusCode).toBe(403)
    expect((await call('boss', 'PUT', approvals, { path: '/releases/' })).json().approvals).toMatchObject([
      { path: '/releases', account: 'boss' },
    ])
    const { id } = (await open('aki', '/releases/10')).json()
    const made = await http.app.inject({
      ...{ method: 'POST', url: `/kumi/v1/software/publications/${id}/commit?tag=v10` },
      headers: { authorization: `Bearer ${tokens.aki}`, 'content-type': 'application/x-ndjson' },
      payload: `${JSON.stringify({ put: { path: '/releases/10', kind: 'directory', mode: 0o755, mtime: 1 } })}\n`,
    })
    expect(made.json()).toMatchObject({ revision: 3, put: 1, proposal: { id } })
    const list = async (account: string) => (await call(account, 'GET', '/proposals')).json().proposals
    expect(await list('ben')).toMatchObject([
      { id, account: 'aki', kind: 'publish', put: 1, mine: false, mayDecide: false },
    ])
    expect(await list('aki')).toMatchObject([{ mine: true, mayDecide: false }])
    expect(await list('boss')).toMatchObject([{ mine: false, mayDecide: true }])
    expect((await call('ben', 'GET', `/proposals/${id}/changes`)).json()).toMatchObject({
      ...{ added: 1, paths: [{ path: '/releases/10', what: 'added' }] },
    })
    // Whoever may not decide does not learn whether there is something to decide.
    const nothing = '00000000-0000-4000-8000-000000000000'
    const decide = async (account: string, of: string, how: string, payload?: object) =>
      (await call(account, 'POST', `/proposals/${of}/${how}`, payload)).statusCode
    for (const one of [id, nothing]) {
      expect(await decide('ben', one, 'approve'), one).toBe(403)
      expect(await decide('ben', one, 'reject', { reason: 'no' }), one).toBe(403)
      expect(await decide('ben', one, 'withdraw'), one).toBe(403)
    }
    expect(await decide('boss', nothing, 'approve')).toBe(404)
    expect(await decide('aki', id, 'approve')).toBe(403)
    // Not even with the right to.
    const rule = { subjectKind: 'account', subject: 'aki', action: 'software.approve', effect: 'allow' }
    await http.app.inject({
      ...{ method: 'POST', url: '/kumi/v1/access/rules' },
      headers: { authorization: `Bearer ${tokens.boss}` },
      payload: { ...rule, resource: `/${REPOSITORY}` },
    })
    const own = await call('aki', 'POST', `/proposals/${id}/approve`)
    expect([own.statusCode, own.json().code]).toEqual([403, 'software_four_eyes'])
    expect(
      await identity.whoMay('software.approve', { vo: 'demo', path: `/${REPOSITORY}/releases` }),
    ).toEqual([...['aki', 'boss']])
    expect(await identity.whoMay('software.approve', { vo: 'demo', path: '/other.example.org' })).toEqual([
      'boss',
    ])
    expect(await decide('boss', id, 'reject', { reason: ' ' })).toBe(400)
    expect((await call('boss', 'POST', `/proposals/${id}/approve`)).json()).toMatchObject({
      ...{ state: 'committed', decidedBy: 'boss', revision: 4, mayDecide: false },
    })
    expect(await list('boss')).toEqual([])
    const { revisions } = (await call('ben', 'GET', `/repositories/${REPOSITORY}/revisions`)).json()
    expect(revisions[0]).toMatchObject({ revision: 4, account: 'aki', approvedBy: 'boss' })
    // Going back and taking a tag away are about everything.
    const back = await call('boss', 'POST', `/repositories/${REPOSITORY}/rollback`, { tag: 'v9' })
    const untag = await call('boss', 'DELETE', `/repositories/${REPOSITORY}/tags/v9`)
    expect(untag.json().tags).toMatchObject([{ name: 'v9' }, { name: 'v10' }])
    for (const answer of [back, untag]) {
      const { proposal } = answer.json()
      expect(await decide('boss', proposal.id, 'approve')).toBe(403)
      expect(await decide('boss', proposal.id, 'withdraw')).toBe(200)
    }
    expect((await call('boss', 'DELETE', `${approvals}?path=/releases`)).json()).toEqual({ approvals: [] })
    expect((await call('boss', 'DELETE', approvals)).statusCode).toBe(404)
  })
})
