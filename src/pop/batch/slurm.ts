import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch-system.ts'
import { type Bundle, bundleOf } from './bundle.ts'
import type { Cluster } from './cluster.ts'
import { badCluster, clusterAway, clusterFailed, noSlurm, partitionWrong, submitRefused } from './errors.ts'
import { minutesOf, type Partition } from './partition.ts'
import { HELPER, submissionScript } from './slurm-script.ts'
import { openSsh, RemoteError, type Ssh } from './ssh.ts'
import { type ArchivedFile, tarOf } from './tar.ts'

export interface SlurmOptions {
  readonly cluster: Cluster
  /** Of this gateway's pilots at the cluster: nobody else there uses it. Letters, digits and "-". */
  readonly space: string
  /** Of the gateway: what it knows of the cluster. */
  readonly directory: string
  /** Private key to log in with. */
  readonly identity: string
  /** The compiled pilot program. */
  readonly program: string
  readonly clock?: Clock
}

export interface SlurmBatch extends BatchSystem {
  partitions(): Promise<Partition[]>
  /** What Slurm says to pilots of an offer, without starting one. Throws partition_wrong, submit_refused. */
  tryout(offer: PilotFile): Promise<string>
  /** Forgets the connection. */
  close(): Promise<void>
}

/** What the helper knows of a pilot. */
interface Known {
  readonly stamp: string
  readonly submission: string
  readonly index: string
  readonly job: string
  readonly begun: boolean
  readonly code: string
  readonly said: string
}

const STAMP = /^[A-Za-z0-9_-]{1,32}$/
/** Slurm's own limit for arrays is 1001 where nobody set another. */
const ARRAY_MOST = 500
const LOOK_MS = 500
/** A pilot ends by its own clock; Slurm's is for those that do not. */
const MARGIN_SECONDS = 300
const KILL_MOST_MS = 60_000
const DRAIN_SECONDS = 20
const OVER = new Set(
  'BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT'.split(
    ' ',
  ),
)
const BEFORE = new Set(
  'PENDING CONFIGURING REQUEUED REQUEUE_FED REQUEUE_HOLD RESV_DEL_HOLD SPECIAL_EXIT'.split(' '),
)

/**
 * Pilots as array jobs of a Slurm cluster that is reached by ssh. A submission is named by the stamps in it and leaves
 * a directory at the cluster before Slurm hears of it: when an answer is lost, the next try finds the jobs by that name.
 */
