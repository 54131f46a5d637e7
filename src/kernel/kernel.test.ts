import { describe, expect, inject, test, vi } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  cursor,
  type Db,
  endOfEvents,
  eventsAfter,
  eventsAhead,
  listen,
  openDatabase,
  prepared,
  publish,
  readConfig,
  redact,
  rows,
  runWorkers,
  seededRng,
  silentLogger,
  sql,
  systemClock,
  transaction,
} from './index.ts'

const database = testDatabase()

describe('database', () => {
  test('a list of any length streams through a cursor in order', async () => {
    const seen: number[] = []
    for await (const chunk of cursor(
      database.db,
      sql<{ n: number }>`select n from generate_series(1, 2500) n`,
      1000,
    ))
      seen.push(...chunk.map((r) => r.n))
    expect(seen).toHaveLength(2500)
    expect(seen.at(-1)).toBe(2500)
  })

  test('lists of any values arrive as they were, however odd their texts', async () => {
    const texts = [
      '',
      'plain',
      'a,b',
      '{}',
      'NULL',
      'null',
      '"',
      '\\',
      '\\"',
      ' x ',
      "it's",
      '京都',
      'a\nb',
      null,
    ]
    const [first] = await rows(
      database.db,
      sql<{
        texts: (string | null)[]
        none: string[]
        big: (string | null)[]
        real: number[]
        yes: boolean[]
        at: Date[]
      }>`
        select ${texts}::text[] as texts, ${[]}::text[] as none, ${[-1n, 2n ** 62n, null]}::bigint[] as big,
          ${[1.5, -2e-7, Number.POSITIVE_INFINITY]}::float8[] as real, ${[true, false]}::boolean[] as yes,
          ${[new Date(0), new Date('2026-02-28T23:59:59.999Z')]}::timestamptz[] as at`,
    )
    expect(first).toEqual({
      texts,
      none: [],
      big: ['-1', String(2n ** 62n), null],
      real: [1.5, -2e-7, Number.POSITIVE_INFINITY],
      yes: [true, false],
      at: [new Date(0), new Date('2026-02-28T23:59:59.999Z')],
    })
    const nested = await rows(
      database.db,
      sql<{ n: number[][]; b: string }>`select ${[
        [1, 2],
        [3, 4],
      ]}::int[] as n, encode((${[Buffer.from('ab')]}::bytea[])[1], 'hex') as b`,
    )
    expect(nested).toEqual([
      {
        n: [
          [1, 2],
          [3, 4],
        ],
        b: '6162',
      },
    ])
  })

  test('a statement that runs again and again is prepared once, whatever it is asked', async () => {
    const asked = (db: Db, names: readonly string[], factor: number) =>
      prepared(
        db,
        sql<{ name: string; n: number }>`select name, ${factor}::int as n from unnest(${names}::text[]) name`,
      )
    await transaction(database.db, async (tx) => {
      expect(await asked(tx, ['a', 'b"\\'], 2)).toEqual([
        { name: 'a', n: 2 },
        { name: 'b"\\', n: 2 },
      ])
      expect(await asked(tx, [], 3)).toEqual([])
      const kept = sql`select from pg_prepared_statements where statement like '%as n from unnest%'`
      expect(await rows(tx, kept)).toHaveLength(1)
    })
    const found = await Promise.all([1, 2, 3].map((factor) => asked(database.db, ['x'], factor)))
    expect(found.flat().map(({ n }) => n)).toEqual([1, 2, 3])
    const wrong = (n: number) => prepared(database.db, sql`select 1 / ${n}::int as n`)
    await expect(wrong(0)).rejects.toThrow('division by zero')
    expect(await wrong(1)).toEqual([{ n: 1 }])
  })

  test('a cursor that is broken off gives its connection back', async () => {
    for (let i = 0; i < 30; i++)
      for await (const _ of cursor(database.db, sql`select n from generate_series(1, 5000) n`, 100)) break
    expect(await rows(database.db, sql<{ n: number }>`select 1 as n`)).toEqual([{ n: 1 }])
  })

  test('a transaction inside a transaction joins it and rolls back with it', async () => {
    await sql`create table t (n int)`.execute(database.db)
    await expect(
      transaction(database.db, async (tx) => {
        await transaction(tx, (inner) => sql`insert into t values (1)`.execute(inner))
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await rows(database.db, sql`select * from t`)).toEqual([])
  })
})

describe('events', () => {
  test('an event of a slow transaction is not skipped by a reader who saw a later one', async () => {
    const { db } = database
    const start = await endOfEvents(db)
    const slow = await db.startTransaction().execute()
    await publish(slow, new Date(), [{ vo: 'v', kind: 'a.slow', subject: '1' }])
    await transaction(db, (tx) => publish(tx, new Date(), [{ vo: 'v', kind: 'a.fast', subject: '2' }]))
    const before = await eventsAfter(db, start)
    expect(before.events).toEqual([])
    expect((await eventsAhead(db, start)).map(({ kind }) => kind)).toEqual(['a.fast'])
    await slow.commit().execute()
    const { events } = await eventsAfter(db, before.position)
    expect(events.map(({ kind }) => kind)).toEqual(['a.slow', 'a.fast'])
  })

  test('the order of positions is that of numbers, also where a number gets one digit more', async () => {
    const { db } = database
    await sql`insert into event (xact, at, vo, kind, subject)
      select n::text::xid8, now(), 'v', 'd.counted', n from generate_series(8, 11) as n`.execute(db)
    let position = { xact: '7', id: 0n }
    for (const expected of ['8', '9', '10', '11']) {
      const next = await eventsAfter(db, position, 1)
      expect(next.events.map(({ subject }) => subject)).toEqual([expected])
      position = next.position
    }
    await sql`delete from event where kind = 'd.counted'`.execute(db)
  })

  test('nothing waits for a transaction of another database of the same server', async () => {
    const elsewhere = openDatabase({
      connection: { host: inject('postgresHost'), port: 5432, user: 'kumi', database: 'postgres' },
    })
    const start = await endOfEvents(database.db)
    const long = await elsewhere.db.startTransaction().execute()
    await rows(long, sql`select pg_current_xact_id()`)
    await transaction(database.db, (tx) =>
      publish(tx, new Date(), [{ vo: 'v', kind: 'b.done', subject: '1' }]),
    )
    const { events } = await eventsAfter(database.db, start)
    expect(events.map(({ kind }) => kind)).toEqual(['b.done'])
    await long.rollback().execute()
    await elsewhere.close()
  })

  test('many writers at once: a reader sees each event once, and in the order of their positions', async () => {
    const { db } = database
    const rng = seededRng(5)
    let position = await endOfEvents(db)
    const seen: bigint[] = []
    let writing = true
    const read = async (): Promise<void> => {
      const next = await eventsAfter(db, position, 7)
      position = next.position
      seen.push(...next.events.map(({ subject }) => BigInt(subject)))
    }
    const reader = (async () => {
      while (writing) await read()
    })()
    const WRITERS = 5
    const EACH = 40
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let n = 0; n < EACH; n++) {
          const subject = String(writer * EACH + n)
          await transaction(db, async (tx) => {
            await publish(tx, new Date(), [{ vo: 'v', kind: 'c.written', subject }])
            if (rng.next() < 0.3) await sql`select pg_sleep(${rng.next() / 100})`.execute(tx)
          })
        }
      }),
    )
    writing = false
    await reader
    // Events wait for older transactions, also for those of other databases beside this one.
    await vi.waitFor(async () => {
      await read()
      expect(seen.length).toBe(WRITERS * EACH)
    }, 20_000)
    expect(new Set(seen).size).toBe(WRITERS * EACH)
  })

  test('a worker wakes at once when its topic is published', async () => {
    const wakeups = await listen(database.pool, silentLogger)
    let ticks = 0
    let seen: () => void = () => undefined
    const second = new Promise<void>((resolve) => {
      seen = resolve
    })
    const running = runWorkers(
      [
        {
          name: 'w',
          wakeOn: ['rule'],
          tick: async () => {
            if (++ticks === 2) seen()
            return { changed: 0, nextWake: null }
          },
        },
      ],
      { clock: systemClock, log: silentLogger, wakeups },
    )
    await transaction(database.db, (tx) =>
      publish(tx, new Date(), [{ vo: 'v', kind: 'rule.ok', subject: '1' }]),
    )
    await second
    await running.stop()
    await wakeups.close()
  })
})

