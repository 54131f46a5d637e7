import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CertificateWorld, certificateWorld } from '../../../test/harness/certificate-world.ts'
import { testDatabase } from '../../../test/harness/database.ts'
import type { Made } from '../../../test/harness/pki.ts'
import { nameFromSlash } from '../../identity/index.ts'
import { writeCsr } from '../../identity/x509/csr.ts'

const database = testDatabase()
let world: CertificateWorld
let boss = ''
let serial = 0
let mika = 0
let name = ''
let token = ''
let person: Made
const LINK = '/iam/demo/account-linking/X509'

beforeAll(async () => {
  world = await certificateWorld(database)
  boss = await world.token(world.boss)
})
afterAll(() => world?.close())
beforeEach(async () => {
  name = `mika${++serial}`
  const [account] = await world.identity.createAccounts([{ vo: 'demo', name }])
  mika = account!.id
  token = await world.token(mika)
  person = world.pki.make({ subject: `/DC=abroad/CN=Mika ${serial}`, issuer: world.abroad })
})

const { ask, json } = {
  ask: ((...a) => world.ask(...a)) as CertificateWorld['ask'],
  json: (b: unknown) => world.json(b),
}
const link = () => ask('POST', LINK, { certificate: person, token })
const mine = (as: Parameters<typeof ask>[2] = { token }) => ask('GET', '/iam/demo/certificates', as)

describe('linking', () => {
  test('takes the certificate of the connection, once it is known who asks', async () => {
    const proxy = world.pki.proxyFile([world.pki.proxy(person), person])
    const linked = await ask('POST', LINK, { file: proxy, token }, ...json({ label: 'work' }))
    expect([linked.status, linked.json]).toEqual([
      201,
      expect.objectContaining({
        account: name,
        subject: `/DC=abroad/CN=Mika ${serial}`,
        label: 'work',
        state: 'linked',
        weak: false,
      }),
    ])
    expect(linked.json.accountId).toBeUndefined()
    expect((await mine({ file: proxy })).json.certificates).toHaveLength(1)
    expect((await link()).status).toBe(201)
  })

  test('is refused without a certificate, without a token, by a certificate alone, and by a bad certificate', async () => {
    expect((await ask('POST', LINK, { token })).json.code).toBe('certificate_needed')
    expect((await ask('POST', LINK, { certificate: person })).json.code).toBe('certificate_unknown')
    await link()
    const other = world.pki.make({ subject: '/DC=abroad/CN=Other', issuer: world.abroad })
    expect((await ask('POST', LINK, { certificate: person })).json.message).toContain('Log in with a token')
    expect((await ask('POST', LINK, {}, ...json({ pem: other.pem }))).status).toBe(401)
    const forged = world.pki.make({
      subject: '/DC=abroad/CN=Mika',
      issuer: world.pki.authority('/DC=abroad/CN=Authority'),
    })
    expect((await ask('POST', LINK, { certificate: forged, token })).json.details).toEqual({
      reason: 'bad_signature',
    })
  })

  test('of a certificate that is only sent is for managers', async () => {
    const body = json({ account: name, pem: person.pem })
    expect((await ask('POST', LINK, { token }, ...json({ pem: person.pem }))).status).toBe(403)
    expect((await ask('POST', LINK, { token }, ...json({ account: 'boss' }))).status).toBe(403)
    const linked = await ask('POST', LINK, { token: boss }, ...body)
    expect([linked.status, linked.json.origin]).toEqual([201, 'administrator'])
    expect((await ask('POST', LINK, { token: boss }, ...json({ account: name, pem: 'x' }))).json.code).toBe(
      'certificate_needed',
    )
  })

  test('ends by its names, in either form, or by a manager', async () => {
    const names = (subject: string, issuer: string) =>
      `${LINK}?certificateSubject=${encodeURIComponent(subject)}&certificateIssuer=${encodeURIComponent(issuer)}`
    await link()
    expect((await ask('DELETE', names(`CN=Mika ${serial},DC=abroad`, 'CN=Nobody'), { token })).status).toBe(
      404,
    )
    expect(
      (await ask('DELETE', names(`CN=Mika ${serial},DC=abroad`, 'CN=Authority,DC=abroad'), { token })).status,
    ).toBe(204)
    expect((await mine()).json.certificates).toEqual([])
    const { id } = (await link()).json
    const stranger = await world.token(
      (await world.identity.createAccounts([{ vo: 'demo', name: `rin${serial}` }]))[0]!.id,
    )
    expect((await ask('DELETE', `/iam/demo/certificates/${id}`, { token: stranger })).status).toBe(403)
    expect((await ask('GET', `/iam/demo/certificates?account=${name}`, { token: stranger })).status).toBe(403)
    expect((await ask('DELETE', `/iam/demo/certificates/${id}`, { token: boss })).status).toBe(204)
    expect((await ask('DELETE', `/iam/demo/certificates/${id}`, { token: boss })).status).toBe(404)
  })
})

