import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { GridFacts, Home, Supervisor } from '../../embedded/index.ts'
import { defineError } from '../../kernel/errors.ts'
import { ensure, orMissing } from '../client/failure.ts'
import { putFiles } from '../data/put.ts'
import { EXPERIMENT } from '../demo/release.ts'
import { generateRun, type RunFile } from '../run-data/generate-run.ts'
import { bytesText } from '../terminal.ts'
import { type Doors, type FileView, openDoors, type RuleView, until } from './doors.ts'
import { processRun } from './process.ts'
import type { Reporter } from './reporter.ts'
import type { Summary } from './summary.ts'

const notAllRight = defineError('fatal', 'main_job_failed')

const SCOPE = 'raw'
const CONTAINER = 'exp-0007'
const FILES = 320
const BYTES = 310_000_000
/** The site that records, the one whose disk damages a file, and the one that is killed. */
const [RECORDS, ROTS, DIES] = ['kek', 'osaka', 'chicago'] as const
const DEAD_MS = 1_500

export interface MainJob {
  readonly home: Home
  readonly facts: GridFacts
  readonly grid: Supervisor
  readonly reporter: Reporter
  readonly readySeconds: number
}

/**
 * Raw data of a run, recorded at one site, becomes safe at two others and is processed to a plot: through the doors, as
 * any client could do it, with a killed site and a damaged copy on the way.
 */
export async function runMainJob(job: MainJob): Promise<Summary> {
  const { home, facts, grid, reporter } = job
  const began = Date.now()
  const memory = watchMemory(grid, reporter)
  const doors = await openDoors(home, facts)
  try {
    const run = await nextRun(doors)
    const dataset = `run-${String(run).padStart(6, '0')}`
    const directory = join(home.path, 'recording', dataset)
    const files = await reporter.phase(`record run ${run} at ${RECORDS}`, () =>
      generateRun({ experiment: EXPERIMENT, run, seed: run, files: FILES, bytes: BYTES, directory }),
    )
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    reporter.note(
      `${files.length} files, ${bytesText(bytes)}, ${files.filter(isRoot).length} of them ROOT files`,
    )

    await reporter.phase('register and store', (progress) => store(job, doors, dataset, run, files, progress))
    const replication = Date.now()
    const rule = await reporter.phase('copy to two more sites', (progress) =>
      replicate(job, doors, dataset, progress),
    )
    const replicationSeconds = (Date.now() - replication) / 1000
    const healed = await reporter.phase('find and heal a damaged copy', (progress) =>
      damageAndHeal(job, doors, dataset, rule, progress),
    )
    const verifiedCopies = await reporter.phase('read every copy back', (progress) =>
      verify(doors, dataset, files, progress),
    )
    const retries = await countRetries(doors, dataset)
    await rm(directory, { recursive: true, force: true })
    const root = files.filter(isRoot)
    const processed = await reporter.phase('process the run at the sites', (progress) =>
      processRun(
        home,
        doors,
        { raw: SCOPE, run, files: root.length, events: root.reduce((sum, f) => sum + f.metadata.events!, 0) },
        progress,
      ),
    )
    reporter.note(
      `${processed.events} collisions, ${processed.pairs} pairs of muons: the plot is ${processed.plot}`,
    )
    return {
      files: files.length,
      bytes,
      seconds: (Date.now() - began) / 1000,
      verifiedCopies,
      retries,
      healed,
      ...processed,
      peakRssBytes: Math.max(...memory.stop()),
      readySeconds: job.readySeconds,
      replicationBytesPerSecond: (2 * bytes) / replicationSeconds,
      phases: reporter.times.map((phase, i) => ({ ...phase, peakRssBytes: memory.peaks[i] ?? 0 })),
    }
  } finally {
    memory.stop()
    await doors.close()
  }
}

const isRoot = (file: RunFile): boolean => file.metadata.stream_name === 'physics'

/** The first run whose dataset is not yet closed: a new one, or one that was interrupted. */
async function nextRun(doors: Doors): Promise<number> {
  for (let run = 1; ; run++) {
    const dataset = `run-${String(run).padStart(6, '0')}`
    const known = await orMissing(doors.call<{ open: boolean }>('GET', `/rucio/dids/${SCOPE}/${dataset}`))
    if (!known || known.open) return run
  }
}

async function store(
  { facts }: MainJob,
  doors: Doors,
  dataset: string,
  run: number,
  files: readonly RunFile[],
  progress: (text: string) => void,
): Promise<void> {
  await ensure(doors.call('POST', `/rucio/accounts/admin/scopes/${SCOPE}`))
  await ensure(doors.call('POST', `/rucio/dids/${SCOPE}/${CONTAINER}`, { type: 'CONTAINER' }))
  let bytes = 0
  let count = 0
  const { failed } = await putFiles(
    doors.client,
    {
      files: files.map(({ path, name, metadata }) => ({ path, name, metadata })),
      scope: SCOPE,
      rse: rseOf(facts, RECORDS),
      dataset: { scope: SCOPE, name: dataset },
      metadata: { run_number: run, experiment: EXPERIMENT, datatype: 'raw' },
    },
    {
      add(more, finished = 0) {
        bytes += more
        count += finished
        progress(`${count} of ${files.length} files, ${bytesText(bytes)}`)
      },
      say: progress,
      done: () => undefined,
    },
  )
  if (failed.length > 0)
    throw notAllRight(`${failed.length} files were not stored; ${failed[0]!.name}: ${failed[0]!.message}`)
  await ensure(
    doors.call('POST', `/rucio/dids/${SCOPE}/${CONTAINER}/dids`, { dids: [{ scope: SCOPE, name: dataset }] }),
  )
  await ensure(doors.call('PUT', `/rucio/dids/${SCOPE}/${dataset}/status`, { open: false }))
}

