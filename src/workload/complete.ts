import { addReplicas, attach, type Did, type Metadata, type Rse, type RseTable } from '../catalog/index.ts'
import { type Db, type Tx, transaction } from '../kernel/index.ts'
import type { ArrivedFile } from '../transfer/index.ts'
import * as ends from './end.store.ts'
import { afterStarts, announce } from './end.ts'
import { attemptOver, invalidJob, outputNotPromised } from './errors.ts'
import { bodiesOf } from './lease.store.ts'
import { moveJobs } from './move.store.ts'
import * as uploads from './outputs.store.ts'
import { jobBodyOf } from './read.store.ts'
import { addLogs, type LogPart } from './report.store.ts'
import { assignOutput, dropSandboxesOfJobs } from './sandboxes.ts'
import { isWithPilot, STATES, WITH_PILOT } from './states.ts'
import type { Held, OutputWish } from './types.ts'

/** A file that a start has made and put at a storage. */
export interface MadeFile extends Did {
  readonly output: number
  readonly rse: string
  readonly bytes: bigint
  readonly adler32: string
  readonly md5: string
}

/** Everything a pilot says at the end of a start. */
export interface Completion extends Held {
  readonly outcome: 'done' | 'failed' | 'site_fault' | 'returned'
  /** Minor status. */
  readonly minor: string
  /** Application status. */
  readonly application: string
  readonly exitCode: number | null
  readonly files: readonly MadeFile[]
  readonly metadata: Metadata
  readonly logs: readonly LogPart[]
  /** The archive of small files that the start sent home. */
  readonly sandbox: string | null
}

/** What a file holds, as it was found in the file itself: so many entries, or why they could not be counted. */
export type SeenInside = { readonly entries: number } | { readonly problem: string }

/**
 * Looks into files at their storages, in no transaction because that may take long; by `scope:name`. Those of no
 * interest are left out.
 */
export type Inspect = (made: {
  readonly vo: string
  readonly jobId: bigint
  readonly files: readonly { readonly file: MadeFile; readonly rse: Rse }[]
}) => Promise<ReadonlyMap<string, SeenInside>>

/** What a start made, registered and about to be committed in this transaction. */
export interface MadeByStart extends Held {
  readonly vo: string
  readonly now: Date
  readonly files: readonly (MadeFile & { readonly fileId: bigint; readonly rseId: number })[]
  readonly metadata: Metadata
  /** By `scope:name`. */
  readonly inside: ReadonlyMap<string, SeenInside>
}

/**
 * The last look of whoever gave a job its work. Answers with the dataset of each file, undefined where the job's own
 * wishes hold. Throws to refuse: then nothing that the start made is kept.
 */
export type Review = (tx: Tx, made: MadeByStart) => Promise<readonly Did[] | undefined>

export interface CompleteDeps {
  readonly db: Db
  readonly rses: RseTable
  /** Asks the storage for size and checksum of files; throws files_not_arrived. */
  readonly verifyArrivals: (input: { vo: string; rse: Rse; files: readonly ArrivedFile[] }) => Promise<void>
  readonly inspect?: Inspect
  readonly review?: Review
}

/**
 * The end of a start. Its files are looked at where they are said to be; then one transaction writes the job's state,
 * the files with their copies, datasets and metadata, and what the owner used. Told twice, it is done once. Throws
 * attempt_over when the job is somebody else's by now, output_not_promised, files_not_arrived.
 */
export async function completeStart(
  deps: CompleteDeps,
  input: { vo: string; pilotId: bigint; now: Date; completion: Completion },
): Promise<void> {
  const { db } = deps
  const { vo, pilotId, now, completion } = input
  const { jobId, attempt, outcome } = completion
  const start = await ends.startOf(db, completion)
  if (!start || start.pilotId !== pilotId) throw over(completion)
  if (start.endedAt) {
    if (start.outcome === outcome) return
    throw over(completion)
  }
  const done = outcome === 'done'
  const outputs = done ? await outputsOf(db, jobId) : []
  const places = done ? await checkFiles(deps, vo, completion, outputs) : new Map<string, Rse>()
  const at = completion.files.map((file) => ({ file, rse: places.get(file.rse)! }))
  const inside = (done && (await deps.inspect?.({ vo, jobId, files: at }))) || new Map<string, SeenInside>()
  await transaction(db, async (tx) => {
    const [job] = await ends.lockJobs(tx, vo, [jobId])
    if (job?.attempt !== attempt || job.pilotId !== pilotId || !isWithPilot(job.state)) {
      // Told twice at the same moment: the other one was quicker.
      if ((await ends.startOf(tx, completion))?.outcome === outcome) return
      throw over(completion)
    }
    await addLogs(tx, pilotId, completion.logs)
    if (completion.sandbox !== null && (done || outcome === 'failed')) {
      await dropSandboxesOfJobs(tx, [jobId], 'output')
      await assignOutput(tx, now, job, completion.sandbox)
    }
    const ended: ends.EndedStart = {
      jobId,
      attempt,
      outcome,
      reason: completion.minor,
      exitCode: completion.exitCode,
    }
    if (!done) {
      await ends.endStarts(tx, now, [ended])
      const { site } = start
      return afterStarts(tx, now, [{ job, start: ended, site, application: completion.application }])
    }
    // A job that was quicker than its first report has run all the same.
    if (job.state === STATES.Matched) {
      const began = { id: jobId, attempt, to: STATES.Running, minor: 'Application' }
      await moveJobs(tx, { now, from: [STATES.Matched], source: 'JobWrapper', moves: [began] })
    }
    const move = { id: jobId, attempt, to: STATES.Done, minor: 'Execution Complete' }
    await moveJobs(tx, {
      ...{ now, from: [...WITH_PILOT], source: 'JobWrapper' },
      moves: [{ ...move, application: completion.application }],
    })
    await announce(tx, now, [{ vo, to: STATES.Done }])
    // Last what others may wait for: the files go where those of many jobs go, and limits are given back.
    const written = { vo, now, ownerId: job.ownerId, completion, outputs, places, inside }
    await writeFiles(tx, deps.review, written)
    await ends.endStarts(tx, now, [ended])
  })
}

