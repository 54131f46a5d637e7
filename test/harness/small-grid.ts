import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { adler32, adler32Hex } from '../../src/kernel/adler32.ts'

interface KnownFile {
  bytes: number
  adler32: string
  md5: string
  meta?: Record<string, unknown>
  states: Record<string, string>
}

/** The few doors the data commands call, in memory and over real TLS, with two storages A and B. */
export interface SmallGrid {
  readonly home: string
  readonly environment: Record<string, string>
  readonly files: Map<string, KnownFile>
  readonly datasets: Map<string, Set<string>>
  /** Content by URL path. */
  readonly stored: Map<string, Buffer>
  readonly log: string[]
  /** Answers some requests otherwise, to play a fault. */
  fault: ((request: string) => number | undefined) | undefined
  close(): Promise<void>
}

export async function startSmallGrid(): Promise<SmallGrid> {
  const home = await mkdtemp(join(tmpdir(), 'kumi-cli-'))
  const { key, certificate } = await selfSigned()
  const caFile = join(home, 'ca', 'ca.pem')
  await mkdir(join(home, 'ca'))
  await writeFile(caFile, certificate)
  const server = createServer({ key, cert: certificate })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = (server.address() as AddressInfo).port
  const grid: SmallGrid = {
    home,
    environment: {
      KUMI_HOME: home,
      KUMI_SERVER: `https://localhost:${port}`,
      KUMI_CA: caFile,
      BEARER_TOKEN: 't',
    },
    files: new Map(),
    datasets: new Map(),
    stored: new Map(),
    log: [],
    fault: undefined,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(home, { recursive: true, force: true })
    },
  }
  const scopes = new Set<string>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void serve(grid, scopes, port, request, response)
  })
  return grid
}

