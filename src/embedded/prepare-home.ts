import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCertificates } from '../identity/x509/certificate.ts'
import {
  type Credential,
  createCa,
  createPeopleAuthority,
  issueHostCertificate,
  writeTrustDirectory,
} from '../identity/x509/certificates.ts'
import { writeCrl } from '../identity/x509/crl.ts'
import { privateKeyOf } from '../identity/x509/signatures.ts'
import { demoSites } from './demo-sites.ts'
import { type GridFacts, type Home, readGrid, secretFile, writeWhole } from './home.ts'
import { BLOCK, choosePorts } from './ports.ts'
import { ensureVomsAuthority } from './voms-authority.ts'

export interface PrepareOptions {
  readonly port?: number
  readonly empty?: boolean
  readonly vo?: string
}

/**
 * Makes a directory a grid's home, or brings an existing one up to date. Idempotent; what exists is kept, so a
 * start that was killed half-way goes on.
 */
export async function prepareHome(home: Home, options: PrepareOptions, now: Date): Promise<GridFacts> {
  // 0711: PostgreSQL may have to run under another account and must pass through; files are 0600.
  mkdirSync(home.path, { recursive: true, mode: 0o711 })
  for (const directory of [home.ca, home.server, home.sites, home.client, home.logs, home.run]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }
  // The trust directory is public: foreign clients under other accounts may read it.
  chmodSync(home.ca, 0o711)
  const grid = readGrid(home) ?? (await newGrid(options, now))
  await ensureCertificates(home, grid, now)
  secretFile(join(home.server, 'seal.key'))
  secretFile(join(home.client, 'password'), 12)
  for (const site of grid.sites) writeGatewayConfig(home, grid, site)
  writeWhole(join(home.client, 'rucio.cfg'), rucioConfig(home, grid))
  // Last: a home with grid.json is complete.
  if (!existsSync(home.grid)) writeWhole(home.grid, `${JSON.stringify(grid, null, 2)}\n`, 0o644)
  return grid
}

async function newGrid(options: PrepareOptions, now: Date): Promise<GridFacts> {
  const port = await choosePorts(BLOCK - 1, options.port)
  return {
    version: 1,
    vo: options.vo ?? 'demo',
    title: 'Demo experiment',
    port,
    sites: options.empty ? [] : demoSites(port),
    createdAt: now.toISOString(),
  }
}

async function ensureCertificates(home: Home, grid: GridFacts, now: Date): Promise<void> {
  const caCertificate = join(home.ca, 'ca.pem')
  const caKey = join(home.ca, 'ca.key')
  if (!existsSync(caCertificate)) {
    const ca = await createCa({ name: `Kumihimo ${grid.vo} ${now.toISOString().slice(0, 10)}`, now })
    writeWhole(caKey, ca.privateKeyPem)
    const { certificatePem } = ca
    await writeTrustDirectory(join(home.ca, 'certificates'), { certificatePem, subjects: ['/O=Kumihimo/*'] })
    writeWhole(caCertificate, ca.certificatePem, 0o644)
  }
  const ca = {
    certificatePem: readFileSync(caCertificate, 'utf8'),
    privateKeyPem: readFileSync(caKey, 'utf8'),
  }
  await ensurePeopleAuthority(home, grid, ca, now)
  const hosts = [home.server, ...grid.sites.map((site) => join(home.sites, site.name))]
  for (const directory of hosts) {
    if (existsSync(join(directory, 'tls.pem'))) continue
    const issued = await issueHostCertificate({ ca, names: ['localhost'], ips: ['127.0.0.1', '::1'], now })
    writeWhole(join(directory, 'tls.key'), issued.privateKeyPem)
    writeWhole(join(directory, 'tls.pem'), issued.certificatePem, 0o644)
  }
  await ensureVomsAuthority(home, { host: 'localhost', vos: [grid.vo] }, now)
}

/** Certificates of people are signed by an authority of their own, whose key the server holds. */
async function ensurePeopleAuthority(home: Home, grid: GridFacts, ca: Credential, now: Date): Promise<void> {
  const certificate = join(home.server, 'people-ca.pem')
  if (existsSync(certificate)) return
  const people = createPeopleAuthority({ ca, now })
  const issuer = readCertificates(people.certificatePem)[0]!
  const list = writeCrl({
    ...{ issuer, key: privateKeyOf(people.privateKeyPem), number: 1, revoked: [] },
    ...{ thisUpdate: now, nextUpdate: new Date(now.getTime() + 7 * 86_400_000) },
  })
  await writeTrustDirectory(join(home.ca, 'certificates'), {
    certificatePem: people.certificatePem,
    subjects: [`/O=Kumihimo/OU=People/*`],
    crlUrl: `https://localhost:${grid.port}/ca/people.crl`,
    crl: list,
  })
  writeWhole(join(home.server, 'people-ca.key'), people.privateKeyPem)
  writeWhole(certificate, people.certificatePem, 0o644)
}

function writeGatewayConfig(home: Home, grid: GridFacts, site: GridFacts['sites'][number]): void {
  const directory = join(home.sites, site.name)
  mkdirSync(join(directory, 'storage'), { recursive: true, mode: 0o700 })
  secretFile(join(directory, 'client-secret'))
  const server = `https://localhost:${grid.port}`
  const config = {
    name: site.name,
    server,
    endpoint: `https://localhost:${site.port}`,
    host: '127.0.0.1',
    port: site.port,
    directory,
    ca: join(home.ca, 'ca.pem'),
    trust: [join(home.ca, 'certificates')],
    vo: grid.vo,
    issuer: `${server}/iam/${grid.vo}`,
    // The demo sites are neighbours on this machine; a real gateway names the storages it may copy from.
    peers: grid.sites.map((other) => `localhost:${other.port}`),
    logFile: join(home.logs, `gateway-${site.name}.log`),
    // Somebody watches: jobs that write are heard of soon.
    pilotIdleSeconds: 30,
    pilotHeartbeatSeconds: 5,
  }
  writeWhole(join(directory, 'gateway.json'), `${JSON.stringify(config, null, 2)}\n`)
}

function rucioConfig(home: Home, grid: GridFacts): string {
  const server = `https://localhost:${grid.port}/rucio`
  return [
    '[client]',
    `rucio_host = ${server}`,
    `auth_host = ${server}`,
    `ca_cert = ${join(home.ca, 'ca.pem')}`,
    'account = admin',
    'auth_type = userpass',
    'username = admin',
    `password = ${secretFile(join(home.client, 'password'), 12)}`,
    `vo = ${grid.vo}`,
    'request_retries = 3',
    // The client's own place is per account name: there two grids of one machine would share a token.
    `auth_token_file_path = ${join(home.client, 'rucio-token')}`,
    '',
  ].join('\n')
}