describe('a certificate', () => {
  test('that is suspended by its holder is restored by a manager only', async () => {
    const { id } = (await link()).json
    const path = `/iam/demo/certificates/${id}`
    expect((await ask('POST', `${path}/suspend`, { token }, ...json({ reason: 'stolen' }))).status).toBe(204)
    expect((await mine({ certificate: person })).json).toMatchObject({
      code: 'certificate_suspended',
      message: expect.stringContaining('stolen'),
    })
    expect((await ask('POST', `${path}/restore`, { token })).status).toBe(403)
    expect((await ask('POST', `${path}/restore`, { token: boss })).status).toBe(204)
    expect((await mine({ certificate: person })).status).toBe(200)
  })

  test('of a new authority is asked for by its holder and approved by a manager', async () => {
    const moved = world.pki.make({ subject: `/O=Kumihimo/OU=People/CN=Mika ${serial}`, issuer: world.people })
    const before = world.pki.make({ subject: `/O=Kumihimo/OU=People/CN=Mika ${serial}`, issuer: world.root })
    person = before
    await link()
    expect((await mine({ certificate: moved })).json.code).toBe('certificate_issuer_changed')
    expect((await ask('POST', '/iam/demo/certificate-requests', {})).json.code).toBe('certificate_needed')
    expect((await ask('POST', '/iam/demo/certificate-requests', { certificate: moved })).status).toBe(202)
    expect((await ask('GET', '/iam/demo/certificate-requests', { token })).status).toBe(403)
    const { requests } = (await ask('GET', '/iam/demo/certificate-requests?state=pending', { token: boss }))
      .json
    const request = requests.find((one: { account: string }) => one.account === name)
    const approve = `/iam/demo/certificate-requests/${request.id}/approve`
    expect((await ask('POST', approve, { token })).status).toBe(403)
    expect((await ask('POST', approve, { token: boss }, ...json({ motivation: 'known' }))).json.state).toBe(
      'approved',
    )
    expect((await mine({ certificate: moved })).status).toBe(200)
  })
})

