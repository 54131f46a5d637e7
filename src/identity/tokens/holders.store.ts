import { type Db, prepared, sql } from '../../kernel/database.ts'
import { STANDING_COLUMNS, STANDING_JOINS, type StandingFacts } from '../people/standing.store.ts'
import type { HeldGroup } from './groups-claim.ts'

/** The account a token is for. */
export interface Holder extends StandingFacts {
  readonly uuid: string
  readonly memberships: readonly HeldGroup[]
}

/** Every token needs this. */
export async function selectHolder(db: Db, id: number, now: Date): Promise<Holder | undefined> {
  const found = await prepared(
    db,
    sql<Holder>`select ${sql.raw(STANDING_COLUMNS)}, a.uuid,
       coalesce((select jsonb_agg(jsonb_build_object('path', g.path, 'optional', g.optional) order by g.path)
         from membership m join grp g on g.id = m.grp_id
         where m.account_id = a.id and (m.until is null or m.until > ${now})), '[]') as memberships
     from account a ${sql.raw(STANDING_JOINS)} where a.id = ${id}`,
  )
  return found[0]
}
