import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDatabase, rows, sql, startEmbeddedPostgres } from './index.ts'

test('PostgreSQL keeps what was committed through kill -9 and starts again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kumi-pg-'))
  const first = await startEmbeddedPostgres({ directory })
  const before = openDatabase({ connection: first.connection, poolSize: 1 })
  await sql`create table kept (n int)`.execute(before.db)
  await sql`insert into kept values (7)`.execute(before.db)
  await before.close()
  process.kill(first.pid, 'SIGKILL')
  await first.ended

  const second = await startEmbeddedPostgres({ directory })
  const adopted = await startEmbeddedPostgres({ directory })
  expect(adopted.pid).toBe(second.pid)
  const after = openDatabase({ connection: adopted.connection, poolSize: 1 })
  expect(await rows(after.db, sql`select n from kept`)).toEqual([{ n: 7 }])
  await after.close()
  await second.stop()
  await rm(directory, { recursive: true, force: true })
})

test('a home too deep for a unix socket still works', async () => {
  const root = await mkdtemp(join(tmpdir(), 'kumi-pg-'))
  const directory = join(root, 'deep'.repeat(30), 'postgres')
  const postgres = await startEmbeddedPostgres({ directory, forTests: true })
  const { db, close } = openDatabase({ connection: postgres.connection, poolSize: 1 })
  expect(await rows(db, sql`select 1 as n`)).toEqual([{ n: 1 }])
  await close()
  await postgres.stop()
  await rm(postgres.connection.host, { recursive: true, force: true })
  await rm(root, { recursive: true, force: true })
})
