import { type Db, rows, sql, type Tx } from '../kernel/index.ts'
import { STATES } from './states.ts'

/** Sites with pilots that no place of ours started. */
export const foreignSites = (db: Db): Promise<{ readonly vo: string; readonly site: string }[]> =>
  rows(
    db,
    sql<{ vo: string; site: string }>`select distinct vo, site from pilot
      where deadline is not null and resource_id is null`,
  )

/** Waiting jobs of queues; those that somebody else has locked are passed over. */
export async function stuckJobs(tx: Tx, queueIds: readonly number[], limit: number): Promise<bigint[]> {
  const found = await rows(
    tx,
    sql<{ id: bigint }>`select id from job where queue_id = any(${queueIds}::int[])
      and state = ${sql.lit(STATES.Waiting)} order by id limit ${limit} for update skip locked`,
  )
  return found.map(({ id }) => id)
}
