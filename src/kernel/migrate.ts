import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CompiledQuery } from 'kysely'
import { type Db, row, rows, sql } from './database.ts'
import { defineError } from './errors.ts'

const schemaTooNew = defineError('fatal', 'schema_too_new')
const migrationChanged = defineError('fatal', 'migration_changed')

/** A room's folder of `NNN-title.sql` files; rooms are given lowest floor first. */
export interface MigrationSource {
  readonly room: string
  readonly directory: string
}

export interface AppliedMigration {
  readonly room: string
  readonly name: string
}

/** Any constant will do, as long as every version of the program uses the same. */
const LOCK_KEY = 0x6b756d69

/**
 * Brings the schema up to date, forward only, each file in its own transaction. Several processes may call it at
 * once: an advisory lock lets one work while the others wait. Refuses a schema newer than this program and a file
 * whose text changed after it was applied.
 */
export async function migrate(db: Db, sources: readonly MigrationSource[]): Promise<AppliedMigration[]> {
  return db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(${LOCK_KEY})`.execute(connection)
    try {
      return await applyPending(connection, sources)
    } finally {
      await sql`select pg_advisory_unlock(${LOCK_KEY})`.execute(connection)
    }
  })
}

async function applyPending(db: Db, sources: readonly MigrationSource[]): Promise<AppliedMigration[]> {
  await sql`create table if not exists migration (
    room text not null, name text not null, sha256 text not null,
    applied_at timestamptz not null default now(), primary key (room, name))`.execute(db)
  const done = new Map(
    (
      await rows(
        db,
        sql<{ room: string; name: string; sha256: string }>`select room, name, sha256 from migration`,
      )
    ).map((m) => [`${m.room}/${m.name}`, m.sha256]),
  )
  const applied: AppliedMigration[] = []
  for (const { room, directory } of sources) {
    const names = (await readdir(directory)).filter((name) => /^\d{3}-.*\.sql$/.test(name)).sort()
    for (const key of done.keys()) {
      const [doneRoom, name] = key.split('/') as [string, string]
      if (doneRoom === room && !names.includes(name)) {
        throw schemaTooNew(
          `The database has migration ${key}, which this version of kumi does not know. Start a newer version.`,
        )
      }
    }
    for (const name of names) {
      const text = await readFile(join(directory, name), 'utf8')
      const sha256 = createHash('sha256').update(text).digest('hex')
      const before = done.get(`${room}/${name}`)
      if (before === sha256) continue
      if (before !== undefined) {
        throw migrationChanged(
          `Migration ${room}/${name} was changed after it had been applied. Add a new file instead.`,
        )
      }
      await db.transaction().execute(async (tx) => {
        await tx.executeQuery(CompiledQuery.raw(text))
        await sql`insert into migration (room, name, sha256) values (${room}, ${name}, ${sha256})`.execute(tx)
      })
      applied.push({ room, name })
    }
  }
  return applied
}

/** The oldest PostgreSQL whose features the schema uses. */
export async function requireServerVersion(db: Db, minimum = 150000): Promise<void> {
  const version = await row(db, sql<{ n: number }>`select current_setting('server_version_num')::int as n`)
  if ((version?.n ?? 0) < minimum) {
    throw defineError(
      'fatal',
      'database_too_old',
    )(`PostgreSQL ${Math.floor(minimum / 10000)} or newer is needed; this server reports ${version?.n}.`)
  }
}
