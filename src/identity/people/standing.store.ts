import { type Db, rows, sql } from '../../kernel/database.ts'
import type { AccountKind, AccountStatus } from '../accounts/account.ts'
import type { Ending } from './person.ts'

export interface StandingFacts {
  readonly id: number
  readonly vo: string
  readonly name: string
  readonly kind: AccountKind
  readonly status: AccountStatus
  readonly ending: Ending | null
  readonly endTime: Date | null
  readonly reason: string
  /** Null when the VO has no usage policy. */
  readonly signFrom: Date | null
  readonly validityDays: number | null
  readonly signedAt: Date | null
}

/** The facts of account `a`, for statements that ask for more besides. */
export const STANDING_COLUMNS = `a.id, a.vo, a.name, a.kind, a.status, a.ending, a.end_time as "endTime",
  a.status_reason as reason, p.sign_from as "signFrom", p.validity_days as "validityDays", s.signed_at as "signedAt"`
export const STANDING_JOINS = `left join lateral (select sign_from, validity_days from usage_policy
    where vo = a.vo and withdrawn_at is null order by version desc limit 1) p on true
  left join lateral (select signed_at from policy_signature where account_id = a.id and withdrawn_at is null
    order by signed_at desc limit 1) s on true`

export const selectStandings = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql<StandingFacts>`select ${sql.raw(STANDING_COLUMNS)} from account a ${sql.raw(STANDING_JOINS)}
    where a.id = any(${ids as number[]}::int[])`,
  )
