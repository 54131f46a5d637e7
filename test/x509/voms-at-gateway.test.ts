// Needs openssl.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentialOf, formatLsc, namesOf, parseFqan, readCertificates } from '../../src/identity/index.ts'
import {
  attributeExtension,
  buildAttributeCertificate,
  type NewAttributeCertificate,
} from '../../src/identity/voms/build.ts'
import { type CertificateWorld, certificateWorld } from '../harness/certificate-world.ts'
import { testDatabase } from '../harness/database.ts'
import type { Made } from '../harness/pki.ts'

const AA = 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash'
const ROLE = '/demo/Role=production'

const database = testDatabase()
let world: CertificateWorld
let mika: Made
let account = 0
let content = ''
let usual: NewAttributeCertificate

beforeAll(async () => {
  world = await certificateWorld(database)
  await world.openGateway()
  const { identity, pki } = world
  account = (await identity.createAccounts([{ vo: 'demo', name: 'mika' }]))[0]!.id
  await identity.createGroups('demo', [{ path: '/demo/production', role: true }])
  await identity.addMembers('demo', '/demo/production', [account])
  mika = pki.make({ subject: '/DC=abroad/CN=Mika', issuer: world.abroad })
  const [holder] = readCertificates(mika.pem)
  await identity.linkCertificate({ accountId: account, certificate: holder!, origin: 'presented' }, 'mika')
  const only = { vo: 'demo', matching: 'path', scopes: ['storage.modify:/'], description: '' } as const
  await identity.putScopePolicy({ ...only, subjectKind: 'people', subject: '', effect: 'deny' }, 'boss')
  const production = { subjectKind: 'group', subject: '/demo/production', effect: 'permit' } as const
  await identity.putScopePolicy({ ...only, ...production }, 'boss')

  const signer = pki.make({
    subject: '/DC=abroad/CN=voms',
    issuer: world.abroad,
    key: 'rsa:2048',
    extensions: AA,
  })
  const authority = credentialOf(
    { certificatePem: signer.pem, privateKeyPem: readFileSync(signer.key, 'utf8') },
    { host: 'voms.test', port: 15000 },
  )
  mkdirSync(join(world.vomsDirectory, 'demo'), { recursive: true })
  const lsc = formatLsc([namesOf(authority.certificate)])
  writeFileSync(join(world.vomsDirectory, 'demo', 'voms.test.lsc'), lsc)
  usual = {
    ...{ holder: holder!, authority, vo: 'demo', attributes: [], targets: [] },
    fqans: [ROLE, '/demo'].map(parseFqan),
    notBefore: new Date(),
    notAfter: new Date(Date.now() + 3600_000),
  }
  content = join(pki.directory, 'content')
  writeFileSync(content, 'some bytes')
})
afterAll(() => world?.close())

async function put(wish: Partial<NewAttributeCertificate> | undefined) {
  const built = wish && buildAttributeCertificate({ ...usual, ...wish }).der
  const hex = built && attributeExtension([built]).toString('hex')
  const extensions = hex ? { extensions: `1.3.6.1.4.1.8005.100.100.5=DER:${hex}` } : {}
  const file = world.pki.proxyFile([world.pki.proxy(mika, 'rfc', extensions), mika])
  const { status, text } = await world.ask('PUT', `${world.endpoint}/demo/raw`, { file }, '-T', content)
  return [status, text]
}

test('a role in a proxy opens at a gateway what the VO gives to the role only', async () => {
  expect((await put(undefined))[0]).toBe(403)
  expect((await put({ fqans: [parseFqan('/demo')] }))[0]).toBe(403)
  expect((await put({}))[0]).toBe(201)
  expect((await put({ targets: ['localhost'] }))[0]).toBe(204)
})

test('attributes that do not count are refused there, with the reason', async () => {
  const over = { notBefore: new Date(Date.now() - 7200_000), notAfter: new Date(Date.now() - 3600_000) }
  expect(await put(over)).toEqual([401, expect.stringContaining('make a new proxy')])
  expect(await put({ fqans: ['/demo', '/other'].map(parseFqan) })).toEqual([
    ...[401, expect.stringContaining('may not grant /other')],
  ])
  expect(await put({ targets: ['elsewhere.test'] })).toEqual([
    401,
    expect.stringContaining('elsewhere.test only'),
  ])
  const stranger = { ...usual.authority, host: 'unknown.test' }
  expect(await put({ authority: stranger })).toEqual([401, expect.stringContaining('.lsc file is missing')])
})

test('a role that was taken away opens nothing any more', async () => {
  await world.identity.removeMembers('demo', '/demo/production', [account])
  world.advance(61_000)
  expect((await put({}))[0]).toBe(403)
})
