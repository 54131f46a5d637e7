import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch-system.ts'
import { type Bundle, bundleOf } from './bundle.ts'
import type { LoginHost } from './cluster.ts'
import { badCluster, clusterAway, clusterFailed, submitRefused } from './errors.ts'
import type { Submission } from './login-script.ts'
import { DRAIN_SECONDS } from './offers.ts'
import { openSsh, RemoteError, type Ssh } from './ssh.ts'
import { type ArchivedFile, tarOf } from './tar.ts'

export interface LoginOptions<Host extends LoginHost> {
  readonly cluster: Host
  /** Of this gateway's pilots at the cluster: nobody else there uses it. Letters, digits, "_" and "-". */
  readonly space: string
  /** Of the gateway: what it knows of the cluster. */
  readonly directory: string
  /** Private key to log in with. */
  readonly identity: string
  /** The compiled pilot program. */
  readonly program: string
  readonly clock?: Clock
}

/** What the files at the login host say of a pilot. */
export interface KnownPilot {
  readonly stamp: string
  readonly submission: string
  readonly index: string
  readonly job: string
  readonly begun: boolean
  readonly code: string
  readonly said: string
}

/** What the batch system says of a job; "" where it says nothing. */
export interface QueuedJob {
  readonly state: string
  readonly reason: string
  /** Why it failed, whatever its pilot said when it was told to end. */
  readonly failed?: string
}

/** A batch system whose commands are at the login host. */
export interface Scheduler {
  /** For people. */
  readonly name: string
  /** The program that answers there. */
  readonly helper: string
  /** Pilots in one submission. */
  readonly most: number
  /** Name of a pilot's job, of the job of its submission and its place therein. */
  jobOf(submitted: string, index: string): string
  /** Jobs by name, of what the helper's `queue` printed. */
  queued(text: string): Map<string, QueuedJob>
  /** Files of a submission, by their names in its directory; "script" is what is submitted. */
  files(submission: Submission, offer: PilotFile): Readonly<Record<string, string>>
  /** The state of a pilot that has not told how it ended; undefined: the batch system does not know it any more. */
  stateOf(pilot: KnownPilot, found: QueuedJob | undefined): Pick<BatchPilot, 'state' | 'reason'>
  /** Throws where such pilots would never start. */
  check?(ask: Ask, offer: PilotFile): Promise<void>
  /** What became of jobs that are not in the queue, as far as it is known. */
  past?(ask: Ask, jobs: readonly string[]): Promise<Map<string, QueuedJob>>
  /** An error for a refusal in words that say what to do, where there are better ones than for all refusals. */
  refusal?(text: string): Error | undefined
  /** It is not there at all. */
  absent(text: string): Error
}

/** Asks the helper at the login host. */
export type Ask = (verb: string, word?: string, input?: Buffer) => Promise<string>

export interface LoginBatch extends BatchSystem {
  readonly ask: Ask
  /** A submission that is not made. */
  sample(): Promise<Submission>
  /** Forgets the connection. */
  close(): Promise<void>
}

const STAMP = /^[A-Za-z0-9_-]{1,32}$/
const LOOK_MS = 500
const KILL_MOST_MS = 60_000

/**
 * Pilots as jobs of a batch system whose login host is reached by ssh. A submission is named by the stamps in it and
 * leaves a directory there before the batch system hears of it: when an answer is lost, the next try finds the jobs by
 * that name.
 */
