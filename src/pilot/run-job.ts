import { constants } from 'node:fs'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isGridError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import type { WebdavClient } from '../storage/webdav.ts'
import { fetchInputs } from './inputs.ts'
import { type Isolation, isolated, type Mounted } from './isolation.ts'
import { logReader } from './log-reader.ts'
import { filesBelow, type StoredFile, storeOutputs } from './outputs.ts'
import { type PayloadEnd, type RunningPayload, startPayload } from './payload.ts'
import { fetchSandboxes, storeSandbox } from './sandboxes.ts'
import { isOver, type Server } from './server.ts'
import type { PinnedRelease, SoftwareShelf } from './software.ts'

/** A start as the server hands it out. */
export interface LeasedJob {
  readonly jobId: number
  readonly attempt: number
  readonly name: string
  readonly owner: string
  readonly demand: {
    readonly seconds: number
    readonly cores: number
    readonly memoryMb: number
    readonly diskMb: number
  }
  readonly spec: {
    readonly executable: string
    readonly arguments: readonly string[]
    readonly environment: Readonly<Record<string, string>>
    readonly files: readonly {
      readonly name: string
      readonly executable: boolean
      readonly content: string
    }[]
    readonly inputSandboxes: readonly string[]
    readonly software?: PinnedRelease
    /** Small files that go home as one archive. */
    readonly outputSandbox: readonly string[]
    readonly standardOutput: string
    readonly standardError: string
    readonly outputs: readonly { readonly pattern: string }[]
  }
  readonly item: { readonly n: number; readonly inputs: readonly unknown[] } | null
}

export interface RunDeps {
  readonly server: Server
  readonly client: WebdavClient
  readonly software: SoftwareShelf
  readonly clock: Clock
  readonly log: Logger
  readonly isolation: Isolation
  readonly deathSignal: boolean
  /** Directory of the pilot's jobs. */
  readonly directory: string
  /** Fires when the pilot is told from outside to end. */
  readonly told: AbortSignal
}

