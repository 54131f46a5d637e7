import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { type BenchGrid, withGrid } from './grid.ts'
import { jobScreen } from './job-screen.ts'
import { cpuSeconds, median, watchMemory } from './measure.ts'

const MB = 1024 * 1024
const PILOTS = 64
/** Demands differ in memory and disk by whole steps, so that each pair is a queue of its own. */
const MEMORY_STEPS = 50
const MEMORY_STEP_MB = 256
const DISK_STEP_MB = 1024
/** No other place has it, so that only the pilots of this benchmark take its jobs. */
const TAG = 'bench'
const LANES = 2
const EXPLAINED = 50

export interface JobBenchmark {
  readonly jobs: number
  readonly queues: number
  /** How long jobs are taken one by one, and again in batches. */
  readonly seconds: number
  readonly say: (text: string) => void
}

/**
 * Jobs through the doors: so many waiting in so many queues, submitted in bulk; 64 pilots at once that take them, first
 * one with each question, then as many as are given; why a job waits. Server, PostgreSQL and pilots share the machine.
 */
export async function jobBenchmark(options: JobBenchmark): Promise<Record<string, unknown>> {
  const { jobs, queues, seconds, say } = options
  return withGrid(async (bench) => {
    const memory = watchMemory({
      server: () => [bench.pid('server')],
      postgres: () => [bench.pid('postgres')],
    })
    const world = openWorld(bench)
    try {
      say(`submitting ${jobs} jobs`)
      const { value: ids, ...submission } = await timed(world, jobs, () => submit(bench, jobs, queues))
      say('explaining')
      const explained = await explain(bench, ids)
      const taken = new Set<number>()
      say('matching one by one')
      const single = await match(world, { cores: 16, most: 1, seconds, taken })
      say('matching in batches')
      const batches = await match(world, { cores: 64, most: 16, seconds, taken })
      say('explaining')
      const later = await explain(
        bench,
        ids.filter((id) => !taken.has(id)),
      )
      say('looking')
      const screen = await jobScreen(bench)
      const size = await bench.databaseBytes()
      const peak = memory.stop()
      return {
        ...{ jobs, queues, pilots: PILOTS },
        'submission, jobs': submission,
        'one by one, jobs': single,
        'in batches, jobs': batches,
        duplicates: single.jobs + batches.jobs - taken.size,
        'explain, ms': explained,
        'explain after the matches, ms': later,
        'job screen, ms': screen,
        database_bytes_per_job: Math.round(size / jobs),
        server_peak_mb: Math.round(peak.server / MB),
        postgres_peak_mb: Math.round(peak.postgres / MB),
      }
    } finally {
      await world.agent.destroy()
    }
  })
}

interface World {
  readonly bench: BenchGrid
  readonly agent: Agent
  /** A question of a pilot, with a token of its own. */
  ask<T>(pilot: Pilot, path: string, body: unknown): Promise<T>
}

interface Pilot {
  readonly stamp: string
  readonly token: string
}