const over = ({ jobId, attempt }: Held) =>
  attemptOver(`Start ${attempt} of job ${jobId} is over; what it made does not count.`)

async function outputsOf(db: Db, jobId: bigint): Promise<readonly OutputWish[]> {
  const body = await jobBodyOf(db, jobId)
  return (await bodiesOf(db, [body])).get(body)?.outputs ?? []
}

/** Every file must have been promised to this start, and be where it says. */
async function checkFiles(
  deps: CompleteDeps,
  vo: string,
  completion: Completion,
  outputs: readonly OutputWish[],
): Promise<Map<string, Rse>> {
  const promised = new Set(
    (await uploads.uploadsOf(deps.db, completion)).map(
      ({ scope, name, rseId }) => `${rseId} ${scope}:${name}`,
    ),
  )
  const places = new Map<string, Rse>()
  for (const file of completion.files) {
    const rse = places.get(file.rse) ?? (await deps.rses.byName(vo, file.rse))
    places.set(file.rse, rse)
    if (!outputs[file.output]) throw invalidJob(`The job has no output number ${file.output}.`)
    if (!promised.has(`${rse.id} ${file.scope}:${file.name}`))
      throw outputNotPromised(`${file.scope}:${file.name} at ${file.rse} was not promised to this start.`)
  }
  for (const rse of places.values()) {
    const files = completion.files.filter((file) => file.rse === rse.name)
    await deps.verifyArrivals({ vo, rse, files: files.map((file) => ({ ...file, path: null })) })
  }
  return places
}

async function writeFiles(
  tx: Tx,
  review: Review | undefined,
  input: {
    vo: string
    now: Date
    ownerId: number
    completion: Completion
    outputs: readonly OutputWish[]
    places: ReadonlyMap<string, Rse>
    inside: MadeByStart['inside']
  },
): Promise<void> {
  const { vo, now, ownerId: accountId, completion, outputs, places, inside } = input
  const { files, jobId, attempt, metadata } = completion
  const meta = { ...metadata, job_id: Number(jobId), job_attempt: attempt }
  const made: MadeByStart['files'][number][] = []
  for (const rse of places.values()) {
    const here = files.filter((file) => file.rse === rse.name)
    const added = await addReplicas(tx, {
      ...{ vo, now, accountId, rseId: rse.id },
      files: here.map(({ scope, name, bytes, adler32, md5 }) => ({ scope, name, bytes, adler32, md5, meta })),
    })
    for (const [i, { fileId }] of added.entries()) made.push({ ...here[i]!, fileId, rseId: rse.id })
  }
  if (made.length > 0) {
    const ids = made.map(({ fileId }) => fileId)
    await uploads.addOutputs(tx, completion, ids)
    await uploads.keepUploads(tx, made)
  }
  const chosen = await review?.(tx, { vo, now, jobId, attempt, files: made, metadata, inside })
  if (made.length === 0) return
  const datasetOf = (file: MadeFile, i: number): Did => chosen?.[i] ?? outputs[file.output]!.dataset
  const attachments = new Map<string, Did & { dids: Did[] }>()
  for (const [i, file] of made.entries()) {
    const { scope, name } = datasetOf(file, i)
    const known = attachments.get(`${scope}:${name}`) ?? { scope, name, dids: [] }
    known.dids.push({ scope: file.scope, name: file.name })
    attachments.set(`${scope}:${name}`, known)
  }
  await attach(tx, { vo, now, accountId, attachments: [...attachments.values()] })
}
