// Needs openssl.
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { AUTHORITY, type Made, opensslPki } from '../../../test/harness/pki.ts'
import { silentLogger, systemPorts } from '../../kernel/index.ts'
import { createIdentity, type Identity } from '../index.ts'
import { readCrl } from '../x509/crl.ts'
import { writeCsr } from '../x509/csr.ts'
import { nameFromSlash, readCertificates, slashOf, trustFromPem, verifyChain } from '../x509/index.ts'

const database = testDatabase()
const pki = opensslPki()
afterAll(() => pki.remove())
const trustDirectory = join(pki.directory, 'home-trust')
let now = new Date()
let identity: Identity
let root: Made
let people: Made
let serial = 0
let mika = 0

beforeAll(async () => {
  mkdirSync(trustDirectory)
  root = pki.authority('/O=Kumihimo/CN=Root')
  people = pki.authority('/O=Kumihimo/CN=Root people', {
    issuer: root,
    extensions: AUTHORITY.replace('CA:TRUE', 'CA:TRUE,pathlen:0'),
  })
  const { db, pool } = database
  identity = createIdentity({
    ...{ db, pool, clock: { ...systemPorts.clock, now: () => now }, ids: systemPorts.ids, log: silentLogger },
    issuerBase: 'https://localhost:7443',
    sealKey: randomBytes(32),
    issuingAuthority: {
      certificatePem: people.pem,
      privateKeyPem: readFileSync(people.key, 'utf8'),
      crlUrl: 'https://localhost:7443/ca/people.crl',
      ...{ trustDirectory, longestHours: 12 },
    },
  })
  await identity.createVo({ id: 'demo', title: 'Demo' })
})
beforeEach(async () => {
  now = new Date()
  serial++
  const [account] = await identity.createAccounts([{ vo: 'demo', name: `mika${serial}` }])
  mika = account!.id
})

const freshKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const csr = (key: KeyObject = freshKey(), name = '/O=Kumihimo/OU=People/OU=demo/CN=admin') =>
  writeCsr(key, nameFromSlash(name))
const issue = (request: Partial<Parameters<Identity['issueCertificate']>[0]> = {}) =>
  identity.issueCertificate({ accountId: mika, csr: csr(), ...request }, 'mika')
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error) => error.code,
  )
const chainOf = (pem: string) =>
  verifyChain(readCertificates(pem), { trust: trustFromPem(root.pem + people.pem), now })

