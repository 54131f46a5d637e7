import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { type Database, openDatabase } from '../../src/kernel/index.ts'

/** A database of its own for the calling test file, migrated, dropped at the end. Use inside `describe` or at top. */
export function testDatabase(): Database & { readonly url: string } {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const host = inject('postgresHost')
  const admin = async (statement: string): Promise<void> => {
    const client = new pg.Client({ host, port: 5432, user: 'kumi', database: 'postgres' })
    await client.connect()
    await client.query(statement).finally(() => client.end())
  }
  let open: Database | undefined
  beforeAll(async () => {
    await admin(`create database ${name} template kumi strategy file_copy`)
    open = openDatabase({ connection: { host, port: 5432, user: 'kumi', database: name }, poolSize: 8 })
  })
  afterAll(async () => {
    await open?.close()
    await admin(`drop database if exists ${name} with (force)`)
  })
  const opened = () => {
    if (!open) throw new Error('the test database is open only inside tests')
    return open
  }
  return {
    get db() {
      return opened().db
    },
    get pool() {
      return opened().pool
    },
    close: () => opened().close(),
    /** For programs of their own. */
    url: `postgresql://kumi@localhost/${name}?host=${encodeURIComponent(host)}`,
  }
}
