import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { putFiles } from '../src/cli/data/put.ts'
import { until } from '../src/cli/main-job/doors.ts'
import { choosePorts } from '../src/embedded/ports.ts'
import { checkCopy, type FileSet, montageSizes, writeFileSet } from './file-set.ts'
import { type BenchGrid, withGrid } from './grid.ts'
import { type Measured, measure } from './measure.ts'
import { type Peers, startPeers } from './peers.ts'

const SCOPE = 'bench'
const [FROM, TO] = ['kek', 'osaka'] as const
const PATIENCE_MS = 3_600_000

export interface TransferBenchmark {
  readonly files: number
  readonly gigabytes: number
  readonly say: (text: string) => void
}

/**
 * Copies from one site to another by a rule, which a gateway does at the order of the server, beside the same files
 * copied on the same disk by other programs: one large file, and many of very different sizes.
 */
export async function transferBenchmark(options: TransferBenchmark): Promise<Record<string, unknown>> {
  const { files, gigabytes, say } = options
  const root = mkdtempSync(join(tmpdir(), 'kumi-bench-files-'))
  try {
    return await withGrid(async (bench) => {
      await bench.doors.call('POST', `/rucio/accounts/admin/scopes/${SCOPE}`)
      say('writing the files')
      const sets = {
        large: await writeFileSet(join(root, 'large'), [Math.round(gigabytes * 1e9)]),
        many: await writeFileSet(join(root, 'many'), montageSizes(files)),
      }
      const first = await choosePorts(2)
      const site = join(bench.home.sites, FROM)
      const peers = await startPeers({
        root,
        directory: join(root, 'peers'),
        tls: {
          cert: join(site, 'tls.pem'),
          key: join(site, 'tls.key'),
          ca: join(bench.home.ca, 'ca.pem'),
        },
        ports: [first, first + 1],
      })
      try {
        for (const reason of peers.skipped) say(`skipped ${reason}`)
        const result: Record<string, unknown> = {}
        for (const [name, set] of Object.entries(sets))
          result[name] = await compare(bench, peers, { name, set, to: join(root, 'copy'), say })
        return result
      } finally {
        await peers.stop()
      }
    })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

interface Figures {
  readonly wall_s: number
  readonly mb_per_s: number
  readonly cpu_s: number
}

async function compare(
  bench: BenchGrid,
  { peers }: Peers,
  { name, set, to, say }: { name: string; set: FileSet; to: string; say: TransferBenchmark['say'] },
): Promise<Record<string, unknown>> {
  const timed = async (what: string, work: () => Promise<unknown>): Promise<Figures> => {
    say(`${name}: ${what}`)
    // What others have left to be written is not this one's to wait for.
    execFileSync('sync')
    return figures(set, await measure([process.pid], work))
  }
  const others: Record<string, Figures> = {}
  for (const peer of peers) {
    mkdirSync(to)
    others[peer.name] = await timed(peer.name, () => peer.copy(set, to))
    checkCopy(set, to)
    rmSync(to, { recursive: true })
  }
  const upload = await timed('upload', () => uploadSet(bench, name, set))
  const copy = await timed('gateway to gateway', () => copyByRule(bench, name))
  return {
    files: set.names.length,
    bytes: set.bytes,
    upload,
    'gateway to gateway': copy,
    ...others,
    'rate compared with': Object.fromEntries(
      Object.entries(others).map(([peer, { mb_per_s }]) => [peer, round(copy.mb_per_s / mb_per_s)]),
    ),
  }
}

/** As a user does it: read, sent, registered, and gathered in a dataset. */
async function uploadSet({ doors, facts }: BenchGrid, name: string, set: FileSet): Promise<void> {
  const rse = facts.sites.find((site) => site.name === FROM)!.rse
  const files = set.names.map((file) => ({
    path: join(set.directory, file),
    name: `${name}.${file}`,
    metadata: {},
  }))
  const dataset = { scope: SCOPE, name }
  const nobody = { add: () => undefined, say: () => undefined, done: () => undefined }
  const { failed } = await putFiles(doors.client, { files, scope: SCOPE, rse, dataset }, nobody)
  if (failed.length > 0) throw new Error(`${failed.length} files were not stored: ${failed[0]!.message}`)
}

/** From the rule to the last copy's verification. */
async function copyByRule({ doors }: BenchGrid, name: string): Promise<void> {
  const [id] = await doors.call<[string]>('POST', '/rucio/rules/', {
    dids: [{ scope: SCOPE, name }],
    account: 'admin',
    copies: 1,
    rse_expression: `site=${TO}`,
    grouping: 'ALL',
  })
  const ended = await until(
    'the rule becoming OK',
    () => doors.rule(id),
    ({ state }) => state === 'OK' || state === 'STUCK',
    PATIENCE_MS,
    250,
  )
  if (ended.state !== 'OK') throw new Error(`the rule is ${ended.state}: ${ended.error}`)
}

function figures(set: FileSet, { wallSeconds, cpuSeconds }: Measured<unknown>): Figures {
  return {
    wall_s: round(wallSeconds),
    mb_per_s: Math.round(set.bytes / 1e6 / wallSeconds),
    cpu_s: round(cpuSeconds),
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
