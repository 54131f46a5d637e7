import { mkdtemp, rm } from 'node:fs/promises'
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
  const directory = await mkdtemp(join(tmpdir(), 'kumi-test-'))
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
