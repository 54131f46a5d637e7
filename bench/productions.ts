import { openDoors } from '../src/cli/main-job/doors.ts'
import { processTree, residentBytes } from '../src/embedded/processes.ts'
import { openDatabase, row, rows, sql, transaction, wake } from '../src/kernel/index.ts'
import { type BenchGrid, databaseConnection, withGrid } from './grid.ts'
import { jobScreen } from './job-screen.ts'
import { cpuSeconds } from './measure.ts'

const MB = 1024 * 1024
const CELLS = 4_700
const LOOKS = 20
/** Tasks that are ended at once, and the pause between two looks for some. */
const ENDED_AT_ONCE = 2_000
const PAUSE_MS = 5

/**
 * One production of so many jobs from the first to the last: what is in the tables at once, how fast tasks become jobs,
 * and whether memory grows. No pilots: jobs that wait are ended in bulk by SQL, as if all had succeeded.
 */
export async function productionBenchmark(options: {
  readonly jobs: number
  readonly say: (text: string) => void
}): Promise<Record<string, unknown>> {
  const { jobs, say } = options
  return withGrid(async (bench) => {
    const { doors } = bench
    const perCell = Math.ceil(jobs / CELLS)
    const definition = definitionOf(perCell)
    const began = performance.now()
    await doors.call('POST', '/kumi/v1/productions', { definition })
    const definedMs = performance.now() - began
    await doors.call('POST', '/kumi/v1/productions/Bench/validation', { accept: true })
    const grid = { server: [bench.pid('server')], postgres: [bench.pid('postgres')] }
    const before = { server: cpuSeconds(grid.server), postgres: cpuSeconds(grid.postgres) }
    await doors.call('POST', '/kumi/v1/productions/Bench/orders', { order: 'start' })
    const walk = await endAll(bench, perCell * CELLS, say)
    const cpu = (part: 'server' | 'postgres') =>
      Math.round((1e6 * (cpuSeconds(grid[part]) - before[part])) / walk.ended)
    // The token of the beginning may have ended long ago.
    const late = await openDoors(bench.home, bench.facts)
    const now = { ...bench, doors: late }
    const looks = { 'show, ms': await showing(now), 'job screen, ms': await jobScreen(now) }
    await late.close()
    return {
      tasks: walk.ended,
      definition_ms: Math.round(definedMs),
      wall_s: Math.round(walk.seconds),
      jobs_per_s: Math.round(walk.ended / walk.seconds),
      server_cpu_us: cpu('server'),
      postgres_cpu_us: cpu('postgres'),
      'most jobs that waited': walk.mostWaiting,
      'server resident by twentieths, MB': walk.resident,
      ...looks,
      database_bytes_per_job: Math.round((await bench.databaseBytes()) / walk.ended),
    }
  })
}

const definitionOf = (perCell: number): string => `production: Bench
scope: user.admin
release: none
conditions: none
campaign: Bench
energy: 4S
scouts: 2
destinations:
  - {storages: '*', copies: 1}
steps:
  - name: simulate
    kind: generate
    program: /bin/true
    eventsPerJob: 1
    output: out.root
    events: any
    sites: [kek]
    tags: [bench]
cells:
  - [1, 1-${CELLS}, ${perCell}]
`

interface Walk {
  readonly ended: number
  readonly seconds: number
  readonly mostWaiting: number
  readonly resident: readonly number[]
}

async function endAll(bench: BenchGrid, total: number, say: (text: string) => void): Promise<Walk> {
  const { db, close } = openDatabase({ connection: databaseConnection(bench.home), poolSize: 1 })
  const resident: number[] = []
  const start = performance.now()
  let [ended, mostWaiting] = [0, 0]
  try {
    while (ended < total) {
      const found = await transaction(db, async (tx) => {
        const done = await row(tx, end(new Date()))
        if (done!.ended > 0) await wake(tx, 'production')
        return done
      })
      ended += found!.ended
      mostWaiting = Math.max(mostWaiting, found!.waiting)
      if (ended >= ((resident.length + 1) * total) / LOOKS) {
        resident.push(Math.round(residentBytes(processTree([bench.pid('server')])) / MB))
        say(`${ended} of ${total}, server ${resident.at(-1)} MB`)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    // The planner must know what the tables hold by now, as it would in the course of a campaign.
    await rows(db, sql`analyze`)
  } finally {
    await close()
  }
  return { ended, seconds: (performance.now() - start) / 1000, mostWaiting, resident }
}

const end = (now: Date) => sql<{ ended: number; waiting: number }>`
  with task as (
      select t.id, t.job_id, t.step_id from production_task t join job j on j.id = t.job_id
      where t.state = 'submitted' and j.state = 5 limit ${ENDED_AT_ONCE} for update of t, j),
    ended as (
      update job j set state = 12, minor = 'Execution Complete', deadline = null, look_at = null, ended_at = ${now},
        updated_at = ${now} from task where j.id = task.job_id returning j.queue_id),
    counted as (
      insert into job_delta (queue_id, state, n)
      select queue_id, s.state, s.sign * count(*)::int from ended cross join (values (5, -1), (12, 1)) s(state, sign)
      group by 1, s.state, s.sign),
    verified as (
      update production_task t set state = 'verified', updated_at = ${now} from task where t.id = task.id returning t.step_id),
    step as (
      update production_step s set verified = s.verified + v.n, events_verified = s.events_verified + v.n
      from (select step_id, count(*) as n from verified group by 1) v where s.id = v.step_id)
  select (select count(*)::int from ended) as ended,
    (select count(*)::int from production_task where state = 'submitted') as waiting`

async function showing({ doors }: BenchGrid): Promise<Record<string, number>> {
  const timed = async (path: string) => {
    const start = performance.now()
    await doors.call('GET', path)
    return Math.round(performance.now() - start)
  }
  return {
    one: await timed('/kumi/v1/productions/Bench'),
    list: await timed('/kumi/v1/productions'),
    tasks: await timed('/kumi/v1/productions/Bench/tasks?limit=100'),
  }
}
