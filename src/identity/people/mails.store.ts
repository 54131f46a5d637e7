import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Page } from './condition.ts'
import type { MailTexts } from './mail-texts.ts'

/** The kind of mails whose link sets a password. */
export const PASSWORD_LINK = 'password.reset'

export interface Mail {
  readonly vo: string
  readonly accountId: number | null
  readonly recipient: string
  /** What it is about: `registration.confirm`, `membership.ends`, … */
  readonly kind: string
  readonly texts: MailTexts
  /** The same news is told once. */
  readonly once?: string
}

export interface WrittenMail extends Omit<Mail, 'once' | 'texts'> {
  readonly id: bigint
  readonly subject: string
  readonly body: string
  readonly createdAt: Date
  /** Null: nobody sent it yet; without a mail server, managers hand it over themselves. */
  readonly sentAt: Date | null
  /** What the mail server said last; empty when nothing went wrong. */
  readonly problem: string
  readonly givenUpAt: Date | null
}

export type DueMail = Pick<WrittenMail, 'id' | 'vo' | 'recipient' | 'subject' | 'body' | 'createdAt'> & {
  readonly attempts: number
}

export const insertMails = (tx: Db, mails: readonly Mail[], now: Date) =>
  affected(
    tx,
    sql`insert into mail (vo, account_id, recipient, kind, subject, body, created_at, next_at, once)
    select m.vo, "accountId", recipient, m.kind,
      case a.language when 'en' then en->>'subject' when 'ja' then ja->>'subject'
        else (en->>'subject') || ' / ' || (ja->>'subject') end,
      case a.language when 'en' then en->>'body' when 'ja' then ja->>'body'
        else (en->>'body') || E'\\n\\n' || (ja->>'body') end,
      ${now}, ${now}, once
    from jsonb_to_recordset(${JSON.stringify(mails.map(({ texts, ...mail }) => ({ ...mail, ...texts })))}::jsonb)
      as m(vo text, "accountId" int, recipient text, kind text, en jsonb, ja jsonb, once text)
    left join account a on a.id = "accountId"
    on conflict (once) do nothing`,
  )

export const selectMails = (db: Db, vo: string, { offset, limit }: Page) =>
  rows(
    db,
    sql<WrittenMail>`select id, vo, account_id as "accountId", recipient, kind, subject, body, created_at as "createdAt",
      sent_at as "sentAt", problem, given_up_at as "givenUpAt" from mail where vo = ${vo} order by id desc offset ${offset} limit ${limit}`,
  )

export const countMails = async (db: Db, vo: string): Promise<number> =>
  (await row(db, sql<{ n: number }>`select count(*)::int as n from mail where vo = ${vo}`))!.n

/** Addresses of those who look after people: the active administrators of the VO. */
export const administratorAddresses = (db: Db, vo: string) =>
  rows(
    db,
    sql<{ accountId: number; recipient: string }>`select a.id as "accountId", e.address as recipient
    from account a join account_attribute t on t.account_id = a.id join email e on e.account_id = a.id and e.is_primary
    where a.vo = ${vo} and a.status = 'ACTIVE' and t.key = 'admin' and lower(t.value) = 'true'`,
  )

export const addressesOf = (db: Db, vo: string, names: readonly string[]) =>
  rows(
    db,
    sql<{ accountId: number; recipient: string }>`select a.id as "accountId", e.address as recipient
    from account a join email e on e.account_id = a.id and e.is_primary
    where a.vo = ${vo} and a.name = any(${names}::text[]) and a.status = 'ACTIVE'`,
  )

export const primaryAddresses = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql<{
      accountId: number
      recipient: string
    }>`select account_id as "accountId", address as recipient from email
    where account_id = any(${ids as number[]}::int[]) and is_primary`,
  )

/** Takes the next one that is due, for one process until `until`; a second try is the consequence of dying meanwhile. */
export const claimMail = (db: Db, now: Date, until: Date) =>
  row(
    db,
    sql<DueMail>`update mail set attempts = attempts + 1, next_at = ${until}
    where id = (select id from mail where sent_at is null and given_up_at is null and next_at <= ${now}
      order by next_at, id limit 1 for update skip locked)
    returning id, vo, recipient, subject, body, created_at as "createdAt", attempts`,
  )

export const nextMailAt = async (db: Db): Promise<Date | null> =>
  (await row(
    db,
    sql<{
      at: Date | null
    }>`select min(next_at) as at from mail where sent_at is null and given_up_at is null`,
  ))!.at

/** A link that opens an account is kept nowhere once it is on its way. */
export const markSent = (db: Db, id: bigint, now: Date) =>
  affected(
    db,
    sql`update mail set sent_at = ${now}, problem = '',
      body = case when kind = ${PASSWORD_LINK} then '' else body end where id = ${id}`,
  )

export const markFailed = (
  db: Db,
  id: bigint,
  failure: { problem: string; nextAt: Date; givenUpAt: Date | null },
) =>
  affected(
    db,
    sql`update mail set problem = ${failure.problem}, next_at = ${failure.nextAt}, given_up_at = ${failure.givenUpAt}
    where id = ${id}`,
  )

export const putLanguage = (db: Db, accountId: number, language: string) =>
  affected(db, sql`update account set language = ${language} where id = ${accountId}`)
