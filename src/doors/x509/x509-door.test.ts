// Needs openssl.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CertificateWorld, certificateWorld } from '../../../test/harness/certificate-world.ts'
import { testDatabase } from '../../../test/harness/database.ts'
import type { Made } from '../../../test/harness/pki.ts'
import { nameFromSlash, readCertificates, toPem } from '../../identity/index.ts'
import { requestedKey, writeCsr } from '../../identity/x509/csr.ts'
import { makeProxy } from '../../identity/x509/proxy.ts'
import { privateKeyOf, spkiOf } from '../../identity/x509/signatures.ts'

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

describe('a credential left with the grid', () => {
  const signerOf = (made: Made) => ({
    certificate: readCertificates(made.pem)[0]!,
    key: privateKeyOf(readFileSync(made.key, 'utf8')),
  })
  /** A proxy for the key of a request, by a person or by a proxy of theirs, with its issuers. */
  function signed(
    csr: string | Buffer,
    chain: readonly Made[],
    wish: { hours?: number; limited?: boolean } = {},
  ): string {
    const spki = typeof csr === 'string' ? requestedKey(csr).spki : csr
    const proxy = makeProxy({ signer: signerOf(chain[0]!), spki, hours: 7, now: world.clock.now(), ...wish })
    const file = join(world.pki.directory, 'delegated.pem')
    writeFileSync(file, toPem('CERTIFICATE', proxy) + chain.map(({ pem }) => pem).join(''))
    return file
  }
  const idOf = async (as: Parameters<typeof ask>[2]) =>
    (await ask('GET', '/delegation', as)).json.delegation_id
  const csrOf = async (id: string, as: Parameters<typeof ask>[2]) =>
    (await ask('GET', `/delegation/${id}/request`, as)).text
  const send = (id: string, as: Parameters<typeof ask>[2], file: string) =>
    ask('PUT', `/delegation/${id}/credential`, as, '-T', file)
  beforeEach(() => link())

  test('is asked for, signed, kept until it ends, listed, used by the grid, and withdrawn', async () => {
    const proxy = world.pki.proxy(person)
    const as = { file: world.pki.proxyFile([proxy, person]) }
    const id = await idOf(as)
    expect(id).toMatch(/^[0-9a-f]{16}$/)
    expect((await ask('GET', `/delegation/${id}`, as)).text).toBe('null')
    const request = await ask('GET', `/delegation/${id}/request`, as, '-D', '-')
    expect(request.text.toLowerCase()).toContain(`x-delegation-id: ${id}`)
    const csr = await csrOf(id, as)
    expect(await csrOf(id, as)).toBe(csr)
    expect((await send(id, as, signed(csr, [proxy, person]))).status).toBe(201)
    expect((await ask('GET', `/delegation/${id}`, as)).json).toEqual({
      ...{ termination_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/), voms_attrs: [] },
    })
    const listed = await ask('GET', '/delegation', as)
    expect(listed.json.delegations).toMatchObject([{ id, purpose: 'transfer', subject: person.subject }])
    expect(listed.text).not.toMatch(/PRIVATE|BEGIN/)
    const used = await world.identity.useDelegation(mika, 'transfer', 'grid')
    expect(spkiOf(used.key).equals(requestedKey(csr).spki)).toBe(true)
    expect(readCertificates(used.chainPem)).toHaveLength(3)
    const other = world.identity.useDelegation(mika, 'jobs', 'grid')
    await expect(other).rejects.toThrow(expect.objectContaining({ code: 'delegation_missing' }))
    expect((await ask('DELETE', `/delegation/${id}`, as)).status).toBe(204)
    expect((await ask('DELETE', `/delegation/${id}`, as)).status).toBe(404)
    const gone = world.identity.useDelegation(mika, 'transfer', 'grid')
    await expect(gone).rejects.toThrow(expect.objectContaining({ code: 'delegation_missing' }))
    const log = await world.identity.auditLog('demo', { target: name, action: 'delegation.*' })
    expect(log.map(({ action }) => action).reverse()).toEqual([
      'delegation.stored',
      'delegation.used',
      'delegation.withdrawn',
    ])
  })

  test('may be left by somebody who came with a token, if the certificate is theirs', async () => {
    const id = await idOf({ token })
    const csr = await csrOf(id, { token })
    const stranger = world.pki.make({ subject: '/DC=abroad/CN=Stranger', issuer: world.abroad })
    expect((await send(id, { token }, signed(csr, [stranger]))).json).toMatchObject({
      code: 'delegation_refused',
    })
    expect((await send(id, { token }, signed(csr, [person]))).status).toBe(201)
  })

  test('is refused for another key, limited, no proxy, forged, without a request, or a second time', async () => {
    const as = { certificate: person }
    const id = await idOf(as)
    const csr = await csrOf(id, as)
    const code = async (file: string) => (await send(id, as, file)).json?.code ?? 'stored'
    expect(await code(signed(spkiOf(world.freshKey()), [person]))).toBe('delegation_refused')
    expect(await code(signed(csr, [person], { limited: true }))).toBe('delegation_refused')
    expect(await code(person.certificate)).toBe('delegation_refused')
    const forged = world.pki.make({
      subject: person.subject,
      issuer: world.pki.authority('/DC=abroad/CN=Authority'),
    })
    expect(await code(signed(csr, [forged]))).toBe('delegation_refused')
    expect((await ask('PUT', `/delegation/${id}/credential`, as, '-d', 'x')).json.code).toBe(
      'delegation_refused',
    )
    const good = signed(csr, [person])
    expect(await code(good)).toBe('stored')
    expect(await code(good)).toBe('delegation_refused')
  })

  test('is nobody else’s to see, and not to be left with a limited proxy', async () => {
    const id = await idOf({ certificate: person })
    expect((await ask('GET', `/delegation/${id}`, { token: boss })).status).toBe(403)
    expect((await ask('GET', '/delegation', {})).status).toBe(401)
    const limited = world.pki.proxyFile([world.pki.proxy(person, 'rfc', { language: 'limited' }), person])
    expect((await ask('GET', `/delegation/${id}/request`, { file: limited })).status).toBe(403)
  })

  test('is used no longer than a day, whatever the proxy says, and not for the suspended', async () => {
    const as = { certificate: person }
    const id = await idOf(as)
    await send(id, as, signed(await csrOf(id, as), [person], { hours: 200 }))
    const { notAfter } = await world.identity.useDelegation(mika, 'transfer', 'grid')
    expect(notAfter.getTime() - Date.now()).toBeLessThan(24.1 * 3_600_000)
    const [record] = (await world.identity.certificatesOf([mika])).get(mika)!
    await world.identity.suspendCertificate('demo', record!.id, 'stolen', 'boss')
    const withSuspended = world.identity.useDelegation(mika, 'transfer', 'grid')
    await expect(withSuspended).rejects.toThrow(expect.objectContaining({ code: 'delegation_missing' }))
    await world.identity.updateAccount(mika, { status: 'SUSPENDED' })
    const used = world.identity.useDelegation(mika, 'transfer', 'grid')
    await expect(used).rejects.toThrow(expect.objectContaining({ code: 'account_suspended' }))
  })

  test('is gone from the database when it has ended, and opens nothing in the row of somebody else', async () => {
    const as = { certificate: person }
    const id = await idOf(as)
    await send(id, as, signed(await csrOf(id, as), [person]))
    const [rin] = await world.identity.createAccounts([{ vo: 'demo', name: `rin${serial}` }])
    await database.pool.query('update delegation set account_id = $1 where id = $2', [rin!.id, id])
    const stolen = world.identity.useDelegation(rin!.id, 'transfer', 'grid')
    await expect(stolen).rejects.toThrow(expect.objectContaining({ code: 'seal_broken' }))
    const worker = world.identity.workers.find((one) => one.name === 'identity-delegations')!
    await worker.tick(new Date(Date.now() + 8 * 3_600_000), new AbortController().signal)
    const left = await database.pool.query('select id from delegation where id = $1', [id])
    expect(left.rows).toEqual([])
  })
})