describe('a short-lived certificate', () => {
  const wish = (extra = {}) =>
    json({ csr: writeCsr(world.freshKey(), nameFromSlash('/O=x/CN=admin')), ...extra })
  const issue = (as: Parameters<typeof ask>[2], ...body: string[]) =>
    ask('POST', '/iam/demo/certificates/issue', as, ...body)

  test('is issued to whoever is logged in, and opens the doors until it is revoked', async () => {
    const key = world.freshKey()
    const issued = await issue(
      { token },
      ...json({ csr: writeCsr(key, nameFromSlash('/O=x/CN=admin')), hours: 1 }),
    )
    expect([issued.status, issued.json.subject]).toEqual([
      201,
      expect.stringMatching(new RegExp(`^/O=Kumihimo/OU=People/OU=demo/CN=${name} [0-9a-f]{8}$`)),
    ])
    const file = join(world.pki.directory, `${name}.pem`)
    writeFileSync(file, issued.json.certificate + key.export({ format: 'pem', type: 'pkcs8' }))
    expect((await mine({ file })).json.certificates).toMatchObject([{ origin: 'issued', account: name }])
    const { certificates } = (await ask('GET', '/iam/demo/certificates/issued', { token })).json
    expect(certificates).toMatchObject([{ serial: issued.json.serial, account: name, revokedAt: null }])
    const revoke = `/iam/demo/certificates/issued/${issued.json.serial}/revoke`
    expect((await ask('POST', revoke, { token }, ...json({ reason: 'lost' }))).status).toBe(204)
    expect((await mine({ file })).json.code).toBe('certificate_suspended')
    const list = join(world.pki.directory, 'people.crl')
    await ask('GET', '/ca/people.crl', {}, '-o', list)
    expect(
      world.pki.openssl(
        'crl',
        '-inform',
        'DER',
        '-in',
        list,
        '-noout',
        '-text',
        '-CAfile',
        world.people.certificate,
      ),
    ).toContain(issued.json.serial.toUpperCase())
  })

  test('is not issued by a certificate, by a narrow token, for a bad request, or for somebody else', async () => {
    await link()
    expect((await issue({ certificate: person }, ...wish())).status).toBe(403)
    const narrow = (
      await world.identity.mintForAccount(mika, { scopes: ['storage.read:/', 'grid.catalog.*'] })
    ).token
    expect((await issue({ token: narrow }, ...wish())).status).toBe(403)
    expect((await issue({ token }, ...json({ csr: 'x' }))).json.code).toBe('invalid_certificate_request')
    expect((await issue({ token }, ...wish({ hours: 0 }))).status).toBe(400)
    const stranger = await world.token(
      (await world.identity.createAccounts([{ vo: 'demo', name: `rin${serial}` }]))[0]!.id,
    )
    const { serial: number } = (await issue({ token }, ...wish())).json
    const revoke = `/iam/demo/certificates/issued/${number}/revoke`
    expect((await ask('POST', revoke, { token: stranger }, ...json({ reason: 'spite' }))).status).toBe(403)
    expect((await ask('POST', revoke, { token: boss }, ...json({ reason: 'lost' }))).status).toBe(204)
  })
})

describe('what everybody may fetch', () => {
  test('is the authorities, as one file and as a trust directory', async () => {
    expect((await ask('GET', '/ca/authorities.pem')).text).toBe(world.root.pem + world.people.pem)
    expect((await ask('GET', '/ca/trust')).json.files).toEqual(world.published())
  })
})

describe('grid-mapfiles', () => {
  test('come from the linked certificates, and go in as names that are weak until seen', async () => {
    await link()
    const map = await ask('GET', '/gridmap?vo=demo', { token: boss })
    expect(map.text).toContain(`"/DC=abroad/CN=Mika ${serial}" ${name}\n`)
    expect((await ask('GET', '/gridmap', {})).status).toBe(401)
    expect((await ask('GET', '/gridmap?format=group', { token: boss })).text).toContain('"/demo" .demo\n')
    const text = `"/DC=abroad/CN=Old ${serial}" ${name}\n"/DC=abroad/CN=Gone" nobody\n"/DC=abroad/CN=Pool" .demo\n`
    expect((await ask('POST', '/iam/demo/gridmap', { token }, ...json({ text }))).status).toBe(403)
    expect((await ask('POST', '/iam/demo/gridmap', { token: boss }, ...json({ text }))).json).toEqual({
      ...{ linked: 1, taken: [], unknownAccounts: ['nobody'], skippedLines: [3] },
    })
    const old = world.pki.make({ subject: `/DC=abroad/CN=Old ${serial}`, issuer: world.abroad })
    expect((await mine({ certificate: old })).json.certificates).toHaveLength(2)
    expect(readFileSync(old.certificate, 'utf8')).toBe(old.pem)
  })
})