export function slurmBatch(options: SlurmOptions): SlurmBatch {
  const { cluster, space, clock = systemClock } = options
  const ssh = openSsh({ ...cluster, directory: options.directory, identity: options.identity })
  const helper = `helper-${createHash('sha256').update(HELPER).digest('hex').slice(0, 16)}`
  let base: Promise<string> | undefined
  let shipped: Promise<Bundle> | undefined

  /** The directory at the cluster, with the helper in it. */
  const ready = (): Promise<string> => {
    base ??= prepare(ssh, cluster, helper).catch((error) => {
      base = undefined
      throw error
    })
    return base
  }
  const ask = async (verb: string, word = '', input?: Buffer, at = space): Promise<string> => {
    const directory = await ready()
    try {
      return await ssh.run(`sh ${directory}/${helper} ${verb} ${at} ${word}`, input)
    } catch (error) {
      throw meaning(error, cluster)
    }
  }
  const bundle = (): Promise<Bundle> => {
    shipped ??= ship().catch((error) => {
      shipped = undefined
      throw error
    })
    return shipped
  }

  async function ship(): Promise<Bundle> {
    const made = bundleOf(options.program, { node: cluster.node === '' })
    const directory = await ready()
    if ((await ask('bundle', made.name, undefined, 'ask')).trim() === 'there') return made
    await ssh
      .run(`sh ${directory}/${helper} bundle put ${made.name}`, made.archive())
      .catch((error) => Promise.reject(meaning(error, cluster)))
    return made
  }

  async function look(): Promise<{ known: Known[]; queue: Map<string, { state: string; reason: string }> }> {
    const [files = '', jobs = ''] = (await ask('list')).split(/^=\n/m)
    const known = linesOf(files).map(
      ([stamp = '', submission = '', index = '', job = '', begun, code = '', said = '']) => ({
        ...{ stamp, submission, index, job, begun: begun === 'begun', code, said },
      }),
    )
    const queue = new Map(
      linesOf(jobs).map(([job, index, state = '', reason = '']) => [`${job}_${index}`, { state, reason }]),
    )
    return { known, queue }
  }

  async function list(): Promise<BatchPilot[]> {
    let { known, queue } = await look()
    const lost = ({ job, index, code }: Known) => job !== '' && code === '' && !queue.has(`${job}_${index}`)
    // It may have ended between the two questions that the helper asked.
    if (known.some(lost)) ({ known, queue } = await look())
    return known.map((pilot) => stateOf(pilot, queue.get(`${pilot.job}_${pilot.index}`)))
  }

  const active = async (stamps: readonly string[]): Promise<string[]> =>
    (await list())
      .filter(
        ({ stamp, state, reference }) =>
          stamps.includes(stamp) && reference && (state === 'Waiting' || state === 'Running'),
      )
      .map(({ reference }) => reference!.replace(/^job /, ''))

  const files = async (stamps: readonly string[], prepare: (stamp: string) => Promise<PilotFile>) => {
    const directory = await ready()
    const made: { stamp: string; config: PilotFile }[] = []
    for (const stamp of stamps) made.push({ stamp, config: await prepare(stamp) })
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
    prepare: (stamp: string) => Promise<PilotFile>,
  ): Promise<void> {
    const { program, node } = await bundle().then(async (made) => {
      const at = `${await ready()}/bundles/${made.name}`
      return { program: `${at}/${made.program}`, node: made.node ? `${at}/${made.node}` : cluster.node }
    })
    const name = createHash('sha256').update(stamps.join('\n')).digest('hex').slice(0, 16)
    const pilots = await files(stamps, prepare)
    await checkTime(pilots[0]!.config)
    const script = submissionScript({
      ...{ name, count: stamps.length, node, program, space: `${await ready()}/${space}` },
      options: demandOf(cluster, pilots[0]!.config),
    })
    const archive = tarOf([
      ...pilots.flatMap(({ stamp, own }, index) => [
        ...own,
        textFile(`pilots/${stamp}/task`, `${name} ${index}\n`),
      ]),
      textFile(`batches/${name}/stamps`, `${stamps.join('\n')}\n`),
      textFile(`batches/${name}/script`, script),
    ])
    await ask('submit', name, archive)
  }

  async function partitions(): Promise<Partition[]> {
    return linesOf(await ask('partitions')).map(([name = '', up, limit = '']) => ({
      ...{ name: name.replace(/\*$/, ''), up: up === 'up', limit, standard: name.endsWith('*') },
    }))
  }

  /** Slurm takes jobs that ask for more time than their partition allows, and never starts them. */
  async function checkTime(offer: PilotFile): Promise<void> {
    const { partition } = cluster
    const wanted = (await partitions()).find((one) => (partition ? one.name === partition : one.standard))
    const minutes = minutesAsked(offer)
    if (!wanted || minutes <= minutesOf(wanted.limit)) return
    throw submitRefused(
      `The partition ${wanted.name} takes jobs of at most ${wanted.limit}, and a pilot asks for ${minutes} minutes, ${MARGIN_SECONDS / 60} of them to spare. Offer fewer hours or name another partition.`,
    )
  }

  return {
    async submit(stamps, prepare) {
      for (const stamp of stamps)
        if (!STAMP.test(stamp)) throw badCluster(`"${stamp}" is no stamp of a pilot.`)
      if (stamps.length === 0) return
      const { known } = await look()
      const wanted = known.filter(({ stamp }) => stamps.includes(stamp))
      // Submissions whose answer was lost are brought to their end first.
      for (const name of new Set(wanted.filter(({ job }) => job === '').map(({ submission }) => submission)))
        await ask('submit', name)
      const fresh = stamps.filter((stamp) => !wanted.some((pilot) => pilot.stamp === stamp))
      for (let at = 0; at < fresh.length; at += ARRAY_MOST)
        await submitNew(fresh.slice(at, at + ARRAY_MOST), prepare)
    },
    list,
    async renew(stamps, prepare) {
      if (stamps.length > 0)
        await ask('renew', '', tarOf((await files(stamps, prepare)).flatMap(({ own }) => own)))
    },
    async cancel(stamps, graceMs) {
      let left = await active(stamps)
      const until = clock.now().getTime() + graceMs
      if (left.length > 0) await ask('cancel', '', Buffer.from(`${left.join('\n')}\n`))
      while (left.length > 0 && clock.now().getTime() < until) {
        await clock.sleep(LOOK_MS)
        left = await active(stamps)
      }
      const last = clock.now().getTime() + KILL_MOST_MS
      if (left.length > 0) await ask('kill', '', Buffer.from(`${left.join('\n')}\n`))
      while (left.length > 0) {
        if (clock.now().getTime() > last) throw clusterAway(`Slurm has not ended ${left.join(', ')} yet.`)
        await clock.sleep(LOOK_MS)
        left = await active(stamps)
      }
    },
    async forget(stamps) {
      if (stamps.length === 0) return
      const over = (await list()).filter(({ stamp, state }) => stamps.includes(stamp) && isOver(state))
      if (over.length > 0)
        await ask('forget', '', Buffer.from(`${over.map(({ stamp }) => stamp).join('\n')}\n`))
    },
    partitions,
    async tryout(offer) {
      await checkTime(offer)
      const at = `${await ready()}/${space}`
      const options = demandOf(cluster, offer)
      const script = submissionScript({
        name: 'test',
        count: 1,
        space: at,
        node: 'node',
        program: 'main.js',
        options,
      })
      return (await ask('tryout', '', Buffer.from(script))).trim()
    },
    close: () => ssh.close(),
  }
}

