// A pretended grid for drawing screens without a server: fixed answers in the wire shapes of the doors. Tests only.
import { createReadStream, existsSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

const at = (secondsAgo: number) =>
  new Date(Date.UTC(2026, 10, 21, 4, 30, 0) - secondsAgo * 1000).toISOString()
const site = (
  name: string,
  title: string,
  country: string,
  latitude: number,
  longitude: number,
  state: string,
  reason: string | null,
  share: number,
) => ({
  name,
  title,
  country,
  latitude,
  longitude,
  state,
  reason,
  gateway: name,
  endpoint: `https://localhost:7451`,
  version: '0.1.0',
  lastSeen: at(3),
  storages: [`${name.toUpperCase()}-DISK`],
  files: 326,
  usedBytes: share * 4e12,
  totalBytes: 4e12,
})
const sites = [
  site('kek', 'KEK, Tsukuba', 'JP', 36.15, 140.08, 'ok', null, 0.31),
  site('osaka', 'University of Osaka', 'JP', 34.82, 135.52, 'degraded', 'full', 0.96),
  site('chicago', 'University of Chicago', 'US', 41.79, -87.6, 'ok', null, 0.12),
  site('karlsruhe', 'KIT, Karlsruhe', 'DE', 49.1, 8.43, 'down', 'silent', 0.44),
  site('melbourne', 'University of Melbourne', 'AU', -37.8, 144.96, 'unknown', 'unregistered', 0),
]
const link = (
  source: string,
  destination: string,
  done: number,
  failed: number,
  active: number,
  speed: number,
  lastError: string | null = null,
) => ({
  source: `${source.toUpperCase()}-DISK`,
  destination: `${destination.toUpperCase()}-DISK`,
  sourceSite: source,
  destinationSite: destination,
  active,
  done,
  failed,
  bytes: done * 1.1e7,
  rateBytesPerSecond: speed,
  maxActive: 8,
  rationale:
    'Success was 100 % in the last interval and the rate grew by 12 %: two more copies at once are tried.',
  blockedUntil: null,
  lastError,
})
const refused = 'connection refused by https://karlsruhe.example:7451 (ECONNREFUSED)'
const links = [
  link('kek', 'osaka', 318, 4, 3, 8.4e7),
  link('kek', 'chicago', 326, 0, 6, 4.1e8),
  link('kek', 'karlsruhe', 12, 71, 0, 0, refused),
  link('osaka', 'chicago', 40, 11, 0, 0),
  link('chicago', 'osaka', 96, 1, 1, 2.3e7),
]
const ids = ['1', '2', '3', '4'].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
const rule = (
  index: number,
  name: string,
  expression: string,
  state: string,
  reason: string | null,
  files: number,
  moving: number,
  failed: number,
  missing: number,
) => ({
  id: ids[index],
  scope: 'raw',
  name,
  type: 'DATASET',
  account: 'dataops',
  expression,
  copies: 2,
  grouping: 'DATASET',
  state,
  reason,
  activity: 'Raw export',
  comments: null,
  createdAt: at(7200),
  updatedAt: at(60),
  expiresAt: null,
  stuckAt: state === 'STUCK' ? at(900) : null,
  files,
  bytes: files * 1.1e6,
  missing,
  moving,
  failed,
  missingBytes: missing * 1.1e6,
})
const rules = [
  rule(0, 'run-000042', 'country=DE', 'STUCK', refused, 326, 0, 71, 12),
  rule(1, 'run-000043', 'osaka|chicago', 'REPLICATING', null, 652, 38, 0, 104),
  rule(2, 'run-000041', 'country=US', 'OK', null, 320, 0, 0, 0),
  rule(3, 'run-000040', 'site=kek', 'OK', null, 320, 0, 0, 0),
]
const transfer = (n: number, state: string, error: string | null) => ({
  id: `10000000-0000-4000-8000-00000000000${n}`,
  scope: 'raw',
  name: `run-000043.f0000${n}.root`,
  source: 'KEK-DISK',
  destination: n % 2 ? 'CHICAGO-DISK' : 'OSAKA-DISK',
  bytes: 2.7e7,
  bytesDone: 1.2e7,
  state,
  attempts: error ? 3 : 1,
  error,
  activity: 'Raw export',
  createdAt: at(90),
  startedAt: at(12),
  finishedAt: state === 'done' ? at(5) : null,
  notBefore: at(-30),
  deadline: null,
})
const json: Record<string, unknown> = {
  '/kumi/v1/grid': { vo: 'demo', version: '0.1.0', issuer: 'https://localhost/iam/demo' },
  '/kumi/v1/now': {
    at: at(0),
    sites,
    flows: links.filter((l) => l.active > 0 || l.failed > 10),
    attention: [
      { kind: 'site', site: 'karlsruhe', state: 'down', reason: 'silent', since: at(900) },
      { kind: 'site', site: 'osaka', state: 'degraded', reason: 'full', since: at(30) },
      { kind: 'bad_copies', count: 1 },
      { kind: 'rule', rule: ids[0], scope: 'raw', name: 'run-000042', reason: refused, since: at(900) },
    ],
    totals: {
      datasets: 42,
      files: 13_420,
      bytes: 1.47e10,
      safeDatasets: 40,
      safeFiles: 12_768,
      copies: 39_100,
      copyBytes: 4.4e10,
      rulesOk: 81,
      rulesWorking: 2,
      rulesStuck: 1,
      transfersActive: 10,
      transfersQueued: 104,
      transfersRetrying: 71,
    },
  },
  '/kumi/v1/rules': { rules },
  [`/kumi/v1/rules/${ids[0]}/explain`]: {
    rule: rules[0],
    placements: [{ scope: 'raw', name: 'run-000042', storage: 'KARLSRUHE-DISK', files: 326, missing: 83 }],
    gaps: [1, 2, 3].map((n) => ({
      scope: 'raw',
      name: `run-000042.f0000${n}.root`,
      bytes: 2.7e7,
      storage: 'KARLSRUHE-DISK',
      state: n === 3 ? 'missing' : 'failed',
      attempts: n === 3 ? 0 : 4,
      error: n === 3 ? null : refused,
      nextTry: at(-60),
      createdAt: at(900),
      transfer: null,
    })),
    reasons: [{ message: refused, count: 71, storages: ['KARLSRUHE-DISK'] }],
  },
  '/kumi/v1/transfers/matrix': { links },
  '/rucio/scopes/': ['raw', 'user.sato'],
  '/rucio/dids/raw/run-000042': {
    scope: 'raw',
    name: 'run-000042',
    type: 'DATASET',
    account: 'dataops',
    open: false,
    length: 326,
    bytes: 3.6e8,
  },
  '/rucio/dids/raw/run-000042/meta': {
    run_number: 42,
    experiment: 7,
    data_level: 'RAW',
    events: 182_334,
    detector: 'CDC, ECL, KLM',
    recorded_at: 'kek',
  },
}
const lines: Record<string, unknown[]> = {
  '/rucio/dids/raw/dids/search': [40, 41, 42, 43].map((n) => ({
    scope: 'raw',
    name: `run-0000${n}`,
    did_type: 'DATASET',
    bytes: 3.6e8,
    length: 326,
  })),
  '/rucio/dids/raw/run-000042/dids': [1, 2, 3, 4, 5].map((n) => ({
    scope: 'raw',
    name: `run-000042.f0000${n}.root`,
    type: 'FILE',
    bytes: n * 5.1e6,
    adler32: 'a1b2c3d4',
  })),
  '/rucio/replicas/raw/run-000042/datasets': [
    { rse: 'KEK-DISK', length: 326, available_length: 326, available_bytes: 3.6e8, state: 'AVAILABLE' },
    { rse: 'OSAKA-DISK', length: 326, available_length: 326, available_bytes: 3.6e8, state: 'AVAILABLE' },
    {
      rse: 'KARLSRUHE-DISK',
      length: 326,
      available_length: 243,
      available_bytes: 2.7e8,
      state: 'UNAVAILABLE',
    },
  ],
  '/rucio/dids/raw/run-000042/rules': [
    {
      id: ids[0]!.replaceAll('-', ''),
      account: 'dataops',
      rse_expression: 'country=DE',
      copies: 1,
      state: 'STUCK',
    },
  ],
  '/rucio/rses/': [{ rse: 'KEK-DISK' }, { rse: 'OSAKA-DISK' }],
}
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

/** Starts it on a free port, serving the compiled console from `directory`. The one-time code is `once`. */
export async function fixtureGrid(directory: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const path = decodeURIComponent(pathname)
    const loggedIn = request.headers.cookie?.includes('kumi_session=') ?? false
    if (path === '/iam/demo/session') return session(request.method ?? '', request, response)
    if (path === '/kumi/v1/me') {
      return loggedIn
        ? answer(response, 200, { account: 'sato', vo: 'demo', admin: true })
        : answer(response, 401, { message: 'Log in first.' })
    }
    if (path === '/kumi/v1/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: hello\ndata: {}\n\n')
      return
    }
    if (path === '/kumi/v1/transfers') {
      const state = searchParams.get('state') ?? 'active'
      const transfers =
        state === 'failed'
          ? [
              transfer(1, 'retrying', refused),
              transfer(2, 'failed', 'adler32 is 00000001, expected a1b2c3d4'),
            ]
          : [1, 2, 3].map((n) => transfer(n, state, null))
      return answer(response, 200, { transfers })
    }
    if (lines[path])
      return void response
        .writeHead(200, { 'content-type': 'application/x-json-stream' })
        .end(lines[path].map((line) => `${JSON.stringify(line)}\n`).join(''))
    if (json[path]) return answer(response, 200, json[path])
    const file = normalize(join(directory, path === '/' ? 'index.html' : path))
    if (!file.startsWith(directory) || !existsSync(file))
      return answer(response, 404, { message: `nothing at ${path}` })
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
    })
    createReadStream(file).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function session(
  method: string,
  request: AsyncIterable<Buffer>,
  response: ServerResponse,
): Promise<void> {
  if (method === 'DELETE')
    return void response.writeHead(204, { 'set-cookie': 'kumi_session=; Max-Age=0; Path=/' }).end()
  let text = ''
  for await (const chunk of request) text += chunk.toString()
  const { code, password } = JSON.parse(text) as { code?: string; password?: string }
  if (code !== 'once' && password !== 'secret')
    return answer(response, 401, { message: 'User name or password is not right.' })
  response
    .writeHead(200, {
      'set-cookie': 'kumi_session=x; HttpOnly; SameSite=Strict; Path=/',
      'content-type': 'application/json',
    })
    .end('{}')
}
