import { affected, row, rows, sql, type Tx } from '../kernel/index.ts'
import { chunks, didText, some } from './codes.ts'
import { didExists, fileConsistencyMismatch, nameUsedBefore } from './errors.ts'
import { type FileRow, fileRow } from './names.ts'
import { scopeIds } from './scope.ts'
import type { Metadata, NewFile } from './types.ts'

const CHUNK = 10_000

export interface EnsuredFile {
  readonly id: bigint
  readonly created: boolean
}

interface Wanted extends FileRow {
  readonly scopeId: number
  readonly meta: Metadata | undefined
  /** Place in the list given. */
  readonly place: number
}

/**
 * Rows of files: the missing are created, the known must have the same content. In the order given; where the list
 * names a file twice, only the first counts as created.
 * Throws scope_not_found, invalid_name, file_consistency_mismatch, name_used_before, did_exists.
 */
export async function ensureFileRows(
  tx: Tx,
  input: { vo: string; now: Date; accountId: number; files: readonly NewFile[] },
): Promise<EnsuredFile[]> {
  const { wanted, again } = await distinct(tx, input.vo, input.files)
  const ensured: EnsuredFile[] = new Array(input.files.length)
  for (const chunk of chunks(wanted, CHUNK)) {
    // Callers bring new names, or names all of which are known; the first tells which search is worth its while.
    const first = await knownFiles(tx, chunk.slice(0, 1))
    const known = first.length === 0 || chunk.length === 1 ? first : await knownFiles(tx, chunk)
    for (const { place, id } of known) ensured[chunk[place]!.place] = { id, created: false }
    const fresh = known.length === 0 ? chunk : chunk.filter((file) => !ensured[file.place])
    if (fresh.length === 0) continue
    const made = await createFiles(tx, input, fresh)
    fresh.forEach((file, i) => {
      ensured[file.place] = made[i]!
    })
    await insertMeta(
      tx,
      fresh.filter((file) => file.meta && ensured[file.place]!.created),
      ensured,
    )
  }
  for (const { place, first } of again) ensured[place] = { id: ensured[first]!.id, created: false }
  return ensured
}

/**
 * Each file once, in the order of the unique index, so that two writers of the same names never wait for each other in
 * a ring; and the places of files named again.
 */
async function distinct(tx: Tx, vo: string, files: readonly NewFile[]) {
  const scopes = await scopeIds(
    tx,
    vo,
    files.map((file) => file.scope),
  )
  const byScope = new Map<number, Map<string, Wanted>>()
  for (const id of scopes.values()) byScope.set(id, new Map())
  const wanted: Wanted[] = []
  const again: { place: number; first: number }[] = []
  const differing: string[] = []
  files.forEach((file, place) => {
    const scopeId = scopes.get(file.scope)!
    const byName = byScope.get(scopeId)!
    const first = byName.get(file.name)
    const row: Wanted = { ...fileRow(file), scopeId, meta: file.meta, place }
    if (first) {
      again.push({ place, first: first.place })
      if (differs(first, row)) differing.push(`${didText(file)} is given twice`)
    } else {
      byName.set(file.name, row)
      wanted.push(row)
    }
  })
  if (differing.length > 0) throw mismatch(differing)
  wanted.sort((a, b) => a.scopeId - b.scopeId || (a.name < b.name ? -1 : 1))
  return { wanted, again }
}

type Content = Pick<FileRow, 'bytes' | 'adler32' | 'md5'>

/** What differs, in words; undefined if nothing known to both does. */
function differs(known: Content, given: Content): string | undefined {
  if (known.bytes !== given.bytes) return `${known.bytes} bytes, not ${given.bytes}`
  for (const sum of ['adler32', 'md5'] as const) {
    if (known[sum] !== null && given[sum] !== null && known[sum] !== given[sum]) return `another ${sum}`
  }
  return undefined
}

const mismatch = (differing: readonly string[]) =>
  fileConsistencyMismatch(
    `Files are known with other content: ${some(differing)}. A name keeps its content for ever; choose new names.`,
    { files: differing.slice(0, 100) },
  )

const columnsOf = (files: readonly Wanted[]) =>
  sql`${files.map((f) => f.scopeId)}::int[], ${files.map((f) => f.name)}::text[],
    ${files.map((f) => f.bytes)}::bigint[], ${files.map((f) => f.adler32)}::int[], ${files.map((f) => f.md5)}::text[],
    ${files.map((f) => f.guid)}::uuid[]`

