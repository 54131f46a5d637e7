import { type Db, transaction } from '../../kernel/database.ts'
import { cardClosed, cardMissing } from '../errors.ts'
import * as store from './card.store.ts'
import { noteCard } from './note.ts'

export type CardOrder = 'ack' | 'own' | 'note' | 'close' | 'retire' | 'reopen'

const KINDS: Readonly<Record<CardOrder, string>> = {
  ...{
    ack: 'acknowledged',
    own: 'owned',
    note: 'noted',
    close: 'closed',
    retire: 'retired',
    reopen: 'reopened',
  },
}

/**
 * What a person does with a card: takes it (`ack`, until a time if they like), gives it to somebody who works on it
 * (`own`), writes (`note`), says that it is over (`close`), or that it is known and nothing will be done (`retire`, which
 * `reopen` takes back). A closed card whose trouble lasts comes again as a new one. Throws operations.card_missing, _closed.
 */
export async function orderCard(
  db: Db,
  now: Date,
  input: {
    vo: string
    id: bigint
    by: string
    order: CardOrder
    text: string
    owner?: string | undefined
    until?: Date | undefined
  },
): Promise<store.CardRow> {
  const { vo, id, by, order, text, owner, until } = input
  return transaction(db, async (tx) => {
    const card = await store.cardById(tx, vo, id, true)
    if (!card) throw cardMissing(`There is no card ${id}.`)
    if (card.closedAt && order !== 'note') throw cardClosed(`The card ${id} is closed already.`)
    if (order === 'close') await store.closeCard(tx, now, id, by)
    else if (order !== 'note') await store.setChoice(tx, id, choiceOf(card, now, { by, order, owner, until }))
    const to = order === 'own' && owner && owner !== by ? `by ${owner}` : ''
    const said = [to, text].filter(Boolean).join('. ')
    await noteCard(tx, now, vo, { id, kind: KINDS[order], title: card.title, author: by, text: said })
    return (await store.cardById(tx, vo, id))!
  })
}

function choiceOf(
  card: store.CardRow,
  now: Date,
  {
    by,
    order,
    owner,
    until,
  }: { by: string; order: CardOrder; owner?: string | undefined; until?: Date | undefined },
): store.CardChoice {
  const acknowledgedAt = card.acknowledgedAt ?? now
  const taken = { acknowledgedAt, expires: until ?? card.expires, stale: false }
  switch (order) {
    case 'own':
      return { ...taken, state: 'WORKING', owner: owner ?? by }
    case 'retire':
      return { ...taken, state: 'RETIRED', owner: card.owner ?? by }
    default:
      return {
        ...taken,
        state: card.owner && order === 'reopen' ? 'WORKING' : 'ACK',
        owner: card.owner ?? by,
      }
  }
}

/** A card with its history. Throws operations.card_missing. */
export async function showCard(
  db: Db,
  vo: string,
  id: bigint,
): Promise<{ card: store.CardRow; changes: store.CardChangeRow[] }> {
  const card = await store.cardById(db, vo, id)
  if (!card) throw cardMissing(`There is no card ${id}.`)
  return { card, changes: await store.changesOf(db, id) }
}
