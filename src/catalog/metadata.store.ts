import { affected, type Db, rows, sql } from '../kernel/index.ts'
import type { Metadata, MetadataValue } from './types.ts'

export interface MetaChange {
  readonly id: bigint
  readonly meta: Metadata
}

/** Lays changes over the documents of ids, later ones of the list over earlier ones; a null removes its key. */
export async function patchDocuments(
  db: Db,
  input: { now: Date; changes: readonly MetaChange[]; recursive: boolean },
): Promise<void> {
  const targets = input.recursive
    ? sql`below(place, id) as (
          select place, id from change union select b.place, t.child_id from below b join tree t on t.parent_id = b.id),
        target as (select place, id from below
          union select b.place, m.child_id from below b join content m on m.parent_id = b.id)`
    : sql`target as (select place, id from change)`
  await sql`
    with recursive change as (
      select w.place, w.id, w.meta from unnest(${input.changes.map((c) => c.id)}::bigint[],
        ${input.changes.map((c) => JSON.stringify(c.meta))}::jsonb[]) with ordinality as w(id, meta, place)),
    ${targets},
    patch as materialized (
      select t.id, jsonb_object_agg(e.key, e.value order by t.place) as laid,
        coalesce(array_agg(distinct e.key) filter (where e.value = 'null'), '{}') as maybe_gone
      from target t join change c on c.place = t.place cross join lateral jsonb_each(c.meta) e group by t.id),
    held as materialized (
      select c.id from collection c join patch p on p.id = c.id where c.deleted_at is null order by c.id for no key update of c),
    final as (
      select p.id, p.laid, array(select k from unnest(p.maybe_gone) k where p.laid -> k = 'null') as gone from patch p),
    collections as (
      update collection c set meta = (c.meta || f.laid) - f.gone, updated_at = ${input.now}
      from final f join held h on h.id = f.id where c.id = f.id)
    insert into file_meta as m (file_id, doc)
    select f.id, f.laid - f.gone from final f join file on file.id = f.id and not file.is_collection order by f.id
    on conflict (file_id) do update set doc = (m.doc || excluded.doc) - (select x.gone from final x where x.id = m.file_id)`.execute(
    db,
  )
}

/** Removes a key from one document; 0 when it was not there. */
export async function removeKey(
  db: Db,
  input: { now: Date; id: bigint; file: boolean; key: string },
): Promise<number> {
  const { now, id, key } = input
  return input.file
    ? affected(
        db,
        sql`update file_meta set doc = doc - ${key}::text where file_id = ${id} and doc ? ${key}::text`,
      )
    : affected(
        db,
        sql`update collection set meta = meta - ${key}::text, updated_at = ${now} where id = ${id} and meta ? ${key}::text`,
      )
}

export const updateGuid = (db: Db, id: bigint, guid: string | null) =>
  affected(db, sql`update file set guid = ${guid}::uuid where id = ${id} and not is_collection`)

/** Documents of ids as they are, without what lies above. */
export const selectDocuments = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<{ id: bigint; doc: Record<string, MetadataValue> }>`
      select id, meta as doc from collection where id = any(${ids}::bigint[])
      union all select file_id, doc from file_meta where file_id = any(${ids}::bigint[])`,
  )

/** Documents of all collections above ids, the farthest first: whoever lays them in this order ends with the nearest. */
export const selectInherited = (db: Db, ids: readonly bigint[]) =>
  rows(
    db,
    sql<{ id: bigint; doc: Record<string, MetadataValue> }>`
      with recursive above(id, parent, far) as (
        select m.child_id, m.parent_id, 1 from content m where m.child_id = any(${ids}::bigint[])
        union select t.child_id, t.parent_id, 1 from tree t where t.child_id = any(${ids}::bigint[])
        union select a.id, t.parent_id, a.far + 1 from above a join tree t on t.child_id = a.parent where a.far < 100)
      select a.id, c.meta as doc from above a join collection c on c.id = a.parent and c.deleted_at is null
      where c.meta <> '{}' order by a.id, a.far desc, c.id desc`,
  )
