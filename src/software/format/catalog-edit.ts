import {
  type Catalog,
  COUNTERS,
  type Counter,
  type Counters,
  catalogIn,
  type NestedCatalog,
} from './catalog.ts'
import type { Entry } from './entry.ts'
import { type ContentHash, pathHash, textOf } from './hash.ts'
import { COLUMNS, FLAG, type RowFacts, rowOf } from './rows.ts'
import { big, count, openSqlite, type SqlValue, text } from './sqlite-file.ts'

const SCHEMA = `
  create table properties (key TEXT, value TEXT, constraint pk_properties primary key (key));
  create table catalog (md5path_1 INTEGER, md5path_2 INTEGER, parent_1 INTEGER, parent_2 INTEGER, hardlinks INTEGER,
    hash BLOB, size INTEGER, mode INTEGER, mtime INTEGER, mtimens INTEGER, flags INTEGER, name TEXT, symlink TEXT,
    uid INTEGER, gid INTEGER, xattr BLOB, constraint pk_catalog primary key (md5path_1, md5path_2));
  create index idx_catalog_parent on catalog (parent_1, parent_2);
  create table chunks (md5path_1 INTEGER, md5path_2 INTEGER, offset INTEGER, size INTEGER, hash BLOB,
    constraint pk_chunks primary key (md5path_1, md5path_2, offset, size),
    foreign key (md5path_1, md5path_2) references catalog (md5path_1, md5path_2));
  create table nested_catalogs (path TEXT, sha1 TEXT, size INTEGER, constraint pk_nested_catalogs primary key (path));
  create table bind_mountpoints (path TEXT, sha1 TEXT, size INTEGER, constraint pk_bind_mountpoints primary key (path));
  create table statistics (counter TEXT, value INTEGER, constraint pk_statistics primary key (counter));
  insert into properties values ('schema', '2.5'), ('schema_revision', '7');
`
/** Rows are numbered in the order they came, and clients make inodes of the numbers: gaps beyond this are closed. */
const WASTE = 1.5
/** Above so many changes it is sooner to count all rows of a catalogue again. */
const COUNTED_ONE_BY_ONE = 500
const COLUMN_LIST = COLUMNS.join(', ')
const PLACES = COLUMNS.map(() => '?').join(', ')

const REGULAR = `(flags & ${FLAG.file} and not flags & ${FLAG.link | FLAG.special})`
const CHUNKED = `(flags & ${FLAG.chunked} <> 0)`
const EXTERNAL = `(flags & ${FLAG.external} <> 0)`
/** What rows count. */
const SUMS = Object.entries({
  regular: REGULAR,
  symlink: `flags & ${FLAG.link} <> 0`,
  special: `flags & ${FLAG.special} <> 0`,
  dir: `flags & ${FLAG.directory} <> 0`,
  chunked: CHUNKED,
  file_size: `case when ${REGULAR} then size else 0 end`,
  chunked_size: `case when ${CHUNKED} then size else 0 end`,
  xattr: 'xattr is not null',
  external: EXTERNAL,
  external_file_size: `case when ${EXTERNAL} then size else 0 end`,
} satisfies Partial<Record<Counter, string>>)
  .map(([counter, what]) => `coalesce(sum(${what}), 0) as ${counter}`)
  .join(', ')

/** A directory of a catalogue with what weighs on it, for deciding where to cut. */
export interface DirectoryWeight {
  readonly key: bigint[]
  readonly parent: bigint[]
  readonly name: string
  readonly mountpoint: boolean
  /** Entries in it that are no directories. */
  readonly files: number
}

/** One catalogue that is being changed. */
export interface CatalogEditor extends Catalog {
  put(entry: Entry, facts: RowFacts): void
  /** Takes one row out, with its chunks. */
  take(path: string): void
  setNested(nested: NestedCatalog): void
  dropNested(path: string): void
  /** Link count of a directory from the sub-directories it has here. */
  countLinks(path: string): number
  setLinks(path: string, links: number): void
  setDirectoryFlags(path: string, flags: number): void
  highestLinkGroup(): number
  weights(): DirectoryWeight[]
  /** Moves everything below `path`, not its own row, to another catalogue; hard-link groups are raised by `groups`. */
  moveBelow(path: string, to: CatalogEditor, groups: number): void
  insertRaw(row: SqlValue[], chunks: SqlValue[][]): void
  /** Writes properties and counters; `below` is what the nested catalogues count together. */
  writeFacts(facts: {
    revision: number
    now: Date
    previous?: ContentHash | undefined
    below: Counters
  }): void
  /** Keeps nothing of it in memory until it is needed. */
  rest(): void
  /** Closes it and gives its bytes. */
  finish(): Buffer
}