describe('a short-lived certificate', () => {
  test('has the name of its account whatever the request wishes, and stands for it at once', async () => {
    const { uuid } = await identity.account('demo', `mika${serial}`)
    const issued = await issue({ hours: 2 })
    expect(issued.subject).toBe(`/O=Kumihimo/OU=People/OU=demo/CN=mika${serial} ${uuid.slice(0, 8)}`)
    const { endEntity, expiresAt } = chainOf(issued.pem)
    expect(slashOf(endEntity.subject)).toBe(issued.subject)
    expect(expiresAt.getTime()).toBeCloseTo(now.getTime() + 7_200_000, -4)
    expect(await identity.verifyCertificate(chainOf(issued.pem))).toMatchObject({
      account: `mika${serial}`,
      method: 'x509',
    })
    expect((await identity.certificatesOf([mika])).get(mika)).toMatchObject([
      { origin: 'issued', issuer: '/O=Kumihimo/CN=Root people' },
    ])
    now = new Date(now.getTime() + 1000)
    const again = await issue()
    expect([again.subject, (await identity.certificatesOf([mika])).get(mika)!.length]).toEqual([
      issued.subject,
      1,
    ])
    expect((await identity.issuedCertificates([mika])).map((one) => one.serial)).toEqual([
      again.serial,
      issued.serial,
    ])
  })

  test('lasts no longer than the grid lets it, and some time', async () => {
    const { notAfter } = await issue({ hours: 1000 })
    expect(notAfter.getTime()).toBe(now.getTime() + 12 * 3_600_000)
    for (const hours of [0, -1, Number.NaN]) expect(await codeOf(issue({ hours }))).toBe('invalid_request')
  })

  test('is not given for a weak key, one that is not theirs, or a key of somebody else', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    expect(await codeOf(issue({ csr: csr(weak) }))).toBe('weak_key')
    expect(await codeOf(issue({ csr: 'hello' }))).toBe('invalid_certificate_request')
    const key = freshKey()
    await issue({ csr: csr(key) })
    expect(await codeOf(issue({ csr: csr(key) }))).toBe('fine')
    const [rin] = await identity.createAccounts([{ vo: 'demo', name: `rin${serial}` }])
    expect(await codeOf(issue({ accountId: rin!.id, csr: csr(key) }))).toBe('key_of_another_account')
  })

  test('is not given to the suspended, nor too often', async () => {
    const pair = csr()
    for (let i = 0; i < 30; i++) await issue({ csr: pair })
    expect(await codeOf(issue({ csr: pair }))).toBe('certificate_rate_limited')
    now = new Date(now.getTime() + 3_600_001)
    expect(await codeOf(issue({ csr: pair }))).toBe('fine')
    await identity.updateAccount(mika, { status: 'SUSPENDED' })
    expect(await codeOf(issue())).toBe('account_suspended')
  })

  test('that is revoked counts no more here at once, and the list says so', async () => {
    const issued = await issue()
    const kept = await issue()
    await identity.revokeIssuedCertificate('demo', issued.serial, 'laptop stolen', 'admin')
    expect(await codeOf(identity.verifyCertificate(chainOf(issued.pem)))).toBe('certificate_suspended')
    expect(await codeOf(identity.verifyCertificate(chainOf(kept.pem)))).toBe('fine')
    expect(await codeOf(identity.revokeIssuedCertificate('demo', issued.serial, '', 'admin'))).toBe(
      'certificate_missing',
    )
    const list = join(pki.directory, 'people.crl')
    writeFileSync(list, (await identity.revokedList())!)
    const text = pki.openssl(
      'crl',
      '-inform',
      'DER',
      '-in',
      list,
      '-noout',
      '-text',
      '-CAfile',
      people.certificate,
    )
    expect(text).toContain(issued.serial.toUpperCase())
    expect(text).not.toContain(kept.serial.toUpperCase())
  })

  test('leaves the list when it has ended anyway', async () => {
    const issued = await issue()
    await identity.revokeIssuedCertificate('demo', issued.serial, '', 'admin')
    const named = async () => readCrl((await identity.revokedList())!).revoked.has(issued.serial)
    expect(await named()).toBe(true)
    now = new Date(now.getTime() + 3 * 86_400_000)
    expect(await named()).toBe(false)
  })

  test('is revoked in the trust directory, too, as soon as the worker runs', async () => {
    const worker = identity.workers.find(({ name }) => name === 'identity-revoked')!
    const lists = () => readdirSync(trustDirectory).filter((file) => file.endsWith('.r0'))
    await worker.tick(now, new AbortController().signal)
    expect(lists()).toHaveLength(2)
    const issued = await issue()
    await identity.revokeIssuedCertificate('demo', issued.serial, '', 'admin')
    await worker.tick(now, new AbortController().signal)
    for (const file of lists())
      expect(readCrl(readFileSync(join(trustDirectory, file))).revoked.has(issued.serial)).toBe(true)
  })
})

test('a grid without an authority issues nothing and says so', async () => {
  const { db, pool } = database
  const bare = createIdentity({
    ...{ db, pool, clock: systemPorts.clock, ids: systemPorts.ids, log: silentLogger },
    ...{ issuerBase: 'https://localhost:7443', sealKey: randomBytes(32) },
  })
  expect(await codeOf(bare.issueCertificate({ accountId: mika, csr: csr() }, 'mika'))).toBe(
    'no_issuing_authority',
  )
  expect(await bare.revokedList()).toBeUndefined()
})
