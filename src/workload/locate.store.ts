import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import { STATES } from './states.ts'
import type { JobItem } from './types.ts'

export interface Looking {
  readonly id: bigint
  readonly vo: string
  readonly state: number
  readonly queueId: number
  readonly item: JobItem
}

/** Locks jobs whose inputs are to be looked for now; other processes pass over them. */
export const lockLooking = (tx: Tx, now: Date, limit: number): Promise<Looking[]> =>
  rows(
    tx,
    sql<Looking>`select id, vo, state, queue_id as "queueId", item from job
      where look_at <= ${now} and state in (${sql.lit(STATES.Received)}, ${sql.lit(STATES.Checking)}, ${sql.lit(STATES.Waiting)})
      order by look_at limit ${limit} for update skip locked`,
  )

export async function nextLook(db: Db): Promise<Date | null> {
  const found = await row(
    db,
    sql<{ at: Date }>`select look_at as at from job where look_at is not null order by look_at limit 1`,
  )
  return found?.at ?? null
}
