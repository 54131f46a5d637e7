import { chmod, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
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

describe.runIf(process.getuid?.() === 0)('root, whom PostgreSQL refuses to serve', () => {
  const answers = async (directory: string): Promise<void> => {
    const postgres = await startEmbeddedPostgres({ directory, forTests: true })
    const { db, close } = openDatabase({ connection: postgres.connection, poolSize: 1 })
    await sql`create table if not exists kept (n int)`.execute(db)
    expect(await rows(db, sql`select n from kept`)).toEqual([])
    await close()
    await postgres.stop()
  }

  test('keeps a grid in a closed home, also after it was opened or closed again', async () => {
    const home = await mkdtemp(join(tmpdir(), 'kumi-pg-'))
    for (const mode of [0o700, 0o711, 0o700]) {
      await chmod(home, mode)
      await answers(join(home, 'postgres'))
    }
    await rm(home, { recursive: true, force: true })
  })

  test('keeps one in a closed home where user namespaces are forbidden', async () => {
    const home = await mkdtemp(join(tmpdir(), 'kumi-pg-'))
    for (const program of ['setpriv', 'chown']) await symlink(`/usr/bin/${program}`, join(home, program))
    vi.stubEnv('PATH', home)
    await answers(join(home, 'postgres')).finally(() => vi.unstubAllEnvs())
    await rm(home, { recursive: true, force: true })
  })

  test('is told what to do where neither is possible', async () => {
    const home = await mkdtemp(join(tmpdir(), 'kumi-pg-'))
    vi.stubEnv('PATH', home)
    await expect(answers(join(home, 'postgres')).finally(() => vi.unstubAllEnvs())).rejects.toThrow(
      /Choose another --home .*, run as an ordinary user, or set DATABASE_URL/,
    )
    await rm(home, { recursive: true, force: true })
  })
})
