import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { registerGatewayBearers } from '../../src/doors/kumi/gateway-bearers.ts'
import { registerGatewayRoutes } from '../../src/doors/kumi/gateways.ts'
import { oidcDoor } from '../../src/doors/oidc/index.ts'
import { registerX509Door } from '../../src/doors/x509/index.ts'
import { createHttp } from '../../src/http/index.ts'
import {
  clientCertificates,
  createIdentity,
  openTrustDirectory,
  openVomsDirectory,
  proxyAttributes,
  trustFiles,
} from '../../src/identity/index.ts'
import { type Database, silentLogger, systemPorts, type Wakeups } from '../../src/kernel/index.ts'
import { type Gateway, startGateway } from '../../src/pop/gateway.ts'
import { createSite, registerGateway } from '../../src/sites/index.ts'
import { freePort } from './free-port.ts'
import { AUTHORITY, type Made, opensslPki } from './pki.ts'

const run = promisify(execFile)
const wakeups: Wakeups = { on: () => () => undefined, close: async () => undefined }

export interface Answered {
  readonly status: number
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: JSON of foreign shape, looked into by tests.
  readonly json: any
}

/**
 * A server with its certificate doors and one gateway, both over TLS, on the test's own database. Authority of people:
 * the grid's own below `root`; foreign certificates come from `abroad`. The clock can be put forward.
 */