function openWorld(bench: BenchGrid): World {
  const ca = readFileSync(join(bench.home.ca, 'ca.pem'))
  const agent = new Agent({ connections: PILOTS, connect: { ca } })
  const pilots = `https://localhost:${bench.facts.port}/kumi/v1/pilots`
  return {
    ...{ bench, agent },
    async ask<T>({ stamp, token }: Pilot, path: string, body: unknown) {
      const answer = await request(`${pilots}/${stamp}/${path}`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`)
      return JSON.parse(text) as T
    },
  }
}

interface Figures {
  readonly per_s: number
  readonly wall_s: number
  readonly server_cpu_ms: number
  readonly postgres_cpu_ms: number
  readonly client_cpu_ms: number
}

/** Wall time, and the CPU time of each part for one of `count`. */
async function timed<T>(
  { bench }: World,
  count: number | ((value: T) => number),
  work: () => Promise<T>,
): Promise<Figures & { value: T }> {
  const parts = { server: [bench.pid('server')], postgres: [bench.pid('postgres')] }
  const before = { server: cpuSeconds(parts.server), postgres: cpuSeconds(parts.postgres) }
  const clientBefore = process.cpuUsage()
  const start = performance.now()
  const value = await work()
  const wall = (performance.now() - start) / 1000
  const client = process.cpuUsage(clientBefore)
  const n = typeof count === 'number' ? count : count(value)
  return {
    value,
    per_s: Math.round(n / wall),
    wall_s: round(wall),
    server_cpu_ms: round((1000 * (cpuSeconds(parts.server) - before.server)) / n),
    postgres_cpu_ms: round((1000 * (cpuSeconds(parts.postgres) - before.postgres)) / n),
    client_cpu_ms: round((client.user + client.system) / 1000 / n),
  }
}

/** The jobs of each queue in one request; the ids of all. */
async function submit({ doors }: BenchGrid, jobs: number, queues: number): Promise<number[]> {
  const ids: number[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let queue = next++; queue < queues; queue = next++) {
      const count = Math.floor(((queue + 1) * jobs) / queues) - Math.floor((queue * jobs) / queues)
      if (count === 0) continue
      const { jobs: made } = await doors.call<{ jobs: number[] }>('POST', '/kumi/v1/jobs', {
        ...{ name: `bench-${queue}`, executable: '/bin/true', arguments: ['%n'], count },
        demand: {
          ...{ seconds: 3600, cores: 1, tags: [TAG] },
          memoryMb: MEMORY_STEP_MB * (1 + (queue % MEMORY_STEPS)),
          diskMb: DISK_STEP_MB * (1 + Math.floor(queue / MEMORY_STEPS)),
        },
      })
      ids.push(...made)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return ids
}

async function explain({ doors }: BenchGrid, ids: readonly number[]): Promise<Record<string, number>> {
  const times: number[] = []
  for (let i = 0; i < EXPLAINED; i++) {
    const id = ids[Math.floor((i * ids.length) / EXPLAINED)]
    const start = performance.now()
    const { because } = await doors.call<{ because: string }>('GET', `/kumi/v1/jobs/${id}/explain`)
    times.push(performance.now() - start)
    if (!because) throw new Error(`no answer why job ${id} waits`)
  }
  return { median: round(median(times)), most: round(Math.max(...times)) }
}

let pilotsMade = 0

/** Pilots that never took a job: each takes as many as it has cores, then others come in its place. */
async function newPilots({ doors, facts }: BenchGrid): Promise<Pilot[]> {
  const pilots: Pilot[] = []
  for (let i = 0; i < PILOTS; i++) {
    const stamp = `bench-${++pilotsMade}`
    await doors.call('POST', '/diracx/api/pilots/', {
      ...{ pilot_stamp: stamp, vo: facts.vo, grid_site: 'bench', destination_site: 'bench' },
    })
    const { token } = await doors.call<{ token: string }>('POST', `/kumi/v1/pilots/${stamp}/token`, {})
    pilots.push({ stamp, token })
  }
  return pilots
}

interface Leased {
  readonly jobs: readonly { readonly jobId: number; readonly attempt: number }[]
}

async function match(
  world: World,
  options: { cores: number; most: number; seconds: number; taken: Set<number> },
): Promise<Figures & { jobs: number; questions: number; median_ms: number; p99_ms: number }> {
  const { cores, most, seconds, taken } = options
  const milliseconds: number[] = []
  const rounds: Figures[] = []
  let jobs = 0
  const life = async (pilot: Pilot): Promise<number> => {
    const holding: { jobId: number; attempt: number }[] = []
    while (holding.length < cores) {
      const left = cores - holding.length
      const free = {
        ...{ cores: left, memoryMb: left << 14, diskMb: left << 16, seconds: 86_400 },
        ...{ platform: 'x86_64', tags: [TAG] },
      }
      const start = performance.now()
      const { jobs: given } = await world.ask<Leased>(pilot, 'lease', { free, most, holding })
      milliseconds.push(performance.now() - start)
      if (given.length === 0) throw new Error('there were too few jobs')
      for (const { jobId, attempt } of given) {
        holding.push({ jobId, attempt })
        taken.add(jobId)
      }
    }
    return holding.length
  }
  for (let spent = 0; spent < seconds; ) {
    const pilots = await newPilots(world.bench)
    const { value, ...figures } = await timed(
      world,
      (counts) => counts.reduce((sum, n) => sum + n, 0),
      () => Promise.all(pilots.map(life)),
    )
    jobs += value.reduce((sum, n) => sum + n, 0)
    spent += figures.wall_s
    rounds.push(figures)
  }
  milliseconds.sort((a, b) => a - b)
  // All rounds have equally many jobs.
  const mean = (key: keyof Figures) => round(rounds.reduce((sum, one) => sum + one[key], 0) / rounds.length)
  const wall = rounds.reduce((sum, { wall_s }) => sum + wall_s, 0)
  return {
    ...{ jobs, questions: milliseconds.length, per_s: Math.round(jobs / wall), wall_s: round(wall) },
    ...{ server_cpu_ms: mean('server_cpu_ms'), postgres_cpu_ms: mean('postgres_cpu_ms') },
    client_cpu_ms: mean('client_cpu_ms'),
    median_ms: round(median(milliseconds)),
    p99_ms: round(milliseconds[Math.floor(milliseconds.length * 0.99)]!),
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
