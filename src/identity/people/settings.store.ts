import { affected, type Db, row, sql } from '../../kernel/database.ts'
import type { PeopleSettings } from './settings.ts'

export const selectSettings = (db: Db, vo: string) =>
  row(
    db,
    sql<PeopleSettings>`select registration_open as "registrationOpen", confirm_email as "confirmEmail",
      default_groups as "defaultGroups", suspension_grace_days as "suspensionGraceDays",
      removal_grace_days as "removalGraceDays" from vo where id = ${vo}`,
  )

export const updateSettings = (db: Db, vo: string, s: PeopleSettings) =>
  affected(
    db,
    sql`update vo set registration_open = ${s.registrationOpen}, confirm_email = ${s.confirmEmail},
      default_groups = ${s.defaultGroups as string[]}::text[], suspension_grace_days = ${s.suspensionGraceDays},
      removal_grace_days = ${s.removalGraceDays} where id = ${vo}`,
  )
