import type { Db } from '../../kernel/database.ts'
import type { Context } from '../context.ts'
import type { Page, Paged } from './condition.ts'
import { countMails, insertMails, type Mail, selectMails, type WrittenMail } from './mails.store.ts'

export { type Mail, PASSWORD_LINK, type WrittenMail } from './mails.store.ts'

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
