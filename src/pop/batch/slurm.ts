import type { PilotFile } from './batch-system.ts'
import type { Cluster } from './cluster.ts'
import { noSlurm, partitionWrong, submitRefused } from './errors.ts'
import {
  type Ask,
  type LoginBatch,
  type LoginOptions,
  linesOf,
  loginBatch,
  type Scheduler,
} from './login-batch.ts'
import { amountOf, MARGIN_SECONDS } from './offers.ts'
import { minutesOf, type Partition } from './partition.ts'
import { arrayScript, SLURM_HELPER } from './slurm-script.ts'

export interface SlurmBatch extends LoginBatch {
  partitions(): Promise<Partition[]>
  /** What Slurm says to pilots of an offer, without starting one. Throws partition_wrong, submit_refused. */
  tryout(offer: PilotFile): Promise<string>
}

/** Slurm's own limit for arrays is 1001 where nobody set another. */
const ARRAY_MOST = 500
const OVER = new Set(
  'BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT'.split(
    ' ',
  ),
)
const BEFORE = new Set(
  'PENDING CONFIGURING REQUEUED REQUEUE_FED REQUEUE_HOLD RESV_DEL_HOLD SPECIAL_EXIT'.split(' '),
)

/** Pilots as array jobs of a Slurm cluster that is reached by ssh. */
export function slurmBatch(options: LoginOptions<Cluster>): SlurmBatch {
  const { cluster } = options
  const slurm = slurmAt(cluster)
  const batch = loginBatch(options, slurm)
  return {
    ...batch,
    partitions: () => partitionsOf(batch.ask),
    async tryout(offer) {
      await slurm.check?.(batch.ask, offer)
      const script = arrayScript(await batch.sample(), demandOf(cluster, offer))
      return (await batch.ask('tryout', '', Buffer.from(script))).trim()
    },
  }
}

const slurmAt = (cluster: Cluster): Scheduler => ({
  name: 'Slurm',
  helper: SLURM_HELPER,
  most: ARRAY_MOST,
  jobOf: (submitted, index) => `${submitted}_${index}`,
  queued: (text) =>
    new Map(
      linesOf(text).map(([job, index, state = '', reason = '']) => [`${job}_${index}`, { state, reason }]),
    ),
  files: (submission, offer) => ({ script: arrayScript(submission, demandOf(cluster, offer)) }),
  stateOf({ begun }, found) {
    if (!found) return { state: 'Failed', reason: 'Slurm does not know it any more.' }
    if (!OVER.has(found.state))
      return begun && !BEFORE.has(found.state)
        ? { state: 'Running', reason: '' }
        : { state: 'Waiting', reason: found.reason }
    // Without a word of its own it had begun before, or nobody could write it down.
    return found.state === 'COMPLETED'
      ? { state: 'Done', reason: '' }
      : { state: 'Failed', reason: `Slurm says ${found.state} (${found.reason}).` }
  },
  /** Slurm takes jobs that ask for more time than their partition allows, and never starts them. */
  async check(ask, offer) {
    const { partition } = cluster
    const found = await partitionsOf(ask)
    const wanted = found.find((one) => (partition ? one.name === partition : one.standard))
    const minutes = minutesAsked(offer)
    if (!wanted || minutes <= minutesOf(wanted.limit)) return
    throw submitRefused(
      `The partition ${wanted.name} takes jobs of at most ${wanted.limit}, and a pilot asks for ${minutes} minutes, ${MARGIN_SECONDS / 60} of them to spare. Offer fewer hours or name another partition.`,
    )
  },
  refusal(said) {
    const text = said.replace(/^sbatch: error: (Batch job submission failed: )?/gm, '')
    return /partition/i.test(text)
      ? partitionWrong(
          `Slurm at ${cluster.host} does not take jobs for the partition "${cluster.partition}": ${text}`,
        )
      : submitRefused(`Slurm at ${cluster.host} refuses the pilots: ${text}`)
  },
  absent: (text) => noSlurm(`${cluster.host} has no Slurm: ${text}`),
})

async function partitionsOf(ask: Ask): Promise<Partition[]> {
  return linesOf(await ask('partitions')).map(([name = '', up, limit = '']) => ({
    ...{ name: name.replace(/\*$/, ''), up: up === 'up', limit, standard: name.endsWith('*') },
  }))
}

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
