import type { PilotFile } from './batch-system.ts'
import type { Pool } from './cluster.ts'
import { CONDOR_HELPER, poolFiles } from './condor-script.ts'
import { clusterFailed, noCondor } from './errors.ts'
import {
  type LoginBatch,
  type LoginOptions,
  linesOf,
  loginBatch,
  type QueuedJob,
  type Scheduler,
} from './login-batch.ts'
import type { Submission } from './login-script.ts'
import { amountOf, MARGIN_SECONDS } from './offers.ts'

export interface CondorBatch extends LoginBatch {
  /** Slots of the pool, and those that share the access point's file system. */
  slots(): Promise<{ domain: string; all: number; sharing: number }>
  /** What HTCondor says to pilots of an offer, without starting one. Throws submit_refused. */
  tryout(offer: PilotFile): Promise<string>
}

/** https://htcondor.readthedocs.io/en/latest/classad-attributes/job-classad-attributes.html, JobStatus */
const STATES = ['', 'IDLE', 'RUNNING', 'REMOVED', 'COMPLETED', 'HELD', 'TRANSFERRING_OUTPUT', 'SUSPENDED']
/** Over, as its history says. */
const ENDED = 'ENDED'
const MOST = 1000
/** Each is a question of its own; the rest is asked at the next look. */
const PAST_MOST = 50

/** Pilots as jobs of an HTCondor pool whose access point is reached by ssh. */
export function condorBatch(options: LoginOptions<Pool>): CondorBatch {
  const { cluster, space } = options
  const files = (submission: Submission, offer: PilotFile, stamps: string | undefined) =>
    poolFiles(submission, {
      ...{ space, stamps, account: cluster.account },
      cores: amountOf(offer, 'cores', 1),
      memoryMb: amountOf(offer, 'memoryMb', 256),
      diskMb: amountOf(offer, 'diskMb', 100),
      seconds: amountOf(offer, 'seconds', 60) + MARGIN_SECONDS,
      attributes: cluster.attributes
        .split(',')
        .filter(Boolean)
        .map((one) => [one.split('=')[0]!, one.split('=')[1]!] as const),
    })
  const condor: Scheduler = {
    name: 'HTCondor',
    helper: CONDOR_HELPER,
    most: MOST,
    jobOf: (submitted, index) => `${submitted}.${index}`,
    queued: (text) => jobsIn(text, queuedJob),
    files: (submission, offer) =>
      files(submission, offer, `${submission.space}/batches/${submission.name}/stamps`),
    stateOf,
    async past(ask, jobs) {
      const asked = jobs.filter((job) => /^\d+\.\d+$/.test(job)).slice(0, PAST_MOST)
      return asked.length === 0
        ? new Map()
        : jobsIn(await ask('past', '', Buffer.from(`${asked.join('\n')}\n`)), endedJob)
    },
    absent: (text) => noCondor(`${cluster.host} is no access point of HTCondor: ${text}`),
  }
  const batch = loginBatch(options, condor)
  return {
    ...batch,
    async slots() {
      const [[domain = '', all, sharing] = []] = linesOf(await batch.ask('slots'))
      return { domain, all: Number(all), sharing: Number(sharing) }
    },
    async tryout(offer) {
      const { script } = files(await batch.sample(), offer, undefined)
      return (await batch.ask('tryout', '', Buffer.from(script))).trim()
    },
  }
}

const failed = (reason: string) => ({ state: 'Failed' as const, reason })

const stateOf: Scheduler['stateOf'] = ({ begun }, found) => {
  if (!found) return failed('HTCondor does not know it any more.')
  const { state, reason } = found
  if (state === ENDED) return reason === '' ? { state: 'Done', reason } : failed(reason)
  if (state === 'IDLE' && begun) return failed('HTCondor took its slot away.')
  // Told to end, it has its time to do so.
  if (begun) return { state: 'Running', reason: '' }
  return state === 'REMOVED' ? failed('HTCondor removed it.') : { state: 'Waiting', reason: '' }
}

type Ad = Readonly<Record<string, unknown>>

/** Nothing but a person lets a held job go on, and another pilot costs nothing. */
function queuedJob({ JobStatus, HoldReason }: Ad): QueuedJob {
  const state = STATES[Number(JobStatus)] ?? ''
  return { state, reason: '', ...(state === 'HELD' && { failed: `HTCondor holds it: ${HoldReason}` }) }
}

function endedJob({ JobStatus, ExitCode, ExitBySignal, ExitSignal, RemoveReason }: Ad): QueuedJob {
  const ended = ExitBySignal === true ? `by signal ${ExitSignal}` : `with ${ExitCode}`
  const completed = ExitCode === 0 ? '' : `The pilot ended ${ended}.`
  const removed = `HTCondor removed it: ${RemoveReason ?? 'nobody said why'}`
  return { state: ENDED, reason: STATES[Number(JobStatus)] === 'COMPLETED' ? completed : removed }
}

/** Jobs of one or several lists as JSON; where there is none, some versions print nothing. */
function jobsIn(text: string, meaning: (ad: Ad) => QueuedJob): Map<string, QueuedJob> {
  try {
    const lists = text.split(/^(?=\[)/m).filter((part) => part.trim() !== '')
    const ads = lists.flatMap((list) => JSON.parse(list) as Ad[])
    return new Map(ads.map((ad) => [`${ad.ClusterId}.${ad.ProcId}`, meaning(ad)]))
  } catch (error) {
    throw clusterFailed('HTCondor there does not list jobs as JSON; its version may be too old.', {}, error)
  }
}
