import type { Db } from '../../kernel/database.ts'
import type { Context } from '../context.ts'
import type { Page, Paged } from './condition.ts'
import { countMails, insertMails, selectMails } from './mails.store.ts'

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

export interface Mails {
  /** What people should be told, newest first. */
  mails(vo: string, page: Page): Promise<Paged<WrittenMail>>
}

export function createMails({ db }: Context): Mails {
  return {
    async mails(vo, page) {
      const [total, items] = await Promise.all([countMails(db, vo), selectMails(db, vo, page)])
      return { total, items }
    },
  }
}

/** Puts mails into the outbox, in the transaction of what they tell. */
export async function post(tx: Db, now: Date, mails: readonly Mail[]): Promise<void> {
  if (mails.length > 0) await insertMails(tx, mails, now)
}
