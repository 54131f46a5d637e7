import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import { notACvmfs } from './errors.ts'

export type SqlValue = number | bigint | string | Uint8Array | null
export type SqlRow = Record<string, SqlValue>

/** A SQLite file of our own, from its bytes and back to them. */
export interface SqliteFile {
  exec(sql: string): void
  /** Runs a statement; the text is parsed once. */
  run(sql: string, values?: SqlValue[]): void
  all(sql: string, values?: SqlValue[]): SqlRow[]
  get(sql: string, values?: SqlValue[]): SqlRow | undefined
  iterate(sql: string): IterableIterator<SqlRow>
  /** Closes it and gives its bytes. */
  finish(): Buffer
  close(): void
}

/**
 * Opens a database in a private file: the library locks by making a directory beside the file, so that a shared file
 * would be blocked for ever by a reader that was killed. Throws `software_format` when the bytes are no database.
 */
export function openSqlite(bytes?: Buffer): SqliteFile {
  const file = join(workDirectory(), String(opened++))
  if (bytes) writeFileSync(file, bytes)
  else closeSync(openSync(file, 'wx'))
  const database = new sqlite.Database(file)
  const statements = new Map<string, ReturnType<typeof database.prepare>>()
  let removed = false
  const remove = () => {
    if (removed) return
    removed = true
    rmSync(file, { force: true })
    leaveDirectory()
  }
  // What is written here is either finished and hashed, or thrown away: nothing needs to survive a crash.
  // Locked once, before anything is read; in memory while it is small: rows come in the order of random numbers.
  const begin =
    'pragma locking_mode = exclusive; pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -8192'
  let open = true
  const statement = (sql: string) => {
    let known = statements.get(sql)
    if (!known) {
      known = database.prepare(sql)
      statements.set(sql, known)
    }
    return known
  }
  const close = () => {
    if (!open) return
    open = false
    for (const one of statements.values()) {
      try {
        one.finalize()
      } catch {
        // It repeats what its last run threw; it is finalized all the same.
      }
    }
    database.close()
  }
  const all = (sql: string, values?: SqlValue[]) => inWords(() => statement(sql).all(values) as SqlRow[])
  const sqliteFile: SqliteFile = {
    exec: (sql) => database.exec(sql),
    run: (sql, values) => inWords(() => void statement(sql).run(values)),
    all,
    get: (sql, values) => all(sql, values)[0],
    *iterate(sql) {
      const rows = inWords(() => statement(sql).iterate() as IterableIterator<SqlRow>)
      for (let next = inWords(() => rows.next()); !next.done; next = inWords(() => rows.next()))
        yield next.value
    },
    finish() {
      close()
      const written = readFileSync(file)
      remove()
      return written
    },
    close() {
      close()
      remove()
    },
  }
  try {
    database.exec(`${begin}; begin`)
    database.get('select count(*) as tables from sqlite_master')
  } catch (error) {
    sqliteFile.close()
    throw notACvmfs('What should be a SQLite file is none.', {}, error)
  }
  return sqliteFile
}

/** Files come from elsewhere: what SQLite makes of a broken one is said as an error of ours. */
function inWords<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof sqlite.SQLite3Error)
      throw notACvmfs(`A database of the repository cannot be read: ${error.message}.`, {}, error)
    throw error
  }
}

let opened = 0
let inUse = 0
let made: string | undefined
/** Here as long as a file in it is open: a process that is ended from outside leaves nothing as a rule. */
function workDirectory(): string {
  made ??= mkdtempSync(join(tmpdir(), 'kumi-sqlite-'))
  inUse++
  return made
}

function leaveDirectory(): void {
  if (--inUse > 0 || !made) return
  rmSync(made, { recursive: true, force: true })
  made = undefined
}
process.once('exit', () => made && rmSync(made, { recursive: true, force: true }))

/** SQLite gives a number where it fits and a bigint where not; the halves of an MD5 need the latter always. */
export const big = (value: SqlValue | undefined): bigint => BigInt(value as number | bigint)
export const text = (value: SqlValue | undefined): string => (typeof value === 'string' ? value : '')
export const count = (value: SqlValue | undefined): number => Number(value ?? 0)
