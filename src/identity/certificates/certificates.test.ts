// Needs openssl.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { silentLogger, systemClock, systemPorts } from '../../kernel/index.ts'
import { createIdentity, type Identity } from '../index.ts'
import { nameFromSlash, readCertificates, trustFromPem, verifyChain } from '../x509/index.ts'

const database = testDatabase()
const pki = opensslPki()
afterAll(() => pki.remove())

let identity: Identity
let root: Made
let newer: Made
let serial = 0
let mika = 0
let rin = 0
let person: Made
let subject = ''

beforeAll(async () => {
  root = pki.authority('/O=Grid/CN=Root')
  newer = pki.authority('/O=Grid/CN=Newer root')
  const { db, pool } = database
  identity = createIdentity({
    ...{ db, pool, clock: systemClock, ids: systemPorts.ids, log: silentLogger },
    issuerBase: 'https://localhost:7443',
    sealKey: randomBytes(32),
  })
  await identity.createVo({ id: 'demo', title: 'Demo' })
  await identity.createVo({ id: 'other', title: 'Other' })
})
beforeEach(async () => {
  serial++
  const accounts = await identity.createAccounts([
    { vo: 'demo', name: `mika${serial}` },
    { vo: 'demo', name: `rin${serial}` },
  ])
  ;[mika, rin] = accounts.map(({ id }) => id) as [number, number]
  subject = `/O=Grid/CN=Mika ${serial}`
  person = pki.make({ subject, issuer: root })
})

const read = (made: Made) => readCertificates(made.pem)[0]!
const link = (accountId: number, made = person) =>
  identity.linkCertificate({ accountId, certificate: read(made), origin: 'presented' }, 'mika')
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error) => error.code,
  )
/** The principal behind a chain, or why there is none. */
async function whoIs(chain: readonly Made[], vo?: string) {
  const anchors = trustFromPem(root.pem + newer.pem)
  const verified = verifyChain(chain.map(read), { trust: anchors, now: new Date() })
  return identity.verifyCertificate(verified, vo ? { vo } : {})
}
const account = async (chain: readonly Made[], vo?: string) =>
  whoIs(chain, vo).then(
    ({ account }) => account,
    (error) => error.code,
  )

