import {
  type Db,
  eventsAfter,
  eventsAhead,
  type StoredEvent,
  type Tx,
  transaction,
  wake,
} from '../kernel/index.ts'
import { rulesOver } from './placement.store.ts'
import * as queue from './queue.store.ts'

const CONSUMER = 'placement'
const LIMIT = 1000

/**
 * Turns changes of content into rules to evaluate and copies to release. They are read from the events that the change
 * wrote in its own transaction, so none is lost, whatever changed the content and whoever is killed. An event that
 * older transactions hold back is acted on at once, too, and not again when it comes in its turn; after a restart it
 * may be acted on twice, which does no harm.
 */
export function contentFollower(db: Db): (now: Date) => Promise<number> {
  const ahead = new Set<bigint>()
  return async (now) => {
    const { inTurn, early } = await transaction(db, async (tx) => {
      await queue.createCursor(tx, CONSUMER)
      const from = await queue.readCursor(tx, CONSUMER)
      if (!from) return { inTurn: [], early: [] }
      const { events: inTurn, position } = await eventsAfter(tx, from, LIMIT)
      const early = await eventsAhead(tx, position, LIMIT)
      await follow(
        tx,
        now,
        [...inTurn, ...early].filter(({ id }) => !ahead.has(id)),
      )
      if (inTurn.length > 0) await queue.writeCursor(tx, CONSUMER, position)
      return { inTurn, early }
    })
    for (const { id } of inTurn) ahead.delete(id)
    const fresh = early.filter(({ id }) => !ahead.has(id))
    for (const { id } of fresh) ahead.add(id)
    return inTurn.length + fresh.length
  }
}

async function follow(tx: Tx, now: Date, events: readonly StoredEvent[]): Promise<void> {
  const changes = events.filter((event) => event.kind === 'catalog.content_changed')
  if (changes.length === 0) return
  const ids = (key: string) =>
    changes.flatMap(({ payload }) => ((payload[key] as string[] | undefined) ?? []).map(BigInt))
  const rules = await rulesOver(tx, ids('collections'))
  if (rules.length > 0) {
    await queue.queueRules(
      tx,
      now,
      rules.map(({ id }) => id),
    )
  }
  const removed = ids('removedFiles')
  if (removed.length > 0) await queue.queueFileRelease(tx, now, removed)
  await wake(tx, 'placement')
}
