import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { NEEDS_INPUTS } from './end.store.ts'
import { STATES } from './states.ts'
import type { JobItem } from './types.ts'

export interface Looking {
  readonly id: bigint
  readonly vo: string
  readonly state: number
  readonly queueId: number
  readonly item: JobItem
  /** It may run only where they are. */
  readonly needsInputs: boolean
}

/** States in which somebody looks where a job can run. */
export const LOOKING = [STATES.Received, STATES.Checking, STATES.Waiting, STATES.Rescheduled] as const

/** Locks jobs whose inputs are to be looked for now; other processes pass over them. */
export const lockLooking = (tx: Tx, now: Date, limit: number): Promise<Looking[]> =>
  rows(
    tx,
    sql<Looking>`select j.id, j.vo, j.state, j.queue_id as "queueId", j.item, ${NEEDS_INPUTS} as "needsInputs"
      from job j join job_body b on b.id = j.body_id
      where j.look_at <= ${now} and j.state in (${sql.join(LOOKING.map((state) => sql.lit(state)))})
      order by j.look_at limit ${limit} for update of j skip locked`,
  )

export async function nextLook(db: Db): Promise<Date | null> {
  const found = await row(
    db,
    sql<{ at: Date }>`select look_at as at from job where look_at is not null order by look_at limit 1`,
  )
  return found?.at ?? null
}
