import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Page } from './condition.ts'

export interface Mail {
  readonly vo: string
  readonly accountId: number | null
  readonly recipient: string
  /** What it is about: `registration.confirm`, `membership.ends`, … */
  readonly kind: string
  readonly subject: string
  readonly body: string
  /** The same news is told once. */
  readonly once?: string
}

export interface WrittenMail extends Omit<Mail, 'once'> {
  readonly id: bigint
  readonly createdAt: Date
  /** Null: nobody sent it yet; without a mail server, managers hand it over themselves. */
  readonly sentAt: Date | null
}

export const insertMails = (tx: Db, mails: readonly Mail[], now: Date) =>
  affected(
    tx,
    sql`insert into mail (vo, account_id, recipient, kind, subject, body, created_at, once)
    select vo, "accountId", recipient, kind, subject, body, ${now}, once
    from jsonb_to_recordset(${JSON.stringify(mails)}::jsonb) as m(vo text, "accountId" int, recipient text, kind text,
      subject text, body text, once text)
    on conflict (once) do nothing`,
  )

export const selectMails = (db: Db, vo: string, { offset, limit }: Page) =>
  rows(
    db,
    sql<WrittenMail>`select id, vo, account_id as "accountId", recipient, kind, subject, body, created_at as "createdAt",
      sent_at as "sentAt" from mail where vo = ${vo} order by id desc offset ${offset} limit ${limit}`,
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

export const primaryAddresses = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql<{
      accountId: number
      recipient: string
    }>`select account_id as "accountId", address as recipient from email
    where account_id = any(${ids as number[]}::int[]) and is_primary`,
  )
