import { actorOf, type Principal } from '../../identity/index.ts'
import type { Db } from '../../kernel/index.ts'
import { deleteJobs, isStateName, jobsByIds, killJobs, mayFollow, stateName } from '../../workload/index.ts'
import { wireError } from './errors.ts'

interface Update {
  readonly Status?: string
  readonly MinorStatus?: string
  readonly ApplicationStatus?: string
  readonly Source?: string
}

export interface StatusAnswer {
  readonly success: Record<string, Record<string, unknown>>
  readonly failed: Record<string, { detail: string }>
}

/**
 * Changes of state by people: killing and deleting. What a job does while it runs only its pilot can say, so any other
 * state keeps the present one, as a change that the field's state machine forbids does.
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
  const success: Record<string, Record<string, unknown>> = {}
  const failed: Record<string, { detail: string }> = {}
  const known = new Map(
    (
      await jobsByIds(
        db,
        vo,
        updates.map(({ id }) => id),
      )
    ).map((job) => [job.id, job]),
  )
  for (const { id, list } of updates) {
    const job = known.get(id)
    if (!job) {
      failed[String(id)] = { detail: `Job ${id} not found` }
      continue
    }
    const last = newest(list)
    const { Status: wanted, MinorStatus: minor } = last
    if (wanted !== undefined && !isStateName(wanted)) throw wireError(422, `"${wanted}" is no status`)
    const before = stateName(job.state)
    const allowed = wanted !== undefined && mayFollow(before, wanted) && wanted !== before
    const order = { vo, now, ids: [id], source: last.Source ?? `User: ${actorOf(principal)}` }
    if (allowed && wanted === 'Killed') await killJobs(db, order, minor)
    if (allowed && wanted === 'Deleted') await deleteJobs(db, order)
    const [after] = await jobsByIds(db, vo, [id])
    success[String(id)] = {
      Status: stateName(after!.state),
      MinorStatus: after!.minor,
      LastUpdateTime: after!.updatedAt.toISOString(),
    }
  }
  return { success, failed }
}

/** The update with the latest time; a time without a zone is refused. */
function newest(list: Readonly<Record<string, Update>>): Update {
  const timed = Object.entries(list).map(([text, update]) => {
    if (!/(Z|[+-]\d{2}:?\d{2})$/.test(text) || Number.isNaN(Date.parse(text)))
      throw wireError(400, `Timestamp ${text} is not timezone aware`)
    return { at: Date.parse(text), update }
  })
  timed.sort((a, b) => b.at - a.at)
  return timed[0]?.update ?? {}
}
