import { createHash, randomBytes, randomUUID } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addFiles,
  addRse,
  addRseProtocol,
  changeReplicaStates,
  computePath,
  createRseTable,
  createScope,
  findDids,
  prepareReplicas,
  type Rse,
  type RseTable,
} from '../../src/catalog/index.ts'
import { createIdentity, type Identity } from '../../src/identity/index.ts'
import { adler32, adler32Hex } from '../../src/kernel/adler32.ts'
import { listen, runWorkers, silentLogger, systemPorts, type Wakeups } from '../../src/kernel/index.ts'
import { type Gateway, startGateway } from '../../src/pop/gateway.ts'
import {
  createGatewayMover,
  createTransferWorkers,
  type Mover,
  requestTransfers,
  type TransferOutcome,
  verifyArrivals,
} from '../../src/transfer/index.ts'
import { localCertificates } from '../harness/certificates.ts'
import { testDatabase } from '../harness/database.ts'

const database = testDatabase()
const { clock, rng, ids } = systemPorts
const vo = 'demo'
const home = mkdtempSync(join(tmpdir(), 'kumi-transfer-gateways-'))
const ports = { A: 18451 + (process.pid % 500) * 3, B: 18452 + (process.pid % 500) * 3 }
const gateways = new Map<'A' | 'B', Gateway>()
let issuer: Server
let identity: Identity
let mover: Mover
let wakeups: Wakeups
let rses: RseTable
let stop: () => Promise<void> = async () => undefined
const outcomes: TransferOutcome[] = []

async function startSite(name: 'A' | 'B'): Promise<void> {
  const directory = join(home, name)
  mkdirSync(directory, { recursive: true })
  for (const file of ['tls.pem', 'tls.key']) copyFileSync(join(home, file), join(directory, file))
  gateways.set(
    name,
    await startGateway({
      name,
      server: 'https://localhost:1',
      endpoint: `https://localhost:${ports[name]}`,
      host: '127.0.0.1',
      port: ports[name],
      directory,
      ca: join(home, 'ca.pem'),
      vo,
      issuer: identity.issuer(vo),
      logFile: join(home, `${name}.log`),
      scrubBytesPerSecond: 0,
      softwareCacheBytes: 0,
      softwarePort: 0,
      pilotIdleSeconds: 60,
      pilotHeartbeatSeconds: 60,
      peers: Object.values(ports).map((port) => `localhost:${port}`),
      trust: [],
    }),
  )
}

beforeAll(async () => {
  const { tls } = await localCertificates(home)
  issuer = createServer(tls, (request, response) => {
    const base = identity.issuer(vo)
    if (!request.url?.endsWith('/jwks')) {
      const discovery = { issuer: base, jwks_uri: `${base}/jwks`, token_endpoint: `${base}/token` }
      return void response.end(JSON.stringify(discovery))
    }
    void identity.jwks(vo).then((keys) => response.end(JSON.stringify(keys)))
  })
  await new Promise<void>((resolve) => issuer.listen(0, resolve))
  const issuerBase = `https://localhost:${(issuer.address() as AddressInfo).port}`
  const { db, pool } = database
  identity = createIdentity({ db, clock, ids, log: silentLogger, issuerBase, sealKey: randomBytes(32) })
  await identity.createVo({ id: vo, title: 'Demo' })
  await identity.rotateSigningKeys(new Date())
  const now = new Date()
  await createScope(db, { vo, now, name: 's', accountId: 1 })
  for (const name of ['A', 'B'] as const) {
    await startSite(name)
    await addRse(db, { vo, now, uuid: randomUUID(), name })
    await addRseProtocol(db, {
      vo,
      now,
      rse: name,
      protocol: {
        scheme: 'https',
        hostname: 'localhost',
        port: ports[name],
        prefix: '/demo/',
        impl: 'rucio.rse.protocols.webdav.Default',
        domains: {
          lan: { read: 1, write: 1, delete: 1 },
          wan: { read: 1, write: 1, delete: 1, thirdPartyRead: 1, thirdPartyWrite: 1 },
        },
        extendedAttributes: null,
      },
    })
  }
  wakeups = await listen(pool, silentLogger)
  rses = createRseTable(db, wakeups)
  mover = createGatewayMover({ identity, clock, ca: readFileSync(join(home, 'ca.pem')) })
  const workers = createTransferWorkers({
    ...{ db, clock, rng, ids, log: silentLogger, rses, mover, maxActive: 32 },
    settle: async (_, input) => void outcomes.push(...input.outcomes),
  })
  const loops = runWorkers(workers, { clock, log: silentLogger, wakeups })
  stop = () => loops.stop().then(() => workers.drain())
})

afterAll(async () => {
  await stop()
  await mover?.close()
  await wakeups?.close()
  await Promise.all([...gateways.values()].map((gateway) => gateway.close()))
  issuer?.closeAllConnections()
  issuer?.close()
  rmSync(home, { recursive: true, force: true })
})

const onDisk = (rse: 'A' | 'B', name: string) =>
  join(home, rse, 'storage/demo', computePath({ attributes: {} }, { scope: 's', name }))

