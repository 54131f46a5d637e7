import { type Db, row, rows, sql, transaction } from '../kernel/index.ts'
import { collectionBytes, collectionCount } from './counters.store.ts'
import type { MetadataValue, Search } from './types.ts'

type Sql = ReturnType<typeof sql<boolean>>
type Type = NonNullable<Search['type']>
export type Order = '<' | '>' | '<=' | '>='
const ORDER: Readonly<Record<Order, Sql>> = { '<': sql`<`, '>': sql`>`, '<=': sql`<=`, '>=': sql`>=` }

// Every condition speaks of `f` (the name), `c` (its collection, if it is one), `m` (its document, if it is a file).
const document = sql`coalesce(c.meta, m.doc)`
/** A collection's count; a container counts each dataset below it once. */
const counted = (ofFile: Sql, ofDataset: Sql) => sql<boolean>`case when c.id is null then ${ofFile}
  when c.kind = 'D' then ${ofDataset}
  else (with recursive below(id) as (
      select c.id union select t.child_id from below b join tree t on t.parent_id = b.id)
    select coalesce(sum(${ofDataset}), 0)::bigint from below b join collection c on c.id = b.id and c.kind = 'D') end`
const bytes = counted(sql`f.bytes`, collectionBytes as Sql)
const length = counted(sql`1::bigint`, collectionCount as Sql)

export const NUMBERS: Readonly<Record<string, Sql>> = {
  bytes,
  length,
  account: sql`f.account_id`,
  account_id: sql`f.account_id`,
}
export const DATES: Readonly<Record<string, Sql>> = {
  created_at: sql`f.created_at`,
  updated_at: sql`coalesce(c.updated_at, f.created_at)`,
  closed_at: sql`c.closed_at`,
  expired_at: sql`c.expires_at`,
}
export const FLAGS: Readonly<Record<string, Sql>> = {
  is_open: sql`c.open`,
  open: sql`c.open`,
  monotonic: sql`c.monotonic`,
}
const kind = sql<boolean>`case when c.id is null then 'FILE' when c.kind = 'D' then 'DATASET' else 'CONTAINER' end`
export const TEXTS: Readonly<Record<string, Sql>> = {
  name: sql`f.name`,
  did_type: kind,
  type: kind,
  adler32: sql`lpad(to_hex(f.adler32), 8, '0')`,
  md5: sql`encode(f.md5, 'hex')`,
  guid: sql`f.guid::text`,
  availability: sql`case when c.id is not null then null when f.availability = 'A' then 'AVAILABLE'
    when f.availability = 'L' then 'LOST' else 'DELETED' end`,
}

export const never: Sql = sql`false`
export const all = (terms: readonly Sql[]): Sql =>
  terms.length ? sql`(${sql.join(terms, sql` and `)})` : sql`true`
export const any = (terms: readonly Sql[]): Sql =>
  terms.length ? sql`(${sql.join(terms, sql` or `)})` : never
export const unset = (column: Sql): Sql => sql`(${column}) is null`
export const isSet = (column: Sql): Sql => sql`(${column}) is not null`

export const numberEquals = (column: Sql, value: string): Sql => sql`(${column})::numeric = ${value}::numeric`
export const numberDiffers = (column: Sql, value: string): Sql =>
  sql`(${column})::numeric <> ${value}::numeric`
export const numberOrder = (column: Sql, order: Order, value: string): Sql =>
  sql`(${column})::numeric ${ORDER[order]} ${value}::numeric`
export const dateEquals = (column: Sql, value: Date): Sql => sql`(${column}) = ${value}::timestamptz`
export const dateDiffers = (column: Sql, value: Date): Sql => sql`(${column}) <> ${value}::timestamptz`
export const dateOrder = (column: Sql, order: Order, value: Date): Sql =>
  sql`(${column}) ${ORDER[order]} ${value}::timestamptz`
