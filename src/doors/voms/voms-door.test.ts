// Needs openssl.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as plainConnect } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { createHttp } from '../../http/index.ts'
import {
  type Account,
  clientCertificates,
  createAttributeAuthority,
  credentialOf,
  type Identity,
  openTrustDirectory,
  readCertificates,
} from '../../identity/index.ts'
import {
  type AttributeCertificate,
  readAttributeCertificate,
} from '../../identity/voms/attribute-certificate.ts'
import { shortFqan } from '../../identity/voms/fqan.ts'
import { silentLogger, sql, systemClock } from '../../kernel/index.ts'
import { registerVomsContact, type VomsServer, type VomsServerOptions, vomsServer } from './index.ts'

const CPP = 'voms APIs 2.0'
const AA = 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash'

describe('the port of VOMS', () => {
  const database = testDatabase()
  const pki = opensslPki()
  let identity: Identity
  let server: VomsServer
  let options: VomsServerOptions
  let port = 0
  let root: Made
  let mika: Made
  let account: Account

  beforeAll(async () => {
    root = pki.authority('/O=Grid/CN=Root')
    mika = pki.make({ subject: '/O=Grid/CN=Mika', issuer: root, serial: String(0x1234) })
    const extensions = 'subjectAltName=DNS:localhost'
    const host = pki.make({ subject: '/O=Grid/CN=localhost', issuer: root, extensions })
    const signer = pki.make({ subject: '/O=Grid/CN=voms', issuer: root, key: 'rsa:2048', extensions: AA })
    identity = await testIdentity(database, systemClock)
    account = await member('mika', mika)
    await identity.createGroups('demo', [
      { path: '/demo/analysis' },
      { path: '/demo/production', role: true },
    ])
    await identity.addMembers('demo', '/demo/production', [account.id])
    const directory = pki.trustDirectory([{ authority: root, subjects: ['/O=Grid/*'] }])
    const trust = openTrustDirectory({ directories: [directory], clock: systemClock })
    const credential = credentialOf(
      { certificatePem: signer.pem, privateKeyPem: readFileSync(signer.key, 'utf8') },
      { host: 'localhost', port: 15000 },
    )
    options = {
      authority: createAttributeAuthority({
        ...{ db: database.db, identity, now: systemClock.now, credential: () => credential },
        ...{ defaultVo: 'demo', mostSeconds: 86_400, consoleUrl: 'https://grid.test/' },
      }),
      certificates: clientCertificates({ trust, clock: systemClock }),
      ...{ log: silentLogger, host: '127.0.0.1', port: 0 },
      tls: { cert: host.pem, key: readFileSync(host.key) },
    }
    server = vomsServer(options)
    port = (await server.listen()).port
  })
  afterAll(async () => {
    await server?.close()
    pki.remove()
  })

  async function member(name: string, certificate: Made, vo = 'demo'): Promise<Account> {
    const [made] = await identity.createAccounts([{ vo, name }])
    await identity.linkCertificate(
      { accountId: made!.id, certificate: readCertificates(certificate.pem)[0]!, origin: 'presented' },
      name,
    )
    return made!
  }

  /** What the server says until it closes, to pieces sent each in a TLS record of its own. */
  async function say(chain: readonly Made[], ...pieces: (string | Buffer)[]): Promise<string> {
    const socket = await open(chain)
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', () => undefined)
    for (const piece of pieces) {
      socket.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await once(socket, 'close')
    return answer
  }
  async function open(chain: readonly Made[], session?: Buffer): Promise<TLSSocket> {
    const [leaf] = chain
    const socket = connect({
      ...{ host: '127.0.0.1', port, servername: 'localhost', ca: root.pem },
      ...(leaf && { cert: chain.map(({ pem }) => pem).join(''), key: readFileSync(leaf.key) }),
      ...(session && { session }),
      checkServerIdentity: () => undefined,
    })
    await once(socket, 'secureConnect')
    return socket
  }
  const cpp = (query: string, chain: readonly Made[] = [mika]) =>
    say(
      chain,
      '0',
      `GET /generate-ac?${query} HTTP/1.0\nUser-Agent: ${CPP}\nAccept: */*\nHost: localhost:15000\n\n`,
    )
  const java = (query: string, chain: readonly Made[] = [mika]) =>
    say(
      chain,
      `GET /generate-ac?${query} HTTP/1.1\r\nUser-Agent: Java/17.0.15\r\nHost: localhost:15000\r\n\r\n`,
    )
  const legacy = (inside: string, chain: readonly Made[] = [mika]) =>
    say(chain, '0', `<?xml version="1.0" encoding="US-ASCII"?><voms>${inside}</voms>`)
  const granted = (answer: string): AttributeCertificate =>
    readAttributeCertificate(Buffer.from(/<ac>([^<]+)<\/ac>/.exec(answer)?.[1] ?? '', 'base64'))
  const names = (answer: string) => granted(answer).fqans.map(shortFqan)

  test('gives attributes to C++ clients, to Java clients and over the older protocol', async () => {
    const fqans = ['/demo/Role=production', '/demo']
    const answers = await Promise.all([
      cpp('fqans=/demo/Role=production&lifetime=3600'),
      java('fqans=/demo/Role=production&lifetime=3600'),
      legacy(
        '<command>B/demo:production</command><base64>1</base64><version>4</version><lifetime>3600</lifetime>',
      ),
    ])
    for (const answer of answers) {
      expect(names(answer)).toEqual(fqans)
      const { notBefore, notAfter, holder } = granted(answer)
      expect(notAfter.getTime() - notBefore.getTime()).toBe(3600_000)
      expect(holder.serial).toBe('1234')
    }
    expect(answers[0]).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answers[2]).toMatch(/^<\?xml [^>]*\?><vomsans>/)
  })

  test('understands a request that comes byte by byte', async () => {
    const request = `0GET /generate-ac?fqans=/demo HTTP/1.0\nUser-Agent: ${CPP}\n\n`
    expect(names(await say([mika], ...request))).toEqual(['/demo'])
  })

  test('takes proxies, for their owner', async () => {
    const proxy = pki.proxy(mika)
    for (const chain of [
      [proxy, mika],
      [pki.proxy(proxy), proxy, mika],
      [pki.proxy(mika, 'gt2'), mika],
    ])
      expect(names(await java('fqans=/demo', chain))).toEqual(['/demo'])
    expect(await java('fqans=/demo', [proxy])).toContain('The certificate that made the proxy')
  })

  test('writes who got what into the audit log, and no refusal', async () => {
    const before = await identity.auditLog('demo', { action: 'voms.*' })
    const { serial } = granted(await java('fqans=/demo&lifetime=60&targets=a.test'))
    await java('fqans=/demo/Role=none')
    const [entry, ...older] = await identity.auditLog('demo', { action: 'voms.*' })
    expect(older).toEqual(before)
    expect(entry).toMatchObject({ actor: 'mika', action: 'voms.attributes_issued', target: 'mika' })
    expect(entry!.detail).toEqual({
      ...{ serial, subject: '/O=Grid/CN=Mika', seconds: 60, targets: ['a.test'] },
      fqans: ['/demo/Role=NULL/Capability=NULL'],
    })
  })

  test('tells each client why not, in its own form', async () => {
    const stranger = pki.make({ subject: '/O=Grid/CN=Stranger', issuer: root })
    const unknown = 'User unknown to this VO: no account of demo has the certificate &#34;'
    expect(await java('fqans=/demo', [stranger])).toMatch(/^HTTP\/1\.1 403 [\s\S]*<code>NoSuchUser<\/code>/)
    expect(await java('fqans=/demo', [stranger])).toContain(unknown.replaceAll('&#34;', '"'))
    const told = await cpp('fqans=/demo', [stranger])
    expect(told).toMatch(/^HTTP\/1\.1 200 [\s\S]*<number>1001<\/number>[\s\S]*<ac>QQ==\n<\/ac>/)
    expect(await legacy('<command>G/demo</command>', [stranger])).toContain('<number>1001</number>')

    expect(await cpp('fqans=/demo/Role=admin')).toMatch(
      /<number>1007<\/number><message>mika does not have \/demo\/Role=admin/,
    )
    expect(await java('fqans=/demo/Role=admin')).toMatch(/^HTTP\/1\.1 403 [\s\S]*mika does not have/)
    expect(await java('fqans=/nowhere')).toMatch(/^HTTP\/1\.1 400 [\s\S]*belongs to no VO of this server/)
    expect(await java('fqans=/demo,/other')).toMatch(/^HTTP\/1\.1 400 [\s\S]*one VO at a time/)
    expect(await java('lifetime=0')).toMatch(/^HTTP\/1\.1 400 [\s\S]*positive/)
    expect(await java('fqans=/demo', [])).toMatch(/^HTTP\/1\.1 403 [\s\S]*Show a certificate/)
    expect(await say([mika], 'GET /other HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 404 /)
  })

  test('refuses who is suspended, with the reason and what to do', async () => {
    const noa = pki.make({ subject: '/O=Grid/CN=Noa', issuer: root })
    const { id } = await member('noa', noa)
    await identity.updateAccount(id, { status: 'SUSPENDED', reason: 'key lost' })
    expect(await cpp('fqans=/demo', [noa])).toMatch(
      /<number>1004<\/number><message>The account noa is suspended \(key lost\); ask the managers of demo/,
    )
    await identity.updateAccount(id, { status: 'ACTIVE' })
    expect(names(await cpp('fqans=/demo', [noa]))).toEqual(['/demo'])
    const [record] = (await identity.certificatesOf([id])).get(id)!
    await identity.suspendCertificate('demo', record!.id, 'laptop stolen', 'admin')
    const told = 'The certificate /O=Grid/CN=Noa is suspended (laptop stolen)'
    expect(await java('fqans=/demo', [noa])).toMatch(/<code>SuspendedUser<\/code>/)
    expect(await java('fqans=/demo', [noa])).toContain(told)
  })

  test('refuses whose membership ended, and who has not signed the usage policy, and says where to', async () => {
    const aya = pki.make({ subject: '/O=Grid/CN=Aya', issuer: root })
    const { id } = await member('aya', aya)
    await identity.setPeopleSettings('demo', { suspensionGraceDays: 0 }, 'admin')
    await identity.setEndTime(id, new Date('2020-02-02'), 'admin')
    await identity.runLifecycle('demo', { by: 'admin' })
    expect(await cpp('fqans=/demo', [aya])).toMatch(
      /<number>1004<\/number><message>The membership of aya ended on 2020-02-02; ask the managers of demo/,
    )
    const policy = { url: null, text: 'Be kind.', description: '', validityDays: 0, reminderDays: [] }
    await identity.publishPolicy('demo', policy, 'admin')
    const unsigned = /mika has not signed the usage policy of demo yet; .* https:\/\/grid\.test\//
    expect(await cpp('fqans=/demo')).toMatch(unsigned)
    expect(await java('fqans=/demo')).toMatch(unsigned)
    await identity.withdrawPolicy('demo', 'admin')
    expect(names(await java('fqans=/demo'))).toEqual(['/demo'])
  })

  test('answers for the VO that knows the certificate when none is named', async () => {
    const ema = pki.make({ subject: '/O=Grid/CN=Ema', issuer: root })
    await member('ema', ema, 'other')
    expect(names(await cpp('fqans=all', [ema]))).toEqual(['/other'])
    expect(await cpp('fqans=/demo', [ema])).toContain('<number>1001</number>')
    expect(names(await cpp('fqans=all'))).toEqual(['/demo', '/demo/Role=production'])
  })

  test('puts generic attributes of the member in', async () => {
    await sql`insert into generic_attribute (account_id, name, value) values (${account.id}, 'nickname', 'みか')`.execute(
      database.db,
    )
    expect(granted(await java('fqans=/demo')).attributes).toEqual([
      { name: 'nickname', value: 'みか', qualifier: 'demo' },
    ])
  })

  test('answers nothing but one GET of a decent size', async () => {
    expect(await say([mika], 'POST /generate-ac HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*Only GET/)
    const long = `GET /generate-ac?fqans=${'x'.repeat(9000)}`
    expect(await say([mika], long)).toMatch(/^HTTP\/1\.1 400 [\s\S]*longer than 8192/)
    const dtd = '<!DOCTYPE voms [<!ENTITY a "x">]><voms><command>&a;</command></voms>'
    expect(await say([mika], dtd)).toContain('no XML document')
    const twice = 'GET /generate-ac?fqans=/demo HTTP/1.1\r\n\r\n'.repeat(2)
    expect((await say([mika], twice)).match(/HTTP\/1\.1/g)).toHaveLength(1)
  })

  test('waits for nobody: neither for a handshake nor for a request', async () => {
    const impatient = vomsServer({ ...options, deadlineMs: 100 })
    const there = { host: '127.0.0.1', port: (await impatient.listen()).port }
    const silent = plainConnect(there)
    await once(silent.resume(), 'close')
    const slow = connect({ ...there, ca: root.pem, checkServerIdentity: () => undefined })
    slow.on('error', () => undefined).write('GET /generate-ac')
    await once(slow.resume(), 'close')
    await impatient.close()
  })

  test('never resumes a session, which would have lost the chain', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = {
        host: '127.0.0.1',
        port,
        ca: root.pem,
        cert: mika.pem,
        key: readFileSync(mika.key),
        maxVersion,
      }
      const one = async (session?: Buffer) => {
        const socket = connect({
          ...options,
          ...(session && { session }),
          checkServerIdentity: () => undefined,
        })
        let ticket: Buffer | undefined
        socket.on('session', (fresh: Buffer) => {
          ticket = fresh
        })
        await once(socket, 'secureConnect')
        const reused = socket.isSessionReused()
        socket.write('GET /generate-ac?fqans=/demo HTTP/1.1\r\n\r\n')
        socket.resume()
        await once(socket, 'close')
        return { reused, session: ticket ?? socket.getSession() }
      }
      const { session } = await one()
      expect((await one(session)).reused).toBe(false)
    }
  })

  test('the files of the clients are public, for the VOs there are', async () => {
    const chain = [{ subject: '/O=Grid/CN=voms', issuer: '/O=Grid/CN=Root' }]
    const http = createHttp({
      ...{ identity, audience: [], log: silentLogger, clock: systemClock, port: 0 },
    })
    registerVomsContact(http.app, {
      identity,
      contact: () => ({ host: 'grid.test', port: 7459, subject: '/O=Grid/CN=grid.test', chain }),
    })
    const get = async (url: string) => {
      const { statusCode, body } = await http.app.inject({ method: 'GET', url })
      return [statusCode, body]
    }
    expect(await get('/vomses/demo')).toEqual([
      200,
      '"demo" "grid.test" "7459" "/O=Grid/CN=grid.test" "demo"\n',
    ])
    expect(await get('/vomsdir/demo/grid.test.lsc')).toEqual([200, '/O=Grid/CN=voms\n/O=Grid/CN=Root\n'])
    for (const url of ['/vomses/none', '/vomsdir/none/grid.test.lsc', '/vomsdir/demo/else.lsc'])
      expect((await get(url))[0]).toBe(404)
    await http.close()
  })
})