function rseOf(facts: GridFacts, name: string): string {
  return facts.sites.find((site) => site.name === name)!.rse
}

async function replicate(
  { facts, grid, reporter }: MainJob,
  doors: Doors,
  dataset: string,
  progress: (text: string) => void,
): Promise<RuleView> {
  const [id] = await doors.call<[string]>('POST', '/rucio/rules/', {
    dids: [{ scope: SCOPE, name: dataset }],
    account: 'admin',
    copies: facts.sites.length,
    rse_expression: facts.sites.map((site) => `site=${site.name}`).join('|'),
    grouping: 'ALL',
  })
  let killed = false
  return until(
    'the rule becoming OK',
    async () => {
      const rule = await doors.rule(id)
      const { locks_ok_cnt: ok, locks_replicating_cnt: moving, locks_stuck_cnt: stuck } = rule
      const all = ok + moving + stuck
      progress(`${ok} of ${all} copies in place${stuck ? `, ${stuck} waiting for another try` : ''}`)
      if (!killed && ok > all * 0.45 && rule.state !== 'OK') {
        killed = true
        await grid.kill(`gateway-${DIES}`, DEAD_MS)
        reporter.note(`${DIES} was killed with -9 in the middle of it; it comes back in ${DEAD_MS / 1000} s`)
      }
      return rule
    },
    (rule) => rule.state === 'OK',
  )
}

/** Flips bytes of one file on the disk of a site, behind the back of everybody, and waits until it is whole again. */
async function damageAndHeal(
  { home, facts, reporter }: MainJob,
  doors: Doors,
  dataset: string,
  rule: RuleView,
  progress: (text: string) => void,
): Promise<number> {
  const rse = rseOf(facts, ROTS)
  const files = await doors.files(SCOPE, dataset)
  const victim = files.find((file) => file.bytes > 100_000) ?? files[0]!
  const pfn = pfnAt(victim, rse)
  const path = join(home.sites, ROTS, 'storage', decodeURIComponent(new URL(pfn).pathname))
  await flipBytes(path)
  reporter.note(`${victim.name} was damaged on the disk of ${ROTS}`)
  if ((await doors.md5Of(pfn)) === victim.md5) throw notAllRight('The damage did not reach the file.')
  await doors.call('POST', `/kumi/v1/sites/${ROTS}/scrub`, {})
  progress('the site reads its files again')
  const declared = () =>
    doors.call<{ bad: number }>(
      'GET',
      `/kumi/v1/sites/${ROTS}/bad-replicas?since=${encodeURIComponent(began)}`,
    )
  const began = new Date(Date.now() - 60_000).toISOString()
  const { bad } = await until('the damage being found', declared, ({ bad }) => bad > 0)
  reporter.note(`found by the scrub; declared bad`)
  progress('a good copy is fetched')
  await until(
    'the copy being healed',
    () => doors.rule(rule.id),
    ({ state }) => state === 'OK',
  )
  await until(
    'the copy being available again',
    () => doors.files(SCOPE, dataset),
    (now) => now.every((file) => file.states[rse] === 'AVAILABLE'),
  )
  if ((await doors.md5Of(pfn)) !== victim.md5)
    throw notAllRight(`${victim.name} is still damaged at ${ROTS}.`)
  return bad
}

function pfnAt(file: FileView, rse: string): string {
  const found = Object.entries(file.pfns).find(([, facts]) => facts.rse === rse)
  if (!found) throw notAllRight(`${file.name} has no copy at ${rse}.`)
  return found[0]
}

async function flipBytes(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const block = Buffer.alloc(16)
    await file.read(block, 0, 16, 1000)
    await file.write(
      block.map((byte) => byte ^ 0xff),
      0,
      16,
      1000,
    )
  } finally {
    await file.close()
  }
}

/** Reads every byte of every copy through the storage doors and compares with what the catalogue says. */
async function verify(
  doors: Doors,
  dataset: string,
  recorded: readonly RunFile[],
  progress: (text: string) => void,
): Promise<number> {
  const files = await doors.files(SCOPE, dataset)
  if (files.length !== recorded.length) {
    throw notAllRight(`${recorded.length} files were recorded, but the dataset holds ${files.length}.`)
  }
  const copies = files.flatMap((file) => Object.keys(file.pfns).map((pfn) => ({ pfn, md5: file.md5 })))
  let right = 0
  const lane = async (): Promise<void> => {
    for (let next = copies.pop(); next; next = copies.pop()) {
      if ((await doors.md5Of(next.pfn)) !== next.md5) throw notAllRight(`The bytes of ${next.pfn} are wrong.`)
      right++
      progress(`${right} copies are right`)
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return right
}

async function countRetries(doors: Doors, dataset: string): Promise<number> {
  const { retries } = await doors.call<{ retries: number }>(
    'GET',
    `/kumi/v1/datasets/${SCOPE}/${dataset}/transfers`,
  )
  return retries
}

/** The highest resident size of all processes together in each phase, while it watches. */
function watchMemory(grid: Supervisor, { times }: Reporter): { peaks: number[]; stop(): number[] } {
  const peaks: number[] = []
  const look = () => {
    const phase = times.length
    peaks[phase] = Math.max(peaks[phase] ?? 0, grid.residentBytes())
  }
  look()
  const timer = setInterval(look, 500)
  return {
    peaks,
    stop() {
      clearInterval(timer)
      return peaks.filter(Boolean)
    },
  }
}
