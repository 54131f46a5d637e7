import { isGridError } from '../../kernel/errors.ts'
import { backoffMs } from '../../kernel/retry.ts'
import type { Worker } from '../../kernel/workers.ts'
import type { Context } from '../context.ts'
import * as store from './mails.store.ts'
import type { SendMail } from './outgoing-mail.ts'

/** Longer than any conversation with a mail server; who died in one leaves the mail to another after that. */
const CLAIM_MS = 10 * 60_000
/** What could not be sent for so long would surprise rather than help. */
const GIVEN_UP_MS = 3 * 86_400_000
const BACKOFF = { firstMs: 60_000, capMs: 4 * 3_600_000 }
const LOOKS_MS = 60_000

/** Empties the outbox, one mail at a time: a process that is killed sends at most one a second time. */
export function mailWorker({ db, log, now }: Context, send: SendMail): Worker {
  return {
    name: 'identity-mails',
    wakeOn: ['identity'],
    async tick(at, signal) {
      const mail = await store.claimMail(db, at, new Date(at.getTime() + CLAIM_MS))
      if (!mail) {
        const soon = new Date(at.getTime() + LOOKS_MS)
        const next = await store.nextMailAt(db)
        return { changed: 0, nextWake: next && next < soon ? next : soon }
      }
      const { id, vo, recipient, subject, body, createdAt, attempts } = mail
      const over = at.getTime() - createdAt.getTime() > GIVEN_UP_MS
      const late = (problem: string) => ({ problem, nextAt: at, givenUpAt: at })
      if (attempts === 1 && over) {
        await store.markFailed(
          db,
          id,
          late('It was written more than three days before a mail server was there.'),
        )
        return { changed: 1, nextWake: null }
      }
      try {
        await send(
          { messageId: `<${createdAt.getTime()}.${id}@${vo}.kumihimo>`, recipient, subject, body },
          signal,
        )
        await store.markSent(db, id, now())
      } catch (error) {
        const problem = (error as Error).message.slice(0, 500)
        const final = isGridError(error, 'mail_refused') || over
        const pause = backoffMs(attempts, BACKOFF, { next: Math.random })
        const again = { problem, nextAt: new Date(at.getTime() + pause), givenUpAt: null }
        log.warn({ mail: String(id), attempts, final, err: error }, 'a mail was not sent')
        await store.markFailed(db, id, final ? late(problem) : again)
      }
      return { changed: 1, nextWake: null }
    },
  }
}
