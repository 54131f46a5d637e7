import { type Database, named } from '../../kernel/database.ts'
import { STANDING_COLUMNS, STANDING_JOINS, type StandingFacts } from '../people/standing.store.ts'
import type { HeldGroup } from './groups-claim.ts'

/** The account a token is for. */
export interface Holder extends StandingFacts {
  readonly uuid: string
  readonly memberships: readonly HeldGroup[]
}

/** Every token needs this, so it is one prepared statement. */
export async function selectHolder(
  pool: Database['pool'],
  id: number,
  now: Date,
): Promise<Holder | undefined> {
  const found = await named<Holder>(
    pool,
    'identity-holder',
    `select ${STANDING_COLUMNS}, a.uuid,
       coalesce((select jsonb_agg(jsonb_build_object('path', g.path, 'optional', g.optional) order by g.path)
         from membership m join grp g on g.id = m.grp_id
         where m.account_id = a.id and (m.until is null or m.until > $2)), '[]') as memberships
     from account a ${STANDING_JOINS} where a.id = $1`,
    [id, now],
  )
  return found[0]
}
