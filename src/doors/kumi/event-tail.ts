import {
  type Db,
  type EventPosition,
  endOfEvents,
  eventsAfter,
  type StoredEvent,
  type Wakeups,
} from '../../kernel/index.ts'

export interface EventTail {
  /** Calls back with new events until the returned function is called. */
  subscribe(callback: (events: readonly StoredEvent[], position: EventPosition) => void): () => void
  position(): Promise<EventPosition>
}

const TOPICS = [
  'sites',
  'site',
  'gateway',
  'catalog',
  'did',
  'replica',
  'transfer',
  'rule',
  'placement',
  'deletion',
  'storage',
  'rse',
  'production',
  'job',
  'software',
]
// Wake-ups come at every commit; a person's screen needs no more than two pictures a second.
const PAUSE_MS = 500
const POLL_MS = 5000

/** Reads new events once per process, however many consoles watch, and only while somebody does. */
export function eventTail(db: Db, wakeups: Wakeups): EventTail {
  const callbacks = new Set<(events: readonly StoredEvent[], position: EventPosition) => void>()
  let at: EventPosition | undefined
  let reading = false
  let timer: NodeJS.Timeout | undefined
  let unlisten: (() => void) | undefined

  const read = async (): Promise<void> => {
    if (reading || callbacks.size === 0) return
    reading = true
    try {
      at ??= await endOfEvents(db)
      const { events, position } = await eventsAfter(db, at)
      at = position
      if (events.length > 0) for (const callback of [...callbacks]) callback(events, position)
    } catch {
      // the database is away: the next poll tries again
    } finally {
      reading = false
      schedule(POLL_MS)
    }
  }
  let due = Number.POSITIVE_INFINITY
  const schedule = (ms: number): void => {
    if (callbacks.size === 0) return
    const when = Date.now() + ms
    if (timer && due <= when && due > Date.now()) return
    clearTimeout(timer)
    due = when
    timer = setTimeout(() => void read(), ms)
    timer.unref()
  }
  return {
    position: async () => at ?? endOfEvents(db),
    subscribe(callback) {
      callbacks.add(callback)
      unlisten ??= wakeups.on(TOPICS, () => schedule(PAUSE_MS))
      void read()
      return () => {
        callbacks.delete(callback)
        if (callbacks.size > 0) return
        clearTimeout(timer)
        unlisten?.()
        unlisten = undefined
        at = undefined
        due = Number.POSITIVE_INFINITY
      }
    },
  }
}
