// Needs openssl.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { silentLogger, systemClock, systemPorts } from '../../kernel/index.ts'
import { anonymous, createIdentity, formatScope, type Identity, parseScope } from '../index.ts'
import { openTrustDirectory, readCertificates, verifyChain } from '../x509/index.ts'
import { type AttributeAuthority, createAttributeAuthority } from './attribute-authority.ts'
import {
  type AuthorityCredential,
  attributeExtension,
  buildAttributeCertificate,
  credentialOf,
} from './build.ts'
import { formatLsc, namesOf } from './contact-files.ts'
import { parseFqan } from './fqan.ts'
import { proxyAttributes } from './proxy-attributes.ts'
import { openVomsDirectory } from './voms-directory.ts'

const AA = 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash'

describe('who comes with a proxy that carries attributes of VOMS', () => {
  const database = testDatabase()
  const pki = opensslPki()
  afterAll(() => pki.remove())
  let identity: Identity
  let authority: AttributeAuthority
  let credential: AuthorityCredential
  let trust: ReturnType<typeof openTrustDirectory>
  let root: Made
  let person: Made
  let mika = 0

  beforeAll(async () => {
    root = pki.authority('/O=Grid/CN=Root')
    person = pki.make({ subject: '/O=Grid/CN=Mika', issuer: root })
    const signer = pki.make({ subject: '/O=Grid/CN=voms', issuer: root, key: 'rsa:2048', extensions: AA })
    credential = credentialOf(
      { certificatePem: signer.pem, privateKeyPem: readFileSync(signer.key, 'utf8') },
      { host: 'grid.test', port: 7459 },
    )
    const directories = [pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])]
    trust = openTrustDirectory({ directories, clock: systemClock })
    const vomsdir = join(pki.directory, 'vomsdir')
    for (const vo of ['demo', 'other']) {
      mkdirSync(join(vomsdir, vo), { recursive: true })
      writeFileSync(join(vomsdir, vo, 'grid.test.lsc'), formatLsc([namesOf(credential.certificate)]))
    }
    const authorities = openVomsDirectory({ directories: [vomsdir] })
    identity = createIdentity({
      ...{
        db: database.db,
        clock: systemClock,
        ids: systemPorts.ids,
        log: silentLogger,
      },
      ...{ issuerBase: 'https://grid.test:7443', sealKey: randomBytes(32) },
      proxyAttributes: proxyAttributes({ trust, authorities, hosts: ['grid.test'], clock: systemClock }),
    })
    authority = createAttributeAuthority({
      ...{ db: database.db, identity, now: systemClock.now, credential: () => credential },
      ...{ defaultVo: 'demo', mostSeconds: 86_400, consoleUrl: 'https://grid.test/' },
    })
    for (const id of ['demo', 'other']) await identity.createVo({ id, title: id })
    mika = await member('demo', 'mika')
    await identity.createGroups('demo', [
      { path: '/demo/analysis' },
      { path: '/demo/shifts', optional: true },
      { path: '/demo/production', role: true },
    ])
    for (const path of ['/demo/analysis', '/demo/shifts', '/demo/production'])
      await identity.addMembers('demo', path, [mika])
  })

  async function member(vo: string, name: string): Promise<number> {
    const [account] = await identity.createAccounts([{ vo, name }])
    const [certificate] = readCertificates(person.pem)
    await identity.linkCertificate(
      { accountId: account!.id, certificate: certificate!, origin: 'presented' },
      name,
    )
    return account!.id
  }
  const verified = async (chain: readonly Made[]) =>
    verifyChain(
      chain.map(({ pem }) => readCertificates(pem)[0]!),
      { trust: await trust.current(), now: new Date() },
    )
  const carrying = async (built: readonly Buffer[]) => {
    const extensions = `1.3.6.1.4.1.8005.100.100.5=DER:${attributeExtension(built).toString('hex')}`
    return verified([pki.proxy(person, 'rfc', { extensions }), person])
  }
  const asked = async (...fqans: string[]): Promise<Buffer> => {
    const wish = { fqans: fqans.map(parseFqan), order: [], lifetimeSeconds: 600, targets: [] }
    return (await authority.issue(await verified([person]), wish)).der
  }
  const groupsOf = async (built: readonly Buffer[], vo?: string) =>
    (await identity.verifyCertificate(await carrying(built), vo ? { vo } : {})).groups

  test('has the roles and optional groups it was made for, the first one first, and no others', async () => {
    expect((await identity.verifyCertificate(await verified([person]))).groups).toEqual([
      '/demo',
      '/demo/analysis',
    ])
    expect(await groupsOf([await asked('/demo/Role=production')])).toEqual([
      ...['/demo/production', '/demo', '/demo/analysis'],
    ])
    expect(await groupsOf([await asked('/demo/analysis', '/demo/shifts')])).toEqual([
      ...['/demo/analysis', '/demo/shifts', '/demo'],
    ])
  })

  test('may do at storages what a rule gives to the role, and only with it', async () => {
    const boss = { ...anonymous, kind: 'user', vo: 'demo', account: 'boss', accountId: 0 } as const
    const by = { ...boss, attributes: { admin: 'true' }, scopes: [parseScope('grid')] }
    await identity.addRule(by, {
      ...{ subjectKind: 'group', subject: '/demo/production', action: 'storage.*', resource: '/prod' },
      ...{ effect: 'allow', comment: '' },
    })
    const writes = async (built: readonly Buffer[]) =>
      (await identity.verifyCertificate(await carrying(built), { vo: 'demo' })).scopes
        .map(formatScope)
        .filter((scope) => scope.startsWith('storage.modify'))
    expect(await writes([await asked('/demo/Role=production')])).toEqual(['storage.modify:/prod'])
    expect(await writes([await asked('/demo/analysis')])).toEqual([])
    expect(await writes([await asked('/demo/shifts')])).toEqual([])
    // The same by a token that names the group.
    const minted = async (scopes: string[]) =>
      (await identity.mintForAccount(mika, { scopes: ['storage.modify:/', 'openid', ...scopes] })).scopes
    expect(await minted(['wlcg.groups:/demo/production'])).toContain('storage.modify:/prod')
    expect(String(await minted([]))).not.toContain('storage.modify')
  })

  test('is somebody no longer than the attributes last', async () => {
    const { expiresAt } = await identity.verifyCertificate(await carrying([await asked()]))
    expect(expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(600_000)
  })

  test('loses at once what was taken away since', async () => {
    const built = await asked('/demo/Role=production')
    await identity.removeMembers('demo', '/demo/production', [mika])
    expect(await groupsOf([built])).toEqual(['/demo', '/demo/analysis'])
    await identity.addMembers('demo', '/demo/production', [mika])
  })

  test('is refused when the attributes are forged, of somebody else or outside the VO', async () => {
    const [holder] = readCertificates(person.pem)
    const build = (wish: { fqans?: string[]; vo?: string }) =>
      buildAttributeCertificate({
        ...{ holder: holder!, authority: credential, vo: wish.vo ?? 'demo', attributes: [], targets: [] },
        fqans: (wish.fqans ?? ['/demo']).map(parseFqan),
        notBefore: new Date(),
        notAfter: new Date(Date.now() + 600_000),
      }).der
    const reason = (built: Buffer) =>
      groupsOf([built]).then(
        () => 'fine',
        (error) => [error.code, error.details.reason],
      )
    expect(await reason(build({ fqans: ['/demo', '/other/Role=admin'] }))).toEqual([
      'attributes_refused',
      'outside_vo',
    ])
    const forged = build({})
    forged[forged.length - 1]! ^= 1
    expect(await reason(forged)).toEqual(['attributes_refused', 'bad_signature'])
    // What another VO says is nothing here.
    expect(await groupsOf([build({ vo: 'other', fqans: ['/demo/Role=production'] })])).toEqual([
      ...['/demo', '/demo/analysis'],
    ])
  })

  test('means the VO that the proxy was made for, when the certificate is known in several', async () => {
    const there = await member('other', 'mika-there')
    const named = await identity.verifyCertificate(await carrying([await asked('/other')]))
    expect([named.vo, named.accountId, named.groups]).toEqual(['other', there, ['/other']])
    const here = await identity.verifyCertificate(await carrying([await asked('/demo')]))
    expect([here.vo, here.accountId]).toEqual(['demo', mika])
    await expect(identity.verifyCertificate(await verified([person]))).rejects.toMatchObject({
      code: 'vo_choice_needed',
    })
  })
})
