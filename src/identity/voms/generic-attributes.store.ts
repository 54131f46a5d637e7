import { type Db, rows, sql } from '../../kernel/database.ts'
import type { HeldAttribute } from './grant.ts'

/** The account's own attributes and those of the groups. */
export const selectAttributes = (db: Db, vo: string, accountId: number, groups: readonly string[]) =>
  rows(
    db,
    sql<HeldAttribute>`select name, value, null as "group" from generic_attribute where account_id = ${accountId}
    union all select a.name, a.value, g.path from generic_attribute a join grp g on g.id = a.grp_id
    where g.vo = ${vo} and g.path collate "C" = any(${groups as string[]}::text[])
    order by 1, 2, 3`,
  )