export function loginBatch(options: LoginOptions<LoginHost>, scheduler: Scheduler): LoginBatch {
  const { cluster, space, clock = systemClock } = options
  const ssh = openSsh({ ...cluster, directory: options.directory, identity: options.identity })
  const helper = `helper-${createHash('sha256').update(scheduler.helper).digest('hex').slice(0, 16)}`
  let base: Promise<string> | undefined
  let shipped: Promise<Bundle> | undefined

  /** What went wrong at the cluster, in words that say what to do. */
  const meaning = (error: unknown): unknown => {
    if (!(error instanceof RemoteError)) return error
    const { code, message } = error
    const at = `${scheduler.name} at ${cluster.host}`
    if (code === 76)
      return scheduler.refusal?.(message) ?? submitRefused(`${at} refuses the pilots: ${message}`)
    if (code === 75) return clusterAway(`${at} does not answer: ${message}`)
    if (code === 77) return scheduler.absent(message)
    return clusterFailed(`A command at ${cluster.host} failed: ${message}`)
  }
  const run = (command: string, input?: Parameters<Ssh['run']>[1]): Promise<string> =>
    ssh.run(command, input).catch((error) => Promise.reject(meaning(error)))

  /** The directory at the cluster, with the helper in it. */
  const ready = (): Promise<string> => {
    base ??= prepare().catch((error) => {
      base = undefined
      throw error
    })
    return base
  }
  async function prepare(): Promise<string> {
    const [home = '', machine = ''] = (await run(`sh -c 'echo "$HOME"; uname -sm'`)).split('\n')
    const here =
      process.arch === 'x64' ? 'Linux x86_64' : `Linux ${process.arch === 'arm64' ? 'aarch64' : process.arch}`
    if (cluster.node === '' && machine !== here)
      throw badCluster(
        `${cluster.host} is "${machine}", the gateway "${here}": its Node does not run there. Name one of the cluster with --node.`,
      )
    const at = cluster.directory.startsWith('/') ? cluster.directory : `${home}/${cluster.directory}`
    if (!/^\/[A-Za-z0-9_./+-]+$/.test(at))
      throw badCluster(`The directory "${at}" has characters that are not taken.`)
    const file = `${at}/${helper}`
    await run(
      `sh -c 'umask 077 && mkdir -p ${at} && cat >${file}.$$ && mv ${file}.$$ ${file}'`,
      Buffer.from(scheduler.helper),
    )
    return at
  }

  const ask: Ask = async (verb, word = '', input) =>
    run(`sh ${await ready()}/${helper} ${verb} ${space} ${word}`, input)

  const bundle = (): Promise<Bundle> => {
    shipped ??= ship().catch((error) => {
      shipped = undefined
      throw error
    })
    return shipped
  }
  async function ship(): Promise<Bundle> {
    const made = bundleOf(options.program, { node: cluster.node === '' })
    const command = `sh ${await ready()}/${helper} bundle`
    if ((await run(`${command} ask ${made.name}`)).trim() !== 'there')
      await run(`${command} put ${made.name}`, made.archive())
    return made
  }

  async function look(): Promise<{ known: KnownPilot[]; queue: Map<string, QueuedJob> }> {
    const [files = '', jobs = ''] = (await ask('list')).split(/^=\n/m)
    const known = linesOf(files).map(
      ([stamp = '', submission = '', index = '', job = '', begun, code = '', said = '']) => ({
        ...{ stamp, submission, index, job, begun: begun === 'begun', code, said },
      }),
    )
    return { known, queue: scheduler.queued(jobs) }
  }
  const jobOf = ({ job, index }: KnownPilot): string => scheduler.jobOf(job, index)

  async function list(): Promise<BatchPilot[]> {
    let { known, queue } = await look()
    const lost = (pilot: KnownPilot) => pilot.job !== '' && pilot.code === '' && !queue.has(jobOf(pilot))
    // It may have ended between the two questions that the helper asked.
    if (known.some(lost)) ({ known, queue } = await look())
    const gone = known.filter(lost).map(jobOf)
    const past = gone.length > 0 ? await scheduler.past?.(ask, gone) : undefined
    return known.map((pilot) => {
      const { stamp, job, code, said } = pilot
      const reference = job === '' ? null : `job ${jobOf(pilot)}`
      const found = queue.get(jobOf(pilot)) ?? past?.get(jobOf(pilot))
      if (found?.failed !== undefined) return { stamp, reference, state: 'Failed', reason: found.failed }
      if (code === '0') return { stamp, reference, state: 'Done', reason: '' }
      if (code !== '')
        return { stamp, reference, state: 'Failed', reason: `The pilot ended with ${code}. ${said}`.trim() }
      if (job === '')
        return {
          ...{ stamp, reference, state: 'Waiting' },
          reason: `${scheduler.name} was asked, its answer was lost`,
        }
      return { stamp, reference, ...scheduler.stateOf(pilot, found) }
    })
  }

  const active = async (stamps: readonly string[]): Promise<string[]> =>
    (await list())
      .filter(({ stamp, state, reference }) => stamps.includes(stamp) && reference && !isOver(state))
      .map(({ reference }) => reference!.replace(/^job /, ''))

  const filesOf = async (stamps: readonly string[], wanted: (stamp: string) => Promise<PilotFile>) => {
    const directory = await ready()
    const made: { stamp: string; config: PilotFile }[] = []
    for (const stamp of stamps) made.push({ stamp, config: await wanted(stamp) })
    return made.map(({ stamp, config }) => {
      const at = `pilots/${stamp}`
      const own: ArchivedFile[] = []
      const ca = typeof config.ca === 'string' ? config.ca : undefined
      if (ca) own.push({ name: `${at}/ca.pem`, mode: 0o600, content: readFileSync(ca) })
      const content = {
        ...{ ...config, directory: '@scratch@', drainSeconds: DRAIN_SECONDS },
        ...(ca && { ca: `${directory}/${space}/${at}/ca.pem` }),
      }
      own.push(textFile(`${at}/pilot.json`, JSON.stringify(content)))
      return { stamp, config, own }
    })
  }

  async function submitNew(
    stamps: readonly string[],
    wanted: (stamp: string) => Promise<PilotFile>,
  ): Promise<void> {
    const directory = await ready()
    const made = await bundle()
    const at = `${directory}/bundles/${made.name}`
    const name = createHash('sha256').update(stamps.join('\n')).digest('hex').slice(0, 16)
    const pilots = await filesOf(stamps, wanted)
    const offer = pilots[0]!.config
    await scheduler.check?.(ask, offer)
    const submission = {
      ...{ name, count: stamps.length, space: `${directory}/${space}`, program: `${at}/${made.program}` },
      node: made.node ? `${at}/${made.node}` : cluster.node,
    }
    const archive = tarOf([
      ...pilots.flatMap(({ stamp, own }, index) => [
        ...own,
        textFile(`pilots/${stamp}/task`, `${name} ${index}\n`),
      ]),
      textFile(`batches/${name}/stamps`, `${stamps.join('\n')}\n`),
      ...Object.entries(scheduler.files(submission, offer)).map(([file, text]) =>
        textFile(`batches/${name}/${file}`, text),
      ),
    ])
    await ask('submit', name, archive)
  }

  return {
    ask,
    async sample() {
      return {
        ...{ name: 'test', count: 1, space: `${await ready()}/${space}` },
        ...{ node: 'node', program: 'main.js' },
      }
    },
    async submit(stamps, wanted) {
      for (const stamp of stamps)
        if (!STAMP.test(stamp)) throw badCluster(`"${stamp}" is no stamp of a pilot.`)
      if (stamps.length === 0) return
      const known = (await look()).known.filter(({ stamp }) => stamps.includes(stamp))
      // Submissions whose answer was lost are brought to their end first.
      for (const name of new Set(known.filter(({ job }) => job === '').map(({ submission }) => submission)))
        await ask('submit', name)
      const fresh = stamps.filter((stamp) => !known.some((pilot) => pilot.stamp === stamp))
      for (let at = 0; at < fresh.length; at += scheduler.most)
        await submitNew(fresh.slice(at, at + scheduler.most), wanted)
    },
    list,
    async renew(stamps, wanted) {
      if (stamps.length > 0)
        await ask('renew', '', tarOf((await filesOf(stamps, wanted)).flatMap(({ own }) => own)))
    },
    async cancel(stamps, graceMs) {
      let left = await active(stamps)
      const until = clock.now().getTime() + graceMs
      if (left.length > 0) await ask('cancel', '', lines(left))
      while (left.length > 0 && clock.now().getTime() < until) {
        await clock.sleep(LOOK_MS)
        left = await active(stamps)
      }
      const last = clock.now().getTime() + KILL_MOST_MS
      if (left.length > 0) await ask('kill', '', lines(left))
      while (left.length > 0) {
        if (clock.now().getTime() > last)
          throw clusterAway(`${scheduler.name} has not ended ${left.join(', ')} yet.`)
        await clock.sleep(LOOK_MS)
        left = await active(stamps)
      }
    },
    async forget(stamps) {
      if (stamps.length === 0) return
      const over = (await list()).filter(({ stamp, state }) => stamps.includes(stamp) && isOver(state))
      if (over.length > 0) await ask('forget', '', lines(over.map(({ stamp }) => stamp)))
    },
    close: () => ssh.close(),
  }
}

const isOver = (state: BatchPilot['state']): boolean => state === 'Done' || state === 'Failed'
const lines = (words: readonly string[]): Buffer => Buffer.from(`${words.join('\n')}\n`)
const textFile = (name: string, text: string): ArchivedFile => ({
  name,
  mode: 0o600,
  content: Buffer.from(text),
})

/** Lines with their fields, which "|" separates. */
export const linesOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('|'))
