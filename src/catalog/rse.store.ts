import { affected, type Db, row, rows, sql } from '../kernel/index.ts'
import type { AttributeValue, Rse, RseDistance, RseProperties, RseProtocol, RseUsage } from './types.ts'

const COLUMNS: Readonly<Record<keyof RseProperties, string>> = {
  kind: 'kind',
  deterministic: 'deterministic',
  volatile: 'volatile',
  stagingArea: 'staging_area',
  canRead: 'can_read',
  canWrite: 'can_write',
  canDelete: 'can_delete',
  city: 'city',
  regionCode: 'region_code',
  countryName: 'country_name',
  continent: 'continent',
  timeZone: 'time_zone',
  isp: 'isp',
  asn: 'asn',
  latitude: 'latitude',
  longitude: 'longitude',
  qosClass: 'qos_class',
}
const PROPERTIES = Object.keys(COLUMNS) as (keyof RseProperties)[]
const named = sql.join(PROPERTIES.map((key) => sql`r.${sql.ref(COLUMNS[key])} as ${sql.ref(key)}`))

type StoredRse = Omit<Rse, 'attributes' | 'limits'> & {
  readonly attributes: Record<string, AttributeValue>
  readonly limits: Record<string, string>
}

export async function selectRses(db: Db, input: { vo: string; name?: string }): Promise<Rse[]> {
  const found = await rows(
    db,
    sql<StoredRse>`
      select r.id, r.uuid, r.vo, r.name, r.created_at as "createdAt", r.updated_at as "updatedAt", ${named},
        coalesce((select jsonb_object_agg(a.key, a.value) from rse_attribute a where a.rse_id = r.id), '{}') as attributes,
        coalesce((select jsonb_object_agg(l.name, l.value::text) from rse_limit l where l.rse_id = r.id), '{}') as limits,
        coalesce((select jsonb_agg(jsonb_build_object('scheme', p.scheme, 'hostname', p.hostname, 'port', p.port,
            'prefix', p.prefix, 'impl', p.impl, 'domains', p.domains, 'extendedAttributes', p.extended_attributes)
            order by p.scheme, p.hostname, p.port)
          from rse_protocol p where p.rse_id = r.id), '[]') as protocols
      from rse r
      where r.vo = ${input.vo} and r.deleted_at is null and (${input.name ?? null}::text is null or r.name = ${input.name ?? null})
      order by r.name`,
  )
  return found.map((rse) => ({
    ...rse,
    attributes: { ...rse.attributes, [rse.name]: true },
    limits: Object.fromEntries(Object.entries(rse.limits).map(([name, value]) => [name, BigInt(value)])),
  }))
}

export async function insertRse(
  db: Db,
  input: { vo: string; now: Date; uuid: string; name: string; properties: Partial<RseProperties> },
): Promise<number | undefined> {
  const keys = PROPERTIES.filter((key) => input.properties[key] !== undefined)
  const names = keys.map((key) => sql`, ${sql.ref(COLUMNS[key])}`)
  const values = keys.map((key) => sql`, ${input.properties[key]}`)
  const created = await row(
    db,
    sql<{ id: number }>`insert into rse (uuid, vo, name, created_at, updated_at ${sql.join(names, sql``)})
      values (${input.uuid}, ${input.vo}, ${input.name}, ${input.now}, ${input.now} ${sql.join(values, sql``)})
      on conflict (vo, name) where deleted_at is null do nothing returning id`,
  )
  return created?.id
}

export async function updateRseRow(
  db: Db,
  id: number,
  now: Date,
  properties: Partial<RseProperties>,
  newName?: string,
): Promise<void> {
  const keys = PROPERTIES.filter((key) => properties[key] !== undefined)
  const changes = keys.map((key) => sql`, ${sql.ref(COLUMNS[key])} = ${properties[key]}`)
  await sql`update rse set updated_at = ${now}, name = coalesce(${newName ?? null}, name)
    ${sql.join(changes, sql``)} where id = ${id}`.execute(db)
}

/** Unless copies are there. Looks through all copies for them: a storage is deleted once. */
export const markRseDeleted = (db: Db, id: number, now: Date) =>
  affected(
    db,
    sql`update rse set deleted_at = ${now} where id = ${id}
      and not exists (select from replica where rse_id = ${id})`,
  )

export const upsertAttribute = (db: Db, rseId: number, key: string, value: AttributeValue) =>
  sql`insert into rse_attribute (rse_id, key, value) values (${rseId}, ${key}, ${JSON.stringify(value)}::jsonb)
    on conflict (rse_id, key) do update set value = excluded.value`.execute(db)

