import { type Db, row, rows, sql, type Tx } from '../kernel/database.ts'
import type { Downtime } from './downtime.ts'

const DOWNTIME = sql`id, vo, site, storage, resource, severity, starts_at as "startsAt", ends_at as "endsAt", reason,
  made_by as "madeBy", made_at as "madeAt", cancelled_by as "cancelledBy", cancelled_at as "cancelledAt"`

export type NewDowntime = Omit<Downtime, 'id' | 'madeAt' | 'cancelledBy' | 'cancelledAt'>

export async function insertDowntime(tx: Tx, now: Date, downtime: NewDowntime): Promise<Downtime> {
  const { vo, site, storage, resource, severity, startsAt, endsAt, reason, madeBy } = downtime
  const made = await row(
    tx,
    sql<Downtime>`insert into downtime (vo, site, storage, resource, severity, starts_at, ends_at, reason, made_by, made_at)
      values (${vo}, ${site}, ${storage}, ${resource}, ${severity}, ${startsAt}, ${endsAt}, ${reason}, ${madeBy}, ${now})
      returning ${DOWNTIME}`,
  )
  return made!
}

/** Present ones and those to come, of one VO or of all. */
export const downtimesAhead = (db: Db, now: Date, vo: string | null): Promise<Downtime[]> =>
  rows(
    db,
    sql<Downtime>`select ${DOWNTIME} from downtime where cancelled_at is null and ends_at > ${now}
      and (${vo}::text is null or vo = ${vo}) order by starts_at, id`,
  )

/** Those that touch a span of time, also cancelled ones, newest first. */
export const downtimesBetween = (db: Db, vo: string, from: Date, to: Date): Promise<Downtime[]> =>
  rows(
    db,
    sql<Downtime>`select ${DOWNTIME} from downtime where vo = ${vo} and starts_at < ${to} and ends_at > ${from}
      order by starts_at desc, id desc limit 1000`,
  )

export const downtimeOf = (tx: Tx, vo: string, id: number): Promise<Downtime | undefined> =>
  row(tx, sql<Downtime>`select ${DOWNTIME} from downtime where vo = ${vo} and id = ${id} for update`)

/** One that has begun ends now; one that has not is cancelled. */
export async function endDowntime(tx: Tx, now: Date, id: number, by: string): Promise<Downtime> {
  const ended = await row(
    tx,
    sql<Downtime>`update downtime set ends_at = case when starts_at < ${now} then ${now} else ends_at end,
        cancelled_by = case when starts_at < ${now} then null else ${by} end,
        cancelled_at = case when starts_at < ${now} then null else ${now}::timestamptz end
      where id = ${id} returning ${DOWNTIME}`,
  )
  return ended!
}