export const flagIs = (column: Sql, value: boolean): Sql => sql`(${column}) = ${value}::boolean`
export const textEquals = (column: Sql, value: string): Sql => sql`(${column}) = ${value}::text`
export const textDiffers = (column: Sql, value: string): Sql => sql`(${column}) <> ${value}::text`
export const textOrder = (column: Sql, order: Order, value: string): Sql =>
  sql`(${column}) collate "C" ${ORDER[order]} ${value}::text`
export const textHolds = (column: Sql, value: string): Sql => sql`strpos(${column}, ${value}::text) > 0`

/** A `*` pattern as LIKE reads it. */
const likeOf = (pattern: string): string => pattern.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%')
export const textLike = (column: Sql, pattern: string): Sql => sql`(${column}) like ${likeOf(pattern)}::text`
export const textUnlike = (column: Sql, pattern: string): Sql =>
  sql`(${column}) not like ${likeOf(pattern)}::text`
/** Names that begin with `prefix`, in a form the index of names can answer. */
export const nameBegins = (prefix: string): Sql =>
  sql`f.name >= ${prefix}::text and f.name < ${prefix + String.fromCodePoint(0x10ffff)}::text`

const at = (key: string): Sql => sql`(${document} -> ${key}::text)`
const json = (value: MetadataValue) => sql`${JSON.stringify(value)}::jsonb`

/** By way of the document indexes, which do not see through the join. */
export const metaEquals = (key: string, value: MetadataValue): Sql => sql`f.id in (
  select file_id from file_meta where doc @> ${json({ [key]: value })} and doc -> ${key}::text = ${json(value)}
  union all
  select id from collection where meta @> ${json({ [key]: value })} and meta -> ${key}::text = ${json(value)})`
export const metaDiffers = (key: string, values: readonly MetadataValue[]): Sql =>
  sql`(${at(key)} <> 'null' and ${at(key)} <> all(array[${sql.join(values.map(json))}]))`
export const metaUnset = (key: string): Sql => sql`coalesce(${at(key)}, 'null') = 'null'`
export const metaIsSet = (key: string): Sql => sql`coalesce(${at(key)}, 'null') <> 'null'`
const metaText = (key: string): Sql =>
  sql`case jsonb_typeof(${at(key)}) when 'string' then ${at(key)} #>> '{}' end`
export const metaLike = (key: string, pattern: string): Sql => textLike(metaText(key), pattern)
export const metaUnlike = (key: string, pattern: string): Sql =>
  sql`(${metaIsSet(key)} and ${textLike(metaText(key), pattern)} is not true)`
/** Compares only what is of the same kind: jsonb orders numbers as numbers and never fails on odd data. */
export const metaOrder = (key: string, order: Order, value: string | number): Sql =>
  typeof value === 'number'
    ? sql`(jsonb_typeof(${at(key)}) = 'number' and ${at(key)} ${ORDER[order]} ${json(value)})`
    : textOrder(metaText(key), order, value)
/** Only such text is cast to a date, by way of the first of its month, so that no text makes the cast fail. */
const DATE_TEXT =
  '^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?)?$'
export const metaDateOrder = (key: string, order: Order, value: Date): Sql => {
  const text = metaText(key)
  return sql`case when (${text}) ~ ${DATE_TEXT}::text
    then (overlay((${text}) placing '01' from 9 for 2))::timestamptz + (substr(${text}, 9, 2)::int - 1) * interval '1 day'
      ${ORDER[order]} ${value}::timestamptz else false end`
}
export const metaContains = (key: string, value: MetadataValue): Sql =>
  typeof value === 'string'
    ? sql`case jsonb_typeof(${at(key)}) when 'array' then ${at(key)} @> ${json([value])}
        when 'string' then strpos(${at(key)} #>> '{}', ${value}::text) > 0 else false end`
    : sql`(jsonb_typeof(${at(key)}) = 'array' and ${at(key)} @> ${json([value])})`

