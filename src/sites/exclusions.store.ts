import { type Db, rows, sql, type Tx } from '../kernel/database.ts'
import type { Exclusion } from './exclusion.ts'

const EXCLUSION = sql`id, vo, site, resource, action, reason, made_by as "madeBy", made_at as "madeAt", until,
  ended_by as "endedBy", ended_at as "endedAt"`

export type NewExclusion = Omit<Exclusion, 'id' | 'madeAt' | 'endedBy' | 'endedAt'>

export async function insertExclusion(tx: Tx, now: Date, exclusion: NewExclusion): Promise<Exclusion> {
  const { vo, site, resource, action, reason, madeBy, until } = exclusion
  const [made] = await rows(
    tx,
    sql<Exclusion>`insert into exclusion (vo, site, resource, action, reason, made_by, made_at, until)
      values (${vo}, ${site}, ${resource}, ${action}, ${reason}, ${madeBy}, ${now}, ${until}) returning ${EXCLUSION}`,
  )
  return made!
}

/** Those that hold now. */
export const exclusionsNow = (db: Db, now: Date, vo: string): Promise<Exclusion[]> =>
  rows(
    db,
    sql<Exclusion>`select ${EXCLUSION} from exclusion where vo = ${vo} and ended_at is null and until > ${now}
      order by made_at, id`,
  )

/** Those that touch a span of time, also such as are over. */
export const exclusionsBetween = (db: Db, vo: string, from: Date, to: Date): Promise<Exclusion[]> =>
  rows(
    db,
    sql<Exclusion>`select ${EXCLUSION} from exclusion where vo = ${vo} and made_at < ${to}
      and least(until, coalesce(ended_at, until)) > ${from} order by made_at, id`,
  )

export const extendExclusions = (tx: Tx, ids: readonly bigint[], until: Date) =>
  sql`update exclusion set until = greatest(until, ${until}) where id = any(${ids}::bigint[])`.execute(tx)

/** Ends what holds; by null: the machine. */
export const endExclusions = (
  tx: Tx,
  now: Date,
  ids: readonly bigint[],
  by: string | null,
): Promise<Exclusion[]> =>
  rows(
    tx,
    sql<Exclusion>`update exclusion set ended_at = ${now}, ended_by = ${by}
      where id = any(${ids}::bigint[]) and ended_at is null returning ${EXCLUSION}`,
  )
