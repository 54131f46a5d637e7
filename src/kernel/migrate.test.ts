import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { migrate, rows, sql } from './index.ts'

const database = testDatabase()

describe('migrations', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kumi-migrations-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))
  const source = () => [{ room: 'here', directory }]

  test('run once, in order, also when several processes start at the same moment', async () => {
    await writeFile(join(directory, '001-first.sql'), 'create table first_table (n int);')
    await writeFile(join(directory, '002-second.sql'), 'insert into first_table values (1);')
    const applied = await Promise.all([1, 2, 3].map(() => migrate(database.db, source())))
    expect(applied.flat().map((m) => m.name)).toEqual(['001-first.sql', '002-second.sql'])
    expect(await rows(database.db, sql`select n from first_table`)).toEqual([{ n: 1 }])
  })

  test('a failing file leaves nothing behind and is tried again', async () => {
    await writeFile(
      join(directory, '003-third.sql'),
      'create table third_table (n int); select no_such_function();',
    )
    await expect(migrate(database.db, source())).rejects.toThrow('no_such_function')
    await writeFile(join(directory, '003-third.sql'), 'create table third_table (n int);')
    expect(await migrate(database.db, source())).toHaveLength(1)
  })

  test('a file changed after it was applied is refused', async () => {
    await writeFile(join(directory, '001-first.sql'), 'create table first_table (n bigint);')
    await expect(migrate(database.db, source())).rejects.toMatchObject({ code: 'migration_changed' })
    await writeFile(join(directory, '001-first.sql'), 'create table first_table (n int);')
  })

  test('a database of a newer program is refused', async () => {
    await rm(join(directory, '003-third.sql'))
    await expect(migrate(database.db, source())).rejects.toMatchObject({ code: 'schema_too_new' })
  })
})
