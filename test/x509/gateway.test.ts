// Needs openssl.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CertificateWorld, certificateWorld } from '../harness/certificate-world.ts'
import { testDatabase } from '../harness/database.ts'
import type { Made } from '../harness/pki.ts'

const database = testDatabase()
let world: CertificateWorld
let mika: Made
let account = 0
let content = ''

beforeAll(async () => {
  world = await certificateWorld(database)
  await world.openGateway()
  const [made] = await world.identity.createAccounts([{ vo: 'demo', name: 'mika' }])
  account = made!.id
  mika = world.pki.make({ subject: '/DC=abroad/CN=Mika', issuer: world.abroad })
  const token = await world.token(account)
  await world.ask('POST', '/iam/demo/account-linking/X509', { certificate: mika, token })
  content = join(world.pki.directory, 'content')
  writeFileSync(content, 'some bytes')
})
afterAll(() => world?.close())

type As = Parameters<CertificateWorld['ask']>[2]
const put = (path: string, as: As) => world.ask('PUT', `${world.endpoint}/demo${path}`, as, '-T', content)
const get = (path: string, as: As) => world.ask('GET', `${world.endpoint}/demo${path}`, as)

test('a file is written and read with a certificate and with every kind of proxy, also a limited one', async () => {
  const full = world.pki.proxy(mika)
  const chains = {
    itself: [mika],
    rfc: [full, mika],
    limited: [world.pki.proxy(mika, 'rfc', { language: 'limited' }), mika],
    gt3: [world.pki.proxy(mika, 'gt3'), mika],
    gt2: [world.pki.proxy(mika, 'gt2'), mika],
    child: [world.pki.proxy(full), full, mika],
  }
  for (const [kind, chain] of Object.entries(chains)) {
    const file = world.pki.proxyFile(chain)
    expect([kind, (await put(`/${kind}`, { file })).status]).toEqual([kind, 201])
    expect([kind, await get(`/${kind}`, { file })]).toEqual([
      kind,
      { status: 200, text: 'some bytes', json: undefined },
    ])
  }
  expect(readFileSync(join(world.home, 'storage/demo/gt2'), 'utf8')).toBe('some bytes')
})

test('a token beside a certificate decides alone', async () => {
  const narrow = await world.identity.mintForAccount(account, { scopes: ['storage.read:/other'] })
  expect((await get('/rfc', { certificate: mika, token: narrow.token })).status).toBe(403)
  expect((await get('/rfc', { certificate: mika, token: 'bad' })).status).toBe(401)
})

test('strangers, forgeries and people of other storage areas are refused, with the reason', async () => {
  const stranger = world.pki.make({ subject: '/DC=abroad/CN=Stranger', issuer: world.abroad })
  const unknown = await get('/rfc', { certificate: stranger })
  expect([unknown.status, unknown.text]).toEqual([401, expect.stringContaining('kumi cert link')])
  const forged = world.pki.make({
    subject: '/DC=abroad/CN=Mika',
    issuer: world.pki.authority('/DC=abroad/CN=Authority'),
  })
  expect((await get('/rfc', { certificate: forged })).status).toBe(401)
  expect((await get('/rfc', {})).status).toBe(401)
  await world.identity.createVo({ id: 'other', title: 'Other' })
  const [there] = await world.identity.createAccounts([{ vo: 'other', name: 'sora' }])
  const sora = world.pki.make({ subject: '/DC=abroad/CN=Sora', issuer: world.abroad })
  await world.ask('POST', '/iam/other/account-linking/X509', {
    certificate: sora,
    token: await world.token(there!.id),
  })
  expect((await get('/rfc', { certificate: sora })).status).toBe(403)
})

test('a scope policy that narrows somebody narrows them here, too', async () => {
  const [made] = await world.identity.createAccounts([{ vo: 'demo', name: 'aya' }])
  const aya = world.pki.make({ subject: '/DC=abroad/CN=Aya', issuer: world.abroad })
  const token = await world.token(made!.id)
  await world.ask('POST', '/iam/demo/account-linking/X509', { certificate: aya, token })
  const policy = {
    vo: 'demo',
    subjectKind: 'account',
    subject: 'aya',
    effect: 'deny',
    matching: 'path',
  } as const
  await world.identity.putScopePolicy(
    { ...policy, scopes: ['storage.modify:/'], description: 'only reads' },
    'boss',
  )
  expect((await put('/aya', { certificate: aya })).status).toBe(403)
  expect((await get('/rfc', { certificate: aya })).status).toBe(200)
})

test('whoever is suspended loses access within a minute, and has it again as soon', async () => {
  expect((await get('/rfc', { certificate: mika })).status).toBe(200)
  await world.identity.updateAccount(account, { status: 'SUSPENDED', reason: 'left' })
  world.advance(60_001)
  const refused = await get('/rfc', { certificate: mika })
  expect([refused.status, refused.text]).toEqual([401, expect.stringContaining('suspended (left)')])
  await world.identity.updateAccount(account, { status: 'ACTIVE' })
  world.advance(5_001)
  expect((await get('/rfc', { certificate: mika })).status).toBe(200)
})

test('while the server is away what it said last counts for a minute, then nobody is let in by certificate', async () => {
  expect((await get('/rfc', { certificate: mika })).status).toBe(200)
  await world.closeServer()
  expect((await get('/rfc', { certificate: mika })).status).toBe(200)
  world.advance(60_001)
  const refused = await get('/rfc', { certificate: mika })
  expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('cannot be asked')])
})