/** A start in hand, as the pilot's loop sees it. */
export interface RunningJob {
  readonly job: LeasedJob
  /** What the next report says. */
  status(): { minor: string; completing: boolean; figures: Record<string, number> }
  readonly logs: ReturnType<typeof logReader>
  /** The server gave it to somebody else, or its owner killed it: nothing more is told of it. */
  abandon(): void
  /** The pilot must end: the start is handed back. */
  handBack(): void
  readonly done: Promise<void>
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** A payload may tell facts about its outputs here, as plain JSON. */
const METADATA_FILE = 'kumi-metadata.json'
const INPUT_LIST = 'kumi-inputs.txt'
/** Between the moments when payload and pilot hear of the same order to end. */
const TOLD_MS = 2_000

/** Runs one start to its end and tells the server, once, how it ended. */
export function runJob(deps: RunDeps, job: LeasedJob): RunningJob {
  const { server, clock, log } = deps
  const home = join(deps.directory, `${job.jobId}-${job.attempt}`)
  const work = join(home, 'work')
  const files = { out: join(home, 'out'), err: join(home, 'err') }
  const logs = logReader(files)
  const stopping = new AbortController()
  let [minor, completing, abandoned, handed] = ['Job Initialization', false, false, false]
  let payload: RunningPayload | undefined
  let software: Mounted | undefined

  const held = { jobId: job.jobId, attempt: job.attempt }
  /** Undefined: not tried yet. Work that is done is not lost because its logs cannot be sent. */
  let sandbox: string | null | undefined
  async function sendSandbox(): Promise<string | null> {
    const { outputSandbox: patterns, standardOutput, standardError } = job.spec
    if (patterns.length === 0) return null
    if (sandbox !== undefined) return sandbox
    minor = 'Uploading Output Sandbox'
    const streams = { [standardOutput]: files.out, [standardError]: files.err }
    sandbox = await storeSandbox(deps, held, { home, work, patterns, streams }).catch((error) => {
      log.warn({ err: error, job: job.jobId }, 'the output sandbox could not be sent')
      return null
    })
    return sandbox
  }

  async function finish(end: {
    outcome: 'done' | 'failed' | 'site_fault' | 'returned'
    minor: string
    application: string
    exitCode?: number | null
    files?: readonly StoredFile[]
    metadata?: Record<string, unknown>
  }): Promise<void> {
    if (abandoned) return
    const sandbox = end.outcome === 'done' || end.outcome === 'failed' ? await sendSandbox() : null
    const { parts } = await logs.read(128, true)
    const document = {
      ...{ ...held, exitCode: null, files: [], metadata: {}, ...end, sandbox },
      logs: parts.map((part) => ({ ...held, ...part })),
    }
    try {
      await server.ask('complete', document)
    } catch (error) {
      if (isOver(error)) return
      if (end.outcome !== 'done') throw error
      // The server will not take these files, now or later: that is told, and the work is lost.
      const application = (error as Error).message
      await finish({ outcome: 'failed', minor: 'Output Data Not Registered', application })
    }
  }

  async function run(): Promise<void> {
    await mkdir(work, { recursive: true, mode: 0o755 })
    const own = new Set<string>([METADATA_FILE, INPUT_LIST])
    for (const file of job.spec.files) {
      const path = join(work, file.name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, Buffer.from(file.content, 'base64'))
      if (file.executable) await chmod(path, 0o755)
      own.add(file.name)
    }
    if (job.spec.software) {
      minor = 'Downloading Software'
      software = await deps.software.provide(job.spec.software, stopping.signal)
    }
    const count = job.item?.inputs.length ?? 0
    if (count > 0) {
      minor = 'Input Data Resolution'
      const wanted = { jobId: job.jobId, attempt: job.attempt, inputs: count, directory: work }
      const fetching = { server, client: deps.client, signal: stopping.signal }
      const names = await fetchInputs(fetching, wanted, (done) => {
        minor = `Downloading Input Data (${done} of ${count})`
      })
      for (const name of names) own.add(name)
      await writeFile(join(work, INPUT_LIST), names.map((name) => `${name}\n`).join(''))
    }
    // Last, because an archive may hold links, and nothing of ours is written through them.
    if (job.spec.inputSandboxes.length > 0) {
      minor = 'Downloading InputSandbox'
      await fetchSandboxes(deps, held, { home, work, diskMb: job.demand.diskMb })
      for (const name of await filesBelow(work)) own.add(name)
    }
    minor = 'Application'
    const end = await runPayload(own)
    if (end.broke) {
      return finish({
        outcome: 'failed',
        minor: end.broke,
        application: describe(end),
        exitCode: end.exitCode,
      })
    }
    if (end.exitCode !== 0) {
      const application = describe(end)
      if (await endedWithPilot(end)) return finish({ outcome: 'returned', minor: 'Pilot ended', application })
      const told = { minor: 'Application Finished With Errors', application, exitCode: end.exitCode }
      return finish({ outcome: 'failed', ...told })
    }
    completing = true
    minor = 'Uploading Output Data'
    const stored = await storeOutputs(
      { server, client: deps.client, clock, signal: stopping.signal },
      {
        ...{ jobId: job.jobId, attempt: job.attempt, directory: work, except: own },
        patterns: job.spec.outputs.map(({ pattern }) => pattern),
      },
    )
    minor = 'Output Data Uploaded'
    await finish({
      ...{ outcome: 'done', minor: 'Execution Complete', application: describe(end), exitCode: 0 },
      ...{ files: stored, metadata: await metadataOf(work) },
    })
  }

  /** A batch system may tell all processes of a pilot to end, the payload's too: such an end is not the job's own. */
  async function endedWithPilot({ exitCode, signal }: PayloadEnd): Promise<boolean> {
    if (signal !== null || (exitCode ?? 0) > 128) await clock.sleep(TOLD_MS, deps.told)
    return deps.told.aborted
  }

  function softwareVariables(): Record<string, string> {
    if (!software) return {}
    const { repository } = software
    return {
      KUMI_SOFTWARE: placeOf(`/cvmfs/${repository}`),
      KUMI_SOFTWARE_ROOT_HASH: job.spec.software!.root,
    }
  }

  /** Where something of the release is; without bubblewrap nothing can be shown below /cvmfs. */
  function placeOf(path: string): string {
    const top = software && `/cvmfs/${software.repository}`
    if (!top || deps.isolation === 'bubblewrap' || (path !== top && !path.startsWith(`${top}/`))) return path
    return software!.tree + path.slice(top.length)
  }

  async function runPayload(own: ReadonlySet<string>): Promise<PayloadEnd> {
    const { executable } = job.spec
    if (own.has(executable)) await chmod(join(work, executable), 0o755)
    const program = own.has(executable) ? `./${executable}` : placeOf(executable)
    const command = [program, ...job.spec.arguments]
    const wrapped = isolated(deps.isolation, work, command, deps.deathSignal, software)
    payload = startPayload(
      {
        ...{ command: wrapped.command, directory: work, outFile: files.out, errFile: files.err },
        limits: job.demand,
        environment: {
          ...{ PATH, HOME: wrapped.inside, TMPDIR: '/tmp', LANG: 'C.UTF-8' },
          ...job.spec.environment,
          ...{ JOBID: String(job.jobId), KUMI_JOB_ID: String(job.jobId), KUMI_ATTEMPT: String(job.attempt) },
          ...{ KUMI_JOB_NUMBER: String(job.item?.n ?? 0), KUMI_CORES: String(job.demand.cores) },
          ...{ KUMI_INPUT_LIST: INPUT_LIST, KUMI_NODE: wrapped.node },
          ...softwareVariables(),
        },
      },
      clock,
    )
    if (stopping.signal.aborted) payload.stop()
    stopping.signal.addEventListener('abort', () => payload?.stop(), { once: true })
    const end = await payload.ended
    stopping.signal.throwIfAborted()
    return end
  }

  const done = run()
    .catch(async (error) => {
      if (abandoned) return
      if (handed) {
        return finish({ outcome: 'returned', minor: 'Pilot ended', application: 'The pilot was stopped' })
      }
      if (isOver(error)) return
      const application = (error as Error).message
      log.warn({ err: error, job: job.jobId }, 'job did not succeed')
      if (isGridError(error, 'output_missing'))
        return finish({ outcome: 'failed', minor: 'Output Data Not Found', application })
      if (isGridError(error, 'software_missing'))
        return finish({ outcome: 'failed', minor: 'Software Not Available', application })
      if (isGridError(error, 'software_failed'))
        return finish({ outcome: 'site_fault', minor: 'Failed Downloading Software', application })
      const place = completing ? 'Failed Uploading Output Data' : 'Failed Downloading Input Data'
      const known = isGridError(error, 'input_failed') || isGridError(error, 'upload_failed')
      await finish({
        outcome: 'site_fault',
        minor: known ? place : 'Exception During Execution',
        application,
      })
    })
    .catch((error) => log.error({ err: error, job: job.jobId }, 'the end of a job could not be told'))
    .finally(() => rm(home, { recursive: true, force: true }))

  return {
    job,
    logs,
    status: () => {
      const use = payload?.use()
      const figures = use && {
        ...{
          CPUConsumed: Math.round(use.cpuSeconds * 100) / 100,
          WallClockTime: Math.round(use.wallSeconds),
        },
        ...{ MemoryUsed: Math.round(use.memoryBytes / 1024), DiskUsed: Math.round(use.diskBytes / 1024) },
      }
      return { minor, completing, figures: figures ?? {} }
    },
    abandon() {
      abandoned = true
      stopping.abort(new Error('abandoned'))
    },
    handBack() {
      handed = true
      stopping.abort(new Error('handed back'))
    },
    done,
  }
}

const describe = ({ exitCode, signal }: PayloadEnd): string =>
  signal ? `ended by ${signal}` : `exit code ${exitCode}`

async function metadataOf(work: string): Promise<Record<string, unknown>> {
  try {
    // A link would let a payload read what only the pilot may.
    const flag = constants.O_RDONLY | constants.O_NOFOLLOW
    const told: unknown = JSON.parse(await readFile(join(work, METADATA_FILE), { encoding: 'utf8', flag }))
    if (typeof told !== 'object' || told === null) return {}
    const plain = Object.entries(told).filter(([, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value),
    )
    return Object.fromEntries(plain.slice(0, 100))
  } catch {
    return {}
  }
}