describe('a linked certificate', () => {
  test('stands for its account, also by a proxy, and limited by a limited one', async () => {
    const record = await link(mika)
    expect(record).toMatchObject({
      ...{ subject, subjectRfc: `CN=Mika ${serial},O=Grid`, issuer: '/O=Grid/CN=Root' },
      ...{ weak: false, state: 'LINKED', origin: 'presented', pem: person.pem },
    })
    expect(await whoIs([pki.proxy(person), person])).toMatchObject({
      ...{ account: `mika${serial}`, accountId: mika, vo: 'demo', method: 'x509', limited: false, subject },
      ...{ issuer: '/O=Grid/CN=Root', groups: ['/demo'], kind: 'user' },
    })
    const limited = await whoIs([pki.proxy(person, 'rfc', { language: 'limited' }), person])
    expect(limited.limited).toBe(true)
    expect(limited.scopes.some((scope) => scope.family === 'plain' && scope.word === 'grid')).toBe(false)
    const allowed = (action: Parameters<Identity['explain']>[1]) =>
      identity.explain(limited, action, { vo: 'demo', owner: mika }).allow
    expect(
      ['catalog.did.create', 'transfer.cancel', 'identity.read'].map((a) => allowed(a as 'identity.read')),
    ).toEqual([true, true, true])
    expect(
      ['identity.delegate', 'identity.certificate.write', 'identity.login'].map((a) =>
        allowed(a as 'identity.read'),
      ),
    ).toEqual([false, false, false])
  })

  test('is shown as an identity to the clients of the data catalogue, until it is unlinked', async () => {
    const { id } = await link(mika)
    const names = async () =>
      (await identity.identitiesOf([mika])).map(({ kind, identity: name }) => `${kind} ${name}`)
    expect(await names()).toEqual([`X509 ${subject}`])
    await identity.unlinkCertificate('demo', id, 'mika')
    expect(await names()).toEqual([])
    expect(await account([person])).toBe('certificate_unknown')
    expect(await identity.certificatesOf([mika])).toEqual(new Map())
    await link(mika)
    expect(await account([person])).toBe(`mika${serial}`)
  })

  test('is brought up to date by its renewal', async () => {
    const first = await link(mika)
    const renewed = pki.make({ subject, issuer: root, days: 90 })
    const second = await link(mika, renewed)
    expect([second.id, second.pem]).toEqual([first.id, renewed.pem])
    expect((await link(mika)).pem).toBe(renewed.pem)
    expect(await account([person])).toBe(`mika${serial}`)
  })

  test('belongs to one account of a VO, and may belong to one of each', async () => {
    await link(mika)
    expect(await codeOf(link(rin))).toBe('certificate_taken')
    const [there] = await identity.createAccounts([{ vo: 'other', name: `mika${serial}-there` }])
    await link(there!.id)
    expect(await account([person])).toBe('vo_choice_needed')
    expect(await account([person], 'demo')).toBe(`mika${serial}`)
    expect(await account([person], 'other')).toBe(`mika${serial}-there`)
  })

  test('may be taken by another account once it was let go, but never that of a removed person', async () => {
    const { id } = await link(mika)
    await identity.unlinkCertificate('demo', id, 'mika')
    expect(await codeOf(link(rin))).toBe('fine')
    await identity.updateAccount(rin, { status: 'DELETED' })
    expect(await codeOf(link(mika))).toBe('certificate_taken')
    expect(await account([person])).toBe('certificate_unknown')
  })

  test('that is suspended lets nobody in, says why, and cannot be linked anew by its holder', async () => {
    const { id } = await link(mika)
    await identity.suspendCertificate('demo', id, 'laptop stolen', 'admin')
    await expect(whoIs([person])).rejects.toThrow(/suspended \(laptop stolen\)/)
    expect(await codeOf(link(mika))).toBe('certificate_suspended')
    await identity.restoreCertificate('demo', id, 'admin')
    expect(await account([person])).toBe(`mika${serial}`)
  })

  test('of a suspended person says so', async () => {
    await link(mika)
    await identity.updateAccount(mika, { status: 'SUSPENDED', reason: 'left' })
    expect(await account([person])).toBe('account_suspended')
  })

  test('must be one of a person: no proxy, no authority', async () => {
    expect(await codeOf(link(mika, pki.proxy(person)))).toBe('invalid_request')
    expect(await codeOf(link(mika, pki.proxy(person, 'gt2')))).toBe('invalid_request')
    expect(await codeOf(link(mika, root))).toBe('invalid_request')
  })

  test('leaves its trace in the audit log', async () => {
    const { id } = await link(mika)
    await identity.suspendCertificate('demo', id, 'lost', 'admin')
    await identity.restoreCertificate('demo', id, 'admin')
    await identity.unlinkCertificate('demo', id, 'mika')
    const entries = await identity.auditLog('demo', { target: `mika${serial}`, action: 'certificate.*' })
    expect(entries.map(({ action, actor }) => `${actor} ${action}`).reverse()).toEqual([
      ...[
        'mika certificate.linked',
        'admin certificate.suspended',
        'admin certificate.restored',
        'mika certificate.unlinked',
      ],
    ])
    expect(entries.every(({ detail }) => detail.subject === subject)).toBe(true)
  })
})

describe('the same name by another authority', () => {
  test('is refused until a manager approves it', async () => {
    await link(mika)
    const moved = pki.make({ subject, issuer: newer })
    expect(await account([moved])).toBe('certificate_issuer_changed')
    await identity.requestCertificate('demo', read(moved))
    await identity.requestCertificate('demo', read(moved))
    const open = (await identity.certificateRequests('demo', 'PENDING')).filter(
      (one) => one.subject === subject,
    )
    expect(open).toMatchObject([{ account: `mika${serial}`, issuer: '/O=Grid/CN=Newer root' }])
    await identity.decideCertificateRequest(
      'demo',
      open[0]!.id,
      { approve: true, motivation: 'new authority' },
      'admin',
    )
    expect(await account([moved])).toBe(`mika${serial}`)
    expect(await account([person])).toBe(`mika${serial}`)
    expect(
      await codeOf(identity.decideCertificateRequest('demo', open[0]!.id, { approve: false }, 'admin')),
    ).toBe('certificate_missing')
    expect(await codeOf(identity.requestCertificate('demo', read(moved)))).toBe('certificate_taken')
  })

  test('stays refused when the manager says no, and nobody may ask for a name that is nobody’s', async () => {
    await link(mika)
    const moved = pki.make({ subject, issuer: newer })
    await identity.requestCertificate('demo', read(moved))
    const [open] = await identity.certificateRequests('demo', 'PENDING')
    await identity.decideCertificateRequest('demo', open!.id, { approve: false, motivation: 'who?' }, 'admin')
    expect(await account([moved])).toBe('certificate_issuer_changed')
    const unknown = pki.make({ subject: '/O=Grid/CN=Nobody', issuer: newer })
    expect(await codeOf(identity.requestCertificate('demo', read(unknown)))).toBe('certificate_unknown')
  })
})

