/** The server: wiring and start. Reading this file from top to bottom is reading the architecture. */
import { mkdirSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { bootstrap } from './bootstrap.ts'
import { areasOfAccount, counterFolder, createRseTable, noteAreas } from './catalog/index.ts'
import { registerCvmfsDoor } from './doors/cvmfs/index.ts'
import { registerDiracxDoor } from './doors/diracx/index.ts'
import { iamDoor } from './doors/iam/index.ts'
import { registerGatewayBearers } from './doors/kumi/gateway-bearers.ts'
import { registerGatewayCredentials } from './doors/kumi/gateway-credentials.ts'
import { registerGatewayRoutes } from './doors/kumi/gateways.ts'
import { registerKumiDoor } from './doors/kumi/index.ts'
import { registerPilotRoutes } from './doors/kumi/pilots.ts'
import { oidcDoor } from './doors/oidc/index.ts'
import { canonicalRucioUrl, registerRucioDoor } from './doors/rucio/index.ts'
import { scimDoor } from './doors/scim/index.ts'
import { registerStatusPage } from './doors/status/index.ts'
import { registerX509Door } from './doors/x509/index.ts'
import { type GridFacts, vomsPortOf } from './embedded/index.ts'
import { createHttp } from './http/index.ts'
import {
  clientCertificates,
  createIdentity,
  crlWorker,
  openTrustDirectory,
  openVomsDirectory,
  proxyAttributes,
  readCertificates,
} from './identity/index.ts'
import {
  createLogger,
  type Db,
  enableProcessMetrics,
  gauge,
  listen,
  migrate,
  openDatabase,
  readConfig,
  requireServerVersion,
  row,
  runWorkers,
  sql,
  systemPorts,
  waitForDatabase,
} from './kernel/index.ts'
import { smtpSender } from './mail.ts'
import { migrationSources } from './migrations.ts'
import {
  createStatusPage,
  noteTransferEnds,
  operationsWorkers,
  registerSoftwareMetrics,
} from './operations/index.ts'
import * as placement from './placement/index.ts'
import { outputInspection, outputReview, type ProductionDeps, productionWorkers } from './production/index.ts'
import { type RawDeps, rawWorkers, registerRawMetrics } from './raw/index.ts'
import { serverSettings } from './settings.ts'
import { commandReaper, type GatewayRow, listSites } from './sites/index.ts'
import { createSoftware } from './software/index.ts'
import {
  createRootCounter,
  fetchDocument,
  guardedOutbound,
  posixDriver,
  webdavClient,
} from './storage/index.ts'
import * as transfer from './transfer/index.ts'
import { version } from './version.ts'
import { openVoms } from './voms.ts'
import { createMarkets, createSandboxes, rangeReader, workloadWorkers } from './workload/index.ts'

/** One tick of a worker may take minutes; nothing for three times as long is wrong. */
const WORKER_PERIOD_MS = 300_000

// What comes and goes lies outside the heap, and V8 would look through all of the heap for every 24 MB of that.
setFlagsFromString('--heap-growing-percent=100')

const config = readConfig(serverSettings, process.env, homeOption(process.argv))
const home = config.home
if (!home) throw new Error('The server needs its home directory: --home DIR or KUMI_HOME.')
const grid = JSON.parse(readFileSync(join(home, 'grid.json'), 'utf8')) as GridFacts
const { clock, ids, rng } = systemPorts
const log = createLogger({ name: 'server', level: config.logLevel, file: join(home, 'logs', 'server.log') })
enableProcessMetrics()

// The database, brought up to date before anything reads it.
const database = openDatabase({
  connection: config.databaseUrl ?? {
    host: socketDirectory(home),
    port: 5432,
    user: 'kumi',
    database: 'kumi',
  },
  poolSize: config.poolSize,
  log,
})
const { db, pool } = database
await waitForDatabase(db, { clock, rng, log })
await requireServerVersion(db)
await migrate(db, migrationSources())
const wakeups = await listen(pool, log)

// The rooms, lowest floor first.
const rses = createRseTable(db, wakeups)
const port = config.port ?? grid.port
const issuerBase = (config.publicUrl ?? `https://localhost:${grid.port}`).replace(/\/+$/, '')
const sealKey = Buffer.from(readFileSync(join(home, 'server', 'seal.key'), 'utf8').trim(), 'base64url')
const people = {
  certificatePem: readFileSync(join(home, 'server', 'people-ca.pem'), 'utf8'),
  crlUrl: `${issuerBase}/ca/people.crl`,
}
const trustDirectory = join(home, 'ca', 'certificates')
const trust = openTrustDirectory({
  directories: [trustDirectory, ...config.trust.split(':').filter(Boolean)],
  clock,
  crlGraceMs: config.crlGraceHours * 3_600_000,
  onProblem: (file, error) => log.warn({ file, err: error }, 'not usable in the trust directory'),
})
const certificates = clientCertificates({ trust, clock })
const vomsAuthorities = openVomsDirectory({
  directories: [join(home, 'ca', 'vomsdir'), ...config.vomsDirectories.split(':').filter(Boolean)],
  onProblem: (file, error) =>
    log.warn({ file, err: error }, 'not usable as a description of a VOMS authority'),
})
const ca = readFileSync(join(home, 'ca', 'ca.pem'))
const issuerDocuments = guardedOutbound({
  allowed: config.issuerHosts.split(',').flatMap((host) => host.trim() || []),
  publicDocuments: 'https',
  ca: [
    ...rootCertificates,
    String(ca),
    ...(config.issuerAuthorities ? [readFileSync(config.issuerAuthorities, 'utf8')] : []),
  ],
  connectMs: 5_000,
})
const identity = createIdentity({
  ...{ db, clock, ids, log, issuerBase, sealKey, trust },
  issuingAuthority: {
    ...people,
    privateKeyPem: readFileSync(join(home, 'server', 'people-ca.key'), 'utf8'),
    trustDirectory,
    longestHours: config.certificateHours,
  },
  ...(config.mailServer && {
    sendMail: smtpSender({
      ...{ server: config.mailServer, from: config.mailFrom },
      ...{ credentials: config.mailCredentials, authorities: config.mailAuthorities },
    }),
  }),
  fetchDocument: (url) => fetchDocument(issuerDocuments, url, { maxBytes: 1 << 20, deadlineMs: 15_000 }),
  // The command line of the home logs in with it.
  passwordsFromHome: (vo, name) => vo === grid.vo && name === 'admin',
  areasOf: async (vo, accountId) => areasOfAccount(db, { vo, accountId, rses: await rses.all(vo) }),
  proxyAttributes: proxyAttributes({
    ...{ trust, authorities: vomsAuthorities, clock },
    hosts: [new URL(issuerBase).hostname, hostname()],
  }),
})
await bootstrap({ db, identity, ids, now: clock.now(), home }, grid)
await identity.rotateSigningKeys(clock.now())
wakeups.on(['identity'], () => void identity.reload())
const crlSecondsLeft = gauge(
  'grid_identity_crl_left_seconds',
  'Until the list of revoked certificates of an authority is due to be replaced; negative: late',
  ['authority'],
)
const documents = guardedOutbound({ allowed: [`localhost:${grid.port}`], publicDocuments: true, ca })
const mover = transfer.createGatewayMover({ identity, clock, ca })
const storageClient = webdavClient({ ca })
const vos = async () => (await identity.listVos()).map((vo) => vo.id)
const placementDeps: placement.PlacementDeps = {
  db,
  clock,
  ids,
  log,
  rses,
  vos,
  copies: placement.gatewayCopies({ identity, client: storageClient }),
  owner: `${process.pid}-${ids.uuid()}`,
  floor: config.deletionFloor,
  verifiedWithinSeconds: config.verifiedWithinDays * 86_400,
  graceSeconds: config.deletionGraceSeconds,
  requestTransfers: (tx, input) => transfer.requestTransfers(tx, { ...input, ids }),
  cancelTransfers: (tx, input) => transfer.cancelTransfers(tx, input),
}
const transferWorkers = transfer.createTransferWorkers({
  ...{ db, clock, rng, ids, log, rses, mover },
  siteUp: transfer.storagesInUse({ db, clock, rses }),
  async settle(tx, input) {
    await placement.settle(tx, input)
    await noteTransferEnds(tx, input)
  },
  maxActive: config.transfersAtOnce,
  activityWeight: config.activityShares,
})
const softwareDirectory = config.softwareDirectory ?? join(home, 'software')
mkdirSync(softwareDirectory, { recursive: true, mode: 0o700 })
// Objects are named by their hashes.
const softwareStorage = posixDriver(softwareDirectory, { summed: false })
// Other server processes may be writing there.
await softwareStorage.sweep(new Date(clock.now().getTime() - 86_400_000))
const originals = guardedOutbound({
  allowed: config.softwareMirrorHosts.split(',').flatMap((host) => host.trim() || []),
  ...{ publicDocuments: true, listedPlain: true, ca: [...rootCertificates, String(ca)], connectMs: 5_000 },
})
const software = createSoftware({
  ...{ db, clock, ids, log, sealKey, storage: softwareStorage, audit: identity.audit, tell: identity.tell },
  approvers: (vo, path) => identity.whoMay('software.approve', { vo, path }),
  workDirectory: join(home, 'run', 'software'),
  graceSeconds: config.softwareGraceDays * 86_400,
  proposalSeconds: config.softwareProposalDays * 86_400,
  originals: {
    outbound: originals,
    // Several processes of one home would count each other's files.
    directory: join(home, 'software-mirrors', String(port)),
    mostBytes: config.softwareMirrorBytes,
  },
})
registerSoftwareMetrics({ db, vos, now: clock.now, mirrorCache: () => software.mirrorCache() })
const markets = createMarkets(db)
const sandboxDirectory = config.sandboxDirectory ?? join(home, 'sandboxes')
mkdirSync(sandboxDirectory, { recursive: true, mode: 0o700 })
const sandboxStorage = posixDriver(sandboxDirectory, { summed: false })
await sandboxStorage.sweep(new Date(clock.now().getTime() - 86_400_000))
const sandboxes = createSandboxes({ db, log, sealKey, storage: sandboxStorage })
const verifyArrivals = (input: Parameters<typeof transfer.verifyArrivals>[1]) =>
  transfer.verifyArrivals({ mover }, input)
const productions: ProductionDeps = {
  ...{ db, log, rses },
  addRules: (tx, input) => placement.addRules(tx, placementDeps, input),
}
const rootCounter = createRootCounter()
const raw: RawDeps = {
  ...{ db, log, rses, stat: (at) => mover.stat(at), copies: placementDeps.copies },
  ...{ verifiedWithinSeconds: placementDeps.verifiedWithinSeconds, addRules: productions.addRules },
}
registerRawMetrics({ db, vos, now: clock.now })
const openCopy = rangeReader({ identity, client: storageClient })
const jobDoor = {
  ...{ db, clock, rng, wakeups, identity, rses, markets, sandboxes, software, verifyArrivals },
  audience: issuerBase,
  ...{ review: outputReview(productions), addRules: productions.addRules },
  open: openCopy,
  inspect: outputInspection({ db, counter: rootCounter, open: openCopy }),
  storagesAt: async (vo: string, site: string) =>
    (await rses.all(vo)).filter((rse) => rse.attributes.site === site).map((rse) => rse.name),
}
const vomsPort = config.vomsPort ?? vomsPortOf(port)
const voms =
  vomsPort === 0
    ? undefined
    : await openVoms({
        ...{ db, identity, certificates, clock, log, home, vo: grid.vo, publicUrl: issuerBase },
        ...{ host: config.host, port: vomsPort, mostHours: config.vomsMostHours },
      })
const statusPage = createStatusPage({
  ...{ db, directory: join(home, 'status') },
  vo: async () => ({ vo: grid.vo, title: grid.title }),
})
const workers = [
  ...(voms ? [voms.worker] : []),
  counterFolder(db),
  commandReaper({ db }),
  ...identity.workers,
  crlWorker({
    ...{ trust, log },
    fetch: (url) => fetchDocument(documents, url, { maxBytes: 20 << 20 }),
    tell: (authority, seconds) => crlSecondsLeft.set({ authority }, seconds),
  }),
  ...placement.placementWorkers(placementDeps),
  ...software.workers,
  ...transferWorkers,
  ...workloadWorkers({
    ...{ db, ids, log, rses, markets, identity, sandboxes },
    remove: (url, token) => storageClient.remove(url, token),
  }),
  ...productionWorkers(productions),
  statusPage.worker,
  ...operationsWorkers({
    ...{ db, clock, rng, ids, log, rses, identity, vos, markets, doors: storageClient },
    everyMs: config.activeTestMinutes * 60_000,
    ...{ tell: identity.tell, consoleUrl: issuerBase },
    local: async () => ({
      workers: [...running.successes()].map(([name, lastSuccess]) => ({
        ...{ name: `worker ${name}`, lastSuccess, periodMs: WORKER_PERIOD_MS },
      })),
      expiries: ['server/tls.pem', 'server/people-ca.pem', 'ca/ca.pem'].map((file) => ({
        name: `certificate ${file}`,
        at: readCertificates(readFileSync(join(home, file), 'utf8'))[0]!.notAfter,
      })),
      disks: [await diskOf('disk of the server', home)],
    }),
  }),
  ...rawWorkers(raw),
]

// The doors.
const http = createHttp({
  identity,
  audience: [...new Set([issuerBase, `https://localhost:${port}`, `https://127.0.0.1:${port}`])],
  log,
  clock,
  host: config.host,
  port,
  tls: {
    cert: readFileSync(join(home, 'server', 'tls.pem')),
    key: readFileSync(join(home, 'server', 'tls.key')),
  },
  clientCertificates: {
    verifier: certificates,
    ...(config.certificatesAskedFor !== 'any' && { authorities: `${ca}${people.certificatePem}` }),
  },
  rewriteUrl: (url) => (url.startsWith('/rucio/') ? canonicalRucioUrl(url) : url),
  ready: async () => Boolean(await row(db, sql`select 1`)),
})
await http.app.register(scimDoor({ identity, address: issuerBase }))
await http.app.register(iamDoor({ identity, address: issuerBase }))
await http.app.register(oidcDoor({ identity, clock, clientRegistration: config.clientRegistration }))
await registerRucioDoor(
  http.app,
  {
    ...{ db, clock, ids, log, identity, rses, version, defaultVo: grid.vo },
    placement: {
      addRules: (tx, input) => placement.addRules(tx, placementDeps, input),
      getRule: placement.getRule,
      listRules: placement.listRules,
      updateRule: placement.updateRule,
      deleteRule: placement.deleteRule,
      moveRule: (tx, input) => placement.moveRule(tx, placementDeps, input),
      locksOfRule: placement.locksOfRule,
      gapsOfRule: placement.gapsOfRule,
      datasetLocks: placement.datasetLocks,
      usage: placement.accountUsage,
      limits: placement.accountLimits,
      setLimit: placement.setAccountLimit,
      giveUpCopies: placement.giveUpCopies,
    },
    verifyArrivals,
  },
  '/rucio',
)
await registerX509Door(http.app, {
  ...{ identity, clock, vo: grid.vo },
  authorities: [
    { certificatePem: String(ca), subjects: ['/O=Kumihimo/*'] },
    { ...people, subjects: ['/O=Kumihimo/OU=People/*'] },
  ],
})
registerGatewayBearers(http.app, { db, clock, identity, trust })
registerGatewayCredentials(http.app, { db, clock, identity, wakeups })
registerGatewayRoutes(http.app, {
  db,
  clock,
  wakeups,
  ids,
  async onReport({ gateway, areas }) {
    const site = await siteOfGateway(db, gateway)
    await noteAreas(db, { now: clock.now(), rses: await rses.all(gateway.vo), site, areas })
  },
  async onScrubFindings(tx, { gateway, area, findings }) {
    const damaged = findings.filter((finding) => finding.kind === 'mismatch').map((finding) => finding.path)
    const { vo } = gateway
    const site = await siteOfGateway(tx, gateway)
    await placement.declareDamaged(tx, { vo, now: clock.now(), rses, site, area, paths: damaged })
  },
})
registerCvmfsDoor(http.app, {
  ...{ software, vo: grid.vo },
  places: async () =>
    (await listSites(db, clock.now(), grid.vo)).flatMap(({ gateways, latitude, longitude }) =>
      gateways.map(({ endpoint }) => ({ host: new URL(endpoint).host, latitude, longitude })),
    ),
})
registerPilotRoutes(http.app, jobDoor)
await registerDiracxDoor(http.app, { ...jobDoor, log })
await registerKumiDoor(http.app, {
  db,
  jobs: jobDoor,
  raw,
  identity,
  wakeups,
  software,
  clock,
  vo: grid.vo,
  version,
  issuerBase: `${issuerBase}/iam`,
  consoleDirectory: join(import.meta.dirname, '..', 'web'),
})
registerStatusPage(http.app, { page: statusPage, clock })
voms?.register(http.app)
await http.listen()
await voms?.listen()
const running = runWorkers(workers, { clock, log, wakeups })
log.info({ port, version }, 'server ready')

async function siteOfGateway(tx: Db, { vo, siteId }: GatewayRow): Promise<string> {
  return (await listSites(tx, clock.now(), vo)).find(({ id }) => id === siteId)?.name ?? ''
}

// The end, in the order of the beginning: no new requests, workers finish or release what they hold, then the rest.
let ending = false
async function end(reason: string): Promise<void> {
  if (ending) return
  ending = true
  log.info({ reason }, 'server stops')
  await Promise.all([http.close(), voms?.close()])
  await running.stop()
  await transferWorkers.drain()
  await Promise.all([software.close(), rootCounter.close()])
  documents.close()
  issuerDocuments.close()
  originals.close()
  await Promise.all([mover.close(), storageClient.close(), wakeups.close()])
  await identity.close()
  await database.close()
  process.exit(0)
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal))
// The supervisor's end of the lifeline is gone: nobody would stop or restart us any more.
process.on('disconnect', () => void end('supervisor gone'))

function homeOption(argv: readonly string[]): { home?: string } {
  const at = argv.indexOf('--home')
  return at > 0 && argv[at + 1] ? { home: argv[at + 1]! } : {}
}

async function diskOf(name: string, directory: string) {
  const { bsize, blocks, bavail } = await statfs(directory)
  return { name, freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** A home too deep for a unix socket has it elsewhere and says where. */
function socketDirectory(directory: string): string {
  const postgres = join(directory, 'postgres')
  try {
    return readFileSync(join(postgres, 'socket-directory'), 'utf8').trim()
  } catch {
    return postgres
  }
}
