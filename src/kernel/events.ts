import pg from 'pg'
import { type Db, rows, sql, type Tx } from './database.ts'
import type { Logger } from './log.ts'

/** A fact in the past tense, e.g. kind `rule.ok`, subject the rule's id. */
export interface GridEvent {
  readonly vo: string
  readonly kind: string
  readonly subject: string
  readonly payload?: Readonly<Record<string, unknown>>
}

export interface StoredEvent extends Required<GridEvent> {
  readonly id: bigint
  readonly at: Date
}

export interface EventPosition {
  readonly xact: string
  readonly id: bigint
}

const CHANNEL = 'kumi_wake'

/** Writes events in the caller's transaction and wakes their readers at commit. */
export async function publish(tx: Tx, now: Date, events: readonly GridEvent[]): Promise<void> {
  if (events.length === 0) return
  const topics = [...new Set(events.map((event) => event.kind.split('.')[0]!))]
  await sql`with written as (
      insert into event (at, vo, kind, subject, payload)
      select ${now}, e.vo, e.kind, e.subject, coalesce(e.payload, '{}')
      from jsonb_to_recordset(${JSON.stringify(events)}::jsonb)
        as e(vo text, kind text, subject text, payload jsonb))
    select ${notifyOf(topics)}`.execute(tx)
}

/** Tells sleeping workers, in every process, that topics have work; delivered at commit. Carries no data. */
export async function wake(tx: Db, ...topics: string[]): Promise<void> {
  if (topics.length > 0) await sql`select ${notifyOf(topics)}`.execute(tx)
}

const notifyOf = (topics: readonly string[]) => sql`pg_notify(${CHANNEL}, unnest(${topics}::text[]))`

/**
 * The transaction below which no event can come any more: the oldest that is writing in this database. The snapshot's own
 * xmin would also wait for transactions of other databases of the server. Has to be a statement before the one that
 * reads: what it no longer sees at work, that one sees the events of.
 */
async function settledBelow(db: Db): Promise<string> {
  const [settled] = await rows(
    db,
    sql<{ below: string }>`
      with next as materialized (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as id),
        -- backend_xid has 32 of the 64 bits; those begun after the snapshot come out as far behind and do not matter
        working as (select (next.id - backend_xid::text::bigint) & 4294967295 as behind
          from next, pg_stat_activity where datname = current_database() and backend_xid is not null)
      select (next.id - coalesce((select max(behind) from working where behind < 2147483648), 0))::text as below
      from next`,
  )
  return settled!.below
}

/** Events after a position, in commit-safe order, at most `limit`. At most once in a transaction. */
export async function eventsAfter(
  db: Db,
  after: EventPosition,
  limit = 500,
): Promise<{ events: StoredEvent[]; position: EventPosition }> {
  const below = await settledBelow(db)
  const found = await rows(
    db,
    sql<StoredEvent & { xact: string }>`
      select id, xact::text as xact, at, vo, kind, subject, payload from event
      where (xact, id) > (${after.xact}::xid8, ${after.id}) and xact < ${below}::xid8
      order by event.xact, id limit ${limit}`,
  )
  const last = found.at(-1)
  return { events: found, position: last ? { xact: last.xact, id: last.id } : after }
}

/**
 * Events after what `eventsAfter` gave: committed, but held back because an older transaction may still write some that
 * come before them. Whoever acts on them early meets them again in their turn.
 */
export const eventsAhead = (db: Db, after: EventPosition, limit = 500): Promise<StoredEvent[]> =>
  rows(
    db,
    sql<StoredEvent>`
      select id, at, vo, kind, subject, payload from event
      where (xact, id) > (${after.xact}::xid8, ${after.id})
      order by xact, id limit ${limit}`,
  )

/** Position from which only events yet to come are seen. */
export async function endOfEvents(db: Db): Promise<EventPosition> {
  const below = await settledBelow(db)
  const [last] = await rows(
    db,
    sql<{ xact: string; id: bigint }>`
      select xact::text as xact, id from event
      where xact < ${below}::xid8 order by event.xact desc, id desc limit 1`,
  )
  return last ?? { xact: '0', id: 0n }
}

export interface Wakeups {
  /** Calls back whenever one of the topics is woken, until the returned function is called. */
  on(topics: readonly string[], callback: () => void): () => void
  close(): Promise<void>
}

/** One LISTEN connection per process; reconnects by itself and then wakes everybody once. */
export async function listen(pool: pg.Pool, log: Logger): Promise<Wakeups> {
  const callbacks = new Map<() => void, Set<string>>()
  let client: pg.Client | undefined
  let closed = false

  const connect = async (): Promise<void> => {
    const next = new pg.Client(pool.options as pg.ClientConfig)
    next.on('error', () => undefined)
    next.on('notification', ({ payload }) => {
      for (const [callback, topics] of [...callbacks]) if (topics.has(payload ?? '')) callback()
    })
    try {
      await next.connect()
      await next.query(`listen ${CHANNEL}`)
      if (closed) return void (await next.end())
    } catch (error) {
      await next.end().catch(() => undefined)
      throw error
    }
    client = next
    // Only of one that was made: an attempt that failed ends too, and would be followed by two.
    next.once('end', () => setTimeout(reconnect, 500).unref())
    for (const callback of [...callbacks.keys()]) callback()
  }
  const reconnect = (): void => {
    if (closed) return
    connect().catch((error) => {
      log.warn({ err: error }, 'no wake-ups: database connection lost, trying again')
      setTimeout(reconnect, 1000).unref()
    })
  }
  await connect()

  return {
    on(topics, callback) {
      callbacks.set(callback, new Set(topics))
      return () => callbacks.delete(callback)
    },
    async close() {
      closed = true
      await client?.end().catch(() => undefined)
    },
  }
}
