import { affected, type Db, row, sql } from '../../kernel/database.ts'

/** How a VO takes people in and lets them go. */
export interface PeopleSettings {
  /** Whether anybody may ask to become a member. */
  readonly registrationOpen: boolean
  /** Whether a registration waits until the link sent to its e-mail address was used; for grids that send mail. */
  readonly confirmEmail: boolean
  /** Groups that everybody joins on approval. */
  readonly defaultGroups: readonly string[]
  /** Days of notice before a membership that ended leads to suspension, and before a removal. */
  readonly suspensionGraceDays: number
  /** Days between suspension and the notice of removal. */
  readonly removalGraceDays: number
}

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
