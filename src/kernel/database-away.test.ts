import { describe, expect, inject, test, vi } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  listen,
  openDatabase,
  prepared,
  row,
  rows,
  seededRng,
  silentLogger,
  sql,
  transaction,
  waitForDatabase,
  wake,
} from './index.ts'

const database = testDatabase()
const PATIENCE = { timeout: 20_000, interval: 100 }
const settings = () => ({ host: inject('postgresHost'), port: 5432, user: 'kumi' })

/** Ends the connections of an application, as a PostgreSQL does that is killed. */
const terminate = (application: string) =>
  rows(
    database.db,
    sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${application}`,
  )

async function nameOf(): Promise<string> {
  return (await row(database.db, sql<{ name: string }>`select current_database() as name`))!.name
}

describe('while the database is away', () => {
  test('a connection that breaks in the middle of a transaction fails that transaction and nothing else', async () => {
    const other = openDatabase({
      connection: { ...settings(), database: await nameOf() },
      applicationName: 'breaks',
    })
    try {
      const broken = other.db.transaction().execute(async (tx) => {
        await rows(tx, sql`select 1`)
        await terminate('breaks')
        // Idle, as during a request to a storage: the news arrives while no query waits for it.
        await vi.waitFor(async () => expect(await connections('breaks')).toBe(0), PATIENCE)
        await rows(tx, sql`select 2`)
      })
      await expect(broken).rejects.toThrow(/terminat|not queryable|EPIPE/i)
      expect(await rows(other.db, sql`select 3 as three`)).toEqual([{ three: 3 }])
    } finally {
      await other.close()
    }
  })

  test('wake-ups come back on one connection, however often it could not be made', async () => {
    const name = await nameOf()
    const admin = openDatabase({ connection: { ...settings(), database: 'postgres' } })
    const other = openDatabase({
      connection: { ...settings(), database: name },
      applicationName: 'listener',
    })
    let refused = 0
    const wakeups = await listen(other.pool, { ...silentLogger, warn: () => void refused++ } as never)
    try {
      await rows(admin.db, sql`alter database ${sql.id(name)} with allow_connections false`)
      await terminate('listener')
      await vi.waitFor(() => expect(refused).toBeGreaterThan(3), PATIENCE)
      await rows(admin.db, sql`alter database ${sql.id(name)} with allow_connections true`)
      let woken = 0
      wakeups.on(['away'], () => woken++)
      await vi.waitFor(async () => {
        await wake(database.db, 'away')
        expect(woken).toBeGreaterThan(0)
      }, PATIENCE)
      // One that was closed and one that is still being made must both show up: wait for two wake-ups more.
      for (const before of [woken, woken + 1])
        await vi.waitFor(async () => {
          await wake(database.db, 'away')
          expect(woken).toBeGreaterThan(before)
        }, PATIENCE)
      expect(await connections('listener')).toBe(1)
      expect(refused).toBeLessThan(12)
    } finally {
      await wakeups.close()
      await other.close()
      await admin.close()
    }
  })

  test('a server that starts first waits for it; one that may not enter says so at once', async () => {
    const name = await nameOf()
    const starting = openDatabase({ connection: { ...settings(), database: name, port: 5433 } })
    const waits: number[] = []
    const clock = { now: () => new Date(), sleep: async (ms: number) => void waits.push(ms) }
    await expect(
      waitForDatabase(starting.db, { clock, rng: seededRng(1), log: silentLogger }),
    ).rejects.toMatchObject({ code: 'database_unavailable' })
    expect(waits.length).toBeGreaterThan(10)
    // Whoever asks hears the same, in a transaction or outside.
    for (const asked of [
      rows(starting.db, sql`select 1`),
      transaction(starting.db, (tx) => rows(tx, sql`select 1`)),
      prepared(starting.db, sql`select 1`),
    ])
      await expect(asked).rejects.toMatchObject({ code: 'database_unavailable', kind: 'transient' })
    await starting.close()
    const stranger = openDatabase({ connection: { ...settings(), user: 'nobody_known', database: name } })
    waits.length = 0
    await expect(
      waitForDatabase(stranger.db, { clock, rng: seededRng(1), log: silentLogger }),
    ).rejects.toThrow(/nobody_known/)
    expect(waits).toEqual([])
    await stranger.close()
  })
})

async function connections(application: string): Promise<number> {
  const found = await row(
    database.db,
    sql<{
      n: number
    }>`select count(*)::int as n from pg_stat_activity where application_name = ${application}`,
  )
  return found!.n
}
