import { type BenchGrid, withGrid } from './grid.ts'
import { cpuSeconds, median, watchMemory } from './measure.ts'

const SCOPE = 'bench'
const DATASET_FILES = 1000
const MB = 1024 * 1024

interface NewReplica {
  readonly scope: string
  readonly name: string
  readonly bytes: number
  readonly adler32: string
  readonly state: 'A'
}

function batch(from: number, count: number): NewReplica[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i
    return {
      scope: SCOPE,
      name: `raw/e0007/r${String(Math.floor(n / DATASET_FILES)).padStart(5, '0')}/physics.f${String(n).padStart(9, '0')}.root`,
      bytes: 1_000_000 + (n % 1000),
      adler32: ((n * 2654435761) >>> 0).toString(16).padStart(8, '0'),
      state: 'A' as const,
    }
  })
}

/**
 * Registration, listing and rules through the Rucio door, with `files` files of two replicas each. The RSEs of this
 * benchmark have no bytes behind them (`verify_arrival` is off), so that the catalogue alone is measured.
 */
export async function catalogueBenchmark(files: number): Promise<Record<string, unknown>> {
  return withGrid(async (bench) => {
    await prepare(bench)
    const parts = { server: () => [bench.pid('server')], postgres: () => [bench.pid('postgres')] }
    const memory = watchMemory(parts)
    const registered = await register(bench, files, parts)
    const size = await bench.databaseBytes()
    const listed = await listing(bench)
    const rules = await ruleTimes(bench, files)
    const peak = memory.stop()
    return {
      files,
      replicas: 2 * files,
      ...registered,
      database_bytes_per_file: Math.round(size / files),
      database_mb: Math.round(size / MB),
      ...listed,
      ...rules,
      server_peak_mb: Math.round(peak.server / MB),
      postgres_peak_mb: Math.round(peak.postgres / MB),
    }
  })
}

async function prepare({ doors }: BenchGrid): Promise<void> {
  await doors.call('POST', `/rucio/accounts/admin/scopes/${SCOPE}`)
  for (const rse of ['BENCH-A', 'BENCH-B']) {
    await doors.call('POST', `/rucio/rses/${rse}`, { deterministic: true })
    await doors.call('POST', `/rucio/rses/${rse}/protocols/https`, {
      scheme: 'https',
      hostname: 'bench.invalid',
      port: 443,
      prefix: '/demo/',
      impl: 'rucio.rse.protocols.webdav.Default',
      domains: { wan: { read: 1, write: 1, delete: 1, third_party_copy_read: 1, third_party_copy_write: 1 } },
    })
  }
}

/** Files at a time in one request, and how many requests are under way at once. */
const REQUEST_FILES = 10_000
const LANES = 2
const STRETCH = 100_000

async function registerSome({ doors }: BenchGrid, from: number, count: number): Promise<void> {
  const replicas = batch(from, count)
  await doors.call('POST', '/rucio/replicas', { rse: 'BENCH-A', files: replicas })
  await doors.call('POST', '/rucio/replicas', { rse: 'BENCH-B', files: replicas })
  for (let at = 0; at < replicas.length; at += DATASET_FILES) {
    const part = replicas.slice(at, at + DATASET_FILES)
    const dataset = `run-${String((from + at) / DATASET_FILES).padStart(6, '0')}`
    await doors.call('POST', `/rucio/dids/${SCOPE}/${dataset}`, { type: 'DATASET' })
    await doors.call('POST', `/rucio/dids/${SCOPE}/${dataset}/dids`, {
      dids: part.map(({ scope, name }) => ({ scope, name })),
    })
  }
}

/** Registers both replicas of each file and attaches it; the rate as a whole and for each stretch on the way. */
async function register(
  bench: BenchGrid,
  files: number,
  parts: Readonly<Record<string, () => readonly number[]>>,
): Promise<Record<string, unknown>> {
  const cpuBefore = Object.entries(parts).map(([name, pids]) => [name, cpuSeconds(pids())] as const)
  const clientBefore = process.cpuUsage()
  const start = performance.now()
  const rates: number[] = []
  let stretchStart = start
  let next = 0
  let done = 0
  const lane = async (): Promise<void> => {
    for (let from = next; from < files; from = next) {
      next += REQUEST_FILES
      const count = Math.min(REQUEST_FILES, files - from)
      await registerSome(bench, from, count)
      done += count
      if (Math.floor(done / STRETCH) > Math.floor((done - count) / STRETCH)) {
        const now = performance.now()
        rates.push(Math.round((1000 * STRETCH) / (now - stretchStart)))
        stretchStart = now
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  const seconds = (performance.now() - start) / 1000
  const client = process.cpuUsage(clientBefore)
  return {
    register_files_per_s: files / seconds,
    register_files_per_s_by_100000: rates,
    ...Object.fromEntries(
      cpuBefore.map(([name, before]) => [
        `register_${name}_cpu_ms_per_file`,
        (1000 * (cpuSeconds(parts[name]!()) - before)) / files,
      ]),
    ),
    register_client_cpu_ms_per_file: (client.user + client.system) / 1000 / files,
  }
}

async function listing({ doors }: BenchGrid): Promise<Record<string, number>> {
  const firsts: number[] = []
  const totals: number[] = []
  for (let i = 0; i < 30; i++) {
    const start = performance.now()
    const answer = await doors.stream('POST', '/rucio/replicas/list', {
      dids: [{ scope: SCOPE, name: `run-${String(i % 10).padStart(6, '0')}` }],
    })
    let first: number | undefined
    for await (const _ of answer) first ??= performance.now() - start
    firsts.push(first ?? Number.NaN)
    totals.push(performance.now() - start)
  }
  return { list_1000_first_byte_ms: median(firsts), list_1000_total_ms: median(totals) }
}

async function ruleTimes({ doors }: BenchGrid, files: number): Promise<Record<string, number>> {
  const figures: Record<string, number> = {}
  const wanted = [1_000, 100_000].filter((n) => n <= files)
  for (const n of wanted) {
    const name = `all-${n}`
    await doors.call('POST', `/rucio/dids/${SCOPE}/${name}`, { type: 'DATASET' })
    await doors.call('POST', `/rucio/dids/${SCOPE}/${name}/dids`, {
      dids: batch(0, n).map(({ scope, name: file }) => ({ scope, name: file })),
    })
    const start = performance.now()
    const [id] = await doors.call<string[]>('POST', '/rucio/rules/', {
      dids: [{ scope: SCOPE, name }],
      copies: 2,
      rse_expression: 'BENCH-A|BENCH-B',
      grouping: 'ALL',
      account: 'admin',
    })
    figures[`add_rule_on_${n}_files_ms`] = performance.now() - start
    const { state } = await doors.rule(id!)
    if (state !== 'OK') throw new Error(`the rule on a complete dataset is ${state}`)
  }
  return figures
}
