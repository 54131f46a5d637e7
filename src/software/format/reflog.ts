import { notACvmfs } from './errors.ts'
import { type ContentHash, hashFromText, textOf } from './hash.ts'
import { count, openSqlite, text } from './sqlite-file.ts'

const TYPES = ['catalog', 'certificate', 'history', 'metainfo'] as const

/** An object from which a garbage collector begins to look. */
export interface Reference {
  readonly kind: (typeof TYPES)[number]
  readonly hash: ContentHash
  readonly at: Date
}

/** All objects that are entries to something still alive; served as it is, uncompressed. */
export function writeReflog(repository: string, references: readonly Reference[]): Buffer {
  const db = openSqlite()
  db.exec(`create table properties (key TEXT, value TEXT, constraint pk_properties primary key (key));
    create table refs (hash TEXT, type INTEGER, timestamp INTEGER, constraint pk_refs primary key (hash));
    insert into properties values ('schema', '1.0'), ('schema_revision', '0')`)
  db.run(`insert into properties values ('fqrn', ?)`, [repository])
  for (const { kind, hash, at } of references)
    db.run('insert or ignore into refs values (?, ?, ?)', [
      textOf(hash),
      TYPES.indexOf(kind),
      Math.floor(at.getTime() / 1000),
    ])
  db.exec('commit')
  return db.finish()
}

export function readReflog(bytes: Buffer): Reference[] {
  const db = openSqlite(bytes)
  try {
    return db.all('select hash, type, timestamp from refs').map((row) => {
      const kind = TYPES[count(row.type)]
      if (!kind) throw notACvmfs('The reflog refers to something unknown.')
      return { kind, hash: hashFromText(text(row.hash)), at: new Date(count(row.timestamp) * 1000) }
    })
  } catch (error) {
    throw notACvmfs('The reflog of the repository cannot be read.', {}, error)
  } finally {
    db.close()
  }
}