const TYPES: Readonly<Record<Type, Sql>> = {
  all: sql`true`,
  file: sql`not f.is_collection`,
  collection: sql`f.is_collection`,
  dataset: sql`c.kind = 'D'`,
  container: sql`c.kind = 'C'`,
}

export interface FoundRow {
  readonly id: bigint
  readonly scope: string
  readonly name: string
  readonly kind: string | null
  readonly bytes: bigint
  readonly length: bigint
}

/** SQL: the collection and the document of name `f`, each reached by its key, however the planner guesses. */
const collectionOf = sql`left join lateral (select * from collection x where f.is_collection and x.id = f.id offset 0) c on true`
const documentOf = sql`left join lateral (select * from file_meta x where x.file_id = f.id offset 0) m on true`

/** Where names come from: collections have a table of their own, so looking for them never walks the files. */
function names(type: Type, scopeId: number, after: string | undefined) {
  const past = (name: Sql): Sql => (after === undefined ? sql`true` : sql`${name} > ${after}::text`)
  return type === 'all' || type === 'file'
    ? sql`file f ${collectionOf} ${documentOf}
        where f.scope_id = ${scopeId} and ${past(sql`f.name`)} and f.deleted_at is null and ${TYPES[type]}`
    : sql`collection c join file f on f.id = c.id and f.scope_id = c.scope_id and f.name = c.name ${documentOf}
        where c.scope_id = ${scopeId} and ${past(sql`c.name`)} and c.deleted_at is null and f.deleted_at is null
          and ${TYPES[type]}`
}

export interface PageQuery {
  readonly scopeId: number
  readonly condition: Sql
  readonly type: Type
  readonly after?: string
  readonly limit: number
}

export function pageQuery({ scopeId, condition, type, after, limit }: PageQuery) {
  const order = type === 'all' || type === 'file' ? sql`f.name` : sql`c.name`
  return sql<FoundRow>`select f.id, s.name as scope, f.name, c.kind, ${bytes} as bytes, ${length} as length
    from (select ${scopeId}::int as id, (select name from scope where id = ${scopeId}) as name) s,
      ${names(type, scopeId, after)} and ${condition}
    order by ${order} limit ${limit}`
}

/** Ids of what passes and of all that lies below it, of the wanted type, by scope and name. */
export const selectIdsBelow = (db: Db, { scopeId, condition, type, limit }: PageQuery) =>
  rows(
    db,
    sql<{ id: bigint }>`
      with recursive found as materialized (select f.id, f.is_collection from ${names('all', scopeId, undefined)} and ${condition}),
      below(id) as (select id from found where is_collection
        union select t.child_id from below b join tree t on t.parent_id = b.id),
      every(id) as (select id from found union select id from below
        union select m.child_id from below b join content m on m.parent_id = b.id)
      select f.id from every e
      cross join lateral (select * from file x where x.id = e.id and x.deleted_at is null offset 0) f
      join scope s on s.id = f.scope_id ${collectionOf}
      where ${TYPES[type]} order by s.name, f.name limit ${limit}`,
  )

export const selectByIds = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<FoundRow>`select f.id, s.name as scope, f.name, c.kind, ${bytes} as bytes, ${length} as length
      from unnest(${ids}::bigint[]) with ordinality as w(id, place)
      cross join lateral (select * from file x where x.id = w.id and x.deleted_at is null offset 0) f
      join scope s on s.id = f.scope_id ${collectionOf}
      order by w.place`,
  )

/** Runs work whose statements PostgreSQL breaks off after a time; the limit ends with it. */
export async function withinTime<T>(db: Db, ms: number, work: (tx: Db) => Promise<T>): Promise<T> {
  return transaction(db, async (tx) => {
    const before = await row(tx, sql<{ limit: string }>`select current_setting('statement_timeout') as limit`)
    await sql`select set_config('statement_timeout', ${String(ms)}, true)`.execute(tx)
    const result = await work(tx)
    await sql`select set_config('statement_timeout', ${before!.limit}, true)`.execute(tx)
    return result
  })
}

export const isTooSlow = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === '57014'