async function serve(
  grid: SmallGrid,
  scopes: Set<string>,
  port: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url!, `https://localhost:${port}`)
  const line = `${request.method} ${url.pathname}`
  grid.log.push(line)
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    return
  }
  const body = Buffer.concat(chunks)
  const fault = grid.fault?.(line)
  const answer = (status: number, value?: unknown, headers: Record<string, string> = {}) =>
    response.writeHead(status, headers).end(value === undefined ? '' : JSON.stringify(value))
  if (fault !== undefined)
    return void answer(fault, { ExceptionClass: 'Fault', ExceptionMessage: 'A fault is played' })
  if (/^\/[AB]\//.test(url.pathname)) return void store(grid, url.pathname, request, response, body)
  if (request.headers.authorization !== 'Bearer t' && !url.pathname.startsWith('/iam'))
    return void answer(401, { ExceptionClass: 'CannotAuthenticate', ExceptionMessage: 'No token' })

  const json = (body.length > 0 && body[0] === 0x7b ? JSON.parse(body.toString()) : {}) as {
    rse: string
    files: (KnownFile & { scope: string; name: string; state: string })[]
    dids: { scope: string; name: string }[]
    attachments: { scope: string; name: string; dids: { scope: string; name: string }[] }[]
  }
  const parts = url.pathname.split('/').slice(2).map(decodeURIComponent)
  const noScope = { ExceptionClass: 'ScopeNotFound', ExceptionMessage: 'Scope does not exist' }
  const rse = (name: string) => ({
    rse: name,
    availability_write: true,
    protocols: [{ scheme: 'https', hostname: 'localhost', port, prefix: `/${name}/` }],
  })
  switch (`${request.method} ${parts[0]}${parts[0] === 'replicas' && parts[1] ? '/list' : ''}`) {
    case 'POST demo':
      if (new URLSearchParams(body.toString()).get('password') !== 'right')
        return void answer(400, { error: 'invalid_grant', error_description: 'Wrong user name or password' })
      return void answer(200, { access_token: `x.${Buffer.from('{"sub":"mika"}').toString('base64url')}.y` })
    case 'GET accounts':
      return void answer(200, { account: 'mika', account_type: 'USER', status: 'ACTIVE' })
    case 'POST accounts':
      scopes.add(parts[3]!)
      return void answer(201)
    case 'GET rses':
      if (parts[1] && !['A', 'B'].includes(parts[1]))
        return void answer(404, {
          ExceptionClass: 'RSENotFound',
          ExceptionMessage: `RSE ${parts[1]} does not exist`,
        })
      return void answer(200, rse(parts[1] || 'A'))
    case 'POST dids': {
      if (parts[1] === 'attachments') {
        for (const { scope, name, dids } of json.attachments)
          for (const did of dids) grid.datasets.get(`${scope}:${name}`)!.add(`${did.scope}:${did.name}`)
        return void answer(201)
      }
      const did = `${parts[1]}:${parts[2]}`
      if (parts[3] === 'meta') return void answer(201)
      if (!scopes.has(parts[1]!)) return void answer(404, noScope)
      if (grid.datasets.has(did))
        return void answer(409, { ExceptionClass: 'DataIdentifierAlreadyExists', ExceptionMessage: 'exists' })
      grid.datasets.set(did, new Set())
      return void answer(201)
    }
    case 'GET dids':
      return void answer(200, { type: grid.datasets.has(`${parts[1]}:${parts[2]}`) ? 'DATASET' : 'FILE' })
    case 'POST replicas':
      for (const { scope, name, state, ...file } of json.files) {
        if (!scopes.has(scope)) return void answer(404, noScope)
        const known = grid.files.get(`${scope}:${name}`)
        grid.files.set(`${scope}:${name}`, { ...file, states: { ...known?.states, [json.rse]: state } })
      }
      return void answer(201)
    case 'PUT replicas':
      for (const { scope, name, state } of json.files)
        grid.files.get(`${scope}:${name}`)!.states[json.rse] = state
      return void answer(200)
    case 'DELETE replicas':
      for (const { scope, name } of json.files) delete grid.files.get(`${scope}:${name}`)!.states[json.rse]
      return void answer(200)
    case 'POST replicas/list': {
      const names = json.dids.flatMap(({ scope, name }) => [
        ...(grid.datasets.get(`${scope}:${name}`) ?? [`${scope}:${name}`]),
      ])
      for (const name of names) {
        const file = grid.files.get(name)
        if (file) response.write(`${JSON.stringify(listed(grid, port, name, file))}\n`)
      }
      return void response.end()
    }
    default:
      return void answer(404, { ExceptionClass: 'Missing', ExceptionMessage: `no such door: ${line}` })
  }
}

function listed(grid: SmallGrid, port: number, did: string, file: KnownFile) {
  const [scope, name] = did.split(':') as [string, string]
  const states = Object.fromEntries(
    Object.entries(file.states).map(([rse, state]) => [rse, state === 'A' ? 'AVAILABLE' : 'COPYING']),
  )
  const pfns: Record<string, unknown> = {}
  for (const path of grid.stored.keys()) {
    const rse = path[1]!
    if (path.endsWith(`/${name}`) && states[rse] === 'AVAILABLE')
      pfns[`https://localhost:${port}${path}`] = { rse, priority: rse === 'A' ? 1 : 2 }
  }
  return { scope, name, bytes: file.bytes, adler32: file.adler32, md5: file.md5, states, pfns }
}

function store(
  grid: SmallGrid,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): void {
  if (request.method === 'PUT') {
    grid.stored.set(path, body)
    response.writeHead(201).end()
    return
  }
  const content = grid.stored.get(path)
  if (!content) {
    response.writeHead(404).end()
    return
  }
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const part = content.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': part.length,
    digest: `adler32=${adler32Hex(adler32(content))}`,
  })
  response.end(request.method === 'HEAD' ? undefined : part)
}

async function selfSigned(): Promise<{ key: string; certificate: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=localhost',
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
      ],
    },
    webcrypto as never,
  )
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n`,
    certificate: certificate.toString('pem'),
  }
}
