import { AUTOMATIC_MARKER, type Entry, nameOf, parentOf } from './entry.ts'
import { notACvmfs } from './errors.ts'
import { type Algorithm, type ContentHash, hashFromText, pathHash } from './hash.ts'
import { type CatalogRow, checkName, digestOf, entryOfRow, FLAG } from './rows.ts'
import { big, count, openSqlite, type SqliteFile, type SqlRow, type SqlValue, text } from './sqlite-file.ts'

/** A nested catalogue as its parent names it. */
export interface NestedCatalog {
  readonly path: string
  readonly hash: ContentHash
  /** Bytes before compression. */
  readonly size: number
}

export type Counters = Readonly<Record<Counter, number>>
export type Counter = (typeof COUNTERS)[number]
/** What catalogues count, of themselves (`self_`) and of all below them (`subtree_`). */
export const COUNTERS = [
  ...(['regular', 'symlink', 'special', 'dir', 'nested', 'chunked', 'chunks', 'file_size'] as const),
  ...(['chunked_size', 'xattr', 'external', 'external_file_size'] as const),
] as const

/** One catalogue, opened for reading. Close it: it holds a file. */
export interface Catalog {
  /** The directory whose catalogue it is; the root's is the empty string. */
  readonly mountpoint: string
  property(key: string): string | undefined
  /** The row of a path; undefined when this catalogue has none. */
  row(path: string): CatalogRow | undefined
  /** Entries of a directory by name, with their chunks and hard links. */
  children(path: string): CatalogRow[]
  /** Everything, parents first and names in order; a nested catalogue is its mount point only. */
  walk(): Generator<CatalogRow>
  /** What a file is made of, when it is chunked. */
  chunksOf(path: string, algorithm: Algorithm): Entry['chunks']
  nested(): NestedCatalog[]
  counters(part: 'self' | 'subtree'): Counters
  rows(): number
  /** Where rows are found: the sum of each one's path, as `keyOf` writes it. */
  keys(): ReadonlySet<string>
  /** Every object that entries are made of, hexadecimal. */
  references(): Generator<string>
  close(): void
}

export function openCatalog(bytes: Buffer): Catalog {
  return catalogIn(openSqlite(bytes))
}

