import { CompiledQuery, Kysely, PostgresDialect, type RawBuilder, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { GridError } from './errors.ts'
import type { Logger } from './log.ts'
import type { Clock, Rng } from './ports.ts'
import { prepare, quickPool } from './quick-pool.ts'
import { retry } from './retry.ts'

/** A database handle or an open transaction: what every store function takes first. */
// biome-ignore lint/suspicious/noExplicitAny: rows are typed per statement by sql<Row>; no global table map.
export type Db = Kysely<any>
// biome-ignore lint/suspicious/noExplicitAny: see Db.
export type Tx = Transaction<any>

export interface Database {
  readonly db: Db
  readonly pool: pg.Pool
  close(): Promise<void>
}

// bigint columns arrive as bigint, not as strings; counts and bytes are bigint inside.
pg.types.setTypeParser(pg.types.builtins.INT8, BigInt)

export interface DatabaseOptions {
  /** `postgresql://…`, or a socket directory as `{ host }`. */
  readonly connection: string | { host: string; port?: number; user: string; database: string }
  readonly poolSize?: number
  readonly applicationName?: string
  readonly log?: Logger
}

export function openDatabase(options: DatabaseOptions): Database {
  const connection =
    typeof options.connection === 'string' ? { connectionString: options.connection } : options.connection
  const pool = new pg.Pool({
    ...connection,
    max: options.poolSize ?? 10,
    application_name: options.applicationName ?? 'kumi',
    // Also the wait for one that is free: a busy grid is slow before it refuses.
    connectionTimeoutMillis: 30_000,
    options: '-c timezone=UTC',
  })
  // An idle connection that dies (server restart) must not take the process down; the next query reconnects.
  pool.on('error', (error) => options.log?.warn({ err: error }, 'idle database connection lost'))
  // Nor one that dies between two statements of a transaction, which its next statement tells.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const db: Db = new Kysely({ dialect: new PostgresDialect({ pool: quickPool(pool, explained) }) })
  return { db, pool, close: () => db.destroy() }
}

/** Serialization failure, deadlock, and a row that was not to be waited for. */
const RETRYABLE_STATES = new Set(['40001', '40P01', '55P03'])
const CONNECTION_STATES = /^(08|57P0[123]|53300)/

function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}

/** True when another transaction was in the way: the same one may be run again at once. */
export function isRetryableTransaction(error: unknown): boolean {
  return RETRYABLE_STATES.has(sqlState(error) ?? '')
}

/** True when PostgreSQL itself is away (restart, shutdown, refused connection). */
export function isDatabaseDown(error: unknown): boolean {
  const state = sqlState(error) ?? ''
  const message = error instanceof Error ? error.message : ''
  return (
    state === UNAVAILABLE ||
    CONNECTION_STATES.test(state) ||
    ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE'].includes(state) ||
    /Connection terminated|timeout exceeded when trying to connect/.test(message)
  )
}

const COMING = { attempts: 30, firstMs: 100, capMs: 3000 }

/**
 * Waits, for about a minute, until the database takes statements: it may be starting at the same time as we.
 * Throws `database_unavailable` after that, and at once whatever waiting does not mend, such as a wrong password.
 */
export async function waitForDatabase(
  db: Db,
  { clock, rng, log }: { clock: Clock; rng: Rng; log: Logger },
): Promise<void> {
  await retry(
    async () => {
      try {
        await sql`select 1`.execute(db)
      } catch (error) {
        if (isDatabaseDown(error)) log.warn({ err: error }, 'waiting for the database')
        throw error
      }
    },
    COMING,
    { clock, rng },
  )
}

/** That PostgreSQL is away is told to whoever asked; a statement that it refused stays as it is. */
const explained = (error: unknown): unknown =>
  isDatabaseDown(error) && !(error instanceof GridError) ? databaseUnavailable(error) : error

const UNAVAILABLE = 'database_unavailable'

function databaseUnavailable(cause: unknown): GridError {
  return new GridError({
    code: UNAVAILABLE,
    kind: 'transient',
    message: 'The database is not reachable at the moment; try again.',
    cause,
  })
}

/**
 * Runs `work` in one transaction, again when another one was in its way (at most five times).
 * Given an open transaction it joins it: a use case opens exactly one.
 */
export async function transaction<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db as Tx)
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (isRetryableTransaction(error) && attempt < 5) continue
      throw error
    }
  }
}

/** Rows of one statement. */
export async function rows<R>(db: Db, query: RawBuilder<R>): Promise<R[]> {
  return (await query.execute(db)).rows
}

/** First row of one statement, if any. */
export async function row<R>(db: Db, query: RawBuilder<R>): Promise<R | undefined> {
  return (await query.execute(db)).rows[0]
}

/**
 * Rows of a statement that runs again and again: sent, parsed and planned once per connection, not each time. Only for
 * statements whose best plan is the same whatever is asked, and of which there are few texts.
 */
export async function prepared<R>(db: Db, query: RawBuilder<R>): Promise<R[]> {
  const compiled = query.compile(db)
  prepare(compiled.sql)
  return (await db.executeQuery<R>(compiled)).rows
}

/** Number of rows an INSERT, UPDATE or DELETE touched. */
export async function affected(db: Db, query: RawBuilder<unknown>): Promise<number> {
  return Number((await query.execute(db)).numAffectedRows ?? 0n)
}

/**
 * Streams a query through a server-side cursor in chunks of `size` rows, so that a list of any length needs
 * constant memory. Holds one connection until the iteration ends or is broken off.
 */
export async function* cursor<R>(db: Db, query: RawBuilder<R>, size = 1000): AsyncGenerator<R[]> {
  const compiled = query.compile(db)
  const controlled = await db.startTransaction().execute()
  try {
    await controlled.executeQuery(
      CompiledQuery.raw(`declare rows_of_list no scroll cursor for ${compiled.sql}`, [
        ...compiled.parameters,
      ]),
    )
    for (;;) {
      const chunk = await sql<R>`fetch ${sql.raw(String(size))} from rows_of_list`.execute(controlled)
      if (chunk.rows.length > 0) yield chunk.rows
      if (chunk.rows.length < size) break
    }
    await controlled.commit().execute()
  } catch (error) {
    await controlled
      .rollback()
      .execute()
      .catch(() => undefined)
    throw error
  } finally {
    if (!controlled.isCommitted && !controlled.isRolledBack) {
      await controlled
        .rollback()
        .execute()
        .catch(() => undefined)
    }
  }
}

export { sql } from 'kysely'
