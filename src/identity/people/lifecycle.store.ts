import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { AccountStatus } from '../accounts/account.ts'
import type { Ending } from './person.ts'

export interface EndingFacts {
  readonly id: number
  readonly vo: string
  readonly username: string
  readonly email: string | null
  readonly status: AccountStatus
  readonly ending: Ending | null
  readonly endingSince: Date | null
  readonly endTime: Date
  /** Somebody set the label `lifecycle.ignore`. */
  readonly ignored: boolean
}

export const selectEnding = (db: Db, vo: string, now: Date) =>
  rows(
    db,
    sql<EndingFacts>`select a.id, a.vo, a.name as username, e.address as email, a.status, a.ending,
      a.ending_since as "endingSince", a.end_time as "endTime",
      exists (select 1 from label l where l.account_id = a.id and l.name = 'lifecycle.ignore'
        and lower(l.value) <> 'false') as ignored
    from account a left join email e on e.account_id = a.id and e.is_primary
    where a.vo = ${vo} and a.end_time <= ${now} and a.status in ('ACTIVE', 'SUSPENDED')
    order by a.name`,
  )

/** One run at a time per VO. */
export const holdLifecycle = (tx: Db, vo: string) =>
  rows(tx, sql`select pg_advisory_xact_lock(hashtextextended(${vo}, 7308328))`)

/** People of the VO, and how many went each step since then. */
export async function countRecent(
  db: Db,
  vo: string,
  since: Date,
): Promise<{ people: number; recent: Partial<Record<Ending, number>> }> {
  const found = await row(
    db,
    sql<{ people: number }>`select count(*)::int as people from account
    where vo = ${vo} and kind = 'USER' and status = 'ACTIVE'`,
  )
  const recent = await rows(
    db,
    sql<{ ending: Ending; n: number }>`select ending, count(*)::int as n from account
    where vo = ${vo} and ending is not null and ending_since > ${since} group by ending`,
  )
  return { people: found!.people, recent: Object.fromEntries(recent.map(({ ending, n }) => [ending, n])) }
}

/** Each from the state it was seen in; who changed in between is left alone. */
export const takeSteps = (
  tx: Db,
  list: readonly { id: number; ending: Ending | null; step: Ending }[],
  now: Date,
) =>
  affected(
    tx,
    sql`update account a set ending = s.step, ending_since = ${now}, updated_at = ${now},
      status = case s.step when 'SUSPENDED' then 'SUSPENDED' when 'REMOVED' then 'DELETED' else a.status end,
      status_reason = case s.step when 'SUSPENDED' then 'the membership ended' else a.status_reason end,
      suspended_at = case s.step when 'SUSPENDED' then ${now} else a.suspended_at end,
      deleted_at = case s.step when 'REMOVED' then ${now} else a.deleted_at end
    from jsonb_to_recordset(${JSON.stringify(list.map(({ id, ending, step }) => ({ id, ending, step })))}::jsonb)
      as s(id int, ending text, step text)
    where a.id = s.id and a.ending is not distinct from s.ending and a.status in ('ACTIVE', 'SUSPENDED')`,
  )

/** A row when something is held and today's log does not say so yet. */
export const firstToday = (tx: Db, vo: string, now: Date, held: boolean) =>
  rows(
    tx,
    sql`select 1 where ${held} and not exists (
      select 1 from audit where vo = ${vo} and target = ${vo} and action = 'lifecycle.held' and at > ${now}::timestamptz - interval '1 day')`,
  )

export interface Reminder {
  readonly vo: string
  readonly accountId: number
  readonly recipient: string
  readonly endsAt: Date
  /** Which of the policy's reminders this is. */
  readonly days: number
}

/** Signatures that run out within one of the policy's reminder days; the nearest reminder counts. */
export const selectReminders = (db: Db, vo: string, now: Date) =>
  rows(
    db,
    sql<Reminder>`with policy as (
      select vo, version, sign_from, make_interval(days => validity_days) as validity, reminder_days from usage_policy
      where vo = ${vo} and withdrawn_at is null order by version desc limit 1),
    signed as (
      select s.account_id, max(s.signed_at) as at from policy_signature s join account a on a.id = s.account_id
      where a.vo = ${vo} and a.kind = 'USER' and a.status = 'ACTIVE' and s.withdrawn_at is null group by s.account_id)
    select p.vo, s.account_id as "accountId", e.address as recipient, s.at + p.validity as "endsAt", min(d) as days
    from policy p cross join signed s join email e on e.account_id = s.account_id and e.is_primary
    cross join lateral unnest(p.reminder_days) d
    where p.validity > interval '0' and s.at >= p.sign_from and s.at + p.validity > ${now}
      and s.at + p.validity <= ${now}::timestamptz + make_interval(days => d)
    group by p.vo, s.account_id, e.address, s.at, p.validity`,
  )