export function catalogIn(db: SqliteFile): Catalog {
  const property = (key: string) => {
    const found = db.get('select value from properties where key = ?', [key])
    return found && String(found.value)
  }
  let schema: string | undefined
  try {
    schema = property('schema')
  } catch (error) {
    db.close()
    throw notACvmfs('A catalogue lacks its properties.', {}, error)
  }
  if (schema === undefined || Number(schema) < 2.4 || Number(schema) >= 3) {
    db.close()
    throw notACvmfs(`A catalogue has the schema ${schema ?? 'of nothing'}; only 2.4 and 2.5 are known.`)
  }
  const mountpoint = property('root_prefix') ?? ''
  const columns = 'hash, size, mode, mtime, mtimens, flags, hardlinks, name, symlink, xattr'

  const rowAt = (path: string) =>
    db.get(`select ${columns} from catalog where md5path_1 = ? and md5path_2 = ?`, pathHash(path))

  function chunksOf(path: string, algorithm: Algorithm): Entry['chunks'] {
    const found = db.all(
      'select offset, size, hash from chunks where md5path_1 = ? and md5path_2 = ? order by offset',
      pathHash(path),
    )
    return found.map((row) => {
      const hash = digestOf(row.hash, algorithm)
      if (!hash) throw notACvmfs(`A chunk of ${path} has no hash.`)
      return { offset: count(row.offset), size: count(row.size), hash }
    })
  }

  /** Rows of one directory made whole: chunks looked up, hard links found. */
  function complete(rows: CatalogRow[]): CatalogRow[] {
    rows.sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1))
    const groups = new Map<number, CatalogRow[]>()
    for (const row of rows)
      if (row.linkGroup > 0 && row.entry.kind === 'file')
        groups.set(row.linkGroup, [...(groups.get(row.linkGroup) ?? []), row])
    return rows.map((row) => {
      const group = groups.get(row.linkGroup)
      if (!row.chunked && !(group && group.length > 1)) return row
      const { entry } = row
      const chunks = row.chunked ? chunksOf(entry.path, row.algorithm) : undefined
      const links =
        group && group.length > 1 ? { first: nameOf(group[0]!.entry.path), count: group.length } : undefined
      return { ...row, entry: { ...entry, content: chunks ? undefined : entry.content, chunks, links } }
    })
  }

  return {
    mountpoint,
    property,
    chunksOf,
    row(path) {
      const found = rowAt(path)
      return found && complete([entryOfRow(found, path)])[0]
    },
    children(path) {
      const found = db.all(
        `select ${columns} from catalog where parent_1 = ? and parent_2 = ? and name <> ''`,
        pathHash(path),
      )
      // The root row of a nested catalogue has a parent that is not here.
      const below =
        path === parentOf(mountpoint) ? found.filter((row) => text(row.name) !== nameOf(mountpoint)) : found
      return complete(below.map((row) => entryOfRow(row, `${path}/${checkName(text(row.name))}`)))
    },
    *walk() {
      const top = rowAt(mountpoint)
      if (!top) throw notACvmfs('A catalogue lacks the row of its own root.')
      yield entryOfRow(top, mountpoint)
      const below = rowsByParent(db.iterate(`select parent_1, parent_2, ${columns} from catalog`))
      const open: CatalogRow[] = []
      const descend = (path: string) => {
        const key = keyOf(...pathHash(path))
        const found = below.get(key) ?? []
        below.delete(key)
        open.push(
          ...complete(found.map((row) => entryOfRow(row, `${path}/${checkName(text(row.name))}`))).reverse(),
        )
      }
      descend(mountpoint)
      for (let next = open.pop(); next; next = open.pop()) {
        yield next
        if (next.entry.kind === 'directory' && !(next.flags & FLAG.mountpoint)) descend(next.entry.path)
      }
    },
    nested: () =>
      db.all('select path, sha1, size from nested_catalogs order by path').map((row) => ({
        path: text(row.path),
        hash: hashFromText(text(row.sha1)),
        size: count(row.size),
      })),
    counters(part) {
      const found = new Map(
        db.all('select counter, value from statistics').map((row) => [text(row.counter), count(row.value)]),
      )
      return Object.fromEntries(
        COUNTERS.map((counter) => [counter, found.get(`${part}_${counter}`) ?? 0]),
      ) as unknown as Counters
    },
    rows: () => count(db.get('select count(*) as n from catalog')?.n),
    keys: () => {
      const found = new Set<string>()
      for (const row of db.iterate('select md5path_1, md5path_2 from catalog'))
        found.add(keyOf(big(row.md5path_1), big(row.md5path_2)))
      return found
    },
    *references() {
      const hex = (value: unknown) => Buffer.from(value as Uint8Array).toString('hex')
      for (const row of db.iterate('select hash from catalog where hash is not null')) yield hex(row.hash)
      for (const row of db.iterate('select hash from chunks')) yield hex(row.hash)
    },
    close: () => db.close(),
  }
}

/** Those of one directory stand together as a rule. */
function rowsByParent(rows: Iterable<SqlRow>): Map<string, SqlRow[]> {
  const below = new Map<string, SqlRow[]>()
  let last: { one: SqlValue | undefined; two: SqlValue | undefined; list: SqlRow[] } | undefined
  for (const row of rows) {
    const { parent_1: one, parent_2: two } = row
    if (last?.one !== one || last?.two !== two) {
      const key = keyOf(big(one), big(two))
      const list = below.get(key) ?? []
      below.set(key, list)
      last = { one, two, list }
    }
    last!.list.push(row)
  }
  return below
}

export const keyOf = (one: bigint, two: bigint): string => `${one} ${two}`

/** Whether a nested catalogue was made by the grid and not asked for. */
export const isAutomatic = (catalog: Catalog): boolean =>
  catalog.row(`${catalog.mountpoint}/${AUTOMATIC_MARKER}`) !== undefined