describe('configuration and log', () => {
  test('every wrong setting is named at once', () => {
    const settings = {
      port: { type: 'integer', env: 'P', help: 'Port', min: 1, max: 65535 },
      debug: { type: 'boolean', env: 'D', help: 'Debug', default: false },
    } as const
    expect(() => readConfig(settings, { P: '0', D: 'maybe' })).toThrow(/port \(P\).*debug \(D\)/)
    expect(readConfig(settings, { P: '80' })).toEqual({ port: 80, debug: false })
  })

  test('a number may differ by name', () => {
    const settings = {
      floor: { type: 'integerByName', env: 'F', help: 'Floor', default: '1', min: 1 },
    } as const
    const { floor } = readConfig(settings, { F: '2, belle = 3,User Subscriptions=4' })
    expect(['demo', 'belle', 'User Subscriptions'].map(floor)).toEqual([2, 3, 4])
    expect(readConfig(settings, {}).floor('demo')).toBe(1)
    for (const wrong of ['belle=2', '1,belle=0', '1,2', '1,belle=x', '1,belle=2,belle=3']) {
      expect(() => readConfig(settings, { F: wrong })).toThrow(/floor \(F\)/)
    }
  })

  test('tokens, passwords and private keys never reach the log', () => {
    const text = JSON.stringify(
      redact({
        headers: { Authorization: 'Bearer x', 'X-Rucio-Password': 'p1' },
        error: new Error('got eyJhbGciOi.eyJzdWIi.c2ln from peer'),
        pem: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
        url: 'https://h/?access_token=abc&x=1',
      }),
    )
    expect(text).not.toMatch(/Bearer x|p1|eyJ|AAAA|abc/)
  })
})
