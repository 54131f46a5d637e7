import type { Tx } from '../../kernel/database.ts'
import type { CardChange } from '../detection/index.ts'
import * as store from './card.store.ts'
import { noteCard } from './note.ts'
import { describeFinding, titleOf } from './words.ts'

/** Writes what the detector makes of the cards, each change with its history, in the order given. */
export async function applyChanges(
  tx: Tx,
  now: Date,
  vo: string,
  open: readonly store.CardRow[],
  changes: readonly CardChange[],
): Promise<void> {
  const known = new Map(open.map((card) => [card.key, { id: card.id, title: card.title }]))
  for (const change of changes) {
    if (change.kind === 'open') {
      const title = titleOf(change.card)
      const id = await store.insertCard(tx, now, vo, { ...change.card, title })
      known.set(change.card.key, { id, title })
      const text = change.card.findings.slice(0, 5).map(describeFinding).join('; ')
      await noteCard(tx, now, vo, { id, kind: 'opened', title, author: null, text })
      continue
    }
    const card = known.get(change.key)
    if (!card) continue
    if (change.kind === 'update') {
      const title = titleOf(change.card)
      await store.updateCard(tx, card.id, { ...change.card, title })
      if (change.card.key !== change.key) {
        known.delete(change.key)
        known.set(change.card.key, { id: card.id, title })
        const text = `it was ${card.title}`
        await noteCard(tx, now, vo, { id: card.id, title, kind: 'renamed', author: null, text })
      }
      const before = open.find(({ id }) => id === card.id)
      if (before && before.severity !== change.card.severity) {
        const text = `${before.severity} → ${change.card.severity}`
        await noteCard(tx, now, vo, { ...card, kind: 'severity', author: null, text })
      }
    } else if (change.kind === 'close') {
      const into = change.reason === 'merged' ? known.get(change.into) : undefined
      await store.closeCard(tx, now, card.id, null, into?.id ?? null)
      const text = into ? `card ${into.id} explains it (${into.title})` : 'nothing of it was seen for an hour'
      await noteCard(tx, now, vo, { ...card, kind: into ? 'merged' : 'closed', author: null, text })
    } else if (change.kind === 'escalate') {
      await store.setTimer(tx, card.id, { escalation: change.to })
      const text = `to ${change.to}: ${change.because}`
      await noteCard(tx, now, vo, { ...card, kind: 'escalated', author: null, text })
    } else {
      await store.setTimer(tx, card.id, { stale: true })
      await noteCard(tx, now, vo, { ...card, kind: 'stale', author: null, text: change.because })
    }
  }
}