const isOver = (state: BatchPilot['state']): boolean => state === 'Done' || state === 'Failed'
const textFile = (name: string, text: string): ArchivedFile => ({
  name,
  mode: 0o600,
  content: Buffer.from(text),
})
const linesOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('|'))

/** Makes the directory and puts the helper there; where it is. */
async function prepare(ssh: Ssh, cluster: Cluster, helper: string): Promise<string> {
  try {
    const [home = '', machine = ''] = (await ssh.run(`sh -c 'echo "$HOME"; uname -sm'`)).split('\n')
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
    await ssh.run(
      `sh -c 'umask 077 && mkdir -p ${at} && cat >${file}.$$ && mv ${file}.$$ ${file}'`,
      Buffer.from(HELPER),
    )
    return at
  } catch (error) {
    throw meaning(error, cluster)
  }
}

/** At least `least`, whole. */
const amountOf = (offer: PilotFile, key: string, least: number): number =>
  Math.max(least, Math.ceil(Number(offer[key] ?? 0)) || 0)
const minutesAsked = (offer: PilotFile): number =>
  Math.ceil((amountOf(offer, 'seconds', 60) + MARGIN_SECONDS) / 60)

/** What a pilot of this offer asks of Slurm. */
function demandOf(cluster: Cluster, offer: PilotFile): string[] {
  const named = (['partition', 'account', 'qos'] as const).filter((key) => cluster[key] !== '')
  return [
    ...named.map((key) => `--${key}=${cluster[key]}`),
    `--cpus-per-task=${amountOf(offer, 'cores', 1)}`,
    `--mem=${amountOf(offer, 'memoryMb', 256)}`,
    `--time=${minutesAsked(offer)}`,
  ]
}

function stateOf(pilot: Known, found: { state: string; reason: string } | undefined): BatchPilot {
  const { stamp, job, index, code, said } = pilot
  const reference = job === '' ? null : `job ${job}_${index}`
  const is = (state: BatchPilot['state'], reason = ''): BatchPilot => ({ stamp, state, reason, reference })
  if (code === '0') return is('Done')
  if (code !== '') return is('Failed', `The pilot ended with ${code}. ${said}`.trim())
  if (job === '') return is('Waiting', 'Slurm was asked, its answer was lost')
  if (!found) return is('Failed', 'Slurm does not know it any more.')
  if (!OVER.has(found.state))
    return pilot.begun && !BEFORE.has(found.state) ? is('Running') : is('Waiting', found.reason)
  // Without a word of its own it had begun before, or nobody could write it down.
  return found.state === 'COMPLETED'
    ? is('Done')
    : is('Failed', `Slurm says ${found.state} (${found.reason}).`)
}

/** What went wrong at the cluster, in words that say what to do. */
function meaning(error: unknown, { host, partition }: Cluster): unknown {
  if (!(error instanceof RemoteError)) return error
  const { code, message } = error
  const text = message.replace(/^sbatch: error: (Batch job submission failed: )?/gm, '')
  if (/partition/i.test(text) && code === 76)
    return partitionWrong(`Slurm at ${host} does not take jobs for the partition "${partition}": ${text}`)
  if (code === 76) return submitRefused(`Slurm at ${host} refuses the pilots: ${text}`)
  if (code === 75) return clusterAway(`Slurm at ${host} does not answer: ${text}`)
  if (code === 77) return noSlurm(`${host} has no Slurm: ${text}`)
  return clusterFailed(`A command at ${host} failed: ${text}`)
}
