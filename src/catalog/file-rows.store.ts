import { rows, sql, type Tx } from '../kernel/index.ts'
import { chunks, didText, some } from './codes.ts'
import { didExists, fileConsistencyMismatch, nameUsedBefore } from './errors.ts'
import { type FileRow, fileRow } from './names.ts'
import { scopeIds } from './scope.ts'
import type { Metadata, NewFile } from './types.ts'

const CHUNK = 10_000

export interface EnsuredFile {
  readonly id: bigint
  readonly scopeId: number
  readonly created: boolean
  /** Place in the list given. */
  readonly index: number
}

interface Wanted extends FileRow {
  readonly scopeId: number
  readonly meta: Metadata | undefined
  /** More than one where the list names a file twice. */
  readonly indexes: number[]
}

/**
 * Rows of files: the missing are created, the known must have the same content. In the order given.
 * Throws scope_not_found, invalid_name, file_consistency_mismatch, name_used_before, did_exists.
 */
export async function ensureFileRows(
  tx: Tx,
  input: { vo: string; now: Date; accountId: number; files: readonly NewFile[] },
): Promise<EnsuredFile[]> {
  const wanted = await sorted(tx, input.vo, input.files)
  const ensured: EnsuredFile[] = new Array(input.files.length)
  for (const chunk of chunks(wanted, CHUNK)) {
    const created = await insertFiles(tx, input, chunk)
    const createdIds = new Map(created.map((file) => [keyOf(file.scopeId, file.name), file.id]))
    const rest = chunk.filter((file) => !createdIds.has(keyOf(file.scopeId, file.name)))
    const knownIds = await knownFiles(tx, rest)
    await insertMeta(tx, chunk, createdIds)
    for (const file of chunk) {
      const key = keyOf(file.scopeId, file.name)
      const createdId = createdIds.get(key)
      const id = createdId ?? knownIds.get(key)!
      file.indexes.forEach((index, nth) => {
        ensured[index] = { id, scopeId: file.scopeId, created: createdId !== undefined && nth === 0, index }
      })
    }
  }
  return ensured
}

const keyOf = (scopeId: number, name: string): string => `${scopeId}:${name}`

/** Distinct files in the order of the unique index, so that two writers of the same names never wait for each other in a ring. */
async function sorted(tx: Tx, vo: string, files: readonly NewFile[]): Promise<Wanted[]> {
  const scopes = await scopeIds(
    tx,
    vo,
    files.map((file) => file.scope),
  )
  const byKey = new Map<string, Wanted>()
  const differing: string[] = []
  files.forEach((file, index) => {
    const scopeId = scopes.get(file.scope)!
    const known = byKey.get(keyOf(scopeId, file.name))
    if (!known) {
      byKey.set(keyOf(scopeId, file.name), { ...fileRow(file), scopeId, meta: file.meta, indexes: [index] })
    } else {
      known.indexes.push(index)
      if (differs(known, fileRow(file))) differing.push(`${didText(file)} is given twice`)
    }
  })
  if (differing.length > 0) throw mismatch(differing)
  return [...byKey.values()].sort((a, b) => a.scopeId - b.scopeId || (a.name < b.name ? -1 : 1))
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

function insertFiles(tx: Tx, input: { now: Date; accountId: number }, files: readonly Wanted[]) {
  return rows(
    tx,
    sql<{ id: bigint; scopeId: number; name: string }>`
      insert into file (scope_id, name, bytes, adler32, md5, guid, account_id, created_at)
      select f.scope_id, f.name, f.bytes, f.adler32, decode(f.md5, 'hex'), f.guid, ${input.accountId}, ${input.now}
      from unnest(${files.map((f) => f.scopeId)}::int[], ${files.map((f) => f.name)}::text[],
        ${files.map((f) => f.bytes)}::bigint[], ${files.map((f) => f.adler32)}::int[],
        ${files.map((f) => f.md5)}::text[], ${files.map((f) => f.guid)}::uuid[])
        as f(scope_id, name, bytes, adler32, md5, guid)
      on conflict (scope_id, name) do nothing returning id, scope_id as "scopeId", name`,
  )
}

/** Ids of names that were there before; throws where one means something else. */
async function knownFiles(tx: Tx, files: readonly Wanted[]): Promise<Map<string, bigint>> {
  if (files.length === 0) return new Map()
  const found = await rows(
    tx,
    sql<Content & { id: bigint; place: number; isCollection: boolean; deleted: boolean }>`
      select f.id, f.bytes, f.adler32, encode(f.md5, 'hex') as md5, f.is_collection as "isCollection",
        f.deleted_at is not null as deleted, (w.place - 1)::int as place
      from unnest(${files.map((f) => f.scopeId)}::int[], ${files.map((f) => f.name)}::text[])
        with ordinality as w(scope_id, name, place)
      join file f on f.scope_id = w.scope_id and f.name = w.name`,
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
  const differing = found.flatMap((file) => {
    const difference = differs(file, files[file.place]!)
    return difference ? [`${textOf(file.place)} (${difference})`] : []
  })
  if (differing.length > 0) throw mismatch(differing)
  return new Map(found.map((file) => [keyOf(files[file.place]!.scopeId, files[file.place]!.name), file.id]))
}

async function insertMeta(tx: Tx, files: readonly Wanted[], ids: ReadonlyMap<string, bigint>): Promise<void> {
  const documents = files.flatMap((file) => {
    const id = ids.get(keyOf(file.scopeId, file.name))
    return id !== undefined && file.meta && Object.keys(file.meta).length > 0
      ? [{ id, doc: JSON.stringify(file.meta) }]
      : []
  })
  if (documents.length === 0) return
  await sql`insert into file_meta (file_id, doc)
    select * from unnest(${documents.map((d) => d.id)}::bigint[], ${documents.map((d) => d.doc)}::jsonb[])`.execute(
    tx,
  )
}