export const removeAttribute = (db: Db, rseId: number, key: string) =>
  affected(db, sql`delete from rse_attribute where rse_id = ${rseId} and key = ${key}`)

export const insertProtocol = (db: Db, rseId: number, p: RseProtocol) =>
  affected(
    db,
    sql`insert into rse_protocol (rse_id, scheme, hostname, port, prefix, impl, domains, extended_attributes)
      values (${rseId}, ${p.scheme}, ${p.hostname}, ${p.port}, ${p.prefix}, ${p.impl},
        ${JSON.stringify(p.domains)}::jsonb, ${p.extendedAttributes && JSON.stringify(p.extendedAttributes)}::jsonb)
      on conflict do nothing`,
  )

export const removeProtocol = (
  db: Db,
  rseId: number,
  p: { scheme: string; hostname: string; port: number },
) =>
  affected(
    db,
    sql`delete from rse_protocol where rse_id = ${rseId} and scheme = ${p.scheme}
      and hostname = ${p.hostname} and port = ${p.port}`,
  )

export const upsertLimit = (db: Db, rseId: number, name: string, value: bigint) =>
  sql`insert into rse_limit (rse_id, name, value) values (${rseId}, ${name}, ${value})
    on conflict (rse_id, name) do update set value = excluded.value`.execute(db)

export const removeLimit = (db: Db, rseId: number, name: string) =>
  affected(db, sql`delete from rse_limit where rse_id = ${rseId} and name = ${name}`)

/** One statement, so that base and pending changes are of one moment. */
export const selectUsage = (db: Db, input: { rseIds?: readonly number[]; now: Date }) =>
  rows(
    db,
    sql<RseUsage>`
      select r.id as "rseId", 'rucio' as source, (coalesce(u.used, 0) + coalesce(d.bytes, 0))::bigint as used,
        null::bigint as free, (coalesce(u.files, 0) + coalesce(d.files, 0))::bigint as files,
        ${input.now}::timestamptz as "updatedAt"
      from rse r
      left join rse_usage u on u.rse_id = r.id and u.source = 'rucio'
      left join lateral (select sum(d_files) as files, sum(d_bytes) as bytes from counter_delta
        where kind = 'rse' and key1 = r.id) d on true
      where r.deleted_at is null and (${input.rseIds ?? null}::int[] is null or r.id = any(${input.rseIds ?? null}::int[]))
      union all
      select rse_id, source, used, free, files, updated_at from rse_usage
      where source <> 'rucio' and (${input.rseIds ?? null}::int[] is null or rse_id = any(${input.rseIds ?? null}::int[]))
      order by 1, 2`,
  )

export const upsertUsage = (db: Db, usage: RseUsage) =>
  sql`insert into rse_usage (rse_id, source, used, free, files, updated_at)
    values (${usage.rseId}, ${usage.source}, ${usage.used}, ${usage.free}, ${usage.files}, ${usage.updatedAt})
    on conflict (rse_id, source) do update set used = excluded.used, free = excluded.free, files = excluded.files,
      updated_at = excluded.updated_at`.execute(db)

export const selectDistances = (db: Db, input: { vo: string; srcId?: number; dstId?: number }) =>
  rows(
    db,
    sql<RseDistance>`select d.src_id as "srcId", d.dst_id as "dstId", d.distance
      from rse_distance d join rse s on s.id = d.src_id join rse t on t.id = d.dst_id
      where s.vo = ${input.vo} and s.deleted_at is null and t.deleted_at is null
        and (${input.srcId ?? null}::int is null or d.src_id = ${input.srcId ?? null}::int)
        and (${input.dstId ?? null}::int is null or d.dst_id = ${input.dstId ?? null}::int)
      order by 1, 2`,
  )

export const upsertDistances = (db: Db, distances: readonly RseDistance[]) =>
  sql`insert into rse_distance (src_id, dst_id, distance)
    select * from unnest(${distances.map((d) => d.srcId)}::int[], ${distances.map((d) => d.dstId)}::int[],
      ${distances.map((d) => d.distance)}::int[])
    on conflict (src_id, dst_id) do update set distance = excluded.distance`.execute(db)

export const removeDistances = (db: Db, pairs: readonly { srcId: number; dstId: number }[]) =>
  affected(
    db,
    sql`delete from rse_distance d using unnest(${pairs.map((p) => p.srcId)}::int[], ${pairs.map((p) => p.dstId)}::int[])
      as k(src, dst) where d.src_id = k.src and d.dst_id = k.dst`,
  )
