import { createHash } from 'node:crypto'
import { type Db, publish, transaction, wake } from '../kernel/index.ts'
import { invalidJob, requestDiffers } from './errors.ts'
import { ensureDatasets } from './inputs.ts'
import { ensureQueues } from './queue.store.ts'
import { assignInputs } from './sandboxes.ts'
import * as store from './submit.store.ts'
import type { NewJobs, Submitter } from './types.ts'

export interface Submission {
  readonly now: Date
  readonly by: Submitter
  readonly jobs: readonly NewJobs[]
  /** The same key with the same jobs answers as the first time, and adds nothing. */
  readonly key?: string | undefined
}

/** Sent with one request; more go in several. */
export const MOST_JOBS = 100_000

/**
 * Adds jobs: all or nothing, ids in the order given. Throws invalid_job, request_differs when the key was used for
 * something else.
 */
export async function submitJobs(db: Db, submission: Submission): Promise<bigint[]> {
  const { now, by, jobs, key } = submission
  const count = jobs.reduce((sum, { items }) => sum + items.length, 0)
  if (count === 0) throw invalidJob('There is nothing to submit.')
  if (count > MOST_JOBS) throw invalidJob(`At most ${MOST_JOBS} jobs can be submitted at once.`)
  for (const each of jobs) check(each)
  return transaction(db, async (tx) => {
    const digest = key === undefined ? '' : digestOf(by, jobs)
    if (key !== undefined) {
      const known = await store.earlierRequest(tx, { vo: by.vo, ownerId: by.accountId, key })
      if (known && known.digest !== digest)
        throw requestDiffers('This idempotency key was used for other jobs; use a new one.')
      if (known) return [...known.jobIds]
    }
    const datasets = jobs.flatMap(({ spec }) => spec.outputs.map(({ dataset }) => dataset))
    await ensureDatasets(tx, { vo: by.vo, now, accountId: by.accountId, datasets })
    const queues = await ensureQueues(
      tx,
      now,
      jobs.map(({ jobType, demand }) => ({
        ...{ vo: by.vo, ownerId: by.accountId, owner: by.account, group: by.group },
        ...{ jobType, demand, dataSites: null, spoiltAt: [] },
      })),
    )
    const ids: bigint[] = []
    const withSandboxes: { id: bigint; pfns: readonly string[] }[] = []
    for (const [i, { name, jobGroup, priority, spec, items }] of jobs.entries()) {
      const bodyId = await store.insertBody(tx, now, { vo: by.vo, jobGroup, spec })
      const alone = items.length === 1
      const made = await store.insertJobs(tx, now, {
        ...{ vo: by.vo, queueId: queues[i]!, bodyId, ownerId: by.accountId, priority },
        source: 'JobManager',
        jobs: items.map((item) => ({
          name: alone ? name : nameOf(name, item.n),
          item,
          look: item.inputs.length > 0 && !spec.readFromAfar,
        })),
      })
      ids.push(...made)
      const { inputSandboxes: pfns } = spec
      if (pfns.length > 0) withSandboxes.push(...made.map((id) => ({ id, pfns })))
    }
    await assignInputs(tx, now, by, withSandboxes)
    if (key !== undefined)
      await store.keepRequest(tx, now, { vo: by.vo, ownerId: by.accountId, key, digest, jobIds: ids })
    await publish(tx, now, [
      { vo: by.vo, kind: 'job.submitted', subject: by.account, payload: { jobs: ids.length } },
    ])
    await wake(tx, 'job')
    return ids
  })
}

function nameOf(name: string, n: number): string {
  return name.includes('%n') ? name.replaceAll('%n', String(n)) : `${name}_${n}`
}

function check({ name, jobGroup, jobType, priority, spec }: NewJobs): void {
  if (!/^[^\p{Cc}]{1,255}$/u.test(name)) throw invalidJob('The name of a job has 1 to 255 characters.')
  if (!/^[^\p{Cc}]{0,32}$/u.test(jobGroup)) throw invalidJob('The job group has at most 32 characters.')
  if (!/^[A-Za-z0-9_.-]{1,32}$/.test(jobType)) throw invalidJob(`"${jobType}" is no type of job.`)
  if (!Number.isInteger(priority) || priority < 0 || priority > 10)
    throw invalidJob('The priority is a whole number between 0 and 10.')
  if (spec.executable.trim() === '') throw invalidJob('There is nothing to run: name an executable.')
  const bytes = spec.files.reduce((sum, { content }) => sum + content.length, 0)
  if (bytes > 2 << 20)
    throw invalidJob('Files that travel with a job have at most 1.5 MiB together; store larger ones as data.')
  for (const file of spec.files) safeName(file.name)
  for (const { pattern } of spec.outputs) safeName(pattern)
  for (const pattern of spec.outputSandbox) safeName(pattern)
  for (const name of [spec.standardOutput, spec.standardError]) safeName(name)
}

/** A path below the working directory, and nowhere else. */
function safeName(name: string): void {
  const parts = name.split('/')
  if (
    name === '' ||
    name.length > 255 ||
    /[\0\n]/.test(name) ||
    parts.some((part) => ['', '.', '..'].includes(part))
  )
    throw invalidJob(`"${name}" is not a name below the working directory of a job.`)
}

function digestOf(by: Submitter, jobs: readonly NewJobs[]): string {
  return createHash('sha256')
    .update(JSON.stringify([by.group, jobs]))
    .digest('hex')
}
