import type { MailToAccounts } from '../../identity/index.ts'
import type { Tx } from '../../kernel/database.ts'
import type { CardChange } from '../detection/index.ts'
import { shiftsBetween } from '../shifts/shift.store.ts'
import type { CardRow } from './card.store.ts'

export interface OnCallDeps {
  /** Puts a mail to accounts into the outbox. */
  readonly tell: (tx: Tx, now: Date, mail: MailToAccounts) => Promise<void>
  /** Address of the console, without what comes after it. */
  readonly consoleUrl: string
}

const MINUTE_MS = 60_000

/** Cards that nobody took go to the expert, or to those on call, who are on shift now: once each, by mail. */
export async function tellOnCall(
  tx: Tx,
  { tell, consoleUrl }: OnCallDeps,
  {
    vo,
    now,
    open,
    changes,
  }: { vo: string; now: Date; open: readonly CardRow[]; changes: readonly CardChange[] },
): Promise<void> {
  const escalated = changes.flatMap((change) => {
    const card = change.kind === 'escalate' ? open.find(({ key }) => key === change.key) : undefined
    return card && change.kind === 'escalate' ? [{ card, to: change.to, because: change.because }] : []
  })
  if (escalated.length === 0) return
  const present = await shiftsBetween(tx, vo, now, new Date(now.getTime() + MINUTE_MS))
  for (const { card, to, because } of escalated) {
    const accounts = present.filter(({ kind, endedAt }) => kind === to && endedAt === null)
    if (accounts.length === 0) continue
    await tell(tx, now, {
      ...{ vo, accounts: accounts.map(({ person }) => person), kind: 'card.escalated' },
      once: `card ${card.id} ${to}`,
      texts: textsOf(vo, card, because, `${consoleUrl}/#/cards/${card.id}`),
    })
  }
}

function textsOf(vo: string, { title, severity, firstSeen }: CardRow, because: string, url: string) {
  const since = firstSeen.toISOString()
  return {
    en: {
      subject: `${vo}: ${severity}, nobody took it: ${title}`,
      body: `${title}\nSince ${since}. It comes to you because nobody took it (${because}).\nTake it, or say what it waits for: ${url}`,
    },
    ja: {
      subject: `${vo}: 未対応のカード(${severity}): ${title}`,
      body: `${title}\n発生: ${since}。対応者がいないため、あなたに通知しています(${because})。\n次のページで引き受けるか、状況を記入してください: ${url}`,
    },
  }
}
