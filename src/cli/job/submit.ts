import { createHash } from 'node:crypto'
import { lstat, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type GridClient, withClient } from '../client/http.ts'
import { badOption, interruption, type SharedOptions, show, whole } from '../common-options.ts'
import { partial } from '../outcome.ts'
import { jobIds } from './ids.ts'
import { isOver, type JobLine, searchJobs } from './jobs.ts'
import { sendSandbox } from './sandbox.ts'

interface SubmitOptions extends SharedOptions {
  readonly input?: string[]
  readonly perJob?: string
  readonly count?: string
  readonly output?: string[]
  readonly destination?: string
  readonly software?: string
  readonly with?: string[]
  readonly sandbox?: string[]
  readonly sendBack?: string[]
  readonly env?: string[]
  readonly name?: string
  readonly group?: string
  readonly priority: string
  readonly time: string
  readonly cores: string
  readonly memory: string
  readonly disk: string
  readonly site?: string[]
  readonly ban?: string[]
  readonly tag?: string[]
  readonly anywhere?: boolean
  readonly tries: string
  readonly wait?: boolean
}

export async function submit(
  program: string,
  words: readonly string[],
  options: SubmitOptions,
): Promise<void> {
  await withClient(options, async (client) => {
    const ids = program.endsWith('.jdl')
      ? await submitDescription(client, program)
      : await submitProgram(client, program, words, options)
    if (!options.wait) return show(options, { jobs: ids }, () => told(ids))
    if (!options.quiet) process.stderr.write(`${told(ids)}\n`)
    await waitFor(client, ids, options)
  })
}

const told = (ids: readonly number[]): string =>
  ids.length === 1 ? `Job ${ids[0]}` : `${ids.length} jobs: ${ids[0]} to ${ids.at(-1)}`

async function submitDescription(client: GridClient, file: string): Promise<number[]> {
  const text = await readFile(file, 'utf8')
  const made = await client.json<{ JobID: number }[]>('POST', '/diracx/api/jobs/jdl', { json: [text] })
  return made.map(({ JobID }) => JobID)
}

/** Programs that are at the sites as they are here. */
const OF_THE_SYSTEM = /^\/(usr|bin|sbin|lib|lib64|opt|cvmfs)\//

async function submitProgram(
  client: GridClient,
  program: string,
  words: readonly string[],
  options: SubmitOptions,
): Promise<number[]> {
  const local = await lstat(program).catch(() => undefined)
  const along = [
    ...(local?.isFile() && !OF_THE_SYSTEM.test(program) ? [program] : []),
    ...(options.with ?? []),
  ]
  const files = await Promise.all(along.map(fileOf))
  const request = {
    executable: along[0] === program ? basename(program) : program,
    arguments: words,
    files,
    ...(options.sandbox && { sandboxes: [await sendSandbox(client, options.sandbox)] }),
    ...(options.sendBack && { sendBack: options.sendBack }),
    ...(options.name && { name: options.name }),
    ...(options.group && { group: options.group }),
    ...(options.input && { inputs: options.input }),
    ...(options.perJob && { perJob: whole('--per-job', options.perJob) }),
    ...(options.count && { count: whole('--count', options.count) }),
    outputs: (options.output ?? []).map(outputOf),
    ...(options.destination && { destination: options.destination }),
    ...(options.software && { software: options.software }),
    environment: Object.fromEntries((options.env ?? []).map(variableOf)),
    priority: whole('--priority', options.priority),
    readFromAfar: options.anywhere ?? false,
    tries: whole('--tries', options.tries),
    demand: {
      seconds: whole('--time', options.time),
      cores: whole('--cores', options.cores),
      memoryMb: whole('--memory', options.memory),
      diskMb: whole('--disk', options.disk),
      ...(options.site && { sites: options.site }),
      ...(options.ban && { banned: options.ban }),
      ...(options.tag && { tags: options.tag }),
    },
  }
  // The answer may be lost on the way; the same request sent again by the connection must not make the jobs twice.
  const key = createHash('sha256')
    .update(`${process.pid} ${performance.timeOrigin} ${JSON.stringify(request)}`)
    .digest('hex')
  const answer = await client.json<{ jobs: number[] }>('POST', '/kumi/v1/jobs', {
    json: request,
    headers: { 'idempotency-key': key },
  })
  return answer.jobs
}

async function fileOf(path: string) {
  const content = await readFile(path)
  const executable = ((await lstat(path)).mode & 0o111) !== 0 || content.subarray(0, 2).toString() === '#!'
  return { name: basename(path), executable, content: content.toString('base64') }
}

function outputOf(text: string): { pattern: string; dataset: string } {
  const at = text.lastIndexOf('=')
  if (at < 1)
    throw badOption(`"${text}": write --output "PATTERN=scope:dataset", such as "*.root=user.mika:fit".`)
  return { pattern: text.slice(0, at), dataset: text.slice(at + 1) }
}

function variableOf(text: string): [string, string] {
  const parts = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(text)
  if (!parts) throw badOption(`"${text}": write --env NAME=value.`)
  return [parts[1]!, parts[2]!]
}

export async function wait(texts: readonly string[], options: SharedOptions): Promise<void> {
  await withClient(options, (client) => waitFor(client, jobIds(texts), options))
}

const LOOK_MS = 1000
const AT_ONCE = 10_000

/** Watches jobs until all are over; says how far they are. */
async function waitFor(client: GridClient, ids: readonly number[], options: SharedOptions): Promise<void> {
  const { signal, end } = interruption()
  let before = ''
  try {
    for (;;) {
      const jobs = await statesOf(client, ids)
      const counts = new Map<string, number>()
      for (const { Status } of jobs) counts.set(Status, (counts.get(Status) ?? 0) + 1)
      const line = [...counts].map(([status, count]) => `${count} ${status}`).join(', ')
      if (!options.quiet && line !== before) process.stderr.write(`${line}\n`)
      before = line
      if (jobs.every(({ Status }) => isOver(Status))) return conclude(jobs, options)
      signal.throwIfAborted()
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    end()
  }
}

async function statesOf(client: GridClient, ids: readonly number[]): Promise<JobLine[]> {
  const jobs: JobLine[] = []
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const values = ids.slice(at, at + AT_ONCE)
    jobs.push(
      ...(await searchJobs(client, [{ parameter: 'JobID', operator: 'in', values }], { limit: AT_ONCE })),
    )
  }
  return jobs
}

function conclude(jobs: readonly JobLine[], options: SharedOptions): void {
  const bad = jobs.filter(({ Status }) => Status !== 'Done')
  const result = jobs.map(({ JobID, Status, MinorStatus, Site }) => ({ JobID, Status, MinorStatus, Site }))
  show(options, { jobs: result }, () => `${jobs.length - bad.length} of ${jobs.length} jobs are done.`)
  const [first] = bad
  if (first)
    throw partial(
      `${bad.length} of ${jobs.length} jobs did not succeed, the first of them ${first.JobID}: ${first.MinorStatus} (${first.ApplicationStatus}).`,
    )
}
