import type { Tx } from '../../kernel/database.ts'
import { publish } from '../../kernel/events.ts'
import { addEntries } from '../shifts/log.store.ts'
import { insertChange } from './card.store.ts'

export interface CardNews {
  readonly id: bigint
  /** `opened`, `closed`, `merged`, `acknowledged`, … */
  readonly kind: string
  readonly title: string
  readonly author: string | null
  readonly text: string
}

/** What happens to a card goes into its history, into the log of the shift, and to whoever listens. */
export async function noteCard(tx: Tx, now: Date, vo: string, news: CardNews): Promise<void> {
  const { id, kind, title, author, text } = news
  await insertChange(tx, id, { at: now, author, kind, text })
  const said = text ? `: ${text}` : ''
  const line = `Card ${id} ${kind} (${title})${said}`
  await addEntries(tx, [{ vo, at: now, author, kind: `card.${kind}`, text: line, cardId: id }])
  await publish(tx, now, [
    { vo, kind: `card.${kind}`, subject: String(id), payload: { title, by: author, text } },
  ])
}
