import { type ChildProcess, execFile, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpsRequest } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Gateway, startGateway } from '../../src/pop/gateway.ts'
import { localCertificates } from './certificates.ts'

const run = promisify(execFile)
export const everything = 'storage.read:/ storage.modify:/'
const program = join(import.meta.dirname, '../../dist/src/pop/main.js')

export interface Claims {
  readonly audience?: string
  /** Seconds from now; negative: expired. */
  readonly lifetime?: number
  readonly issuer?: string
}

export interface Site {
  readonly name: string
  readonly port: number
  readonly endpoint: string
  /** The VO's area in the file system. */
  readonly area: string
  readonly configFile: string
  url(path: string): string
}

/** A certificate authority, a token issuer and sites whose gateways run here or as programs of their own. */
export async function gatewayWorld(names: readonly string[]) {
  const home = mkdtempSync(join(tmpdir(), 'kumi-gateways-'))
  const { files, tls } = await localCertificates(home)
  const { ca, certificates } = files

  const pair = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }
  const issuerServer = createServer(tls, (request, answer) => {
    const about = { issuer, jwks_uri: `${issuer}/jwks`, token_endpoint: `${issuer}/token` }
    if (request.method === 'POST') answer.statusCode = 503
    answer.end(JSON.stringify(request.url?.endsWith('/jwks') ? { keys: [jwk] } : about))
  })
  const issuerPort = await freePort()
  const issuer = `https://localhost:${issuerPort}/iam/demo`
  const openIssuer = async (): Promise<void> => {
    issuerServer.listen(issuerPort, '127.0.0.1')
    await once(issuerServer, 'listening')
  }
  const closeIssuer = (): void => {
    issuerServer.closeAllConnections()
    issuerServer.close()
  }

  const ports = await Promise.all(names.map(freePort))
  const sites = names.map((name, i): Site => {
    const directory = join(home, name)
    mkdirSync(directory)
    writeFileSync(join(directory, 'tls.pem'), tls.cert)
    writeFileSync(join(directory, 'tls.key'), tls.key)
    writeFileSync(join(directory, 'client-secret'), 'secret')
    const port = ports[i]!
    const endpoint = `https://localhost:${port}`
    const configFile = join(directory, 'gateway.json')
    const config = {
      ...{ name, endpoint, port, directory, issuer, host: '127.0.0.1', vo: 'demo', ca },
      ...{ server: `https://localhost:${issuerPort}`, scrubBytesPerSecond: 0 },
      ...{ logFile: join(home, `${name}.log`), peers: ports.map((p) => `localhost:${p}`) },
    }
    writeFileSync(configFile, JSON.stringify(config))
    const area = join(directory, 'storage/demo')
    return { name, port, endpoint, area, configFile, url: (path) => `${endpoint}/demo${path}` }
  })

  const mint = (scope: string, claims: Claims = {}): Promise<string> => {
    const now = Math.floor(Date.now() / 1000)
    const { audience = 'https://wlcg.cern.ch/jwt/v1/any', lifetime = 600 } = claims
    return new SignJWT({ scope, 'wlcg.ver': '1.0' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
      .setIssuer(claims.issuer ?? issuer)
      .setSubject('tester')
      .setAudience(audience)
      .setJti(crypto.randomUUID())
      .setIssuedAt(now - 3600)
      .setNotBefore(now - 3600)
      .setExpirationTime(now + lifetime)
      .sign(pair.privateKey)
  }

  const children = new Set<ChildProcess>()
  const gateways: Gateway[] = []
  return {
    ...{ home, ca, certificates, tls, issuer, sites, mint, openIssuer, closeIssuer },
    async startHere(site: Site): Promise<void> {
      const { readGatewayConfig } = await import('../../src/pop/config.ts')
      gateways.push(await startGateway(readGatewayConfig(site.configFile)))
    },
    /** The compiled program; resolves when its door answers. `diskMegabytes` gives it a small disk of its own. */
    async startProgram(site: Site, diskMegabytes?: number): Promise<ChildProcess> {
      const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc']
      const args = [program, '--config', site.configFile]
      // A mount namespace of its own: the small disk disappears with the program, however it ends.
      const mount = `mkdir -p "$0" && mount -t tmpfs -o size=${diskMegabytes}m tmpfs "$0" && exec "$@"`
      const user = process.getuid?.() === 0 ? [] : ['--map-root-user']
      const inside = ['--mount', ...user, 'sh', '-c', mount, dirname(site.area), process.execPath]
      const child =
        diskMegabytes === undefined
          ? spawn(process.execPath, args, { stdio })
          : spawn('unshare', [...inside, ...args], { stdio })
      children.add(child)
      child.once('exit', () => children.delete(child))
      while (child.exitCode === null && !(await answers(site, readFileSync(ca)))) await delay(20)
      return child
    },
    /** curl with a fresh token (or the one given): status, and headers with body. */
    async curl(scope: string | { token: string }, ...rest: string[]): Promise<[number, string]> {
      const token = typeof scope === 'string' ? await mint(scope) : scope.token
      const common = ['-sS', '-4', '--cacert', ca, '--path-as-is', '-i', '-w', '\n%{http_code}']
      const { stdout } = await run('curl', [...common, '-H', `Authorization: Bearer ${token}`, ...rest])
      const at = stdout.lastIndexOf('\n')
      return [Number(stdout.slice(at + 1)), stdout.slice(0, at)]
    },
    async close(): Promise<void> {
      for (const child of children) {
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }
      await Promise.all(gateways.map((gateway) => gateway.close()))
      closeIssuer()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

function answers(site: Site, ca: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = httpsRequest(`${site.endpoint}/healthz`, { ca, family: 4, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })
}

async function freePort(): Promise<number> {
  const server = createTcpServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