export async function certificateWorld(database: Database) {
  const pki = opensslPki()
  const [port, gatewayPort] = [await freePort(), await freePort()]
  const issuerBase = `https://localhost:${port}`
  const root = pki.authority('/O=Kumihimo/CN=Root')
  const people = pki.authority('/O=Kumihimo/CN=Root people', {
    issuer: root,
    extensions: AUTHORITY.replace('CA:TRUE', 'CA:TRUE,pathlen:0'),
  })
  const abroad = pki.authority('/DC=abroad/CN=Authority')
  const host = pki.make({
    subject: '/O=Kumihimo/CN=localhost',
    issuer: root,
    extensions: 'subjectAltName=DNS:localhost',
  })
  const directory = pki.trustDirectory([
    { authority: root, subjects: ['/O=Kumihimo/*'] },
    { authority: people, subjects: ['/O=Kumihimo/OU=People/*'] },
    { authority: abroad, subjects: ['/DC=abroad/*'] },
  ])
  let ahead = 0
  const clock = { now: () => new Date(Date.now() + ahead), sleep: systemPorts.clock.sleep }
  const { db } = database
  const crlUrl = `${issuerBase}/ca/people.crl`
  const trust = openTrustDirectory({ directories: [directory], clock })
  const vomsDirectory = join(pki.directory, 'vomsdir')
  const identity = createIdentity({
    proxyAttributes: proxyAttributes({
      ...{ trust, clock, authorities: openVomsDirectory({ directories: [vomsDirectory] }) },
      hosts: ['localhost'],
    }),
    ...{ db, clock, ids: systemPorts.ids, log: silentLogger, issuerBase, sealKey: randomBytes(32) },
    // Nothing here is about who owns which directory: everybody owns all.
    areasOf: async () => ['/'],
    issuingAuthority: {
      ...{ certificatePem: people.pem, privateKeyPem: readFileSync(people.key, 'utf8'), crlUrl },
      ...{ trustDirectory: directory, longestHours: 12 },
    },
    trust,
  })
  await identity.createVo({ id: 'demo', title: 'Demo' })
  const http = createHttp({
    ...{ identity, audience: [issuerBase], log: silentLogger, clock, port },
    tls: { cert: host.pem, key: readFileSync(host.key) },
    clientCertificates: { verifier: clientCertificates({ trust, clock }) },
  })
  await http.app.register(oidcDoor({ identity, clock, clientRegistration: false }))
  const authorities = [
    { certificatePem: root.pem, subjects: ['/O=Kumihimo/*'] },
    { certificatePem: people.pem, subjects: ['/O=Kumihimo/OU=People/*'], crlUrl },
  ]
  await registerX509Door(http.app, { identity, clock, vo: 'demo', authorities })
  registerGatewayRoutes(http.app, {
    ...{ db, clock, wakeups },
    onReport: async () => undefined,
    onScrubFindings: async () => undefined,
  })
  registerGatewayBearers(http.app, { db, clock, identity, trust })
  await http.listen()

  const [boss, service] = await identity.createAccounts([
    { vo: 'demo', name: 'boss' },
    { vo: 'demo', name: 'gateway-kek', kind: 'SERVICE' },
  ])
  await identity.setAttributes(boss!.id, { admin: 'true' })
  await identity.setAttributes(service!.id, { gateway: 'kek' })
  const site = { vo: 'demo', name: 'kek', title: 'KEK', country: 'JP', latitude: 36, longitude: 140 }
  await createSite(db, clock.now(), site)
  const endpoint = `https://localhost:${gatewayPort}`
  const secret = 'a secret of at least 24 characters'
  await registerGateway(
    db,
    clock.now(),
    { vo: 'demo', site: 'kek', name: 'kek', endpoint },
    async (client) => {
      await identity.putClient({ ...client, accountId: service!.id, secret })
    },
  )
  const home = join(pki.directory, 'kek')
  mkdirSync(home)
  writeFileSync(join(home, 'tls.pem'), host.pem)
  writeFileSync(join(home, 'tls.key'), readFileSync(host.key))
  writeFileSync(join(home, 'client-secret'), secret)
  let gateway: Gateway | undefined

  /** curl with a proxy file or a certificate, a token, both or neither. */
  async function ask(
    method: string,
    url: string,
    as: { file?: string; certificate?: Made; token?: string } = {},
    ...rest: string[]
  ): Promise<Answered> {
    const own = as.file
      ? ['--cert', as.file, '--key', as.file]
      : as.certificate
        ? ['--cert', as.certificate.certificate, '--key', as.certificate.key]
        : []
    const bearer = as.token ? ['-H', `Authorization: Bearer ${as.token}`] : []
    const only = [
      '-sS',
      '-4',
      '--cacert',
      root.certificate,
      '-X',
      method,
      '-w',
      '\n%{http_code}',
      ...own,
      ...bearer,
    ]
    const { stdout } = await run('curl', [...only, ...rest, url.startsWith('/') ? issuerBase + url : url])
    const at = stdout.lastIndexOf('\n')
    const text = stdout.slice(0, at)
    return {
      status: Number(stdout.slice(at + 1)),
      text,
      json: text.startsWith('{') ? JSON.parse(text) : undefined,
    }
  }

  return {
    ...{
      pki,
      identity,
      clock,
      directory,
      vomsDirectory,
      root,
      people,
      abroad,
      endpoint,
      issuerBase,
      ask,
      boss: boss!.id,
      home,
    },
    token: async (accountId: number): Promise<string> => (await identity.mintForAccount(accountId)).token,
    json: (body: unknown): string[] => ['-H', 'content-type: application/json', '-d', JSON.stringify(body)],
    freshKey: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    advance(ms: number): void {
      ahead += ms
    },
    async openGateway(): Promise<void> {
      gateway = await startGateway(
        {
          ...{
            name: 'kek',
            server: issuerBase,
            endpoint,
            host: '127.0.0.1',
            port: gatewayPort,
            directory: home,
          },
          ...{
            ca: root.certificate,
            vo: 'demo',
            issuer: `${issuerBase}/iam/demo`,
            logFile: join(home, 'log'),
          },
          ...{
            scrubBytesPerSecond: 0,
            softwareCacheBytes: 0,
            softwarePort: 0,
            pilotIdleSeconds: 60,
            pilotHeartbeatSeconds: 60,
            peers: [],
            trust: [directory],
          },
        },
        { clock },
      )
    },
    closeServer: () => http.close(),
    async close(): Promise<void> {
      await gateway?.close()
      await http.close()
      await identity.close()
      pki.remove()
    },
    /** The grid's authorities as files of a trust directory. */
    published: () => authorities.flatMap(trustFiles),
  }
}

export type CertificateWorld = Awaited<ReturnType<typeof certificateWorld>>
