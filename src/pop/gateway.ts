import { mkdirSync, readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { createServer as createPlainServer, type Server } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { segmentsOfTarget } from '../doors/webdav/paths.ts'
import { storageDoor } from '../doors/webdav/storage-door.ts'
import {
  CLIENT_CERTIFICATE_OPTIONS,
  clientCertificates,
  createTokenVerifier,
  openTrustDirectory,
} from '../identity/verifier.ts'
import { refreshCrls, toPem } from '../identity/x509/index.ts'
import { createLogger } from '../kernel/log.ts'
import { type Clock, systemPorts } from '../kernel/ports.ts'
import { backoffMs } from '../kernel/retry.ts'
import { fetchDocument } from '../storage/documents.ts'
import { guardedOutbound } from '../storage/outbound.ts'
import { posixDriver } from '../storage/posix.ts'
import { version } from '../version.ts'
import { batchSystems } from './batch/systems.ts'
import { certificateBearers } from './bearers.ts'
import { jsonRequest, serverChannel } from './channel.ts'
import type { GatewayConfig } from './config.ts'
import { knownCredentials } from './credentials.ts'
import { createOrders, type Order } from './orders.ts'
import { pilotKeeper } from './pilots.ts'
import { type AreaUsage, resourceReport } from './resource-report.ts'
import { type ScrubFinding, scrub } from './scrub.ts'
import { type SoftwareDoor, softwareDoor } from './software-door.ts'
import { usageCounter } from './usage.ts'

export interface Gateway {
  readonly port: number
  /** Stops accepting, lets running requests finish for at most ten seconds. */
  close(): Promise<void>
}

/** The gateway of a site: storage door, reports, commands, scrub. Serves also while the server is away. */
export async function startGateway(
  config: GatewayConfig,
  { clock }: { readonly clock: Clock } = systemPorts,
): Promise<Gateway> {
  const log = createLogger({
    name: `gateway-${config.name}`,
    ...(config.logFile && { file: config.logFile }),
  })
  const now = clock.now
  const area = join(config.directory, 'storage', config.vo)
  const keys = join(config.directory, 'jwks.json')
  mkdirSync(area, { recursive: true, mode: 0o700 })
  const ca = readFileSync(config.ca)
  const driver = posixDriver(area)
  const swept = await driver.sweep()
  if (swept > 0) log.info({ swept }, 'removed unfinished uploads')
  const usage = usageCounter(driver, join(config.directory, 'usage.json'))
  const stopping = new AbortController()

  const channel = serverChannel(config, ca, now)
  const credentials = knownCredentials({
    ...{ channel, clock, log },
    file: join(config.directory, 'credentials.json'),
  })
  const own = createTokenVerifier({
    refusal: credentials.refusal,
    issuers: [
      { issuer: config.issuer, vo: config.vo, jwksUrl: `${config.issuer}/.well-known/openid-configuration` },
    ],
    fetch: async (url) => {
      const about = await jsonRequest(url, { ca })
      if (!about.ok) return about
      return jsonRequest(((await about.json()) as { jwks_uri: string }).jwks_uri, { ca })
    },
    clock,
    store: {
      load: async () => JSON.parse(await readFile(keys, 'utf8').catch(() => 'null')) ?? undefined,
      save: async (_issuer, jwks) => {
        await writeFile(`${keys}.new`, JSON.stringify(jwks))
        await rename(`${keys}.new`, keys)
      },
    },
    onProblem: (message, facts) => log.warn(facts, message),
  })
  const outbound = guardedOutbound({ allowed: config.peers, ca })
  const trust = openTrustDirectory({
    ...{ directories: config.trust, clock },
    onProblem: (file, error) => log.warn({ file, err: error }, 'not usable in the trust directory'),
  })
  const certificates = clientCertificates({ trust, clock })
  const bearers = certificateBearers({ channel, clock, refusal: credentials.refusal })
  const door = storageDoor({
    vo: config.vo,
    driver,
    verifier: credentials.verifier(own),
    endpoint: config.endpoint,
    log,
    now,
    resourceReport: async () =>
      resourceReport({
        name: config.name,
        endpoint: config.endpoint,
        vo: config.vo,
        version,
        areas: await areas(),
        now: now(),
      }),
    outbound,
    bearerOf: async (socket) => {
      const chain = await certificates.of(socket)
      return chain && bearers.of(chain)
    },
    onChange: usage.change,
  })
  const software =
    config.softwareCacheBytes > 0
      ? await softwareDoor({
          ...{ server: config.server, endpoint: config.endpoint, ca, now, log },
          ...{ directory: join(config.directory, 'software'), mostBytes: config.softwareCacheBytes },
        })
      : undefined
  const server = createServer(
    {
      cert: readFileSync(join(config.directory, 'tls.pem')),
      key: readFileSync(join(config.directory, 'tls.key')),
      ...(config.trust.length > 0 && CLIENT_CERTIFICATE_OPTIONS),
      highWaterMark: 256 << 10,
      requestTimeout: 0,
      keepAliveTimeout: 30_000,
    },
    (request, response) =>
      software?.takes(request) ? software.handle(request, response) : door(request, response),
  )
  server.on('checkContinue', door)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.port, config.host, resolve)
  })
  const plain = software && config.softwarePort > 0 ? await plainDoor(software) : undefined
  const pilots = pilotKeeper({
    ...{ config, channel, clock, log },
    softwareServers: software ? [config.endpoint] : [],
    batches: batchSystems({
      ...{ directory: config.directory, gateway: config.name, log },
      authorities: async () => [
        ...rootCertificates,
        ca.toString(),
        ...(await trust.current()).all.map(({ certificate }) => toPem('CERTIFICATE', certificate.der)),
      ],
      async tokenFor(place) {
        const answer = await channel.post(`compute/${place}/token`, {})
        const { token, expiresAt } = (await answer.json()) as { token: string; expiresAt: string }
        return { token, expiresAt: new Date(expiresAt) }
      },
      program: join(import.meta.dirname, '..', 'pilot', 'main.js'),
    }),
  })
  const orders = createOrders(
    {
      pilots: (payload) => pilots.start(payload),
      'test-pilots': (payload) => pilots.test(payload),
      scrub: ({ path, limit }) =>
        scrubAndTell(
          typeof path === 'string' ? path : '/',
          typeof limit === 'number' ? limit : Number.MAX_SAFE_INTEGER,
          async () => undefined,
        ),
    },
    { channel, clock, log, signal: stopping.signal },
  )
  const counted = count()
  const loops = [
    recount(),
    reports(),
    commands(),
    backgroundScrub(),
    revocations(),
    credentials.follow(stopping.signal),
    pilots.watch(stopping.signal),
    followSoftware(),
  ].map((loop) => loop.catch((error) => log.error({ err: error }, 'gateway loop ended')))
  log.info({ port: config.port }, 'storage door is open')

  /** What is signed and named by its content needs no TLS. */
  async function plainDoor(door: SoftwareDoor): Promise<Server> {
    const opened = createPlainServer((request, response) => {
      if (door.takes(request)) door.handle(request, response)
      else response.writeHead(403).end()
    })
    await new Promise<void>((resolve, reject) => {
      opened.once('error', reject)
      opened.listen(config.softwarePort, config.host, resolve)
    })
    return opened
  }

  async function areas(): Promise<AreaUsage[]> {
    const used = usage.now()
    if (!used) return []
    const { freeBytes } = await driver.space()
    return [
      {
        path: `/${config.vo}`,
        totalBytes: used.bytes + freeBytes,
        usedBytes: used.bytes,
        files: used.files,
      },
    ]
  }

  async function count(): Promise<void> {
    await usage.recount(stopping.signal).catch((error) => {
      if (!stopping.signal.aborted) log.warn({ err: error }, 'usage not counted')
    })
  }

  /** Counters drift after a crash, and when others than this door change files; once an hour they are made true again. */
  async function recount(): Promise<void> {
    for (await counted; !stopping.signal.aborted; await count()) await clock.sleep(3_600_000, stopping.signal)
  }

  async function reports(): Promise<void> {
    // A new area is counted in no time; one full of files is reported without figures until it is.
    if (!usage.now()) await Promise.race([counted, clock.sleep(1_000, stopping.signal)])
    while (!stopping.signal.aborted) {
      await channel
        .post('report', {
          ...{ version, areas: await areas(), rssBytes: process.memoryUsage.rss() },
          ...(software && { software: software.report() }),
        })
        .catch((error) => log.debug({ err: error }, 'report not delivered'))
      await usage.save().catch((error) => log.warn({ err: error }, 'usage not kept'))
      await clock.sleep(5_000, stopping.signal)
    }
  }

  async function followSoftware(): Promise<void> {
    while (software && !stopping.signal.aborted) {
      await clock.sleep(60_000, stopping.signal)
      if (!stopping.signal.aborted) await software.refresh().catch(() => undefined)
    }
  }

  async function commands(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        const answer = await channel.get('commands?wait=20', stopping.signal)
        failures = 0
        orders.take(((await answer.json()) as { commands: Order[] }).commands)
      } catch {
        await clock.sleep(
          backoffMs(++failures, { firstMs: 500, capMs: 15_000 }, { next: Math.random }),
          stopping.signal,
        )
      }
    }
  }

  async function scrubAndTell(path: string, limit: number, pace: (bytes: number) => Promise<void>) {
    let [checked, bad] = [0, 0]
    let batch: ScrubFinding[] = []
    const send = async (): Promise<void> => {
      if (batch.length > 0) await channel.post('scrub-report', { area: `/${config.vo}`, findings: batch })
      batch = []
    }
    for await (const finding of scrub(driver, segmentsOfTarget(encodeURI(path)), limit, pace)) {
      checked++
      if (finding) batch.push(finding)
      if (finding?.kind === 'mismatch') bad++
      if (batch.length >= 200) await send()
      if (stopping.signal.aborted) break
    }
    await send()
    return { checked, bad }
  }

  async function backgroundScrub(): Promise<void> {
    if (config.scrubBytesPerSecond === 0) return
    const pace = (bytes: number): Promise<void> =>
      clock.sleep((bytes / config.scrubBytesPerSecond) * 1000, stopping.signal)
    while (!stopping.signal.aborted) {
      await clock.sleep(600_000, stopping.signal)
      if (stopping.signal.aborted) return
      await scrubAndTell('/', Number.MAX_SAFE_INTEGER, pace).catch((error) =>
        log.warn({ err: error }, 'scrub interrupted'),
      )
    }
  }

  async function revocations(): Promise<void> {
    if (config.trust.length === 0) return
    const { hostname, port } = new URL(config.server)
    const allowed = [`${hostname}:${port || 443}`]
    const documents = guardedOutbound({ allowed, publicDocuments: true, ca })
    const fetch = (url: string): Promise<Buffer> => fetchDocument(documents, url, { maxBytes: 20 << 20 })
    while (!stopping.signal.aborted) {
      const { failed } = await refreshCrls({ trust, log, fetch }, now())
      await clock.sleep(failed.length > 0 ? 900_000 : 3_600_000, stopping.signal)
    }
    documents.close()
  }

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      stopping.abort()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), 10_000)
      await closed
      clearTimeout(timer)
      plain?.close()
      plain?.closeAllConnections()
      software?.close()
      outbound.close()
      await Promise.all([...loops, orders.settled()])
      await pilots.stop()
      await usage.save()
    },
  }
}