/** SQL: what is there under the names of files wanted, `f`, beside what is wanted, `w`, with its place in the list. */
const wantedAndThere = (files: readonly Wanted[]) =>
  sql`unnest(${columnsOf(files)}) with ordinality as w(scope_id, name, bytes, adler32, md5, guid, n)
    cross join lateral (select * from file x where x.scope_id = w.scope_id and x.name = w.name offset 0) f`

/** Creates files that were not there a moment ago; one that another made in the meantime must have the same content. */
async function createFiles(
  tx: Tx,
  input: { now: Date; accountId: number },
  files: readonly Wanted[],
): Promise<EnsuredFile[]> {
  const ids = await newFileIds(tx, files.length)
  const inserted = await affected(
    tx,
    sql`insert into file (id, scope_id, name, bytes, adler32, md5, guid, account_id, created_at)
      select id, scope_id, name, bytes, adler32, decode(md5, 'hex'), guid, ${input.accountId}, ${input.now}
      from unnest(${ids}::bigint[], ${columnsOf(files)}) as w(id, scope_id, name, bytes, adler32, md5, guid)
      on conflict (scope_id, name) do nothing`,
  )
  const made = ids.map((id) => ({ id, created: true }))
  if (inserted < files.length) {
    for (const { place, id } of await knownFiles(tx, files)) made[place] = { id, created: id === ids[place] }
  }
  return made
}

/** Taken from the sequence first, so that nothing needs to come back from the insert. */
async function newFileIds(tx: Tx, count: number): Promise<bigint[]> {
  const ids = await row(
    tx,
    sql<{
      ids: string
    }>`select string_agg(nextval('did_id')::text, ',') as ids from generate_series(1, ${count}::int)`,
  )
  return ids!.ids.split(',').map(BigInt)
}

/** Those of the files that are there already, with the same content; throws where a name means something else. */
async function knownFiles(tx: Tx, files: readonly Wanted[]): Promise<{ place: number; id: bigint }[]> {
  const found = await rows(
    tx,
    sql<{ place: number; id: bigint; same: boolean }>`
      select (w.n - 1)::int as place, f.id, f.deleted_at is null and not f.is_collection and f.bytes = w.bytes
        and coalesce(f.adler32 = w.adler32, true) and coalesce(encode(f.md5, 'hex') = w.md5, true) as same
      from ${wantedAndThere(files)}`,
  )
  const other = found.filter((file) => !file.same).map(({ place }) => files[place]!)
  if (other.length > 0) await refuseOther(tx, other)
  return found
}

/** Says why names cannot stand for the files wanted. */
async function refuseOther(tx: Tx, files: readonly Wanted[]): Promise<void> {
  const found = await rows(
    tx,
    sql<Content & { place: number; isCollection: boolean; deleted: boolean }>`
      select f.bytes, f.adler32, encode(f.md5, 'hex') as md5, f.is_collection as "isCollection",
        f.deleted_at is not null as deleted, (w.n - 1)::int as place
      from ${wantedAndThere(files)}`,
  )
  const textOf = (place: number) => didText(files[place]!)
  const deleted = found.filter((file) => file.deleted).map((file) => textOf(file.place))
  if (deleted.length > 0) {
    throw nameUsedBefore(`Names are never used again: ${some(deleted)} existed before and was deleted.`, {
      dids: deleted.slice(0, 100),
    })
  }
  const collections = found.filter((file) => file.isCollection).map((file) => textOf(file.place))
  if (collections.length > 0) {
    throw didExists(`${some(collections)} exists already and is no file.`, {
      dids: collections.slice(0, 100),
    })
  }
  throw mismatch(found.map((file) => `${textOf(file.place)} (${differs(file, files[file.place]!)})`))
}

async function insertMeta(tx: Tx, files: readonly Wanted[], ensured: readonly EnsuredFile[]): Promise<void> {
  const documents = files.filter((file) => Object.keys(file.meta!).length > 0)
  if (documents.length === 0) return
  await sql`insert into file_meta (file_id, doc)
    select * from unnest(${documents.map((file) => ensured[file.place]!.id)}::bigint[],
      ${documents.map((file) => JSON.stringify(file.meta))}::jsonb[])`.execute(tx)
}