/** Files lying at A and known to the catalogue; returns their ids. */
async function filesAtA(
  made: readonly { name: string; content: Buffer; claimed?: Buffer }[],
): Promise<bigint[]> {
  const now = new Date()
  const files = made.map(({ name, content, claimed = content }) => {
    mkdirSync(dirname(onDisk('A', name)), { recursive: true })
    writeFileSync(onDisk('A', name), content)
    const md5 = createHash('md5').update(claimed).digest('hex')
    return { scope: 's', name, bytes: BigInt(claimed.length), adler32: adler32Hex(adler32(claimed)), md5 }
  })
  await addFiles(database.db, { vo, now, accountId: 1, files })
  const found = await findDids(database.db, { vo, dids: files })
  const rse = await rses.byName(vo, 'A')
  const replicas = found.map((did) => ({ fileId: did!.id, rseId: rse.id }))
  await prepareReplicas(database.db, { now, replicas })
  await changeReplicaStates(database.db, { vo, now, replicas, from: ['COPYING'], to: 'AVAILABLE' })
  return found.map((did) => did!.id)
}

async function wish(fileIds: readonly bigint[], to: Rse, overwrite = false): Promise<void> {
  const wishes = fileIds.map((fileId) => ({
    ...{ fileId, dstRseId: to.id, bytes: 1n, activity: 'test', priority: 3, overwrite },
  }))
  await requestTransfers(database.db, { vo, now: new Date(), ids, wishes })
}

async function ended(n: number): Promise<TransferOutcome[]> {
  for (let i = 0; i < 1400; i++) {
    const found = outcomes.filter((o) => o.result !== 'retrying')
    if (found.length >= n) return outcomes.splice(0)
    await clock.sleep(20)
  }
  throw new Error(`only ${outcomes.length} ended: ${JSON.stringify(outcomes.map((o) => o.error))}`)
}

describe('transfers between gateways', () => {
  test('bring every byte over TLS with tokens for one file each, and verify it', async () => {
    const made = Array.from({ length: 100 }, (_, i) => ({ name: `many.${i}`, content: randomBytes(20_000) }))
    made.push({ name: 'large', content: randomBytes(30_000_000) })
    const list = made
    const fileIds = await filesAtA(list)
    const began = performance.now()
    await wish(fileIds, await rses.byName(vo, 'B'))
    const results = await ended(fileIds.length)
    expect(results.map((o) => o.result)).toEqual(fileIds.map(() => 'done'))
    for (const { name, content } of list.slice(-3))
      expect(readFileSync(onDisk('B', name)).equals(content)).toBe(true)
    console.info(`${fileIds.length} files in ${Math.round(performance.now() - began)} ms`)
    const files = list.map(({ name, content }) => ({
      ...{
        scope: 's',
        name,
        bytes: BigInt(content.length),
        adler32: adler32Hex(adler32(content)),
        md5: null,
      },
    }))
    const rse = await rses.byName(vo, 'B')
    await verifyArrivals({ mover }, { vo, rse, files })
    const wrong = [
      { ...files[0]!, adler32: '00000001' },
      { ...files[1]!, name: 'nowhere' },
    ]
    await expect(verifyArrivals({ mover }, { vo, rse, files: wrong })).rejects.toMatchObject({
      code: 'files_not_arrived',
      details: { files: [{ did: 's:many.0' }, { did: 's:nowhere' }] },
    })
  })

  test('refuse bytes that are not the file, and leave none of them', async () => {
    const fileIds = await filesAtA([
      { name: 'rotten', content: Buffer.from('abc'), claimed: Buffer.from('abd') },
    ])
    await wish(fileIds, await rses.byName(vo, 'B'))
    const results = await ended(1)
    expect(results.at(-1)).toMatchObject({
      result: 'failed',
      error: { code: 'checksum_mismatch', party: 'source' },
    })
    expect(existsSync(onDisk('B', 'rotten'))).toBe(false)
  })

  test('replace what lies at the destination when told to', async () => {
    const content = randomBytes(1000)
    const fileIds = await filesAtA([{ name: 'healed', content }])
    mkdirSync(dirname(onDisk('B', 'healed')), { recursive: true })
    writeFileSync(onDisk('B', 'healed'), 'damaged')
    await wish(fileIds, await rses.byName(vo, 'B'), true)
    expect(await ended(1)).toMatchObject([{ result: 'done', attempts: 1 }])
    expect(readFileSync(onDisk('B', 'healed')).equals(content)).toBe(true)
  })

  test('adopt a file that arrived in a start nobody remembers', async () => {
    const content = randomBytes(1000)
    const fileIds = await filesAtA([{ name: 'known', content }])
    mkdirSync(dirname(onDisk('B', 'known')), { recursive: true })
    writeFileSync(onDisk('B', 'known'), content)
    await wish(fileIds, await rses.byName(vo, 'B'))
    expect((await ended(1)).at(-1)).toMatchObject({ result: 'adopted', attempts: 2 })
  })

  test('wait for a site that was switched off, source or destination', async () => {
    for (const site of ['A', 'B'] as const) {
      await gateways.get(site)!.close()
      const fileIds = await filesAtA([{ name: `patient.${site}`, content: randomBytes(5000) }])
      await wish(fileIds, await rses.byName(vo, 'B'))
      for (let i = 0; i < 500 && outcomes.length === 0; i++) await clock.sleep(20)
      expect(outcomes[0]).toMatchObject({ result: 'retrying' })
      await startSite(site)
      expect((await ended(1)).at(-1)).toMatchObject({ result: 'done' })
    }
  })
})