describe('a name from an old list', () => {
  const names = (accountId: number, issuer: string | null = null, slash = subject) =>
    identity.linkNames(
      'demo',
      [{ accountId, subject: nameFromSlash(slash), issuer: issuer === null ? null : nameFromSlash(issuer) }],
      'gridmap',
      'admin',
    )

  test('is weak until the certificate is seen, and then bound to its issuer', async () => {
    expect(await names(mika)).toEqual({ linked: 1, taken: [] })
    expect((await identity.certificatesOf([mika])).get(mika)).toMatchObject([
      { subject, issuer: null, weak: true },
    ])
    expect(await account([person])).toBe(`mika${serial}`)
    expect((await identity.certificatesOf([mika])).get(mika)).toMatchObject([
      { issuer: '/O=Grid/CN=Root', weak: false, pem: person.pem },
    ])
    expect(await account([pki.make({ subject, issuer: newer })])).toBe('certificate_issuer_changed')
  })

  test('with its issuer lets in that one only', async () => {
    await names(mika, '/O=Grid/CN=Newer root')
    expect(await account([person])).toBe('certificate_issuer_changed')
    expect(await account([pki.make({ subject, issuer: newer })])).toBe(`mika${serial}`)
  })

  test('that could mean another name lets nobody in', async () => {
    await names(mika, null, `${subject}/CN=robot`)
    const evil = pki.make({ subject: `${subject}\\/CN=robot`, issuer: root })
    expect(await account([evil])).toBe('certificate_unknown')
    expect(await account([pki.make({ subject: `${subject}/CN=robot`, issuer: root })])).toBe(`mika${serial}`)
  })

  test('is left alone when it is somebody’s already, and adds nothing to what is known', async () => {
    await link(mika)
    expect(await names(rin)).toEqual({ linked: 0, taken: [subject] })
    expect(await names(mika)).toEqual({ linked: 0, taken: [] })
    expect((await identity.certificatesOf([mika])).get(mika)).toHaveLength(1)
  })

  test('stands in the way of another account that presents the certificate', async () => {
    await names(mika)
    expect(await codeOf(link(rin))).toBe('certificate_taken')
    expect(await codeOf(link(mika))).toBe('fine')
  })

  test('comes also from an identity that the data catalogue’s client adds, in either form', async () => {
    await identity.addIdentities([{ accountId: mika, kind: 'X509', identity: `CN=Mika ${serial},O=Grid` }])
    await identity.addIdentities([{ accountId: rin, kind: 'X509', identity: subject }])
    expect(await account([person])).toBe(`mika${serial}`)
    const owners = await identity.accountsOfIdentity('demo', 'X509', subject)
    expect(owners.map(({ name }) => name)).toEqual([`mika${serial}`, `rin${serial}`])
    await identity.removeIdentity(mika, 'X509', subject)
    expect(await account([person])).toBe('certificate_unknown')
    expect(await codeOf(identity.addIdentities([{ accountId: rin, kind: 'X509', identity: 'Mika' }]))).toBe(
      'invalid_request',
    )
  })
})

test('two people who link one certificate at the same moment: one of them has it', async () => {
  const codes = await Promise.all([mika, rin, mika, rin].map((id) => codeOf(link(id))))
  expect(codes.filter((code) => code === 'fine')).toHaveLength(2)
  expect(codes.filter((code) => code === 'certificate_taken')).toHaveLength(2)
})

test('the grid-mapfile has the living people and their certificates that count', async () => {
  await link(mika)
  const lost = await identity.linkCertificate(
    {
      accountId: rin,
      certificate: read(pki.make({ subject: `${subject} lost`, issuer: root })),
      origin: 'administrator',
    },
    'admin',
  )
  const lines = async () =>
    (await identity.gridmap('demo')).filter((line) => line.subject.startsWith(subject))
  expect(await lines()).toEqual([
    { subject, accounts: [`mika${serial}`] },
    { subject: `${subject} lost`, accounts: [`rin${serial}`] },
  ])
  await identity.suspendCertificate('demo', lost.id, 'lost', 'admin')
  await identity.updateAccount(mika, { status: 'SUSPENDED' })
  expect(await lines()).toEqual([])
})
