import { access, constants, mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrate, openDatabase, startEmbeddedPostgres } from '../../src/kernel/index.ts'
import { migrationSources } from '../../src/migrations.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    postgresHost: string
  }
}

/** One PostgreSQL for the whole test run, with a migrated template that each test file clones. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(await quickPlace(), 'kumi-test-'))
  const postgres = await startEmbeddedPostgres({ directory, forTests: true })
  const { db, close } = openDatabase({ connection: postgres.connection, poolSize: 1 })
  await migrate(db, migrationSources())
  await close()
  project.provide('postgresHost', postgres.connection.host)
  return async () => {
    await postgres.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Memory, where there is enough: the database of each test file is some eight hundred small files. */
async function quickPlace(): Promise<string> {
  const memory = '/dev/shm'
  const writable = await access(memory, constants.W_OK).then(
    () => true,
    () => false,
  )
  const room = writable && (await statfs(memory))
  return room && room.bavail * room.bsize > 8e9 ? memory : tmpdir()
}
