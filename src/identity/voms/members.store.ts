import { type Db, prepared, sql } from '../../kernel/database.ts'
import { STANDING_COLUMNS, STANDING_JOINS, type StandingFacts } from '../people/standing.store.ts'
import type { Held } from './grant.ts'

/** How somebody stands, and what the VO knows of them. */
export type Member = StandingFacts & Held

interface Row extends StandingFacts {
  readonly memberships: readonly {
    readonly path: string
    readonly optional: boolean
    readonly role: boolean
    /** Milliseconds since 1970. */
    readonly until: number | null
  }[]
  readonly attributes: Held['attributes']
}

/** Every certificate needs this. Attributes are the member's own and those of groups. */
export async function selectMember(db: Db, accountId: number, now: Date): Promise<Member | undefined> {
  const [found] = await prepared(
    db,
    sql<Row>`with held as (select g.id, g.path, g.optional, g.role, m.until from membership m join grp g on g.id = m.grp_id
       where m.account_id = ${accountId} and (m.until is null or m.until > ${now}))
     select ${sql.raw(STANDING_COLUMNS)},
       coalesce((select jsonb_agg(jsonb_build_object('path', path, 'optional', optional, 'role', role,
         'until', floor(extract(epoch from until) * 1000))) from held), '[]') as memberships,
       coalesce((select jsonb_agg(x order by x.name, x.value, x.group) from (
         select name, value, null as "group" from generic_attribute where account_id = ${accountId}
         union all select t.name, t.value, h.path from generic_attribute t join held h on h.id = t.grp_id) x),
         '[]') as attributes
     from account a ${sql.raw(STANDING_JOINS)} where a.id = ${accountId}`,
  )
  if (!found) return undefined
  const memberships = found.memberships.map(({ until, ...membership }) => ({
    ...membership,
    until: until === null ? null : new Date(until),
  }))
  return { ...found, memberships }
}