/** A new catalogue without any row, or one to be changed. */
export function editCatalog(from: Buffer | { mountpoint: string }): CatalogEditor {
  const db = openSqlite(Buffer.isBuffer(from) ? from : undefined)
  if (!Buffer.isBuffer(from)) {
    db.exec(SCHEMA)
    if (from.mountpoint) db.run(`insert into properties values ('root_prefix', ?)`, [from.mountpoint])
  }
  const catalog = catalogIn(db)
  const setProperty = (key: string, value: string | number) =>
    db.run('insert or replace into properties values (?, ?)', [key, String(value)])

  function insertRaw(row: SqlValue[], chunks: SqlValue[][]): void {
    noteChange([big(row[0]), big(row[1])])
    db.run(`insert or replace into catalog (${COLUMN_LIST}) values (${PLACES})`, row)
    for (const chunk of chunks) {
      anyChunks = true
      db.run('insert into chunks values (?, ?, ?, ?, ?)', chunk)
    }
  }
  /** Most catalogues have none. */
  let anyChunks = db.get('select 1 as one from chunks limit 1') !== undefined
  function dropChunks(key: bigint[]): void {
    if (anyChunks) db.run('delete from chunks where md5path_1 = ? and md5path_2 = ?', key)
  }
  function takeKey(key: bigint[]): void {
    noteChange(key)
    dropChunks(key)
    db.run('delete from catalog where md5path_1 = ? and md5path_2 = ?', key)
  }
  const chunkRows = (key: bigint[]) =>
    db
      .all('select * from chunks where md5path_1 = ? and md5path_2 = ?', key)
      .map((c) => [c.md5path_1!, c.md5path_2!, c.offset!, c.size!, c.hash!])

  /** What it counts, once that is written. */
  let own: Counters | undefined
  /** Rows changed since it was loaded, and what they counted; undefined: all are counted anew. */
  let changed = Buffer.isBuffer(from) ? new Map<string, { key: bigint[]; was: Counters }>() : undefined

  const editor: CatalogEditor = {
    ...catalog,
    insertRaw,
    put(entry, facts) {
      const row = rowOf(entry, facts)
      const key = [row[0], row[1]] as [bigint, bigint]
      dropChunks(key)
      insertRaw(
        row,
        (entry.chunks ?? []).map((c) => [...key, c.offset, c.size, Buffer.from(c.hash.hex, 'hex')]),
      )
    },
    take: (path) => takeKey(pathHash(path)),
    setNested: ({ path, hash, size }) =>
      db.run('insert or replace into nested_catalogs values (?, ?, ?)', [path, textOf(hash), size]),
    dropNested: (path) => db.run('delete from nested_catalogs where path = ?', [path]),
    countLinks: (path) =>
      2 +
      count(
        db.get(
          `select count(*) as n from catalog where parent_1 = ? and parent_2 = ? and flags & ${FLAG.directory}
             and not (flags & ${FLAG.nestedRoot}) and name <> ''`,
          pathHash(path),
        )?.n,
      ),
    setLinks: (path, links) =>
      db.run('update catalog set hardlinks = ? where md5path_1 = ? and md5path_2 = ?', [
        links,
        ...pathHash(path),
      ]),
    setDirectoryFlags(path, flags) {
      const key = pathHash(path)
      noteChange(key)
      db.run('update catalog set flags = ? where md5path_1 = ? and md5path_2 = ?', [flags, ...key])
    },
    highestLinkGroup: () => count(db.get('select max(hardlinks >> 32) as n from catalog')?.n),
    weights() {
      const files = new Map(
        db
          .all(`select parent_1, parent_2, count(*) as n from catalog where not (flags & 1) group by 1, 2`)
          .map((row) => [`${row.parent_1} ${row.parent_2}`, count(row.n)]),
      )
      return db
        .all('select md5path_1, md5path_2, parent_1, parent_2, name, flags from catalog where flags & 1')
        .map((row) => ({
          key: [big(row.md5path_1), big(row.md5path_2)],
          parent: [big(row.parent_1), big(row.parent_2)],
          name: text(row.name),
          mountpoint: (count(row.flags) & FLAG.mountpoint) !== 0,
          files: files.get(`${row.md5path_1} ${row.md5path_2}`) ?? 0,
        }))
    },
    moveBelow(path, to, groups) {
      changed = undefined
      const open = [pathHash(path)]
      for (let key = open.pop(); key; key = open.pop()) {
        const found = db.all(
          `select ${COLUMN_LIST} from catalog where parent_1 = ? and parent_2 = ? and not (flags & ${FLAG.nestedRoot})`,
          key,
        )
        for (const row of found) {
          const own: [bigint, bigint] = [big(row.md5path_1), big(row.md5path_2)]
          const links = big(row.hardlinks)
          if (groups > 0 && links >> 32n > 0n) row.hardlinks = links + (BigInt(groups) << 32n)
          const flags = count(row.flags)
          const chunks = flags & FLAG.chunked ? chunkRows(own) : []
          to.insertRaw(
            COLUMNS.map((column) => row[column]!),
            chunks,
          )
          if (chunks.length > 0) dropChunks(own)
          if (flags & FLAG.directory && !(flags & FLAG.mountpoint)) open.push(own)
        }
        db.run(
          `delete from catalog where parent_1 = ? and parent_2 = ? and not (flags & ${FLAG.nestedRoot})`,
          key,
        )
      }
    },
    writeFacts({ revision, now, previous, below }) {
      setProperty('revision', revision)
      setProperty('last_modified', Math.floor(now.getTime() / 1000))
      if (previous) setProperty('previous_revision', textOf(previous))
      else db.run(`delete from properties where key = 'previous_revision'`)
      own = selfCounters()
      for (const counter of COUNTERS) {
        db.run('insert or replace into statistics values (?, ?)', [`self_${counter}`, own[counter]])
        db.run('insert or replace into statistics values (?, ?)', [`subtree_${counter}`, below[counter]])
      }
    },
    rest: () => db.exec('commit; pragma shrink_memory; begin'),
    finish() {
      const most = count(db.get('select max(rowid) as most from catalog')?.most)
      // Counted already, as a rule: every row is one of these.
      const rows = own ? own.regular + own.symlink + own.special + own.dir : catalog.rows()
      const { unused } = db.get('select freelist_count as unused from pragma_freelist_count')!
      const { pages } = db.get('select page_count as pages from pragma_page_count')!
      db.exec('commit')
      // What was moved to another catalogue leaves pages behind, which every client would load.
      if (most > rows * WASTE || 2 * count(unused) > count(pages)) db.exec('vacuum')
      return db.finish()
    },
  }

  function selfCounters(): Counters {
    const own = changed ? countsAfter(changed) : countsOf()
    const { nested, chunks } = db.get(`select (select count(*) from nested_catalogs) as nested,
      (select count(*) from chunks) as chunks`)!
    return { ...own, nested: count(nested), chunks: count(chunks) }
  }

  /** Of all rows, or of one. */
  function countsOf(key?: bigint[]): Counters {
    const row = db.get(
      `select ${SUMS} from catalog ${key ? 'where md5path_1 = ? and md5path_2 = ?' : ''}`,
      key,
    )!
    return { ...NO_COUNTERS, ...Object.fromEntries(Object.entries(row).map(([name, n]) => [name, count(n)])) }
  }

  function countsAfter(changes: NonNullable<typeof changed>): Counters {
    const parts = [...changes.values()].flatMap(({ key, was }) => [
      [countsOf(key), 1] as const,
      [was, -1] as const,
    ])
    return addCounters([catalog.counters('self'), 1], ...parts)
  }

  /** To be called before a row is changed. */
  function noteChange(key: bigint[]): void {
    if (!changed) return
    const name = key.join(' ')
    if (changed.has(name)) return
    if (changed.size < COUNTED_ONE_BY_ONE) changed.set(name, { key, was: countsOf(key) })
    else changed = undefined
  }
  return editor
}

export const NO_COUNTERS = Object.fromEntries(COUNTERS.map((c) => [c, 0])) as unknown as Counters

/** Sums counters, each times its sign. */
export function addCounters(...parts: readonly (readonly [Counters, 1 | -1])[]): Counters {
  return Object.fromEntries(
    COUNTERS.map((c) => [c, parts.reduce((sum, [part, sign]) => sum + sign * part[c], 0)]),
  ) as unknown as Counters
}
