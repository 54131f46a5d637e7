import type { Db } from '../../kernel/database.ts'
import type { Context } from '../context.ts'
import type { Page, Paged } from './condition.ts'
import {
  addressesOf,
  countMails,
  insertMails,
  type Mail,
  selectMails,
  type WrittenMail,
} from './mails.store.ts'

export { type Mail, PASSWORD_LINK, type WrittenMail } from './mails.store.ts'

/** News for accounts, each in their language; those without an address are not told. */
export interface MailToAccounts extends Pick<Mail, 'vo' | 'kind' | 'texts'> {
  /** Their names. */
  readonly accounts: readonly string[]
  /** The same news is told once to each. */
  readonly once: string
}

export interface Mails {
  /** Puts a mail to each account into the outbox, in the transaction of what it tells. */
  tell(tx: Db, now: Date, mail: MailToAccounts): Promise<void>
  /** What people should be told, newest first. */
  mails(vo: string, page: Page): Promise<Paged<WrittenMail>>
}

export function createMails({ db }: Context): Mails {
  return {
    async tell(tx, now, { accounts, once, ...mail }) {
      const found = await addressesOf(tx, mail.vo, accounts)
      await post(
        tx,
        now,
        found.map((to) => ({ ...mail, ...to, once: `${mail.vo} ${once} ${to.accountId}` })),
      )
    },
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
