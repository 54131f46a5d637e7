import { notACvmfs } from './errors.ts'
import { type ContentHash, hashFromText, textOf } from './hash.ts'
import { count, openSqlite, text } from './sqlite-file.ts'

/** A name for a revision. */
export interface Tag {
  readonly name: string
  readonly root: ContentHash
  readonly rootSize: number
  readonly revision: number
  readonly at: Date
  readonly description: string
}

/** The tag that always is the newest revision. */
export const TRUNK = 'trunk'

/** The database of tags, as the clients mount by it. */
export function writeHistory(repository: string, tags: readonly Tag[], previous?: ContentHash): Buffer {
  const db = openSqlite()
  db.exec(`create table properties (key TEXT, value TEXT, constraint pk_properties primary key (key));
    create table branches (branch TEXT, parent TEXT, initial_revision INTEGER, constraint pk_branch primary key (branch));
    create table tags (name TEXT, hash TEXT, revision INTEGER, timestamp INTEGER, channel INTEGER, description TEXT,
      size INTEGER, branch TEXT, constraint pk_tags primary key (name),
      foreign key (branch) references branches (branch));
    create index idx_tags_timestamp on tags (timestamp);
    create table recycle_bin (hash TEXT, flags INTEGER, constraint pk_hash primary key (hash));
    insert into branches values ('', null, 0);
    insert into properties values ('schema', '1.0'), ('schema_revision', '3')`)
  db.run(`insert into properties values ('fqrn', ?)`, [repository])
  if (previous) db.run(`insert into properties values ('previous_revision', ?)`, [textOf(previous)])
  for (const tag of tags) {
    db.run(`insert into tags values (?, ?, ?, ?, 0, ?, ?, '')`, [
      tag.name,
      textOf(tag.root),
      tag.revision,
      Math.floor(tag.at.getTime() / 1000),
      tag.description,
      tag.rootSize,
    ])
  }
  db.exec('commit')
  return db.finish()
}

export function readHistory(bytes: Buffer): { repository: string; tags: Tag[] } {
  const db = openSqlite(bytes)
  try {
    const tags = db.all('select name, hash, size, revision, timestamp, description from tags').map((row) => ({
      name: text(row.name),
      root: hashFromText(text(row.hash)),
      rootSize: count(row.size),
      revision: count(row.revision),
      at: new Date(count(row.timestamp) * 1000),
      description: text(row.description),
    }))
    return { repository: text(db.get(`select value from properties where key = 'fqrn'`)?.value), tags }
  } catch (error) {
    throw notACvmfs('The history of the repository cannot be read.', {}, error)
  } finally {
    db.close()
  }
}
