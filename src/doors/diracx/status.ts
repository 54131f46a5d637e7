import { actorOf, type Principal } from '../../identity/index.ts'
import type { Db } from '../../kernel/index.ts'
import {
  deleteJobs,
  isStateName,
  type JobView,
  jobsByIds,
  killJobs,
  mayFollow,
  noteJobs,
  stateName,
} from '../../workload/index.ts'
import { wireError } from './errors.ts'
import { jobRecord } from './job-view.ts'

export interface Update {
  readonly Status?: string
  readonly MinorStatus?: string
  readonly ApplicationStatus?: string
  readonly Source?: string
}

export interface StatusAnswer {
  readonly success: Record<string, Record<string, unknown>>
  readonly failed: Record<string, { detail: string }>
}

const SHOWN =
  'Status MinorStatus ApplicationStatus HeartBeatTime StartExecTime EndExecTime LastUpdateTime'.split(' ')

/**
 * Updates of jobs, each in the order of its times. Killing and deleting are done; what a job is doing otherwise only its
 * pilot can say, so any other state keeps the present one, as a change that the field's state machine forbids does, and
 * the history says so by `(SM)`. The rest of an update is what lists show, unless something newer is known.
 */
export async function changeStatus(
  db: Db,
  input: {
    principal: Principal
    now: Date
    updates: readonly { id: bigint; list: Readonly<Record<string, Update>> }[]
  },
): Promise<StatusAnswer> {
  const { principal, now, updates } = input
  const { vo } = principal
  const ids = updates.map(({ id }) => id)
  const known = await byId(db, vo, ids)
  /** The newest time that is known of each; our own writing of these updates does not count. */
  const newest = new Map([...known].map(([id, { updatedAt }]) => [id, updatedAt]))
  const failed: Record<string, { detail: string }> = {}
  for (const { id } of updates) if (!known.has(id)) failed[String(id)] = { detail: `Job ${id} not found` }
  const steps = updates
    .filter(({ id }) => known.has(id))
    .flatMap(({ id, list }) => inOrder(list, now).map((step) => ({ id, ...step })))
  for (const { id, at, update } of steps) {
    const job = known.get(id)!
    const { Status: wanted, MinorStatus: minor, ApplicationStatus: application } = update
    if (wanted !== undefined && !isStateName(wanted)) throw wireError(422, `"${wanted}" is no status`)
    const before = stateName(job.state)
    const source = update.Source ?? `User: ${actorOf(principal)}`
    const order = { vo, now, ids: [id], source }
    const allowed = wanted !== undefined && wanted !== before && mayFollow(before, wanted)
    if (allowed && wanted === 'Killed') await killJobs(db, order, minor)
    else if (allowed && wanted === 'Deleted') await deleteJobs(db, order)
    else {
      const refused = wanted !== undefined && wanted !== before
      const note = { id, at, minor: minor ?? null, application: application ?? null }
      const told = refused ? `${source.slice(0, 58)} (SM)` : source
      await noteJobs(db, now, [{ ...note, source: told, lastChange: newest.get(id)! }])
      if (at > newest.get(id)!) newest.set(id, at)
    }
    for (const [key, after] of await byId(db, vo, [id])) known.set(key, after)
  }
  const success = Object.fromEntries(
    [...known].map(([id, job]) => {
      const record = jobRecord(job)
      return [String(id), Object.fromEntries(SHOWN.map((name) => [name, record[name]]))]
    }),
  )
  return { success, failed }
}

const byId = async (db: Db, vo: string, ids: readonly bigint[]): Promise<Map<bigint, JobView>> =>
  new Map((await jobsByIds(db, vo, ids)).map((job) => [job.id, job]))

/** A time without a zone is refused; one in the future is now. */
function inOrder(list: Readonly<Record<string, Update>>, now: Date): { at: Date; update: Update }[] {
  return Object.entries(list)
    .map(([text, update]) => {
      if (!/(Z|[+-]\d{2}:?\d{2})$/.test(text) || Number.isNaN(Date.parse(text)))
        throw wireError(400, `Timestamp ${text} is not timezone aware`)
      return { at: new Date(Math.min(Date.parse(text), now.getTime())), update }
    })
    .sort((a, b) => a.at.getTime() - b.at.getTime())
}
